"""Single pixels that are no part of what an image shows: wild ones, dead ones, and salt and pepper.

``suspects`` finds the pixels that say nothing of the noise around them; ``specks`` counts those at an extreme that
noise, cut off there, does not explain, and ``dead`` those at 0 that are no counts. ``outliers`` that make the range of
values many times as wide are set aside before. ``hits`` are replaced before a network looks, and those that stand out
of its first result before it looks again.
"""

from temclean.evidence.impulses.dead import Dead, dead
from temclean.evidence.impulses.outliers import Aside, set_aside
from temclean.evidence.impulses.specks import Specks, salt_and_pepper
from temclean.evidence.impulses.suspects import STREAK, Suspects, first_sigma, suspects

__all__ = [
    "STREAK",
    "Aside",
    "Dead",
    "Specks",
    "Suspects",
    "dead",
    "first_sigma",
    "salt_and_pepper",
    "set_aside",
    "suspects",
]
