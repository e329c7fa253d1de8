"""The strip of figures below an image is found where one is, and nothing is taken for one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import temclean
from temclean import io, specimen
from temclean.evidence import findings
from temclean.evidence.data_bar import above, rows_above
from temclean.evidence.noise import measure
from temclean.evidence.residual import missing
from temclean.noise import postprocess
from temclean.restoration import cautions

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ROWS, COLUMNS = np.mgrid[:300, :320]


def particles(bar: int) -> np.ndarray:
    """Return 20 discs of 22 pixels on grainy ground, of 8 bits, below them a white bar with black letters."""
    near = np.hypot(ROWS % 60 - 30.0, COLUMNS % 80 - 40.0)
    image = 60 + 80 / (1 + np.exp(near - 11)) + np.random.default_rng(1).normal(0, 4, near.shape)
    strip = np.full((bar, 320), 255.0)
    strip[-bar:][2:3] = 0
    letters = strip[10 : bar - 6, 20:200]
    drawn = np.random.default_rng(2).random((len(letters) // 4 + 1, 18)) < 0.4
    letters[drawn.repeat(4, 0)[: len(letters)].repeat(10, 1)] = 0
    return np.vstack([image, strip]).round().astype(np.uint8)


@pytest.mark.parametrize("bar", [24, 60])
def test_a_bar_with_letters_and_a_line_is_found(bar: int) -> None:
    assert rows_above(particles(bar)) == pytest.approx(300, abs=1)
    assert rows_above(255 - particles(bar)) == pytest.approx(300, abs=1)
    assert rows_above(particles(bar)[:300]) == 300


def test_bars_as_software_draws_them_are_found() -> None:
    for number in range(12):
        rng = np.random.default_rng(number)
        image = rng.normal(0.5, 0.1, (400, 480)).astype(np.float32)
        for mask, brightness in postprocess.data_bar(image.shape, rng):
            image[mask] = brightness
            top = int(np.flatnonzero(mask.any(axis=1))[0])
        assert abs(rows_above(image) - top) <= 3  # letters begin two rows below its edge


@pytest.mark.parametrize("kind", ["lr", "bright-field", "graphene"])
def test_specimens_have_none_be_their_ground_quite_even(kind: str) -> None:
    for number in range(3):
        image = specimen.draw(kind, 128, 0.3, number).image
        assert rows_above(image) == 128
        assert rows_above(np.maximum(image, np.quantile(image, 0.4))) == 128
    assert rows_above(np.zeros((64, 64))) == 64
    assert rows_above(np.full((64, 64), np.nan)) == 64


def test_particles_and_noise_are_those_of_the_image_alone(tmp_path: Path, run: Callable[..., Any]) -> None:
    pixels = particles(40)
    path = io.write(tmp_path / "sem.tif", io.Image.from_array(pixels, 10.0, "nm"), [pixels])
    done = run("measure", path, "--json")
    found = json.loads(done.out)
    assert found["summary"]["particles"] == 20
    assert found["summary"]["diameter_median_nm"] == pytest.approx(220, rel=0.03)
    assert any("data bar, from row 300 on" in line or "data bar, from row 299 on" in line for line in found["warnings"])
    assert "data bar" in run("inspect", path).out
    assert measure(pixels).at(60) == pytest.approx(4, rel=0.1)
    assert measure(pixels).clipped_high == 0


def test_letters_that_a_result_lacks_are_no_structure_and_no_contrast() -> None:
    raw = particles(40).astype(np.float32)
    near = np.hypot(ROWS % 60 - 30.0, COLUMNS % 80 - 40.0)
    result = np.vstack([60 + 80 / (1 + np.exp(near - 11)), np.full((40, 320), 255.0)]).astype(np.float32)
    assert missing(raw, result).row > 300  # what the whole frame would tell
    assert not findings.compare(raw, result).missing.clear
    result[140:160, 110:130] = 60  # one of the particles
    found = findings.compare(raw, result).missing
    assert found.clear
    assert abs(found.row - 150) <= 16
    assert abs(found.column - 120) <= 16
    assert cautions.noise_level(raw, result) < 0.03  # 4 over 80, were there no black and white
    assert cautions.noise_level(*above(raw, result)) == pytest.approx(4 / 80, rel=0.1)


def test_warnings_and_support_are_of_the_image_alone(tmp_path: Path, run: Callable[..., Any]) -> None:
    pixels = particles(40)
    pixels[:300] = np.random.default_rng(3).normal(100, 30, (300, 320)).clip(0, 255)  # without any contrast
    with pytest.warns(temclean.TemcleanWarning, match="as strong as the contrast"):
        temclean.denoise(pixels, model="g", device="cpu", threads=1)
    path = io.write(tmp_path / "sem.tif", io.Image.from_array(particles(40), 10.0, "nm"), [particles(40)])
    assert run("denoise", path, "-m", "g", "--support").code == 0
    with io.read(tmp_path / "sem_g_support.tif") as seen:
        assert seen.pixels[0].shape == (340, 320)
        assert not seen.pixels[0][301:].any()
        assert seen.pixels[0][:290].std() > 1
    rows = (tmp_path / "sem_g_support.csv").read_text().splitlines()[1:]
    assert len(rows) >= 20
    assert all(float(row.split(",")[1]) < 300 for row in rows)


@pytest.mark.skipif(not DATA.is_dir(), reason="real files are not here")
def test_of_a_real_file_the_letters_are_not_missed() -> None:
    with io.read(DATA / "zeiss_sem_u8.tif") as image:
        raw = np.array(image.pixels[0], np.float32)
    result = raw + np.random.default_rng(4).normal(0, 2, raw.shape).astype(np.float32)  # all of the image is there
    result[692:] = 255
    found = missing(raw, result)
    assert found.clear
    assert found.row > 692
    assert not findings.compare(raw, result).missing.clear


@pytest.mark.skipif(not DATA.is_dir(), reason="real files are not here")
def test_of_real_files_one_has_a_bar() -> None:
    seen = {}
    for name in ("zeiss_sem_u8.tif", "rebco_sem_u16.tif", "rock_sem_lzw.tif", "haadf_lowmag_1.ser", "si110_adf.png"):
        with io.read(DATA / name) as image:
            seen[name] = len(image.pixels[0]) - rows_above(image.pixels[0])
    assert seen.pop("zeiss_sem_u8.tif") == pytest.approx(768 - 691, abs=2)  # its black line is row 691
    assert set(seen.values()) == {0}


@pytest.mark.filterwarnings("ignore::temclean.TemcleanWarning")
@pytest.mark.parametrize("model", ["g", "general"])
def test_letters_of_a_bar_stay_as_they_are_and_the_image_is_denoised(model: str) -> None:
    raw = particles(40)
    result = temclean.denoise(raw, model, device="cpu")
    np.testing.assert_array_equal(result[301:], raw[301:])
    assert result[:300].std(axis=1).mean() < raw[:300].std(axis=1).mean()
    assert np.abs(np.diff(result[:60].astype(float))).mean() < 0.6 * np.abs(np.diff(raw[:60].astype(float))).mean()
