"""Clean images to add noise to: sheets, lattices, crystals and films in three dimensions, textures, a file of atoms.

``draw("graphene", size=512, pixel_size=0.1, seed=1)`` returns a :class:`Specimen`: the image in [0, 1] and, for
specimens made of atoms, where each of them truly is. ``catalogue`` lists them all. Flat ones are made by ``atoms``,
``monolayers``, ``densities`` and ``shapes``; those in three dimensions by ``crystals`` and ``structures`` from
``unitcells``, ``blocks``, ``profiles`` and ``projection``; nearly perfect ones, with what breaks them, by
``coherent``; those in phase contrast by ``phase``; those of low magnification by ``textures`` from ``particles`` and
``geometry``, by ``survey``, ``fringed`` and ``faint``; ``contrast`` sets their intensities. ``movies`` are movies of
atoms, for which :mod:`temclean.specimen.movies` is asked.
"""

from temclean.specimen.catalogue import (
    LARGEST_SIZE,
    SPECIMENS,
    check,
    draw,
    draw_file,
)
from temclean.specimen.scenes import graphene
from temclean.specimen.truth import Specimen, scale

__all__ = ["LARGEST_SIZE", "SPECIMENS", "Specimen", "check", "draw", "draw_file", "graphene", "scale"]
