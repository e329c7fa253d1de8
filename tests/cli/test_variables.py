"""Variables that give options a default: each is named after its option, whatever Python calls that."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.core import ParameterSource

from temclean import cli

Run = Callable[..., Any]


def command(name: str) -> tuple[click.Command, click.Context]:
    above = click.Context(cli.cli, info_name="temclean", **cli.SETTINGS)
    found = cli.cli.get_command(above, name)
    assert found is not None
    return found, click.Context(found, parent=above, info_name=name)


@pytest.mark.parametrize("name", sorted(set(cli.SUMMARIES) - {"train"}))
def test_every_option_hears_the_variable_of_its_long_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found, context = command(name)
    options = [each for each in found.params if isinstance(each, click.Option)]
    assert options
    for option in options:
        for long in (each for each in option.opts if each.startswith("--")):
            variable = f"TEMCLEAN_{name.upper()}_{long[2:].upper().replace('-', '_')}"
            with monkeypatch.context() as alone:
                alone.setenv(variable, "1 1")
                assert option.consume_value(context, {})[1] is ParameterSource.ENVIRONMENT, variable
            assert option.consume_value(context, {})[1] is ParameterSource.DEFAULT


def test_flags_files_and_values(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMCLEAN_SIMULATE_NOISE", "bbg")
    monkeypatch.setenv("TEMCLEAN_SIMULATE_SET", "smooth=false patches=[4,2]")
    monkeypatch.setenv("TEMCLEAN_SIMULATE_JSON", "1")
    done = run("simulate", "--size", 48, "-o", tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["noisy"] == str(tmp_path / "0000_noisy.tif")
    drawn = json.loads((tmp_path / "manifest.json").read_text())["noise"]
    assert (drawn["family"], drawn["smooth"], drawn["patches"]) == ("bbg", False, [4, 2])
    monkeypatch.setenv("TEMCLEAN_SCORE_JSON", "1")
    scored = run("score", tmp_path / "0000_clean.tif", tmp_path / "0000_noisy.tif")
    assert json.loads(scored.out)["mae"] > 0


def test_a_flag_with_two_names_can_be_said_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    found, context = command("measure")
    (option,) = (each for each in found.params if each.name == "particles")
    for text, meant in (("1", True), ("0", False)):
        monkeypatch.setenv("TEMCLEAN_MEASURE_PARTICLES", text)
        assert option.process_value(context, option.consume_value(context, {})[0]) is meant
