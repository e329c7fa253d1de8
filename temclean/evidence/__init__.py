"""What the raw image itself supports, without any network.

``noise`` gathers a :class:`~temclean.evidence.noise.NoiseReport` of one image: ``samples`` takes the pixels to look
at and filters them, ``variance`` fits the variance in quiet blocks against their mean, ``impulses`` counts wild pixels,
and ``correlation`` tells how noise hangs together along rows and columns. ``spectrum`` looks for lattices and for the
finest structure. Modules are imported when they are asked for.
"""
