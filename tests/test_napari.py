"""The plugin for napari: files as calibrated layers, and a widget whose preview is a part of what it makes of all.

Without a canvas, which needs a graphics card or a display: napari's own model of the viewer, and Qt off screen.
"""

import inspect
import os
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import temclean
from temclean import io

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # their own
    pytest.importorskip("napari", reason="the napari extra is not installed")
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    import dask.array as da
    from napari.components import ViewerModel
    from napari.layers import Layer
    from napari.utils.notifications import notification_manager
    from npe2 import PluginManifest
    from npe2.manifest.utils import import_python_name
    from qtpy.QtWidgets import QApplication, QWidget

    from temclean.napari import reader, work
    from temclean.napari.widget import Denoiser

MANIFEST = Path(reader.__file__).with_name("napari.yaml")
PIXELS = np.random.default_rng(0).integers(0, 4000, (3, 150, 180), dtype=np.uint16)

pytestmark = pytest.mark.filterwarnings("ignore:::napari", "ignore:::npe2", "ignore:::vispy", "ignore:::pydantic")


def movie(path: Path) -> Path:
    image = io.Image.from_array(PIXELS, (0.02, 0.03), "nm", "TYX")
    object.__setattr__(image, "stack", (io.StackAxis(0.5, "s"),))
    return io.write(path, image, list(PIXELS))


def opened(viewer: ViewerModel, path: Path) -> Any:
    read = reader.reader_of(str(path))
    assert read is not None
    for data in read(str(path)):
        viewer.add_layer(Layer.create(*data))
    return viewer.layers[-1]


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def denoiser(viewer: ViewerModel) -> Iterator[Denoiser]:
    app = QApplication.instance() or QApplication([])
    window = Denoiser(viewer)
    yield window
    finish(window)
    window.deleteLater()
    app.processEvents()


def finish(denoiser: Denoiser) -> None:
    """Let the window live until the work is done."""
    while denoiser._worker is not None:
        QApplication.processEvents()


def test_the_manifest_has_each_format_and_what_it_names_is_there() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    assert manifest.contributions.readers[0].filename_patterns == sorted(f"*{suffix}" for suffix in io.READERS)
    reads, widget = (import_python_name(each.python_name) for each in manifest.contributions.commands)
    assert reads is reader.reader_of
    assert issubclass(widget, QWidget), "napari gives its viewer to nothing else"
    assert list(inspect.signature(widget).parameters) == ["napari_viewer"]
    project = tomllib.loads((Path(temclean.__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["napari.manifest"] == {"temclean": f"temclean.napari:{MANIFEST.name}"}


@pytest.mark.parametrize("name", ["movie.tif", "movie.mrc", "movie.npy"])
def test_a_file_becomes_a_layer_with_its_scale_and_unit(viewer: ViewerModel, tmp_path: Path, name: str) -> None:
    layer = opened(viewer, movie(tmp_path / name))
    assert (layer.name, layer.data.shape, layer.data.dtype) == ("movie", PIXELS.shape, PIXELS.dtype)
    assert isinstance(layer.data, da.Array)
    np.testing.assert_array_equal(layer.data[1].compute(), PIXELS[1])
    if not name.endswith(".npy"):
        sizes = [(size * unit).to("nm").magnitude for size, unit in zip(layer.scale[1:], layer.units[1:], strict=True)]
        np.testing.assert_allclose(sizes, (0.02, 0.03), rtol=1e-4)
    if name.endswith(".tif"):
        assert (layer.scale[0], f"{layer.units[0]:~}") == (0.5, "s")
    assert (PIXELS[1] < layer.contrast_limits[1]).mean() > 0.99


def test_what_is_not_for_temclean_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert reader.reader_of(str(tmp_path / "a.txt")) is None
    assert reader.reader_of(str(tmp_path)) is None
    assert reader.reader_of([str(movie(tmp_path / "a.tif")), str(tmp_path / "a.txt")]) is None


def test_all_frames_are_those_of_denoise_and_a_preview_is_a_part_of_them(
    viewer: ViewerModel, denoiser: Denoiser, tmp_path: Path
) -> None:
    layer = opened(viewer, movie(tmp_path / "movie.tif"))
    layer.contrast_limits = (100, 3000)
    layer.colormap = "viridis"
    denoiser.models.setCurrentText("sp")
    denoiser.run.click()
    assert (denoiser.run.isEnabled(), denoiser.stop.isEnabled()) == (False, True)
    finish(denoiser)
    clean = viewer.layers["movie denoised"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(clean.data, temclean.denoise(PIXELS, "sp"))
    for name in ("scale", "units", "axis_labels", "contrast_limits", "translate"):
        assert np.array_equal(getattr(clean, name), getattr(layer, name)), name
    assert clean.colormap.name == "viridis"
    assert denoiser.told.text().startswith("sp on ")
    assert clean.metadata["made by"]["model"] == "sp"
    assert denoiser.layers.currentText() == "movie"
    viewer.dims.set_current_step(0, 1)
    layer.corner_pixels = np.array([[1, 40, 70], [1, 99, 149]])
    denoiser.preview.click()
    finish(denoiser)
    part = viewer.layers["movie preview"]
    assert part.data.shape == (1, 60, 80)
    assert np.abs(part.data[0].astype(int) - clean.data[1, 40:100, 70:150]).max() <= 1
    np.testing.assert_allclose(part.translate, layer.translate + np.array([1, 40, 70]) * layer.scale)


def test_auto_says_what_it_took_and_errors_are_notifications(viewer: ViewerModel, denoiser: Denoiser) -> None:
    viewer.add_image(np.tile(np.linspace(0, 1, 64), (64, 1)), name="ramp", scale=(2, 2), units=("nm", "nm"))
    denoiser.run.click()
    finish(denoiser)
    assert "ramp denoised" in viewer.layers
    assert ": " in denoiser.told.text()
    notification_manager.records.clear()
    viewer.add_image(np.full((64, 64), np.nan), name="nothing")
    denoiser.layers.setCurrentText("nothing")
    denoiser.run.click()
    finish(denoiser)
    assert "4096 of 4096 pixels are NaN" in notification_manager.records[-1].message
    assert "nothing denoised" not in viewer.layers
    assert denoiser.run.isEnabled()


def test_each_channel_has_its_own_scale() -> None:
    """As on the command line: a weak detector beside a strong one would be restored to nearly nothing."""
    strong, weak = PIXELS[:2].astype(np.float32), PIXELS[:2].astype(np.float32) / 100 + 7
    layer = Layer.create(np.stack([strong, weak], axis=1), {"axis_labels": list("tcyx")}, "image")
    settled = work.settle(layer, "sp")
    found = np.stack([each for each in work.every(settled) if isinstance(each, np.ndarray)])
    for channel, movie_of_one in enumerate((strong, weak)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_allclose(found[channel::2], temclean.denoise(movie_of_one, "sp"), rtol=1e-4)
    part = work.preview(settled, 1, (slice(20, 60), slice(30, 70)))
    np.testing.assert_allclose(part, found[1, 20:60, 30:70], rtol=1e-3)
