"""What is wrong with whole rows and columns.

``lost`` mends lost lines, ``stripes`` takes stripes off, ``straying`` puts back rows from which a beam strayed.
"""
