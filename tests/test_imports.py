"""Imports only go down the page of the house, and ``--help`` loads nothing heavy."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import temclean

PACKAGE = Path(temclean.__file__).parent

# Each module may import those of the lines below its own, and those named here of its own line.
FLOORS = [
    ["cli", "__main__"],
    ["reporting", "tables"],
    ["batch", "simulate", "scoring", "doctor"],
    ["jobs", "manifest"],
    ["inputs", "relay"],
    ["pipeline"],
    ["models", "tiling", "noise", "specimen", "metrics", "io", "postprocess"],
    ["structures"],
    ["formats", "unfinished", "scales", "scaling", "modelfile", "layout", "sheets", "shapes"],
    ["crystals", "textures", "mtf"],
    ["atoms", "densities", "pairs", "projection", "contrast", "particles", "blocks"],
    ["profiles", "unitcells", "outlines", "filters"],
    sorted(path.stem for path in PACKAGE.glob("_[a-z]*.pyi")),
    ["errors", "data", "weights"],
]
SIBLINGS = {("__main__", "cli")}


def imported(path: Path) -> set[str]:
    """Return the modules of temclean that a file imports, at its top or inside its functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("temclean.")}
        elif isinstance(node, ast.ImportFrom) and node.module == "temclean":
            names |= {alias.name for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("temclean."):
            names.add(str(node.module).split(".")[1])
    return names


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" and "training" not in path.parts)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_down(path: Path) -> None:
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in floor, f"{own} has no place in the house yet"
    for name in imported(path) - {own}:
        assert floor[name] > floor[own] or (own, name) in SIBLINGS, f"{own} imports {name}"


def test_only_the_command_line_knows_of_training() -> None:
    for path in modules():
        if path.name not in {"cli.py", "doctor.py"}:
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


HEAVY = {"numpy", "onnxruntime", "tifffile", "torch", "tqdm", "h5py", "PIL", "temclean.io", "temclean.batch"}


@pytest.mark.parametrize("line", ["--help", "--version", "denoise --help", "simulate --help", "nonsense", "denoise"])
def test_help_loads_nothing_heavy(line: str) -> None:
    loaded = loaded_by(*line.split())
    assert "temclean.cli" in loaded
    assert not loaded & HEAVY


def test_importing_temclean_loads_no_torch() -> None:
    code = "import sys, temclean; temclean.io; temclean.metrics; temclean.noise; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
