"""Write small files as microscopes do, from the descriptions of their formats."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_CODES = {"i2": 2, "i4": 3, "u2": 4, "u4": 5, "f4": 6, "f8": 7, "i1": 9, "u1": 10, "i8": 11, "u8": 12}
_DATA_TYPES = {"i2": 1, "f4": 2, "c8": 3, "u1": 6, "i4": 7, "i1": 9, "u2": 10, "u4": 11, "f8": 12}


class Dm:
    """A DigitalMicrograph file of version 3 or 4, little-endian as all programs write it."""

    def __init__(self, version: int) -> None:
        self.wide = version == 4
        self.version = version

    def length(self, number: int) -> bytes:
        return struct.pack(">Q" if self.wide else ">I", number)

    def group(self, entries: Sequence[tuple[str, Any]]) -> bytes:
        return b"\1\0" + self.length(len(entries)) + b"".join(self.entry(name, value) for name, value in entries)

    def entry(self, name: str, value: Any) -> bytes:
        head = struct.pack(">H", len(name)) + name.encode("latin-1")
        if isinstance(value, dict | list):
            pairs = list(value.items()) if isinstance(value, dict) else [("", one) for one in value]
            kind, body = b"\x14", self.group(pairs)
        else:
            kind, body = b"\x15", self.value(value)
        return kind + head + (self.length(len(body)) if self.wide else b"") + body

    def value(self, value: Any) -> bytes:
        if isinstance(value, str):
            value = np.array([ord(char) for char in value], "<u2")
        if isinstance(value, np.ndarray):
            code = _CODES[value.dtype.str[1:]]
            info, data = [20, code, value.size], value.tobytes()
        elif isinstance(value, float):
            info, data = [7], struct.pack("<d", value)
        else:
            info, data = [5], struct.pack("<I", value)
        return b"%%%%" + self.length(len(info)) + b"".join(map(self.length, info)) + data

    def image(self, array: np.ndarray, name: str, scales: Sequence[float], units: Sequence[str]) -> dict[str, Any]:
        """Describe an image; `scales` and `units` are in the order of its axes."""
        pairs = list(zip(scales, units, strict=True))[::-1]
        kind = _DATA_TYPES[array.dtype.str[1:]]
        stored = array.view(np.float32) if array.dtype.kind == "c" else array
        return {
            "ImageData": {
                "Calibrations": {
                    "Brightness": {"Origin": 0.0, "Scale": 1.0, "Units": ""},
                    "Dimension": [{"Origin": 0.0, "Scale": scale, "Units": unit} for scale, unit in pairs],
                },
                "Data": np.ascontiguousarray(stored).ravel(),
                "DataType": kind,
                "Dimensions": [int(size) for size in array.shape[::-1]],
                "PixelDepth": array.dtype.itemsize,
            },
            "ImageTags": {"Microscope Info": {"Voltage": 200000.0, "Name": "TestScope"}},
            "Name": name,
        }

    def file(self, images: Sequence[dict[str, Any]]) -> bytes:
        """Put a thumbnail before the images, as DigitalMicrograph does."""
        thumbnail = self.image(np.zeros((4, 4), "<u1"), "", (1.0, 1.0), ("", ""))
        root = self.group(
            [("ImageList", [thumbnail, *images]), ("Thumbnails", [{"ImageIndex": 0, "SourceSize_Pixels": 4}])]
        )
        return struct.pack(">I", self.version) + self.length(len(root)) + struct.pack(">I", 1) + root + bytes(8)


def write_dm(path: Path, array: np.ndarray, scales: Sequence[float] = (), units: Sequence[str] = ()) -> Path:
    dm = Dm(4 if path.suffix == ".dm4" else 3)
    path.write_bytes(dm.file([dm.image(array, "one", scales or [0.5] * array.ndim, units or ["nm"] * array.ndim)]))
    return path


def write_ser(path: Path, frames: np.ndarray, metres: float = 2e-10, wide: bool = False) -> Path:
    """Write frames (N, H, W); the file holds them bottom row first."""
    code = {"u1": 1, "u2": 2, "u4": 3, "i1": 4, "i2": 5, "i4": 6, "f4": 7, "f8": 8}[frames.dtype.str[1:]]
    count, height, width = frames.shape
    word = "Q" if wide else "I"
    dimension = struct.pack("<IddIII", count, 0.0, 1.0, 0, 6, 0)[:-4] + b"Number" + struct.pack("<I", 0)
    head = struct.pack("<HHHIIII", 0x4949, 0x0197, 0x0220 if wide else 0x0210, 0x4122, 0x4152, count, count)
    start = len(head) + struct.calcsize("<" + word) + 4 + len(dimension)
    element = struct.calcsize("<ddiddiHII") + frames[0].nbytes
    first = start + 2 * count * struct.calcsize("<" + word)
    offsets = [first + index * element for index in range(count)]
    tags = [first + count * element + index * 8 for index in range(count)]
    data = head + struct.pack("<" + word, start) + struct.pack("<I", 1) + dimension
    data += struct.pack(f"<{2 * count}{word}", *offsets, *tags)
    for frame in frames:
        data += struct.pack("<ddiddiHII", 0.0, metres, 0, 0.0, metres, 0, code, width, height)
        data += np.ascontiguousarray(frame[::-1]).tobytes()
    path.write_bytes(data + struct.pack("<HHI", 0x4152, 0, 0) * count)
    return path


def write_emi(path: Path, mode: str, camera: bool) -> Path:
    acquire = "<AcquireInfo><CameraNamePath>BM-Ceta</CameraNamePath></AcquireInfo>" if camera else "<AcquireInfo/>"
    text = (
        "<ObjectInfo><AcquireDate>Mon Oct 12 11:19:15 2015</AcquireDate><ExperimentalDescription><Root>"
        f"<Data><Label>Mode</Label><Value>{mode}</Value><Unit></Unit></Data>"
        "<Data><Label>High tension</Label><Value>200</Value><Unit>kV</Unit></Data>"
        f"</Root></ExperimentalDescription>{acquire}</ObjectInfo>"
    )
    path.write_bytes(b"JK\0\2" + bytes(60) + text.encode() + bytes(40))
    return path


def write_velox(path: Path, images: dict[str, np.ndarray], metres: float = 3e-10, unit: str = "m") -> Path:
    """Write Velox's .emd: images by the name of their detector, each (H, W, N)."""
    import h5py

    with h5py.File(path, "w") as file:
        for index, (name, array) in enumerate(images.items()):
            group = file.create_group(f"Data/Image/{index:032x}")
            group.create_dataset("Data", data=array, chunks=(*array.shape[:2], 1))
            size = {"height": str(metres), "width": str(metres)}
            about = {"BinaryResult": {"Detector": name, "PixelSize": size, "PixelUnitX": unit, "PixelUnitY": unit}}
            text = json.dumps({**about, "Instrument": {"InstrumentModel": "Talos"}}).encode().ljust(2000, b"\0")
            column = np.frombuffer(text, np.uint8)[:, None]
            group.create_dataset("Metadata", data=np.repeat(column, array.shape[2], axis=1))
    return path


