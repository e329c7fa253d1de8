"""OME-Zarr, written by ``zarr`` and held to the specification by ``ome_zarr_models``."""

import importlib
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from temclean import io
from temclean.commands.sources import Source, digest
from temclean.errors import FileError, ImageError

zarr = pytest.importorskip("zarr")
models = pytest.importorskip("ome_zarr_models")

Run = Callable[..., Any]
IDENTITY = Path(__file__).resolve().parents[1] / "data" / "identity.onnx"
PIXELS = np.random.default_rng(5).integers(0, 4000, (3, 48, 70), dtype=np.uint16)
AXES = [
    {"name": "t", "type": "time", "unit": "millisecond"},
    {"name": "y", "type": "space", "unit": "angstrom"},
    {"name": "x", "type": "space", "unit": "angstrom"},
]
SCALE = {"type": "scale", "scale": [20.0, 0.25, 0.25]}
SHIFT = {"type": "translation", "translation": [100.0, -2.0, 3.0]}


def multiscales(name: str = "movie", version: str | None = None) -> list[dict[str, Any]]:
    datasets = [{"path": "s0", "coordinateTransformations": [SCALE, SHIFT]}]
    return [{"name": name, "axes": AXES, "datasets": datasets} | ({"version": version} if version else {})]


@pytest.fixture(autouse=True, scope="module")
def threads() -> Iterator[None]:
    """End the threads that the library keeps ready, as other tests count them."""
    yield
    importlib.import_module("zarr.core.sync").cleanup_resources()


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """Write a movie of 0.25 Å and 20 ms in sharded chunks, as OME-Zarr 0.5."""
    path = tmp_path / "movie.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.create_array("s0", data=PIXELS, chunks=(1, 24, 35), shards=(1, 48, 70), dimension_names=("t", "y", "x"))
    group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales()}
    assert models.open_ome_zarr(group).ome_attributes.multiscales
    return path


def test_a_movie_has_its_pixels_and_the_calibration_of_its_axes(movie: Path) -> None:
    with io.read(movie) as image:
        assert np.array_equal(np.stack(list(image.pixels)), PIXELS)
        assert (image.pixel_size, image.unit, image.axes) == ((0.25, 0.25), "Å", "TYX")
        assert image.origin == (-2.0, 3.0)
        assert image.stack == (io.StackAxis(20.0, "ms", 100.0),)
        assert not image.warnings


def test_version_0_4_is_read_the_same(tmp_path: Path, movie: Path) -> None:
    path = tmp_path / "old.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("s0", data=PIXELS, chunks=(1, 48, 70))
    group.attrs["multiscales"] = multiscales(version="0.4")
    assert models.open_ome_zarr(group).attributes.multiscales
    with io.read(path) as old, io.read(movie) as new:
        assert np.array_equal(old.pixels[2], PIXELS[2])
        assert (old.pixel_size, old.unit, old.axes, old.stack) == (new.pixel_size, new.unit, new.axes, new.stack)


def test_version_0_6_is_read_the_same(tmp_path: Path, movie: Path) -> None:
    """What stands in the file is what ngff-zarr 0.50 writes, and a second system that the sample lies in."""
    path = tmp_path / "new.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    group.create_array("scale0/image", data=PIXELS, dimension_names=("t", "y", "x"))
    systems = [{"name": "stage", "axes": AXES[::-1]}, {"name": "intrinsic", "axes": AXES}]
    place, aim = {"path": "scale0/image"}, {"name": "intrinsic"}
    steps = {"type": "sequence", "input": place, "output": aim, "transformations": [SCALE, SHIFT]}
    beyond = {"type": "scale", "input": aim, "output": {"name": "stage"}, "scale": [7.0, 7.0, 7.0]}
    entry = {
        "name": "image",
        "coordinateSystems": systems,
        "coordinateTransformations": [beyond],
        "datasets": [{**place, "coordinateTransformations": [steps]}],
    }
    group.attrs["ome"] = {"version": "0.6", "multiscales": [entry]}
    with io.read(path) as new, io.read(movie) as known:
        assert np.array_equal(new.pixels[2], PIXELS[2])
        for name in ("pixel_size", "unit", "axes", "stack", "origin"):
            assert getattr(new, name) == getattr(known, name), name


