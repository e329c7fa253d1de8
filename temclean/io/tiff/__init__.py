"""TIFF, of any maker: ``reader`` and ``writer``, and what they share.

``structure`` checks a file before it is trusted, ``codecs`` unpacks its pixels, ``tags`` and ``ome`` hold what stands
beside them, ``pages`` copies what each page of a source says.
"""
