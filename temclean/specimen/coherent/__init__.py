"""Coherent lattices: crystals whose columns stand where the lattice has them, and what breaks them.

``draw`` makes one: ``motifs`` knows crystals along their zone axes, ``columns`` fills images with them, ``strain``
bends them, ``kinds`` builds boundaries, faults, surfaces and precipitates, ``imperfections`` adds small shifts,
thickness and rare defects.
"""

from temclean.specimen.coherent.kinds import KINDS, draw

__all__ = ["KINDS", "draw"]
