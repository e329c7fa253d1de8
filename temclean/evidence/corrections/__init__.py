"""What is corrected in a network's result, by what the image itself says with certainty.

``lattices`` looks at windows of up to 512 pixels: ``waves`` and ``orders`` put back what a result lacks of its
lattices, ``deviations`` takes off what it shows beside them that the image does not bear out. ``texture`` puts back
fine structure without any order, as far as ``quiet`` places show that noise cannot be so strong. ``spectrum``,
``cosines`` and ``recorded`` are what these need of half spectra, of the waves of small blocks, and of the noise.
"""
