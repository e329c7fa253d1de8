"""NCEM's EMD by the programs that write it: HyperSpy writes (x, y, frame), ncempy (frame, y, x)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io

h5py = pytest.importorskip("h5py")

STACK = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
NAMES = [("t", "y", "x"), ("", "", ""), ("z", "R_y", "R_x"), ("frame", "Height", "Width"), ("one", "two", "three")]


def same(path: Path, stack: np.ndarray = STACK) -> None:
    with io.read(path) as image:
        np.testing.assert_array_equal(np.stack(list(image.pixels)).reshape(image.pixels.shape), stack)
        assert image.pixel_size == pytest.approx((0.1, 0.2))
        assert image.unit == "nm"
        assert image.origin == pytest.approx((5.0, -7.0))
        if stack.ndim == 3:
            assert image.stack[0] is not None
            assert (image.stack[0].step, image.stack[0].unit) == (pytest.approx(0.5), "s")


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_hyperspys(tmp_path: Path, names: tuple[str, ...], ndim: int) -> None:
    emd = pytest.importorskip("rsciio.emd", reason="HyperSpy's writer is not installed")
    stack = STACK if ndim == 3 else STACK[0]
    facts = list(zip(names, (0.5, 0.1, 0.2), (0.0, 5.0, -7.0), ("s", "nm", "nm"), STACK.shape, strict=True))[-ndim:]
    axes = [
        {"_type": "UniformDataAxis", "name": name, "scale": scale, "offset": offset, "units": unit, "size": size}
        | {"navigate": at < ndim - 2, "index_in_array": at}
        for at, (name, scale, offset, unit, size) in enumerate(facts)
    ]
    metadata: dict[str, Any] = {"General": {"title": "made"}, "Signal": {"signal_type": ""}}
    emd.file_writer(
        str(tmp_path / "a.emd"),
        {"data": stack, "axes": axes, "metadata": metadata, "original_metadata": {}, "learning_results": {}},
    )
    same(tmp_path / "a.emd", stack)


@pytest.mark.parametrize("names", [("t", "y", "x"), ("T", "Y", "X"), ("", "", ""), ("one", "two", "three")])
@pytest.mark.parametrize("ndim", [2, 3])
def test_ncempys(tmp_path: Path, names: tuple[str, ...], ndim: int) -> None:
    emd = pytest.importorskip("ncempy.io.emd", reason="ncempy is not installed")
    vectors = np.arange(2) * 0.5, 5 + np.arange(3) * 0.1, np.arange(4) * 0.2 - 7
    units = "[s]", "[n_m]", "[n_m]"
    dims = tuple(zip(vectors, names, units, strict=True))[-ndim:]
    file = emd.fileEMD(str(tmp_path / "a.emd"), readonly=False)
    file.put_emdgroup("made", STACK if ndim == 3 else STACK[0], dims)
    file.file_hdl.close()
    same(tmp_path / "a.emd", STACK if ndim == 3 else STACK[0])


@pytest.mark.parametrize("chunks", [None, (4, 8, 50), (8, 8, 1)])
def test_frames_that_lie_together_are_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: tuple[int, ...] | None
) -> None:
    """HyperSpy spreads each frame over the whole data set: to read them one by one is to read all of it each time."""
    stack = np.arange(8 * 9 * 50, dtype="u2").reshape(8, 9, 50)
    with h5py.File(tmp_path / "a.emd", "w") as file:
        group = file.create_group("signals/made")
        group.attrs.update({"emd_group_type": 1, "signal_type": ""})
        group.create_dataset("data", data=stack, chunks=chunks)
    reads: list[object] = []
    get = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *where: reads.append(where) or get(*where))
    with io.read(tmp_path / "a.emd") as image:
        assert image.pixels.shape == (50, 9, 8)
        reads.clear()
        for index in (*range(50), 7, 49, 0):
            frame = image.pixels[index]
            np.testing.assert_array_equal(frame, stack[:, :, index].T)
            frame[:] = 0
    assert len(reads) == (53 if chunks == (8, 8, 1) else 1)


def test_the_scan_of_diffraction_patterns_is_not_its_patterns(tmp_path: Path) -> None:
    """py4DSTEM: (R_x, R_y, Q_x, Q_y), a pattern for each place of a scan."""
    cube = np.arange(2 * 3 * 4 * 5, dtype="u2").reshape(2, 3, 4, 5)
    with h5py.File(tmp_path / "a.emd", "w") as file:
        group = file.create_group("cube")
        group.attrs["emd_group_type"] = 1
        group["data"] = cube
        for at, name in enumerate(("R_x", "R_y", "Q_x", "Q_y")):
            group[f"dim{at + 1}"] = np.arange(cube.shape[at]) * 0.5
            group[f"dim{at + 1}"].attrs.update({"name": name, "units": "[n_m]" if at < 2 else "[n_m^-1]"})
    with io.read(tmp_path / "a.emd") as image:
        assert image.pixels.shape == (3, 2, 5, 4)
        np.testing.assert_array_equal(image.pixels[1], cube[1, 0].T)
        assert (image.pixel_size, image.unit) == ((0.5, 0.5), "1/nm")
