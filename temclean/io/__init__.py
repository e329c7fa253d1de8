"""Images in and out: :func:`read` opens a file lazily, :func:`write` writes frames with a source's calibration.

``files`` knows the formats, one module or folder each (``dm``, ``hdf5``, ``mrc``, ``npy``, ``png``, ``ser``, ``tiff``),
which read into an ``image.Image``; ``selection`` tells which image of a file is meant, ``units`` and ``axes`` tidy
calibrations, ``instrument`` has the names of what is known of the microscope, ``messages`` words what is wrong with a
file, and ``temporary`` names files while they are being written.
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
from temclean.io.selection import file_names, select

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
    "file_names",
    "identify",
    "list_images",
    "output_suffix",
    "provenance",
    "read",
    "select",
    "whole",
    "write",
]
