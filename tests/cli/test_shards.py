"""Parts of the work: counted from 1 by hand, and in SLURM's arrays from wherever these begin to count.

SLURM sets SLURM_ARRAY_TASK_ID, _COUNT, _MIN, _MAX and _STEP in each task of an array (`man sbatch`, OUTPUT ENVIRONMENT
VARIABLES); the environments here are made from the array's own list of numbers.
"""

import doctest
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from temclean.cli import shards

Run = Callable[..., Any]
WORDS = "{SLURM_ARRAY_TASK_ID}/{SLURM_ARRAY_TASK_COUNT}"


def tasks(numbers: range | list[int]) -> Iterator[dict[str, str]]:
    """Yield what SLURM sets in each task of an array of these numbers."""
    step = numbers.step if isinstance(numbers, range) else 1
    for number in numbers:
        facts = {"ID": number, "COUNT": len(numbers), "MIN": min(numbers), "MAX": max(numbers), "STEP": step}
        yield {f"SLURM_ARRAY_TASK_{name}": str(fact) for name, fact in facts.items()}


@pytest.mark.parametrize("numbers", [range(4), range(1, 5), range(7, 8), range(0, 31, 2), range(3, 12, 4)])
def test_the_tasks_of_an_array_have_each_part_once(numbers: range) -> None:
    parts = [shards.parse(WORDS.format(**task), task) for task in tasks(numbers)]
    assert [part[:2] for part in parts] == [(place, len(numbers)) for place in range(1, len(numbers) + 1)]
    assert all(f"counts from {numbers[0]}" in part.note for part in parts)


def test_what_is_counted_by_hand_is_left_as_it_is() -> None:
    for number, task in enumerate(tasks(range(4))):
        assert shards.parse(f"{number + 1}/4", task)[:2] == (number + 1, 4)
    assert shards.parse("2/16", next(tasks(range(2, 3)))) == (2, 16, "")
    assert shards.parse("2/4", {}) == (2, 4, "")


@pytest.mark.parametrize(
    ("words", "numbers", "said"),
    [
        (WORDS, [1, 3, 7], "equal steps"),
        ("0/16", [3], "may count from 0"),
        ("/", None, "sbatch --array"),
        ("5/4", None, "from 1 to N"),
        ("1/0", None, "from 1 to N"),
        ("1/2/3", None, "from 1 to N"),
        ("²/4", None, "from 1 to N"),
    ],
)
def test_a_mistake_is_one_clear_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: str, numbers: list[int] | None, said: str
) -> None:
    task = next(tasks(numbers)) if numbers else {}
    for name, value in task.items():
        monkeypatch.setenv(name, value)
    done = run("denoise", "a.tif", "-m", "sp", "--shard", words.format(**task))
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_an_array_that_counts_from_0_plans_every_file_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, image_file: Callable[..., Path]
) -> None:
    files = [image_file(tmp_path / f"{number}.tif") for number in range(5)]
    planned = []
    for task in tasks(range(2)):
        for name, value in task.items():
            monkeypatch.setenv(name, value)
        done = run("denoise", tmp_path, "-m", "sp", "--dry-run", "--shard", WORDS.format(**task))
        assert done.code == 0
        assert "array that counts from 0" in done.err
        planned += [line.split(" -> ")[0] for line in done.out.splitlines()]
        assert run("denoise", tmp_path, "-m", "sp", "--dry-run", "-q", "--shard", WORDS.format(**task)).err == ""
    assert sorted(planned) == sorted(map(str, files))


def test_its_examples_hold() -> None:
    assert doctest.testmod(shards).failed == 0
