"""``--shard I/N``: a part of the work, for several machines on one folder or the tasks of a SLURM array."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import click

EXAMPLE = "sbatch --array=0-15"


class Shard(NamedTuple):
    """One part of several, counted from 1, and how that was told where it was not simply given."""

    part: int
    parts: int
    note: str = ""


def shard_of(context: click.Context, option: click.Parameter, value: str) -> Shard:
    """Read ``I/N``, in an array of SLURM as its tasks are numbered."""
    try:
        return parse(value, os.environ)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def parse(value: str, environment: Mapping[str, str]) -> Shard:
    """Return the part that ``I/N`` stands for.

    Parts are counted from 1. Where I and N are this task's SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT, the part is
    that task's place in its array, ``(ID - MIN) / STEP + 1``, wherever the array begins to count, so that the tasks
    together do everything once.

    Raises
    ------
    ValueError : it is no such pair, or the array has gaps, so that a task's place in it cannot be told.

    Examples
    --------
    >>> parse("2/4", {})[:2]
    (2, 4)
    >>> names = ("ID", "COUNT", "MIN", "MAX", "STEP")
    >>> array = {f"SLURM_ARRAY_TASK_{name}": number for name, number in zip(names, ("0", "4", "0", "3", "1"))}
    >>> parse("0/4", array)
    Shard(part=1, parts=4, note='part 1 of 4: task 0 of an array that counts from 0')
    """
    index, _, count = value.partition("/")
    if value == "/":
        raise ValueError(
            "'/' names no part: $SLURM_ARRAY_TASK_ID is not set outside an array; submit the script by " + EXAMPLE
        )
    if not (_is_number(index) and _is_number(count) and int(count)):
        raise ValueError(f"{value!r} is not I/N with I from 1 to N, such as 2/4")
    array = {name: environment.get(f"SLURM_ARRAY_TASK_{name}", "") for name in ("ID", "COUNT", "MIN", "MAX", "STEP")}
    if all(map(_is_number, array.values())) and (int(index), int(count)) == (int(array["ID"]), int(array["COUNT"])):
        return _place({name: int(number) for name, number in array.items()})
    if not 1 <= int(index) <= int(count):
        zero = "; in a SLURM array give $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT, which may count from 0"
        raise ValueError(f"{value!r} is not I/N with I from 1 to N, such as 2/4{'' if int(index) else zero}")
    return Shard(int(index), int(count))


def _place(array: Mapping[str, int]) -> Shard:
    """Return the place of a task in its array."""
    first, last, step = array["MIN"], array["MAX"], max(1, array["STEP"])
    place, rest = divmod(array["ID"] - first, step)
    if rest or last - first != step * (array["COUNT"] - 1) or not 0 <= place < array["COUNT"]:
        raise ValueError(
            f"the array's {array['COUNT']} tasks, {first} to {last}, are not numbered in equal steps, so no parts can "
            f"be dealt out to them; submit the script by {EXAMPLE}, with --resume, which keeps what is done"
        )
    note = f"part {place + 1} of {array['COUNT']}: task {array['ID']} of an array that counts from {first}"
    return Shard(place + 1, array["COUNT"], note if step == 1 else f"{note} in steps of {step}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10