OMERO = {
    "channels": [
        {"label": name, "color": colour, "active": True, "window": {"min": 0, "max": 4000, "start": 10, "end": 900.5}}
        for name, colour in (("HAADF", "FF0000"), ("BF", "00FF00"), ("EDX Au", "0000FF"))
    ],
    "rdefs": {"model": "color"},
}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_else_a_group_says_is_kept(run: Run, tmp_path: Path, version: str) -> None:
    source, target = tmp_path / "a.zarr", tmp_path / "b.zarr"
    group = zarr.open_group(source, mode="w", zarr_format=2 if version == "0.4" else 3)
    group.create_array("s0", data=PIXELS, chunks=(1, 48, 70))
    axes = [{"name": "c", "type": "channel"}, *AXES[1:]]
    entry = multiscales("gold", "0.4" if version == "0.4" else None)[0] | {"axes": axes}
    said = {"multiscales": [entry], "omero": OMERO}
    own: dict[str, Any] = {"session": {"room": "B 12", "kV": 200}, "tags": ["a", 1.5, None]}
    foreign: dict[str, Any] = {"labels": ["nuclei"]}
    if version == "0.4":
        group.attrs.update(said | own | foreign)
    else:
        group.attrs.update(
            {"ome": said | {"version": "0.5", "_creator": {"name": "x"}, "series": ["0"]}} | own | foreign
        )
    done = run("denoise", source, "-m", IDENTITY, "--device", "cpu", "--threads", 1, "-o", target)
    assert done.code == 0, done.err
    written = zarr.open_group(target, mode="r")
    described = models.v05.Image.from_zarr(written).ome_attributes
    assert described.multiscales[0].name == "gold"
    attributes = written.attrs.asdict()
    assert attributes.pop("temclean")["model"] == "identity"
    ome = attributes.pop("ome")
    assert (attributes, ome["omero"], ome["version"]) == (own, OMERO, "0.5")
    assert set(ome) == {"version", "multiscales", "omero"} | ({"_creator"} if version == "0.5" else set())
    with io.read(source) as image:
        assert image.metadata["attributes"] == own
        assert image.metadata["ome"]["omero"] == OMERO


def test_how_channels_are_shown_is_not_kept_of_axes_that_are_not_known(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("s0", data=PIXELS)
    entry = multiscales()[0] | {"axes": [{"name": "detector"}, *AXES[1:]]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [entry], "omero": OMERO}
    with io.read(tmp_path / "a.zarr") as image:
        io.write(tmp_path / "b.zarr", image, iter(image.pixels))
    assert set(zarr.open_group(tmp_path / "b.zarr", mode="r").attrs["ome"]) == {"version", "multiscales"}


def test_a_plain_array_and_several_images(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "plain.zarr", data=PIXELS[0])
    with io.read(tmp_path / "plain.zarr") as image:
        assert np.array_equal(image.pixels[0], PIXELS[0])
        assert image.pixel_size is None
    group = zarr.open_group(tmp_path / "two.zarr", mode="w")
    for name in ("bf", "haadf"):
        group.create_group(name).create_array("s0", data=PIXELS + (name == "bf"))
        group[name].attrs["ome"] = {"version": "0.5", "multiscales": multiscales(name)}
    assert io.list_images(tmp_path / "two.zarr") == ["bf", "haadf"]
    with io.read(tmp_path / "two.zarr", "haadf") as image:
        assert np.array_equal(image.pixels[1], PIXELS[1])
    with io.read(tmp_path / "two.zarr") as image:
        assert '"haadf" (3x48x70)' in image.warnings[0]


def test_denoise_takes_it_for_one_file(run: Run, movie: Path) -> None:
    done = run("denoise", movie.parent, "-r", "-m", IDENTITY, "--device", "cpu", "--threads", 1)
    assert done.code == 0, done.err
    target = movie.with_name("movie_identity.zarr")
    assert done.out == f"{movie} -> {target}\n"
    written = models.v05.Image.from_zarr(zarr.open_group(target, mode="r"))
    described = written.ome_attributes.multiscales[0]
    assert [dict(axis) for axis in described.axes] == [dict(models.v05.axes.Axis(**axis)) for axis in AXES]
    assert [dict(each) for each in described.datasets[0].coordinateTransformations] == [SCALE, SHIFT]
    assert np.abs(zarr.open_array(target / "s0", mode="r")[:].astype(int) - PIXELS).max() <= 1
    assert not list(movie.parent.glob(".*"))


def test_a_result_is_kept_or_replaced_as_a_file_is(run: Run, movie: Path) -> None:
    out = movie.with_name("out.ome.zarr")
    line = ["denoise", movie, "-m", IDENTITY, "--device", "cpu", "--threads", 1, "-o", out]
    assert run(*line).code == 0
    assert run(*line).code == 1
    assert run(*line, "--resume").out.endswith("(kept)\n")
    zarr.open_array(out / "s0", mode="r+")[1] = 7
    again = run(*line, "--resume")
    assert (again.code, "(kept)" in again.out) == (0, False)
    assert zarr.open_array(out / "s0", mode="r")[1].max() > 7
    assert run(*line, "--overwrite").code == 0
    assert sorted(path.name for path in movie.parent.iterdir()) == [movie.name, out.name]
    assert "left out what temclean made" in run("denoise", movie.parent, "-m", IDENTITY, "--dry-run").err
    tiff = run("denoise", movie, "-m", IDENTITY, "--device", "cpu", "-o", movie.with_name("a.tif"))
    assert tiff.code == 0
    with tifffile.TiffFile(movie.with_name("a.tif")) as file:
        assert (file.imagej_metadata["finterval"], file.imagej_metadata["tunit"]) == (20.0, "ms")


def test_a_change_on_the_way_is_noticed_and_told_by_the_sum(movie: Path) -> None:
    before = digest(movie)
    with Source(movie) as source:
        source.check()
        zarr.open_array(movie / "s0", mode="r+")[1, 0, 0] = 9
        source._next = 0.0
        with pytest.raises(FileError, match="has changed"):
            source.check()
    assert digest(movie) != before


class Trap:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("trapped").touch, ())


