"""Signals of HyperSpy, eager and lazy: the pixels of `temclean.denoise`, and all else as HyperSpy had it."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import temclean
from temclean.hyperspy import _about

hs: Any = pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")
pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

NETWORK = Path(__file__).parent / "data" / "network.onnx"
MOVIE = Path(__file__).parent / "data" / "movie.onnx"


def movie(dtype: str = "float32", grid: tuple[int, ...] = (2, 3)) -> Any:
    """Return frames, each brighter than the one before, as a calibrated signal."""
    ramp = np.arange(np.prod(grid)).reshape(*grid, 1, 1) * 100.0
    pixels = np.random.default_rng(0).normal(500, 30, (*grid, 40, 56)) + ramp
    signal = hs.signals.Signal2D(pixels.astype(dtype))
    for axis, scale, offset, units in zip(
        signal.axes_manager.signal_axes, (0.02, 0.03), (1, -2), ("nm",) * 2, strict=True
    ):
        axis.scale, axis.offset, axis.units = scale, offset, units
    for axis in signal.axes_manager.navigation_axes:
        axis.name, axis.scale, axis.units = f"step{axis.index_in_axes_manager}", 0.5, "s"
    signal.metadata.set_item("Acquisition_instrument.TEM.acquisition_mode", "STEM")
    signal.metadata.General.title = "HAADF"
    signal.original_metadata.set_item("camera.gain", 3)
    return signal


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_a_signal_keeps_all_but_its_noise(lazy: bool, dtype: str) -> None:
    signal = movie(dtype)
    before = signal.data.copy()
    wanted = temclean.denoise(before, NETWORK, device="cpu")
    given = signal.as_lazy() if lazy else signal
    clean = temclean.hyperspy.denoise(given, NETWORK, device="cpu", threads=1)
    assert type(clean) is type(given)
    assert clean.data.dtype == before.dtype
    if lazy:
        assert not isinstance(clean.data, np.ndarray)
        clean.compute(progressbar=False)
    np.testing.assert_array_equal(clean.data, wanted)
    assert np.abs(wanted.astype(float) - before).max() > 0
    np.testing.assert_array_equal(signal.data, before)
    assert clean.axes_manager.as_dictionary() == signal.axes_manager.as_dictionary()
    note = clean.metadata.temclean.as_dictionary()
    assert note["sha256"] == temclean.models.load(NETWORK).sha256
    del clean.metadata.temclean
    ours, theirs = (each.metadata.as_dictionary() for each in (clean, signal))
    for each in (ours, theirs):
        each["General"].pop("FileIO", None)
    assert ours == theirs
    assert clean.original_metadata.as_dictionary() == signal.original_metadata.as_dictionary()


def test_a_lazy_image_without_navigation_is_denoised() -> None:
    signal = movie(grid=())
    clean = temclean.hyperspy.denoise(signal.as_lazy(), NETWORK, device="cpu")
    clean.compute(progressbar=False)
    np.testing.assert_array_equal(clean.data, temclean.denoise(signal.data, NETWORK, device="cpu"))


@pytest.mark.parametrize(
    ("units", "scale", "angstroms", "reciprocal"),
    [
        ("nm", 0.02, 0.2, False),
        ("Å", 0.2, 0.2, False),
        ("um", 0.001, 10.0, False),
        ("1/nm", 0.1, None, True),
        (None, 1.0, None, False),
    ],
)
def test_the_choice_knows_what_the_signal_says(units: str, scale: float, angstroms: float, reciprocal: bool) -> None:
    signal = movie()
    for axis in signal.axes_manager.signal_axes:
        axis.scale = scale
        if units:
            axis.units = units
        else:
            axis.units = hs.signals.Signal2D(np.zeros((2, 2))).axes_manager[0].units
    about = _about(signal)
    assert about.kind == "STEM"
    assert about.angstroms == (pytest.approx(angstroms) if angstroms else None)
    assert about.reciprocal is reciprocal
    signal.metadata.set_item("Acquisition_instrument.SEM.magnification", 1000)
    assert _about(signal).kind == "SEM"


@pytest.mark.parametrize(
    ("make", "model", "words"),
    [
        (lambda: hs.signals.Signal1D(np.zeros((4, 5, 6))), NETWORK, "transpose"),
        (lambda: np.zeros((40, 40)), NETWORK, "temclean.denoise takes arrays"),
        (lambda: hs.signals.Signal2D(np.ma.masked_less(np.eye(40), 0.5)), NETWORK, "masked"),
        (lambda: movie().as_lazy(), MOVIE, "compute"),
        (lambda: hs.signals.Signal2D(np.zeros((8, 8), [("R", "u1"), ("G", "u1"), ("B", "u1")])), NETWORK, "colour"),
    ],
)
def test_what_cannot_be_denoised_is_told(make: Callable[[], Any], model: Path, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # HyperSpy's own
        signal = make()
    with pytest.raises(ValueError, match=words):
        temclean.hyperspy.denoise(signal, model, device="cpu")


def test_neither_hyperspy_nor_dask_is_imported() -> None:
    code = "import sys, temclean; temclean.hyperspy.denoise; print({'hyperspy', 'dask'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