def write_ncem(path: Path, array: np.ndarray, step: float = 0.25, unit: str = "[n_m]") -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group("data/single")
        group.attrs["emd_group_type"] = 1
        group.create_dataset("data", data=array)
        for axis, size in enumerate(array.shape):
            dim = group.create_dataset(f"dim{axis + 1}", data=np.arange(size) * step)
            dim.attrs["name"], dim.attrs["units"] = np.bytes_(b"d"), np.bytes_(unit.encode())
        file.create_group("microscope").attrs["high tension"] = 200000.0
    return path


def write_hspy(path: Path, array: np.ndarray, scale: float = 0.125, unit: str = "nm", images: bool = True) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["file_format"], file.attrs["file_format_version"] = "HyperSpy", "3.1"
        group = file.create_group("Experiments/movie")
        group.create_dataset(
            "data", data=array, chunks=(*[1] * (array.ndim - 2), *array.shape[-2:]), compression="gzip"
        )
        for index, size in enumerate(array.shape):
            signal = index >= array.ndim - (2 if images else 1)
            axis = group.create_group(f"axis-{index}")
            axis.attrs.update(
                {
                    "name": "xyzt"[index],
                    "scale": scale if signal else 0.5,
                    "offset": 0.0,
                    "size": size,
                    "_type": "UniformDataAxis",
                }
            )
            axis.attrs.update({"units": unit if signal else "s", "navigate": not signal})
        group.create_group("metadata/General").attrs["title"] = "movie"
        group.create_group("metadata/Signal").attrs["signal_type"] = ""
        group.create_group("original_metadata")
        group.create_group("learning_results")
    return path