def test_what_is_crafted_neither_runs_nor_leaves_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trap = tmp_path / "trap.zarr"
    zarr.create_array(trap, data=np.zeros((8, 8), "i4"), zarr_format=2)
    facts = json.loads((trap / ".zarray").read_text())
    (trap / "0.0").write_bytes(pickle.dumps(Trap()))
    pickled: dict[str, Any] = {"id": "pickle", "protocol": 5}
    for change in (
        {"compressor": pickled},
        {"compressor": None, "filters": [pickled]},
        {"compressor": None, "filters": [pickled], "dtype": "|O"},
        {"compressor": {"id": "packbits"}},
    ):
        (trap / ".zarray").write_text(json.dumps(facts | change))
        with pytest.raises(ImageError, match=r"pickle|object|packed by packbits"), io.read(trap) as image:
            image.pixels[0]
    assert not (tmp_path / "trapped").exists()
    zarr.create_array(tmp_path / "secret", data=PIXELS)
    group = zarr.open_group(tmp_path / "out.zarr", mode="w")
    entry = multiscales()
    entry[0]["datasets"][0]["path"] = "../secret"
    group.attrs["ome"] = {"version": "0.5", "multiscales": entry}
    with pytest.raises(ImageError, match="outside"):
        io.read(tmp_path / "out.zarr")
    zarr.create_array(tmp_path / "large.zarr", shape=(4, 10**6, 10**6), chunks=(1, 1000, 1000), dtype="f4")
    with pytest.raises(ImageError, match="claims"):
        io.read(tmp_path / "large.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises((ImageError, FileError)):
        io.read(tmp_path / "empty.zarr")


def test_what_cannot_be_written_leaves_what_was_there(movie: Path) -> None:
    before = digest(movie)
    with io.read(movie) as image:
        with pytest.raises(ImageError, match="2 frames, 3 are needed"):
            io.write(movie, image, [image.pixels[0], image.pixels[1]])
        with pytest.raises(FileError, match="--overwrite"):
            io.write(movie, image, list(image.pixels), replace=False)
        with pytest.raises(FileError, match="has not made"):
            io.write(movie, image, list(image.pixels))
    cube = io.Image.from_array(np.zeros((2, 2, 2, 8, 8), "f4"), axes="TZCYX")
    with pytest.raises(ImageError, match=r"'TZCYX'; write \.tif"):
        io.write(movie, cube, list(cube.pixels))
    assert digest(movie) == before
    assert [path.name for path in movie.parent.iterdir()] == [movie.name]
