"""What README tells those who write scripts, run by a shell as it stands there; and the variables that set defaults."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import temclean

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

Run = Callable[..., Any]
README = Path(__file__).parents[1] / "README.md"


def block(opening: str) -> str:
    """Return the block of shell in README that begins so."""
    (found,) = (each for each in README.read_text(encoding="utf-8").split("```sh\n")[1:] if each.startswith(opening))
    return found.partition("```")[0]


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[str], Any]:
    """Return a function that runs lines of shell beside session1/image.tif, where `temclean` is this one."""
    program = tmp_path / "bin" / "temclean"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m temclean "$@"\n')
    program.chmod(0o755)
    pixels = np.random.default_rng(0).normal(3000, 200, (32, 32)).astype(np.uint16)
    session = tmp_path / "session1"
    session.mkdir()
    temclean.io.write(session / "image.tif", temclean.io.Image.from_array(pixels), [pixels])
    folder = str(Path(temclean.__file__).parents[1])
    surroundings = os.environ | {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": folder}

    def call(lines: str) -> Any:
        return subprocess.run(
            ["sh", "-c", lines], cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False
        )

    return call


needs_shell = pytest.mark.skipif(shutil.which("sh") is None or os.name == "nt", reason="no shell")


@needs_shell
def test_the_loop_over_exit_codes_and_lines(shell: Callable[[str], Any], tmp_path: Path) -> None:
    bad = tmp_path / "session1" / "bad.tif"
    bad.write_bytes(b"II*\0 is no TIFF")
    done = shell(block("temclean denoise session1 -m g"))
    assert done.stdout.splitlines() == ["1 failed", str(Path("clean", "image_g.tif"))], done.stderr
    (failed,) = map(json.loads, (tmp_path / "failed.jsonl").read_text().splitlines())
    assert failed["input"] == str(Path("session1", "bad.tif"))
    assert failed["error"]
    assert failed["output"] is None
    for line in (tmp_path / "done.jsonl").read_text().splitlines():
        assert {"input", "output", "status", "error", "warnings", "model"} <= json.loads(line).keys()


@needs_shell
def test_variables_are_defaults(shell: Callable[[str], Any], tmp_path: Path) -> None:
    done = shell(block("export TEMCLEAN_DENOISE_MODEL"))
    assert done.returncode == 0, done.stderr
    made = [(temclean.io.provenance(tmp_path / f"by_{name}.tif") or {})["model"] for name in ("general", "sp")]
    assert made == ["general", "sp"]


def test_a_variable_is_checked_as_the_option_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMCLEAN_DENOISE_DEVICE", "abacus")
    done = run("denoise", "a.tif")
    assert done.code == 2
    assert "'abacus'" in done.err
    assert "--device" in done.err
    assert "the variable TEMCLEAN_DENOISE_DEVICE says so" in done.err
    assert "TEMCLEAN" not in run("denoise", "a.tif", "--device", "abacus").err, "what is typed is known"


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [("COLUMNS", "1", "columns"), ("COLUMNS", "no", "particles"), ("PARTICLES", "1", "particles")],
)
def test_both_names_of_a_flag_have_variables(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, kind: str
) -> None:
    y, x = np.mgrid[:96, :96]
    spots = np.exp(-((y % 12 - 6.0) ** 2 + (x % 12 - 6.0) ** 2) / 8.0)
    tifffile.imwrite(tmp_path / "a.tif", spots.astype(np.float32))
    monkeypatch.setenv(f"TEMCLEAN_MEASURE_{variable}", value)
    assert json.loads(run("measure", tmp_path / "a.tif", "--json").out)["kind"] == kind
    told = run("measure", tmp_path / "a.tif", "--json", "--particles" if kind == "columns" else "--columns")
    assert json.loads(told.out)["kind"] != kind, "what is said counts more"


def test_what_environment_modules_set_does_no_harm(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VERSION", "ROOT", "HOME", "HELP"):
        monkeypatch.setenv(f"TEMCLEAN_{name}", "1")
    done = run("models", "g", "--json")
    assert done.code == 0
    assert json.loads(done.out)["name"] == "g"
