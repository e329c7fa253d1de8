"""Read and write MRC2014, frame by frame."""

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import ImageError
from temclean.io.axes import calibrate_plane, stack_axis
from temclean.io.image import Array, ByteOrder, Frames, Image, MappedFrames, RawFrames, StackAxis
from temclean.io.messages import damaged, silence
from temclean.io.note import Note
from temclean.io.units import METRES

with silence:
    from mrcfile.dtypes import HEADER_DTYPE

MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
DTYPES = frozenset(MODES.values()) | {"u1"}
SUFFIXES = (".mrc", ".mrcs", ".map", ".rec", ".st", ".ali")
LABEL = "temclean:"
_LABELS, _LABEL_BYTES = 10, 80
_ORDERS: tuple[ByteOrder, ...] = ("<", ">")
# IMOD marks files whose mode 0 is unsigned by a stamp and a cleared flag in the space that the standard leaves free.
_IMOD_STAMP = 1146047817
_STAMP_AT, _FLAGS_AT = 40, 44
"""imodStamp is at byte 152 of the header and imodFlags at 156; extra2 begins at 112."""
NIBBLES = 101
# The axis of the cell of sections, rows and columns where the header does not name one.
_STANDARD = (("s", "z"), ("r", "y"), ("c", "x"))


@dataclass(frozen=True)
class MrcContainer:
    """What an MRC result takes over from its source."""

    header: Array
    """In native byte order."""
    extended: bytes
    order: ByteOrder


