"""Denoise and restore TEM, STEM and SEM images.

``temclean.denoise(image, model="sp")`` cleans an array; ``temclean.noise``, ``temclean.specimen`` and
``temclean.metrics`` simulate and score. Nothing heavy is imported until it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temclean.pipeline import denoise

    from . import errors, io, metrics, models, noise, specimen, tiling

__version__ = "0.1.0"
__all__ = ["__version__", "denoise", "errors", "io", "metrics", "models", "noise", "specimen", "tiling"]


def __getattr__(name: str) -> Any:
    if name == "denoise":
        return import_module("temclean.pipeline").denoise
    if name in __all__:
        return import_module(f"temclean.{name}")
    raise AttributeError(f"module 'temclean' has no attribute {name!r}")
