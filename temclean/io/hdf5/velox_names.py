"""Names of Velox's images: they stand in its operations; the metadata name all segments of a detector alike."""

import json
from collections.abc import Iterator
from typing import Any

from temclean.io.hdf5.contents import Contents, h5py
from temclean.io.hdf5.texts import read_text

_MOST_TEXT = 16 << 20
"""Letters of operations that are read: real files have some ten thousand."""


def names(contents: Contents) -> dict[str, str]:
    """Return the names of images by the name of their group in ``Data/Image``, as Velox shows them."""
    operations = list(_operations(contents))
    inputs: dict[str, dict[str, str]] = {}
    for _, said in operations:
        outputs = said.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict):
                into = inputs.setdefault(str(output.get("operation")), {})
                into[str(output.get("inputIndex"))] = str(said.get("detector", ""))
    found: dict[str, str] = {}
    for path, said in operations:
        for key, name in _named(path.split("/")[-2], said, inputs.get(path, {})):
            if name:
                found[str(said.get(key, "")).rsplit("/", 1)[-1]] = name
    return found


def _operations(contents: Contents) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each operation says, by its path in the file."""
    group, left = contents.group(contents.file, "Operations"), _MOST_TEXT
    for kind, child in contents.members(group) if group is not None else ():
        for name, dataset in contents.members(child) if isinstance(child, h5py.Group) else ():
            if not isinstance(dataset, h5py.Dataset):
                continue
            text = read_text(contents.path, dataset)
            left -= len(text)
            if left < 0:
                return
            try:
                said = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(said, dict):
                yield f"/Operations/{kind}/{name}", said


def _named(kind: str, said: dict[str, Any], inputs: dict[str, str]) -> list[tuple[str, str]]:
    """Return under which keys an operation has images, and their names."""
    if kind == "StemInputOperation":
        return [("dataPath", str(said.get("detector", "")))]
    if kind == "CameraInputOperation":
        return [("dataPath", str(said.get("cameraName", "")))]
    if kind == "DpcOperation":
        return [("dataPath", "DPC")]
    if kind == "SurfaceReconstructionOperation":
        name = "iDPC" if said.get("integrationMode") == "true" else "dDPC"
        filtered = f"Filtered {name}" if said.get("enableFilter") == "true" else name
        return [("unfilteredDataPath", name), ("dataPath", filtered)]
    if kind == "MathematicsOperation" and said.get("mathematicsMode") == "Subtraction":
        return [("dataPath", _difference(inputs.get("0", ""), inputs.get("1", "")))]
    return []


def _difference(one: str, other: str) -> str:
    """Return the name of one detector less another, such as ``"A-C"`` of the segments DF4-A and DF4-C."""
    (whole, _, segment), (other_whole, _, other_segment) = one.rpartition("-"), other.rpartition("-")
    if not segment or not other_segment:
        return ""
    return f"{segment}-{other_segment}" if whole == other_whole else f"{one}-{other}"
