"""Images in and out: :func:`read` opens a file lazily, :func:`write` writes frames with a source's calibration.

``formats`` knows the formats, one module or folder each (``dm``, ``gzipped``, ``hdf5``, ``mrc``, ``npy``, ``omezarr``,
``pictures``, ``png``, ``ser``, ``tiff``), which read into an ``image.Image``, and ``files`` opens and writes any;
``selection`` tells which image of a file is meant, ``units`` and ``axes`` tidy calibrations, ``instrument`` has the
names of what is known of the microscope, ``messages`` words what is wrong with a file, and ``temporary`` names files
while they are being written.
"""

from temclean.io.files import list_images, provenance, read, read_unfinished, whole, write
from temclean.io.formats import (
    FORMATS,
    READERS,
    WRITERS,
    ZSPY,
    Format,
    identify,
    is_folder_format,
    is_image_name,
    output_suffix,
)
from temclean.io.image import Array, Frames, Image, StackAxis
from temclean.io.note import PIXELS, checksum
from temclean.io.selection import file_names, select

__all__ = [
    "FORMATS",
    "PIXELS",
    "READERS",
    "WRITERS",
    "ZSPY",
    "Array",
    "Format",
    "Frames",
    "Image",
    "StackAxis",
    "checksum",
    "file_names",
    "identify",
    "is_folder_format",
    "is_image_name",
    "list_images",
    "output_suffix",
    "provenance",
    "read",
    "read_unfinished",
    "select",
    "whole",
    "write",
]
