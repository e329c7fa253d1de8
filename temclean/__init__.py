"""Denoise and restore TEM, STEM and SEM images.

``temclean.denoise(image, model="sp")`` cleans an array; ``temclean.noise``, ``temclean.specimen`` and
``temclean.metrics`` simulate and score. Nothing heavy is imported until it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temclean import errors, io, metrics, noise, specimen
    from temclean.restoration import denoise, models, tiling

__version__ = "0.1.0"
__all__ = ["__version__", "denoise", "errors", "io", "metrics", "models", "noise", "specimen", "tiling"]

_OF_RESTORATION = {"denoise", "models", "tiling"}


def __getattr__(name: str) -> Any:
    if name in _OF_RESTORATION:
        return getattr(import_module("temclean.restoration"), name)
    if name in __all__:
        return import_module(f"temclean.{name}")
    raise AttributeError(f"module 'temclean' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
