"""What is wrong with whole rows and columns.

``lost`` mends lost lines, ``stripes`` takes stripes off, ``straightened`` puts back rows from which a beam strayed, by
what ``straying`` measures beside a first result, and beside its ``repeats`` where it has any; ``spectrum_floor`` is
noise between the lines of a lattice's spectrum.
"""
