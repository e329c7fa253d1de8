"""Array in, array out: ``denoise``, and what it is made of.

``shipped`` names the models that there are, ``choice`` takes the one that fits an image, ``models`` opens sessions on
what ``modelfile`` reads of their files (``replay`` those on a GPU); ``pipeline`` measures an image's scale
(``scaling``), cuts it into tiles (``tile_plan``), and runs the network on them (``tiling`` gathers and blends;
``surroundings`` lets lattices go on beyond the border; ``inference`` runs one, with ``grid``, which takes away the grid
of two pixels that networks make, and ``extremes``, which puts back what a detector has cut off); ``conversion`` mixes
the raw image in and rounds once; ``cautions`` words what to warn of. ``windows`` lays the frames over each other that a
model of movies looks at, ``together`` joins those that agree, for a model of single images, and ``lazy`` has arrays of
Dask. Modules are imported when they are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temclean.restoration import models, pipeline, tiling
    from temclean.restoration.choice import choose
    from temclean.restoration.pipeline import denoise

__all__ = ["choose", "denoise", "models", "pipeline", "tiling"]


def __getattr__(name: str) -> Any:
    if name == "denoise":
        return import_module("temclean.restoration.pipeline").denoise
    if name == "choose":
        return import_module("temclean.restoration.choice").choose
    if name in __all__:
        return import_module(f"temclean.restoration.{name}")
    raise AttributeError(f"module 'temclean.restoration' has no attribute {name!r}")
