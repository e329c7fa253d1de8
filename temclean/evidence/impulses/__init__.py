"""Single pixels that are no part of what an image shows: wild ones, dead ones, and salt and pepper.

``suspects`` finds the pixels that say nothing of the noise around them; ``specks`` counts those at an extreme that
noise, cut off there, does not explain.
"""

from temclean.evidence.impulses.specks import Specks, salt_and_pepper
from temclean.evidence.impulses.suspects import STREAK, Suspects, first_sigma, suspects

__all__ = ["STREAK", "Specks", "Suspects", "first_sigma", "salt_and_pepper", "suspects"]
