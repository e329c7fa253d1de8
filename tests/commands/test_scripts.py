"""The scripts for other programs: ImageJ runs its own; of DigitalMicrograph's there is only the text to look at."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import temclean

Run = Callable[..., Any]
NETWORK = Path(__file__).parents[1] / "data" / "network.onnx"


def texts(script: str) -> list[str]:
    """Return the texts of a script as its language reads them."""
    code = re.sub(r"^\s*//.*$", "", script, flags=re.M)
    return [json.loads(each) for each in re.findall(r'"(?:[^"\\]|\\.)*"', code)]


@pytest.mark.parametrize("program", ["fiji", "dm"])
def test_scripts_name_this_installation_and_its_models(run: Run, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr(sys, "executable", 'C:\\Users\\Ünal "x"\\python.exe')
    done = run("doctor", "--scripts", program)
    assert (done.code, done.err) == (0, "")
    assert sys.executable in texts(done.out)
    assert not re.search("@[A-Z]+@", done.out)
    for name in ["auto", *temclean.models.available()]:
        assert any(name in each.replace(",", " ").split() for each in texts(done.out)), name


def test_the_untried_script_says_so(run: Run) -> None:
    assert "Untried" in run("doctor", "--scripts", "dm").out.splitlines()[1]


def test_the_macro_gets_to_see_errors(run: Run, tmp_path: Path) -> None:
    (call,) = (each for each in texts(run("doctor", "--scripts", "fiji").out) if each.startswith("import sys"))
    line = [sys.executable, "-c", call, "denoise", str(tmp_path / "a.tif"), "-m", "nonesuch"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert "no model is called 'nonesuch'" in done.stdout


@pytest.mark.skipif(
    not (shutil.which("imagej") and shutil.which("xvfb-run")), reason="no imagej and xvfb-run, Debian's packages"
)
@pytest.mark.skipif(sys.platform != "linux", reason="a virtual display is a thing of X")
def test_imagej_runs_the_macro(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    pixels = np.random.default_rng(0).normal(3000, 200, (3, 48, 64)).astype(np.uint16)
    image = temclean.io.Image.from_array(pixels, 0.25, "nm", "ZYX")
    before = temclean.io.write(tmp_path / "front image.tif", image, list(pixels))
    macro = tmp_path / "temclean.ijm"
    macro.write_text(run("doctor", "--scripts", "fiji").out, encoding="utf-8")
    after, left = tmp_path / "after.tif", tmp_path / "left.txt"
    driver = tmp_path / "driver.ijm"
    driver.write_text(
        f'open("{before}"); runMacro("{macro}", "{NETWORK}");\n'
        f'File.saveString("" + nImages + " " + getTitle(), "{left}");\n'
        f'saveAs("Tiff", "{after}"); run("Quit");\n'
    )
    home = tmp_path / "home"
    home.mkdir()
    surroundings = os.environ | {"HOME": str(home), "PYTHONPATH": str(Path(temclean.__file__).parents[1])}
    line = ["xvfb-run", "-a", "imagej", "-m", str(driver)]
    with subprocess.Popen(line, env=surroundings, stdout=subprocess.DEVNULL, start_new_session=True) as imagej:
        try:
            imagej.wait(timeout=60)  # an error is a dialog that waits for somebody
        finally:
            with suppress(ProcessLookupError):
                os.killpg(imagej.pid, signal.SIGTERM)
    assert after.exists()
    assert left.read_text().strip() == f"2 front image.tif (temclean {NETWORK})"
    with temclean.read(after) as clean:
        np.testing.assert_array_equal(np.stack(list(clean.pixels)), temclean.denoise(pixels, NETWORK, device="cpu"))
        assert clean.pixel_size == pytest.approx((0.25, 0.25))
        assert clean.unit == "nm"


@pytest.mark.skipif(not shutil.which("tclsh"), reason="no tclsh, Debian's tcl")
def test_the_module_sets_what_tcl_reads_in_it(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tcl runs it, with the commands that environment modules add only printing what they are given."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "a $b [c]"))
    text = run("doctor", "--scripts", "module").out
    assert text.startswith("#%Module1.0\n")
    commands = "".join(
        f"proc {name} args {{ puts {name}\\t[join $args \\t] }}\n"
        for name in ("conflict", "prepend-path", "append-path")
    )
    (tmp_path / "module.tcl").write_text(f"{commands}proc module-whatis text {{}}\n{text}", encoding="utf-8")
    done = subprocess.run(["tclsh", tmp_path / "module.tcl"], capture_output=True, text=True, check=True)
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["conflict", "temclean"],
        ["prepend-path", "PATH", f"{sys.prefix}/only"],
        ["prepend-path", "MANPATH", f"{sys.prefix}/share/man"],
        ["append-path", "MANPATH", ""],  # and what man looks through without it
    ]
    assert "only/temclean is not there" in done.stderr


def test_easybuild_s_recipe_has_all_that_this_version_needs(run: Run) -> None:
    """Recipes are Python; modules of EasyBuild and extensions together bring what pyproject.toml asks for."""
    recipe: dict[str, Any] = {"SOURCE_PY3_WHL": "a wheel"}
    exec(run("doctor", "--scripts", "easybuild").out, recipe)
    assert (recipe["name"], recipe["version"]) == ("temclean", temclean.__version__)
    brought = {each[0].lower() for each in (*recipe["dependencies"], *recipe["exts_list"])}
    brought |= {"numpy"} if "scipy-bundle" in brought else set()
    brought |= {"click", "packaging"} if "python-bundle-pypi" in brought else set()
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = {re.split("[^a-z0-9]", each)[0] for each in (*project["dependencies"], *extras["cpu"], *extras["em"])}
    assert asked <= brought
