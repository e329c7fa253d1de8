"""``--mirrored``: the mean of what a model makes of mirror images."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from skimage.metrics import peak_signal_noise_ratio

import temclean
from temclean import io, noise, specimen
from temclean.cli import cli
from temclean.errors import ParameterError
from temclean.restoration import models

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

DATA = Path(__file__).parents[1] / "data"
NETWORK = DATA / "network.onnx"

FLIPS: list[Any] = [lambda x: x, lambda x: x[..., ::-1, ::-1], lambda x: x[..., ::-1], lambda x: x[..., ::-1, :]]


def denoise(path: Path, *options: str) -> dict[str, Any]:
    arguments = ["denoise", str(path), "-m", str(NETWORK), "--device", "cpu", "--json", *options]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("name", ["fast", "n2a", "lde"])
def test_it_is_the_mean_of_what_one_run_makes_of_each(name: str, count: int) -> None:
    model = models.load(name)
    side = 2 * model.multiple + 2 * model.beyond
    batch = np.random.default_rng(1).random((1, model.frames, side, side), dtype=np.float32)
    once = models.open_session(model, "cpu")
    each = [flip(once.run(np.ascontiguousarray(flip(batch)))) for flip in FLIPS[:count]]
    assert np.abs(each[0] - each[1]).max() > 1e-3  # else there is nothing to take a mean of
    found = models.open_session(model, "cpu", mirrored=count).run(batch)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)


def test_a_mirror_image_has_the_mirrored_result() -> None:
    image = np.random.default_rng(2).poisson(30.0, (128, 192)).astype(np.float32)
    results = [flip(temclean.denoise(np.ascontiguousarray(flip(image)), "lde", mirrored=4)) for flip in FLIPS]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], rtol=1e-4)


@pytest.mark.parametrize("name", ["general", "lr", "g"])
@pytest.mark.parametrize("kind", ["polycrystal", "coherent"])
def test_it_is_nearer_to_the_truth(name: str, kind: str) -> None:
    clean = specimen.SPECIMENS[kind](np.random.default_rng(5), 256, 0.2).image
    noisy = noise.apply(clean, noise.Gaussian(0.2, clip=False), 4)
    psnr = [
        peak_signal_noise_ratio(clean, temclean.denoise(noisy, name, device="cpu", mirrored=count), data_range=1.0)
        for count in (1, 2, 4)
    ]
    assert min(psnr[1:]) > psnr[0] + 0.03


def test_it_is_noted_and_resume_does_not_take_one_for_the_other(tmp_path: Path) -> None:
    path, out = tmp_path / "a.tif", tmp_path / "a_network.tif"
    tifffile.imwrite(path, np.random.default_rng(5).normal(120, 25, (48, 40)).astype(np.float32))
    assert denoise(path)["status"] == "done"
    assert "mirrored" not in (io.provenance(out) or {})
    once = tifffile.imread(out)
    assert denoise(path, "--resume", "--mirrored", "2")["status"] == "failed"
    assert denoise(path, "--overwrite", "--mirrored", "2")["status"] == "done"
    assert (io.provenance(out) or {})["mirrored"] == 2
    assert np.abs(tifffile.imread(out) - once).max() > 0.1
    assert denoise(path, "--resume", "--mirrored", "2")["status"] == "kept"
    assert denoise(path, "--resume", "--mirrored", "4")["status"] == "failed"
    assert denoise(path, "--resume")["status"] == "failed"


def test_raw_frames_are_mirrored_too() -> None:
    frame = np.random.default_rng(6).poisson(40, (32, 32)).astype(np.uint16)
    line = [sys.executable, "-m", "temclean", "denoise", "-", "-m", str(NETWORK), "--shape", "32,32", "--dtype", "u2"]
    results = [
        np.frombuffer(subprocess.run([*line, *more], input=frame.tobytes(), stdout=-1, check=True).stdout, np.uint16)
        for more in ([], ["--mirrored", "4"])
    ]
    assert results[0].size == results[1].size == frame.size
    assert (results[0] != results[1]).any()


def test_blocks_of_a_dask_array_are_mirrored_too() -> None:
    da = pytest.importorskip("dask.array")
    image = np.random.default_rng(7).poisson(40, (2, 32, 48)).astype(np.float32)
    lazy = temclean.denoise(da.from_array(image, chunks=(1, 32, 48)), NETWORK, device="cpu", mirrored=4)
    np.testing.assert_array_equal(lazy.compute(), temclean.denoise(image, NETWORK, device="cpu", mirrored=4))
    with pytest.raises(ParameterError, match="1, 2 or 4"):  # before anything is computed
        temclean.denoise(da.from_array(image), NETWORK, device="cpu", mirrored=3)


def test_other_numbers_are_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["denoise", str(tmp_path / "a.tif"), "--mirrored", "3"])
    assert done.exit_code == 2
    with pytest.raises(ParameterError, match="1, 2 or 4"):
        temclean.denoise(np.zeros((64, 64)), "fast", mirrored=3)
