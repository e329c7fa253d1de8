"""Types of values that options of several methods of training take."""

import math
from typing import Any

import click


class Finite(click.FloatRange):
    """A number in a range that is neither infinite nor NaN, which lies in no range and would pass for one in each."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


POSITIVE = Finite(min=0.0, min_open=True)

SEED = click.IntRange(0, 2**31 - 1)
"""What all generators of random numbers take."""