def read(path: Path, *, unfinished: bool = False) -> Image:
    """Open an MRC file; of one that is unfinished, the frames that are there, whatever its header says of them."""
    warnings: list[str] = []
    with path.open("rb") as file:
        block = file.read(HEADER_DTYPE.itemsize)
        if len(block) < HEADER_DTYPE.itemsize:
            raise damaged(path, "its header is cut short")
        header, order = _header(path, block)
        extended_bytes = int(header["nsymbt"])
        if extended_bytes < 0 or extended_bytes > path.stat().st_size:
            raise damaged(path, f"its header claims an extended header of {extended_bytes} bytes")
        extended = file.read(extended_bytes)
    nx, ny, nz = (int(header[name]) for name in ("nx", "ny", "nz"))
    if unfinished and min(nx, ny) > 0:
        row = (nx + 1) // 2 if int(header["mode"]) == NIBBLES else nx * _dtype(path, header).itemsize
        nz = (path.stat().st_size - HEADER_DTYPE.itemsize - extended_bytes) // (ny * row)
        header["ispg"] = 0
    if min(nx, ny, nz) < 1:
        raise damaged(path, f"its header claims {nz} frames of {ny} x {nx} pixels")
    dtype = _dtype(path, header).newbyteorder(order)
    shape, axes = _shape(header, nx, ny, nz)
    packed = int(header["mode"]) == NIBBLES
    stored = (*shape[:-1], (nx + 1) // 2) if packed else shape
    raw = RawFrames(path, stored, dtype, HEADER_DTYPE.itemsize + extended_bytes)
    frames: Frames = MappedFrames(path, raw, shape, lambda frame: _nibbles(frame, nx)) if packed else raw
    trailing = path.stat().st_size - HEADER_DTYPE.itemsize - extended_bytes - math.prod(stored) * dtype.itemsize
    if trailing:
        warnings.append(f"{trailing} bytes after the last frame were left out")
    sections, rows, columns = map(_axis, _voxel(header), _first_voxel(header))
    plane = calibrate_plane(rows, columns, warnings)
    # Only of a volume does the header say how the frames follow each other.
    depth = stack_axis(sections.step, sections.unit, sections.origin)
    stack = tuple(depth if letter == "Z" else None for letter in axes[:-2])
    metadata = {name: header[name].tolist() for name in HEADER_DTYPE.names or () if name not in {"extra1", "extra2"}}
    metadata["label"] = _labels(header)
    suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ".mrc"
    container = MrcContainer(header, extended, order)
    return Image(
        frames,
        plane.pixel_size,
        plane.unit,
        axes,
        metadata,
        suffix,
        tuple(warnings),
        container,
        plane.origin,
        stack,
    )


def _header(path: Path, block: bytes) -> tuple[Array, ByteOrder]:
    """Return the header in native order, and the file's byte order."""
    for order in _ORDERS:
        header = np.frombuffer(block, HEADER_DTYPE.newbyteorder(order)).reshape(())
        # The machine stamp is often wrong in the field; mode and axis order are small in the right order only.
        if 0 <= int(header["mode"]) <= 200 and all(0 <= int(header[name]) <= 3 for name in ("mapc", "mapr", "maps")):
            return header.astype(HEADER_DTYPE), order
    raise damaged(path, "its header is not MRC")


def _dtype(path: Path, header: Array) -> np.dtype[Any]:
    mode = int(header["mode"])
    if mode == NIBBLES:
        return np.dtype("u1")
    if mode not in MODES:
        raise ImageError(f"{path}: holds MRC mode {mode}, which is not supported; save it as mode 1, 2 or 6")
    extra = bytes(header["extra2"].tobytes())
    stamp, flags = (int(np.frombuffer(extra, "<i4", 1, at)[0]) for at in (_STAMP_AT, _FLAGS_AT))
    if mode == 0 and stamp == _IMOD_STAMP and not flags & 1:
        return np.dtype("u1")
    return np.dtype(MODES[mode])


def _nibbles(frame: Array, width: int) -> Array:
    """Return the numbers that lie two to a byte, the left in its lower bits; rows begin with a byte, as IMOD has it."""
    out = np.empty((frame.shape[0], 2 * frame.shape[1]), np.uint8)
    np.bitwise_and(frame, 15, out=out[:, ::2])
    np.right_shift(frame, 4, out=out[:, 1::2])
    return np.ascontiguousarray(out[:, :width])


def _shape(header: Array, nx: int, ny: int, nz: int) -> tuple[tuple[int, ...], str]:
    group, mz = int(header["ispg"]), int(header["mz"])
    if nz == 1:
        return (ny, nx), "YX"
    if group >= 401 and 1 <= mz < nz and nz % mz == 0:
        return (nz // mz, mz, ny, nx), "TZYX"
    return (nz, ny, nx), "TYX" if group == 0 else "ZYX"


def _axis(step: float, origin: float) -> StackAxis:
    return StackAxis(step, "Å", origin)


def _voxel(header: Array) -> tuple[float, float, float]:
    """Return the depth, height and width of a voxel in Å."""
    depth, height, width = (_size(header, name) for name in _names(header))
    return depth, height, width


def _size(header: Array, name: str) -> float:
    intervals = int(header[f"m{name}"])
    return float(header["cella"][name]) / intervals if intervals > 0 else 0.0


def _names(header: Array) -> tuple[str, str, str]:
    """Return which axes of the cell sections, rows and columns lie along."""
    axis = {1: "x", 2: "y", 3: "z"}
    sections, rows, columns = (axis.get(int(header[f"map{name}"]), default) for name, default in _STANDARD)
    return sections, rows, columns


def _first_voxel(header: Array) -> tuple[float, float, float]:
    """Return where the first voxel lies along sections, rows and columns in Å.

    MRC2014 has two fields for it; programs fill one, and Chimera and HyperSpy take the first, `origin`.
    """
    depth, height, width = (float(header["origin"][name]) for name in _names(header))
    if not depth and not height and not width:
        steps, starts = _voxel(header), ("nzstart", "nystart", "nxstart")
        depth, height, width = (int(header[start]) * step for start, step in zip(starts, steps, strict=True))
    return depth, height, width


def _labels(header: Array) -> list[str]:
    count = min(max(int(header["nlabl"]), 0), _LABELS)
    return [bytes(label).decode("latin-1").rstrip(" \0") for label in header["label"][:count]]


def write(path: Path, image: Image, dtype: np.dtype[Any], frames: Iterator[Array], note: Note | None) -> None:
    """Write `frames` of `dtype` to `path`; the labels hold the provenance, the source's own come first."""
    source = image.container if isinstance(image.container, MrcContainer) else None
    unsigned = dtype == np.uint8
    if unsigned and not (source and image.pixels.dtype == np.uint8):
        raise ImageError("MRC has no unsigned 8-bit values; write .tif")
    header = source.header.copy() if source else _new_header(image)
    extended = source.extended if source else b""
    order: ByteOrder = source.order if source else "<"
    if unsigned and header["mode"] == NIBBLES:
        stamp = np.frombuffer(header["extra2"].tobytes(), np.uint8).copy()
        stamp[_STAMP_AT : _FLAGS_AT + 4] = np.frombuffer(struct.pack("<2i", _IMOD_STAMP, 0), np.uint8)
        header["extra2"] = stamp.tobytes()
    header["mode"] = 0 if unsigned else next(mode for mode, name in MODES.items() if np.dtype(name) == dtype)
    header["machst"] = (0x44, 0x44, 0, 0) if order == "<" else (0x11, 0x11, 0, 0)
    header["map"] = b"MAP "
    header["nversion"] = 20141
    if source and image.pixel_size is None:
        # A cell that was refused on reading must not be handed on as if it were true.
        header["cella"] = 0
    if source is None and image.unit not in METRES:
        image.warn_of_lost_size(f"MRC in {image.unit}")
    lost = [] if source else _lost(image)
    if lost:
        are, them = ("is", "it") if len(lost) == 1 else ("are", "them")
        image.warn(f"MRC cannot hold {' and '.join(lost)}, which {are} lost; write .tif to keep {them}")
    statistics = _Statistics()
    with path.open("wb") as file:
        file.write(bytes(HEADER_DTYPE.itemsize) + extended)
        for frame in frames:
            statistics.add(frame)
            file.write(np.ascontiguousarray(frame, dtype.newbyteorder(order)).data)
        header["dmin"], header["dmax"], header["dmean"], header["rms"] = statistics.result()
        left_out = _set_labels(header, _labels(header), note.text() if note else None)
        if left_out:
            image.warn(f"its last {left_out} label(s) gave way to the provenance; write .tif to keep them")
        file.seek(0)
        file.write(header.astype(HEADER_DTYPE.newbyteorder(order)).tobytes())


def _new_header(image: Image) -> Array:
    header = np.zeros((), HEADER_DTYPE)
    shape = image.pixels.shape
    nz = math.prod(shape[:-2])
    header["nx"], header["ny"], header["nz"] = shape[-1], shape[-2], nz
    volume = image.axes[-3:] == "ZYX"
    header["ispg"] = (401 if len(shape) > 3 else 1) if volume else 0
    header["mx"], header["my"], header["mz"] = shape[-1], shape[-2], shape[-3] if volume else 1
    header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
    header["cellb"]["alpha"] = header["cellb"]["beta"] = header["cellb"]["gamma"] = 90
    if image.pixel_size is not None and image.angstroms is not None:
        depth = _depth(image)
        rows, columns = (size * _angstroms(image.unit) for size in image.pixel_size)
        sections = depth.step * _angstroms(depth.unit) if depth else rows
        header["cella"] = (columns * shape[-1], rows * shape[-2], sections * int(header["mz"]))
        down, across = (start * _angstroms(image.unit) for start in image.origin or (0.0, 0.0))
        header["origin"] = (across, down, depth.origin * _angstroms(depth.unit) if depth else 0.0)
    return header


def _angstroms(unit: str | None) -> float:
    return METRES[str(unit)] / METRES["Å"]


def _depth(image: Image) -> StackAxis | None:
    """Return how the sections of a volume follow each other, where that is a length; a header holds no other step."""
    depth = image.stack[-1] if image.axes[-3:] == "ZYX" and image.stack else None
    return depth if depth and depth.unit in METRES and image.angstroms is not None else None


def _lost(image: Image) -> list[str]:
    """Return what of the image's axes a new header does not hold, in words; its pixel size is left to others."""
    lost = []
    sizes, letters = image.pixels.shape[:-2], image.axes[:-2]
    if image.origin and any(image.origin) and image.angstroms is None:
        lost.append(f"the origin of rows and columns ({_numbers(*image.origin)} {image.unit or 'pixels'})")
    if sum(size > 1 for size in (sizes[:-1] if letters.endswith("Z") else sizes)) > 1:
        lost.append(f"the axes {letters} of its {'x'.join(map(str, sizes))} frames")
    elif "C" in letters and math.prod(sizes) > 1:
        lost.append("that frames are channels")
    for letter, known in zip(letters, image.stack[:-1] if _depth(image) else image.stack, strict=False):
        if known is not None:
            unit = f" {known.unit}" if known.unit else ""
            start = f", from {_numbers(known.origin)}{unit}" if known.origin else ""
            lost.append(f"the step of axis {letter} ({_numbers(known.step)}{unit}{start})")
    return lost


def _numbers(*values: float) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _set_labels(header: Array, labels: list[str], provenance: str | None) -> int:
    """Keep the source's labels and add the provenance; return how many of the source's last had to give way."""
    lost = 0
    if provenance is not None:
        labels = [label for label in labels if label and not label.startswith(LABEL)]
        room = _LABEL_BYTES - len(LABEL)
        # Spaces at the end of a label are padding: none may carry a space of ours.
        text = _fit(json.loads(provenance), room * _LABELS)
        pieces = [LABEL + text[at : at + room] for at in range(0, len(text), room)]
        lost = max(0, len(labels) + len(pieces) - _LABELS)
        labels = labels[: len(labels) - lost] + pieces
    header["label"] = b""
    for index, label in enumerate(labels):
        header["label"][index] = label.encode("latin-1", "replace").ljust(_LABEL_BYTES)
    header["nlabl"] = len(labels)
    return lost


def _fit(facts: dict[str, Any], most: int) -> str:
    """Return `facts` as JSON without bare spaces, leaving out the longest values while it exceeds `most` letters."""
    facts = dict(facts)
    while True:
        text = json.dumps(facts, separators=(",", ":")).replace(" ", "\\u0020")
        if len(text) <= most or not facts:
            return text
        del facts[max(facts, key=lambda name: len(json.dumps(facts[name])))]


class _Statistics:
    """Least, greatest, mean and deviation of frames that pass by, in float64, one block at a time."""

    def __init__(self) -> None:
        self.least, self.greatest = math.inf, -math.inf
        self.count, self.total, self.squares, self.offset = 0, 0.0, 0.0, 0.0

    def add(self, frame: Array) -> None:
        for top in range(0, frame.shape[0], 256):
            block = frame[top : top + 256].astype(np.float64)
            if not self.count:
                # Sums of squares about a value of the image keep their digits where the mean is large.
                self.offset = float(block[0, 0]) if math.isfinite(block[0, 0]) else 0.0
            self.least = min(self.least, float(block.min()))
            self.greatest = max(self.greatest, float(block.max()))
            block -= self.offset
            self.count += block.size
            self.total += float(block.sum())
            self.squares += float(np.square(block, out=block).sum())

    def result(self) -> tuple[float, float, float, float]:
        mean = self.total / max(1, self.count)
        variance = max(0.0, self.squares / max(1, self.count) - mean * mean)
        return self.least, self.greatest, self.offset + mean, math.sqrt(variance)


def provenance(path: Path) -> str | None:
    """Return the JSON in the labels."""
    with path.open("rb") as file:
        header, _ = _header(path, file.read(HEADER_DTYPE.itemsize))
    pieces = [label.removeprefix(LABEL) for label in _labels(header) if label.startswith(LABEL)]
    return "".join(pieces) or None
