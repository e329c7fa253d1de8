"""The house: imports only go down between its shelves, none is too large, and ``--help`` loads nothing heavy."""

import ast
import importlib
import json
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import click
import pytest

import temclean

PACKAGE = Path(temclean.__file__).parent

FLOORS = [
    ["__main__"],
    ["cli"],
    ["commands", "hyperspy", "napari"],
    ["restoration"],
    ["evidence"],
    ["metrics", "noise", "specimen", "io"],
    ["filters", "data", "weights"],
    ["errors", "forked", *sorted(path.stem for path in PACKAGE.glob("_[a-z]*.pyi"))],
]
"""The shelves, and the few modules beside them: each imports from lower floors only, never from its neighbours."""

PUBLIC = {
    "temclean": "TemcleanWarning __version__ choose denoise errors hyperspy io metrics models noise read specimen "
    "tiling",
    "temclean.hyperspy": "denoise",
    "temclean.io": "FORMATS READERS WRITERS Format Frames Image list_images output_suffix provenance read write",
    "temclean.metrics": "Columns columns css find_particles fit_lattice intensities intensity_groups local_strain mae "
    "match movie_css ms_ssim psnr ring_correlation score spectra ssim to_json unseen_error",
    "temclean.models": "available find load open_session",
    "temclean.noise": "FAMILIES Noise apply background",
    "temclean.specimen": "SPECIMENS Specimen draw draw_file",
    "temclean.tiling": "Blender Plan blend plan split",
}
"""What users type; none of it may be lost."""


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "training" not in path.parts)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in modules()}


@cache
def imported(path: Path) -> set[str]:
    """Return the modules of temclean that a file imports when it runs, at its top or inside its functions."""
    names = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body.clear()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("temclean.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "temclean":
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            kernels = {each for each in inner if each.startswith("temclean._") and not each.startswith("temclean.__")}
            found = {each for each in inner if each in MODULES} | kernels
            names |= found | ({str(node.module)} if len(found) < len(inner) else set())
    return names - {"temclean", name_of(path)}


def shelf(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down(path: Path) -> None:
    name = name_of(path)
    if name == "temclean":
        return
    floor = {each: level for level, names in enumerate(FLOORS) for each in names}
    assert shelf(name) in floor, f"{shelf(name)} has no place in the house yet"
    for other in imported(path):
        assert shelf(other) == shelf(name) or floor[shelf(other)] > floor[shelf(name)], f"{name} imports {other}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: imported(path) for name, path in MODULES.items()}
    assert list(TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_every_shelf_is_installed() -> None:
    settings = PACKAGE.parent / "pyproject.toml"
    if not settings.exists():
        pytest.skip("this is an installation")
    named = tomllib.loads(settings.read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    found = {".".join(each.parent.relative_to(PACKAGE.parent).parts) for each in PACKAGE.rglob("__init__.py")}
    elsewhere = {"temclean.training", "temclean.training.networks", "temclean.weights"}
    assert set(named) - elsewhere == found - elsewhere


def test_shelves_and_modules_stay_small() -> None:
    for name, path in MODULES.items():
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= 350, f"{name} has {lines} lines: it holds two ideas"
    for folder in {path.parent for path in MODULES.values()}:
        count = sum(path.name != "__init__.py" for path in folder.glob("*.py"))
        assert count <= (10 if folder == PACKAGE else 20), f"{folder.name} has {count} modules"


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_there(name: str) -> None:
    module = temclean if name == "temclean" else getattr(temclean, name.split(".")[1])
    for each in PUBLIC[name].split():
        assert hasattr(module, each), f"{name}.{each} is gone"
    assert set(PUBLIC["temclean"].split()) <= set(dir(temclean))


def test_kernels_are_where_they_were() -> None:
    for kernel in FLOORS[-1][1:]:
        assert importlib.import_module(f"temclean.{kernel}")


def test_only_the_command_line_knows_of_training() -> None:
    for path in modules():
        if name_of(path) not in {"temclean.cli.train", "temclean.commands.doctor"}:
            assert "training" not in imported(path)
            assert "torch" not in path.read_text(encoding="utf-8").split(), path


def loaded_by(*arguments: str) -> set[str]:
    """Return the modules that are loaded when the command line has run."""
    code = (
        "import json, sys\nfrom temclean.cli import main\n"
        f"try:\n    main({list(arguments)!r})\nexcept SystemExit:\n    pass\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"numpy", "onnxruntime", "tifffile", "torch", "tqdm", "h5py", "PIL", "temclean.io", "temclean.commands.batch"}


@pytest.mark.parametrize(
    "line",
    ["--help", "--version", "denoise --help", "inspect -h", "measure -h", "simulate --help", "nonsense", "denoise"],
)
def test_help_loads_nothing_heavy(line: str) -> None:
    loaded = loaded_by(*line.split())
    assert "temclean.cli" in loaded
    assert not loaded & HEAVY


def test_importing_temclean_loads_no_torch() -> None:
    code = "import sys, temclean; temclean.io; temclean.metrics; temclean.noise; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_help_loads_no_command_and_names_each() -> None:
    from temclean import cli

    assert not {name for name in loaded_by("--help") if name in {f"temclean.cli.{each}" for each in cli.SUMMARIES}}
    for name in cli.SUMMARIES:
        assert cli.cli.get_command(click.Context(cli.cli), name).name == name
