"""``--preview``: what a picture of a raw image and its result shows, how long its bar is, where it goes."""

import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.exposure import rescale_intensity

from temclean import io
from temclean.commands.views import greys, plates, preview, scale_bar
from temclean.commands.views.pair import Pair

Run = Callable[..., Any]
IDENTITY = Path(__file__).parents[1] / "data" / "identity.onnx"
METRES = {"pm": 1e-12, "Å": 1e-10, "nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "m": 1.0}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(1000, 100, shape)


def pair(frame: np.ndarray, size: float | None = None, unit: str | None = None) -> Pair:
    return Pair(frame, frame, 1, 1, size and (size, size), unit, {"model": "g"})


def save(path: Path, frame: np.ndarray, size: float | None = None, unit: str | None = None) -> Path:
    return io.write(path, io.Image.from_array(frame, size, unit), frame.reshape(-1, *frame.shape[-2:]))


@pytest.mark.parametrize("shape", [(40, 60), (41, 67), (7, 300)])
def test_means_over_squares_are_those_of_pillow(shape: tuple[int, int]) -> None:
    image = noise(*shape)
    for side in (2, 3, 7):
        theirs = np.asarray(Image.fromarray(image.astype(np.float32)).reduce(side))
        assert greys.reduced(image, side) == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("unit", ["pm", "Å", "nm", "µm", "mm", "1/nm", "mrad"])
@pytest.mark.parametrize("width", [64, 512, 1000])
def test_a_bar_is_as_long_as_it_says(unit: str, width: int) -> None:
    for size in np.geomspace(1e-4, 1e3, 36):
        shown = scale_bar.bar(float(size), unit, width)
        number, name = shown.label.split(" ", 1)
        assert 0.11 * width < shown.pixels <= 0.3 * width + 1e-6
        assert re.fullmatch(r"[125]0*|0\.0*[125]|[125]e-0\d", number), shown
        same = METRES.get(name, 1.0) / METRES.get(unit, 1.0)
        assert name == unit or (name in METRES and unit in METRES)
        assert shown.pixels * size == pytest.approx(float(number) * same, rel=1e-5)
        if unit in METRES and 1e-11 < float(number) * METRES[name] < 0.1:
            assert 0.1 <= float(number) < 1000


def test_each_is_shown_between_its_own_percentiles() -> None:
    frame = noise(300, 260)
    frame[0, 0] = 1e6
    found = preview.draw(Pair(frame, -frame, 1, 1, None, None, {}))
    for part, image in ((found[:300, :260], frame), (found[:300, -260:], -frame)):
        low, high = np.percentile(image, [0.5, 99.5])
        expected = rescale_intensity(image, (low, high), (0.0, 255.0))
        assert abs(part - expected).max() <= 0.5 + 1e-9  # and no bar, as nothing is known of pixel sizes
    assert (found[:300, 260:-260] == 255).all()


@pytest.mark.parametrize(
    ("side", "height", "pixels"),
    [(512, 512, 100), (3000, 1000, 500 / 3), (64, 256, 40)],
    ids=["2 nm", "10 nm, 3x3 pixels in one", "0.2 nm, 4x4 for one pixel"],
)
def test_the_bar_in_the_picture_is_as_long_as_its_length(side: int, height: int, pixels: float) -> None:
    frame = np.zeros((side, side))
    frame[:2] = 1
    found = preview.draw(pair(frame, 0.02, "nm"))
    rows = found[height * 3 // 4 : height, :height] == 255
    longest = max(len(run) for row in rows for run in bytes(row).split(b"\0"))
    assert longest == pytest.approx(pixels, abs=1)


def test_a_data_bar_sets_no_contrast_and_is_not_drawn_over() -> None:
    frame = np.full((340, 320), 255.0)
    frame[:300] = np.random.default_rng(7).normal(100, 10, (300, 320))
    frame[310:330:2, 5:60] = 0
    found = preview.draw(pair(frame, 10.0, "nm"))
    low, high = np.percentile(frame[:300], [0.5, 99.5])
    shown = rescale_intensity(frame, (low, high), (0.0, 255.0))
    assert abs(found[:250, :320] - shown[:250]).max() <= 2
    assert (found[301:340, :320] == shown[301:]).all()
    assert (found[260:300, :320] == 255).sum(axis=1).max() > 50  # the scale bar, of 50 pixels
    plate = next(each for each in plates.draw(pair(frame, 10.0, "nm")) if each.kind == "raw")
    picture = np.asarray(Image.open(BytesIO(plate.content)), float)
    assert np.corrcoef(picture[:250].ravel(), shown[:250].ravel())[0, 1] > 0.95
    assert abs(picture[301:] - shown[301:]).mean() < 5


def test_large_images_show_their_middle_pixel_by_pixel() -> None:
    frame = noise(2100, 1500)
    found = preview.draw(pair(frame))
    assert found.shape[0] > 700 + 700
    whole = np.asarray(Image.fromarray(frame.astype(np.float32)).reduce(3))
    strip = (found.shape[0] - 700 - 700) // 2
    assert np.corrcoef(found[:700, :500].ravel(), whole.ravel())[0, 1] > 0.99
    part = frame[700:1400, 400:1100]
    assert np.corrcoef(found[700 + strip : 1400 + strip, :700].ravel(), part.ravel())[0, 1] > 0.99


def test_a_picture_lies_beside_each_result_and_is_no_input(run: Run, tmp_path: Path) -> None:
    stack = np.stack([np.zeros((64, 64)), noise(64, 64), np.ones((64, 64))]).astype("f4")
    source = save(tmp_path / "a.tif", stack, 0.1, "nm")
    options = ("-m", IDENTITY, "--device", "cpu", "--json")
    done = run("denoise", source, tmp_path / "none.tif", "--preview", *options)
    (ok, failed) = map(json.loads, done.out.splitlines())
    assert ok["preview"] == str(tmp_path / "a_identity_preview.png")
    assert (failed["status"], failed["preview"]) == ("failed", None)
    picture = np.asarray(Image.open(ok["preview"]))
    assert picture.dtype == np.uint8
    shown = picture[:200:4, :256:4][:, :64]  # above the bar; each pixel is shown as 4x4
    assert np.corrcoef(shown.ravel(), stack[1, :50].ravel())[0, 1] > 0.98  # the middle frame
    for again in ((), ("--include-results",)):
        out = tmp_path / f"out{len(again)}"
        assert run("denoise", tmp_path, "-o", out, *again, *options).code == 0
        assert len(list(out.iterdir())) == 1 + len(again)
        assert not list(out.glob("*_preview_*"))


def test_what_is_in_the_way_of_a_picture_stays(run: Run, tmp_path: Path) -> None:
    source, place = save(tmp_path / "a.tif", noise(32, 32).astype("u2")), tmp_path / "a_identity_preview.png"
    place.write_bytes(b"mine")
    options = ("-m", IDENTITY, "--device", "cpu", "--json", "--preview")
    found = json.loads(run("denoise", source, *options).out)
    assert (found["status"], found["preview"]) == ("done", None)
    assert "--overwrite" in found["warnings"][-1]
    assert place.read_bytes() == b"mine"
    found = json.loads(run("denoise", source, *options, "--overwrite").out)
    assert found["preview"] == str(place)
    before = place.stat().st_mtime_ns
    found = json.loads(run("denoise", source, *options, "--resume").out)  # an own one is made again
    assert (found["status"], found["preview"]) == ("kept", str(place))
    assert place.stat().st_mtime_ns > before


def test_a_result_of_another_shape_has_no_picture(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from temclean.commands import batch
    from temclean.commands.records import Result

    source = save(tmp_path / "a.tif", noise(32, 32).astype("u2"))
    tifffile.imwrite(tmp_path / "b.tif", noise(32, 30).astype("u2"))

    def results(*_: Any, **__: Any) -> Any:
        yield Result(str(source), str(tmp_path / "b.tif"), "done")

    monkeypatch.setattr(batch, "run", results)
    found = json.loads(run("denoise", source, "-m", IDENTITY, "--device", "cpu", "--json", "--preview").out)
    assert "not of the shape" in found["warnings"][-1]
