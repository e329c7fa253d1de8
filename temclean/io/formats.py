"""Which formats there are, how a file is told to be of one, and which its result is written in."""

import os
import stat
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from types import ModuleType

import numpy as np

from temclean.errors import FileError, MissingExtraError
from temclean.io.messages import first_line, silence

_LOADED: dict[str, ModuleType] = {}
"""Modules by name: a folder may hold 100,000 files, and to ask Python for one takes as long as to open a file."""


@dataclass(frozen=True)
class Format:
    """A file format: its module has ``read``, and ``write`` and ``provenance`` where it can be written."""

    name: str
    suffixes: tuple[str, ...]
    module: str
    reader: str = ""
    """The module that reads it, if not `module`."""
    note: str = ""
    """The module that finds temclean's provenance, if not `module`."""
    writes: bool = False
    needs: str | None = None
    """Module that has to be installed."""
    extra: str | None = None
    """Extra of temclean that brings it."""

    @property
    def available(self) -> bool:
        """Whether it can be read here and now."""
        return self.needs is None or util.find_spec(self.needs) is not None

    def load(self, part: str = "reader") -> ModuleType:
        """Import the module that reads it, writes it, or finds the note in it: ``reader``, ``writer``, ``note``."""
        name = {"reader": self.reader, "note": self.note}.get(part) or self.module
        if name in _LOADED and self.needs is None:  # what it needs may be gone since
            return _LOADED[name]
        try:
            with silence:
                return _LOADED.setdefault(name, import_module(f"temclean.io.{name}"))
        except ImportError as error:
            if isinstance(error, MissingExtraError):
                raise
            raise MissingExtraError(
                f"{self.name} files cannot be read: {first_line(error)}; install temclean again"
            ) from error


TIFF = Format("TIFF", (".tif", ".tiff", ".btf", ".tf8"), "tiff.writer", "tiff.reader", "tiff.own_tag", writes=True)
PNG = Format("PNG", (".png",), "png", writes=True)
MRC = Format("MRC", (".mrc", ".mrcs", ".map", ".rec", ".st", ".ali"), "mrc", writes=True)
NPY = Format("NumPy", (".npy",), "npy", writes=True)
DM = Format("DigitalMicrograph", (".dm3", ".dm4"), "dm")
SER = Format("TIA", (".ser", ".emi"), "ser")
PICTURE = Format("JPEG and BMP", (".jpg", ".jpeg", ".bmp"), "pictures.jpeg_bmp")
GZIP = Format("gzip", (".gz",), "gzipped")
HDF5 = Format("EMD (Velox, NCEM) and HyperSpy", (".emd", ".hspy"), "hdf5.reader", needs="h5py", extra="em")
OME_ZARR = Format("OME-Zarr", (".zarr",), "omezarr.writer", "omezarr.reader", writes=True, needs="zarr", extra="zarr")

FORMATS: tuple[Format, ...] = (TIFF, PNG, MRC, NPY, DM, SER, HDF5, OME_ZARR, PICTURE, GZIP)
READERS: dict[str, Format] = {suffix: one for one in FORMATS for suffix in one.suffixes}
WRITERS: dict[str, Format] = {suffix: one for suffix, one in READERS.items() if one.writes}

# How files begin, whatever their names say.
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\x93NUMPY", NPY),
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"\0\0\0\3", DM),
    (b"\0\0\0\4\0\0\0\0", DM),
    (b"II\x97\1", SER),
    (b"JK", SER),
    (b"\xff\xd8\xff", PICTURE),
    (b"\x1f\x8b\x08", GZIP),
)
_FOREIGN = {
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\3\4": "a ZIP archive",
    b"BZh": "bzip2-compressed",
}
_HEAD = 212
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
"""Bytes of the second header, which say of which version a BMP is; two letters alone could begin anything."""

ZSPY = "is HyperSpy's folder of Zarr, which temclean does not read; save it as .hspy from HyperSpy"


def is_image_name(path: Path) -> bool:
    """Return whether a file's name is one of an image that can be read; of ``.gz``, what stands before it decides."""
    suffix = path.suffix.lower()
    return READERS.get(Path(path.stem).suffix.lower() if suffix == ".gz" else suffix, GZIP) is not GZIP


def is_folder_format(path: Path) -> bool:
    """Return whether a path is a folder that is one image, not one with images in it."""
    return path.suffix.lower() in OME_ZARR.suffixes and path.is_dir()


def identify(path: Path) -> Format:
    """Return the format of a file by its content, and by its name where the content does not tell."""
    suffix = path.suffix.lower()
    if suffix in OME_ZARR.suffixes and path.is_dir():
        return OME_ZARR
    head = _head(path, suffix)
    named = READERS.get(suffix)
    for magic, one in _MAGIC:
        # Short magics could begin any old MRC file: there the name decides.
        if head.startswith(magic) and (len(magic) > 4 or one is TIFF or one is named or named is None):
            return one
    if head[208:212] == b"MAP " or named is MRC:
        return MRC
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return PICTURE
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise FileError(f"{path}: is {what}, which temclean does not read; save it as TIFF or PNG")
    for magic, one in _MAGIC:
        if head.startswith(magic):
            return one
    if named is not None:
        raise FileError(f"{path}: is not the {named.name} file that its name says, or is damaged; copy it again")
    raise FileError(f"{path}: is no image that temclean reads; name one of {', '.join(sorted(READERS))}")


def _head(path: Path, suffix: str) -> bytes:
    """Return how a file begins."""
    if suffix == ".zspy":
        raise FileError(f"{path}: {ZSPY}")
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # reading it could take forever
        raise FileError(f"{path}: is a pipe or a device, not a file; save what comes out of it, and name that")
    with path.open("rb", buffering=0) as file:
        head = file.read(_HEAD)
    if not head:
        raise FileError(f"{path}: is empty; copy it again from its source")
    return head


def output_suffix(path: str | os.PathLike[str], dtype: str | None = None, form: Format | None = None) -> str:
    """Return the suffix for a result of `path`: its own where that format can be written and is what the file is.

    With `dtype`, it has to hold such pixels too. With ``form`` it is not looked again what the file is.
    """
    path = path if isinstance(path, Path) else Path(path)
    suffix = path.suffix.lower()
    try:
        found: Format | None = form or identify(path)
    except OSError:
        found = READERS.get(suffix)
    if found is GZIP:
        # What is inside is not known before it is unpacked.
        suffix = Path(path.stem).suffix.lower()
        found = READERS.get(suffix)
    if found is None or not found.writes:
        return ".tif"
    if dtype is not None:
        code = np.dtype(dtype).str[1:]
        if code not in found.load("writer").DTYPES or (found is MRC and code == "u1"):  # of MRC, only IMOD's has such
            return ".tif"
    return suffix if WRITERS.get(suffix) is found else found.suffixes[0]
