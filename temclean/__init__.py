"""Denoise and restore TEM, STEM and SEM images.

``temclean.denoise(image)`` cleans an array, or what ``temclean.read(path)`` gives; ``temclean.noise``,
``temclean.specimen`` and ``temclean.metrics`` simulate and score. Warnings are of ``temclean.TemcleanWarning``. Nothing
heavy is imported until it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temclean import errors, hyperspy, io, metrics, noise, specimen
    from temclean.errors import TemcleanWarning
    from temclean.io import read
    from temclean.restoration import choose, denoise, models, tiling

__version__ = "0.1.0"
__all__ = [
    "TemcleanWarning",
    "__version__",
    "choose",
    "denoise",
    "errors",
    "hyperspy",
    "io",
    "metrics",
    "models",
    "noise",
    "read",
    "specimen",
    "tiling",
]

_FROM = {
    "TemcleanWarning": "errors",
    "choose": "restoration",
    "denoise": "restoration",
    "models": "restoration",
    "read": "io",
    "tiling": "restoration",
}


def __getattr__(name: str) -> Any:
    if name in _FROM:
        return getattr(import_module(f"temclean.{_FROM[name]}"), name)
    if name in __all__:
        return import_module(f"temclean.{name}")
    raise AttributeError(f"module 'temclean' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
