"""What shells ask for when somebody presses Tab, by the protocol of Click's scripts for them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from temclean import models, noise, specimen
from temclean.cli import completion

HEAVY = {"numpy", "onnxruntime", "tifffile", "torch", "tqdm", "h5py", "PIL"}

TEMCLEAN = (
    "import sys, json, atexit\n"
    "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
    "from temclean.cli import main\nmain([])"
)


def ask(line: str, shell: str = "bash") -> tuple[list[tuple[str, str]], set[str]]:
    """Return the (type, value) of what a shell gets at the end of a line, and the modules that were loaded for it."""
    words = line.split(" ")
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_TEMCLEAN_COMPLETE": f"{shell}_complete"}
    if shell == "fish":
        asked |= {"COMP_WORDS": " ".join(words[:-1]), "COMP_CWORD": words[-1]}
    done = subprocess.run(
        [sys.executable, "-c", TEMCLEAN], capture_output=True, text=True, env=os.environ | asked, check=False
    )
    lines = done.stdout.strip("\n").splitlines()
    step = {"bash": 1, "fish": 1, "zsh": 3}[shell]
    items = [tuple(each.split(",")) for each in lines] if step == 1 else list(zip(lines[::3], lines[1::3], strict=True))
    return [(str(kind), str(value)) for kind, value, *_ in items], set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "temclean ",
            {"denoise", "simulate", "score", "models", "inspect", "measure", "relion", "train", "watch", "doctor"},
        ),
        ("temclean de", {"denoise"}),
        ("temclean denoise --re", {"--recursive", "--report", "--residual", "--resume"}),
        ("temclean denoise a.tif -m ", {"auto", *models.available()}),
        ("temclean denoise a.tif --model gs", {"gsp"}),
        ("temclean models g", {"g", "general", "gsp"}),
        ("temclean denoise a.tif --device c", {"cpu", "cuda"}),
        ("temclean simulate --specimen gra", {"graphene", "graphene-atoms", "graphene-defects", "grains"}),
        ("temclean simulate --noise s", {"sp", "stem", "sem", "shot", "saturation"}),
        ("temclean train d", {"dft"}),
    ],
)
def test_names_are_completed_without_loading_numpy(line: str, wanted: set[str]) -> None:
    items, loaded = ask(line)
    assert {value for kind, value in items if kind == "plain"} == wanted
    assert "temclean.cli" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "line", ["denoise sess", "denoise a.tif -m my", "denoise a.tif -o o", "simulate --specimen Sr"]
)
def test_files_are_left_to_the_shell(line: str) -> None:
    assert ask(f"temclean {line}")[0] == [("file", line.rpartition(" ")[2])]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_the_same(shell: str) -> None:
    assert {value for _, value in ask("temclean models g", shell)[0]} == {"g", "general", "gsp"}


def test_all_specimens_and_noises_can_be_completed() -> None:
    assert list(specimen.SPECIMENS) == completion.SPECIMENS, "name the new ones in temclean/cli/completion.py"
    assert list(noise.FAMILIES) == completion.FAMILIES


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_as_readme_says(tmp_path: Path) -> None:
    """The line of README in a bash, and Tab, which calls the function that it registered."""
    program = tmp_path / "temclean"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m temclean "$@"\n')
    program.chmod(0o755)
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert 'eval "$(_TEMCLEAN_COMPLETE=bash_source temclean)"' in readme
    script = (
        'eval "$(_TEMCLEAN_COMPLETE=bash_source temclean)"\n'
        "COMP_WORDS=(temclean denoise a.tif -m gs); COMP_CWORD=4; COMPREPLY=()\n"
        "$(complete -p temclean | sed 's/.*-F \\([^ ]*\\).*/\\1/') temclean gs -m\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=os.environ | {"PATH": path}, check=False
    )
    assert (done.stdout, done.stderr) == ("gsp\n", "")
