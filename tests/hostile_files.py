"""Crafted files of microscopes' formats: each should end soon, in one line, and hand out nothing of other files.

A function writes one to a path; `FILES` has them by a name, with what the line says, or None where all is well.
"""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from microscope_files import Dm, write_hspy, write_ser

SECRET = "/etc/passwd"


def _hspy(path: Path) -> "h5py.File":  # noqa: F821
    """Write a good file without its pixels, and open it."""
    import h5py

    write_hspy(path, np.zeros((20, 20), "u1"))
    file = h5py.File(path, "a")
    del file["Experiments/movie/data"]
    return file


def external_storage(path: Path) -> None:
    """Take the bytes of another file for pixels."""
    with _hspy(path) as file:
        file["Experiments/movie"].create_dataset("data", (20, 20), "u1", external=[(SECRET, 0, 400)])


def external_storage_ncem(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("data/single")
        group.attrs["emd_group_type"] = 1
        group.create_dataset("data", (20, 20), "u1", external=[(SECRET, 0, 400)])


def external_link(path: Path) -> None:
    import h5py

    other = path.with_name(f"behind_{path.stem}.h5")
    with h5py.File(other, "w") as file:
        file["pixels"] = np.full((20, 20), 83, "u1")
    with _hspy(path) as file:
        file["Experiments/movie/data"] = h5py.ExternalLink(other.name, "/pixels")


def external_group(path: Path) -> None:
    """Lead by a soft link to a group that lies behind a link to another file."""
    import h5py

    other = path.with_name(f"behind_{path.stem}.hspy")
    write_hspy(other, np.full((20, 20), 83, "u1"))
    with h5py.File(path, "w") as file:
        file["other"] = h5py.ExternalLink(other.name, "/Experiments")
        file["Experiments"] = h5py.SoftLink("/other")


def external_pipe(path: Path) -> None:
    """Let whoever follows the link wait for ever."""
    import os

    import h5py

    pipe = path.with_name(f"{path.stem}.pipe")
    os.mkfifo(pipe)
    with _hspy(path) as file:
        file["Experiments/movie/data"] = h5py.ExternalLink(pipe.name, "/pixels")


def virtual(path: Path) -> None:
    import h5py

    other = path.with_name(f"behind_{path.stem}.h5")
    with h5py.File(other, "w") as file:
        file["pixels"] = np.full((20, 20), 83, "u1")
    layout = h5py.VirtualLayout((20, 20), "u1")
    layout[:] = h5py.VirtualSource(str(other), "pixels", (20, 20))
    with _hspy(path) as file:
        file["Experiments/movie"].create_virtual_dataset("data", layout)


def groups_in_themselves(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name in "abcd":
            file[name] = file["/"]


def metadata_in_itself(path: Path) -> None:
    """Put groups in themselves beside good pixels."""
    import h5py

    write_hspy(path, np.arange(400, dtype="u2").reshape(20, 20))
    with h5py.File(path, "a") as file:
        group = file["Experiments/movie/original_metadata"]
        for name in "abcd":
            group[name] = group


def groups_in_many_ways(path: Path) -> None:
    """Lead in four ways from each group to the next, 4^16 in all; none holds itself."""
    import h5py

    write_hspy(path, np.arange(400, dtype="u2").reshape(20, 20))
    with h5py.File(path, "a") as file:
        group = file["Experiments/movie/original_metadata"]
        for _ in range(16):
            below = group.create_group("a")
            for name in "bcd":
                group[name] = below
            group = below


def many_links(path: Path) -> None:
    import h5py

    with h5py.File(path, "w", libver="latest") as file:
        group = file.create_group("Data/Image")
        one = file.create_group("one")
        for at in range(60_000):
            h5py.h5o.link(one.id, group.id, b"%d" % at)


def many_attributes(path: Path) -> None:
    """Link sixty times to a group of 600."""
    import h5py

    write_hspy(path, np.arange(400, dtype="u2").reshape(20, 20))
    with h5py.File(path, "a", libver="latest") as file:
        many = file.create_group("Experiments/movie/metadata/many")
        for at in range(600):
            many.attrs[str(at)] = 1
        for at in range(60):
            file[f"Experiments/movie/metadata/{at}"] = many


def repeated_heaps(path: Path) -> None:
    """Let each heap hold all that come after it, as contents of its objects."""
    write_hspy(path, np.zeros((20, 20), "u1"))
    heap = b"GCOL\1\0\0\0" + struct.pack("<Q", 27 << 20) + struct.pack("<HHIQ", 1, 0, 0, 16)
    with path.open("ab") as file:
        file.write(heap * 800_000)


def references(path: Path) -> None:
    """Refer to a heap a million times."""
    write_hspy(path, np.arange(400, dtype="u2").reshape(20, 20))
    data = path.read_bytes()
    words = (b"\1" + bytes(7) + struct.pack("<IQI", 1, data.index(b"GCOL"), 1)) * 1_200_000
    path.write_bytes(data + words)


def frames_that_are_not_there(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("data/movie")
        group.attrs["emd_group_type"] = 1
        pixels = group.create_dataset("data", (10**9, 2, 2), "u2", chunks=(1, 2, 2))
        pixels[0] = 1


def chunk_of_an_axis(path: Path) -> None:
    """Put one value of an axis into a chunk of 2 GB, beside good pixels."""
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("data/image")
        group.attrs["emd_group_type"] = 1
        group["data"] = np.arange(400, dtype="u2").reshape(20, 20)
        for name in ("dim1", "dim2"):
            group.create_dataset(name, (1 << 31,), "f8", chunks=(1 << 28,), compression="gzip", fillvalue=0.5)
            group[name].attrs["units"] = "[n_m]"


def empty_groups(path: Path) -> None:
    """Write 27 MB of DigitalMicrograph's groups with nothing in them."""
    dm = Dm(3)
    root = b"\1\0" + dm.length(3_000_000) + b"\x14\0\0\1\0\0\0\0\0" * 3_000_000
    path.write_bytes(struct.pack(">I", 3) + dm.length(len(root)) + struct.pack(">I", 1) + root + bytes(8))


def wide_structs(path: Path) -> None:
    """Write 25 MB of DigitalMicrograph's structs of 4096 fields of a byte."""
    dm = Dm(3)
    info = [15, 0, 4096, *[0, 10] * 4096]
    tag = b"\x15\0\0%%%%" + dm.length(len(info)) + b"".join(map(dm.length, info)) + bytes(4096)
    root = b"\1\0" + dm.length(700) + tag * 700
    path.write_bytes(struct.pack(">I", 3) + dm.length(len(root)) + struct.pack(">I", 1) + root + bytes(8))


def _emi(path: Path, text: bytes) -> None:
    """Write an .emi, and a good .ser beside it."""
    write_ser(path.with_name(f"{path.stem}_1.ser"), np.arange(400, dtype="u2").reshape(1, 20, 20))
    path.write_bytes(b"JK\0\2" + bytes(60) + text)


def unclosed_objects(path: Path) -> None:
    _emi(path, b"<ObjectInfo>" * 20_000)


def many_objects(path: Path) -> None:
    _emi(path, b"<ObjectInfo><AcquireInfo></AcquireInfo></ObjectInfo>" * 500_000)


def unclosed_labels(path: Path) -> None:
    _emi(path, b"<ObjectInfo>" + b"<Label>a</Label><Value>" * 40_000 + b"</ObjectInfo>")


def frames_over_each_other(path: Path) -> None:
    """Put three million frames at one place."""
    write_ser(path, np.arange(400, dtype="u2").reshape(1, 20, 20), wide=True)
    data = bytearray(path.read_bytes())
    place = struct.unpack_from("<Q", data, struct.unpack_from("<Q", data, 22)[0])[0]
    count = 3_000_000
    struct.pack_into("<II", data, 14, count, count)
    struct.pack_into("<Q", data, 22, len(data))
    path.write_bytes(bytes(data) + struct.pack("<Q", place) * count)


FILES: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "external_storage.hspy": (external_storage, "/Experiments/movie/data in another file"),
    "external_storage.emd": (external_storage_ncem, "/data/single/data in another file"),
    "external_link.hspy": (external_link, "/Experiments/movie/data in another file"),
    "external_group.hspy": (external_group, "/other in another file"),
    "external_pipe.hspy": (external_pipe, "/Experiments/movie/data in another file"),
    "virtual.hspy": (virtual, "/Experiments/movie/data in another file"),
    "groups_in_themselves.emd": (groups_in_themselves, "holds no image"),
    "metadata_in_itself.hspy": (metadata_in_itself, None),
    "groups_in_many_ways.hspy": (groups_in_many_ways, "warning: of its metadata, what goes beyond 10000 groups"),
    "many_links.emd": (many_links, "holds over 10000 groups"),
    "many_attributes.hspy": (many_attributes, "warning: of its metadata, what goes beyond 15000 attributes"),
    "repeated_heaps.hspy": (repeated_heaps, "its texts lie over each other"),
    "references.hspy": (references, None),
    "frames_that_are_not_there.emd": (frames_that_are_not_there, "claims 1000000000 frames"),
    "chunk_of_an_axis.emd": (chunk_of_an_axis, None),
    "empty_groups.dm3": (empty_groups, "holds over 200000 tags"),
    "wide_structs.dm3": (wide_structs, "holds over 200000 tags"),
    "unclosed_objects.emi": (unclosed_objects, None),
    "many_objects.emi": (many_objects, None),
    "unclosed_labels.emi": (unclosed_labels, None),
    "frames_over_each_other_1.ser": (frames_over_each_other, "3000000 frames are announced"),
}
