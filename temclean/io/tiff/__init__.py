"""TIFF, of any maker: ``reader`` and ``writer``, and what they share.

``chain`` and ``structure`` check a file before it is trusted, ``codecs`` and ``rare`` unpack its pixels,
``calibration`` measures the axes, ``tags``, ``makers`` and ``ome`` hold what stands beside the pixels, ``pages`` copies
what each page of a source says, ``own_tag`` finds what temclean noted in a result.
"""
