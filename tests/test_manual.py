"""The man page: as the commands are now, and as groff and man-db read it."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

import temclean
from temclean.cli import SUMMARIES, cli

PAGE = Path(temclean.__file__).parent / "data" / "temclean.1"


@pytest.mark.parametrize("name", [each for each in SUMMARIES if each != "train"])
def test_the_page_has_each_option_and_no_other(name: str) -> None:
    """What is around the names differs between versions of Click."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    shown_ones = (each for each in command.params if isinstance(each, click.Option) and not each.hidden)
    options = {name for each in shown_ones for name in each.opts}
    section = PAGE.read_text(encoding="utf-8").partition(f".SS temclean {name} ")[2].partition("\n.S")[0]
    shown = [line.replace("\\-", "-") for line in section.splitlines() if line.startswith("\\fB")]
    found = {name for line in shown for name in re.findall(r"(?:fB|, )(-[\w-]+)", line)}
    assert found - {"-h", "--help"} == options, "run python tests/bench/write_manual.py"


def test_it_is_installed_where_man_looks() -> None:
    settings = Path(__file__).parents[1] / "pyproject.toml"
    files = tomllib.loads(settings.read_text(encoding="utf-8"))["tool"]["setuptools"]["data-files"]
    assert [Path(each).name for each in files["share/man/man1"]] == [PAGE.name]
    assert all((settings.parent / each).exists() for each in files["share/man/man1"])


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff")
def test_groff_sets_it_without_a_warning() -> None:
    line = ["groff", "-man", "-Tutf8", "-ww", "-P-cbou", str(PAGE)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    for name in SUMMARIES:
        assert f"temclean {name}" in done.stdout
    for word in ("--overwrite", "--device [auto|cpu|cuda]", "130", "TEMCLEAN_COMMAND_OPTION"):
        assert word in done.stdout.replace("\N{HYPHEN}", "-"), word
