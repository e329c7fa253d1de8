"""What the raw image itself supports, without any network, and what a result makes of it.

``noise`` gathers a :class:`~temclean.evidence.noise.NoiseReport` of one image: ``samples`` takes the pixels to look
at, without the bar of figures that ``data_bar`` finds, and filters them, ``variance`` fits the variance in quiet blocks
against their mean, ``cut`` the same where noise is cut off at an end, ``impulses`` finds wild pixels and counts those
that grain hides, and ``correlation`` tells how noise hangs together along rows and columns. ``lag`` measures from that
how far a scanned image's detector lags, and undoes it; ``lines`` sees to lost lines, to stripes, and to rows from which
a beam strayed. ``spectrum`` looks for lattices and for the finest structure.

``findings`` compares an image with its result: ``residual`` finds where structure is missing, ``lattice`` whether a
regular pattern is, and ``agreement`` how much of an image a result explains that a background was taken from;
``blocks`` makes the means of pixels that these look at, without what ``ends`` tells to be done by cutting noise off and
by specks. ``drift`` tells how far frames of a movie stand apart.

``support`` asks of every spot of a result whether the raw image has it too: ``likelihood`` compares it with and
without, and ``matched`` finds where the raw image has spots and tells how high those of noise are.
``intervals`` tells how far the truth may be from each pixel.

Modules are imported when they are asked for.
"""
