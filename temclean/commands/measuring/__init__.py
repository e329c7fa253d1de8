"""Figures off images: columns, particles, and what Fourier transforms show.

``measure`` goes through files; ``atoms`` and ``grains`` make a table of one image's columns or particles, on the
``scale`` of its file, which ``table`` writes and ``told`` puts into words. ``raw`` finds the raw image of a restored
one. ``fourier`` compares files ring by ring.
"""
