"""Images in and out: :func:`read` opens a file lazily, :func:`write` writes frames with a source's calibration.

``files`` knows the formats, one module or folder each (``dm``, ``hdf5``, ``mrc``, ``npy``, ``png``, ``ser``, ``tiff``),
which read into an ``image.Image``; ``units`` tidies calibrations, ``messages`` words what is wrong with a file, and
``temporary`` names files while they are being written.
"""

from temclean.io.files import (
    FORMATS,
    READERS,
    WRITERS,
    Format,
    identify,
    list_images,
    output_suffix,
    provenance,
    read,
    whole,
    write,
)
from temclean.io.image import Array, Frames, Image, StackAxis
from temclean.io.note import PIXELS, checksum

__all__ = [
    "FORMATS",
    "PIXELS",
    "READERS",
    "WRITERS",
    "Array",
    "Format",
    "Frames",
    "Image",
    "StackAxis",
    "checksum",
    "identify",
    "list_images",
    "output_suffix",
    "provenance",
    "read",
    "whole",
    "write",
]
