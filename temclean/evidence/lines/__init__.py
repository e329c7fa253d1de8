"""What is wrong with whole rows and columns.

``lost`` mends lost lines, ``stripes`` takes stripes off, ``shuffled`` puts rows in order across which a beam strayed by
several, ``straightened`` puts back rows from which it strayed less, by what ``straying`` measures beside a first
result, and beside its ``repeats`` where it has any; ``spectrum_floor`` is noise between the lines of a lattice's
spectrum.
"""
