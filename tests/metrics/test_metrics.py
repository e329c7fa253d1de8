"""Metrics: identity, symmetry, NumPy twins and independent implementations."""

import json
import math
import runpy
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reference import reference_css, reference_mae, reference_ms_ssim, reference_psnr, reference_ssim

from temclean import metrics
from temclean.errors import ImageError, ParameterError

DATA = Path(__file__).parents[1] / "data"
TENSORFLOW = json.loads((DATA / "ms_ssim_tensorflow.json").read_text())["pairs"]
PAIRWISE = [metrics.mae, metrics.psnr, metrics.ssim, metrics.ms_ssim, metrics.css]
RANGED = [metrics.psnr, metrics.ssim, metrics.ms_ssim, metrics.css]


def waves(shape, seed=0, noise=0.1):
    """Return a smooth image in [0, 1] and a noisy copy, float64."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    clean = 0.5 + 0.25 * np.sin(x / 3.7 + seed) + 0.25 * np.cos(y / 5.3 - x / 11.0)
    return clean, clean + noise * np.random.default_rng(seed).standard_normal(shape)


# shapes around the tile (128), the block (512) and the least sizes
@pytest.mark.parametrize(
    "shape", [(11, 11), (12, 139), (138, 138), (139, 266), (149, 160), (161, 161), (162, 265), (267, 163), (530, 170)]
)
@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 3e-6), (np.float64, 1e-11)])
def test_twins(shape, dtype, bound):
    clean, noisy = (image.astype(dtype) for image in waves(shape, seed=shape[1]))
    assert metrics.mae(clean, noisy) == pytest.approx(reference_mae(clean, noisy), rel=1e-12)
    assert metrics.psnr(clean, noisy, 0.8) == pytest.approx(reference_psnr(clean, noisy, 0.8), rel=1e-12)
    assert metrics.css(clean, noisy, 0.8) == pytest.approx(reference_css(clean, noisy, 0.8), rel=1e-12)
    assert metrics.ssim(clean, noisy, 0.8) == pytest.approx(reference_ssim(clean, noisy, 0.8), abs=bound)
    if min(shape) >= 161:
        assert metrics.ms_ssim(clean, noisy, 0.8) == pytest.approx(reference_ms_ssim(clean, noisy, 0.8), abs=bound)


@pytest.mark.parametrize("pair", TENSORFLOW, ids=lambda pair: f"{pair['height']}x{pair['width']}")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_tensorflow(pair, dtype):
    make_pair = runpy.run_path(str(DATA / "make_ms_ssim_tensorflow.py"))["make_pair"]
    clean, noisy = make_pair(*(pair[name] for name in ("seed", "height", "width", "noise", "kind")))
    score = metrics.ms_ssim(clean.astype(dtype), noisy.astype(dtype), 1.0)
    assert score == pytest.approx(pair["ms_ssim"], abs=2e-6)


def test_agrees_with_scikit_image():
    skimage = pytest.importorskip("skimage.metrics", reason="compares with scikit-image")
    clean, noisy = waves((150, 181), seed=3)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 0.9}
    _, full = skimage.structural_similarity(clean, noisy, full=True, **options)
    assert metrics.ssim(clean, noisy, 0.9) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-12)
    expected = skimage.peak_signal_noise_ratio(clean, noisy, data_range=0.9)
    assert metrics.psnr(clean, noisy, 0.9) == pytest.approx(expected, rel=1e-12)


def test_agrees_with_pytorch_msssim():
    torch = pytest.importorskip("torch", reason="compares with pytorch-msssim")
    peer = pytest.importorskip("pytorch_msssim", reason="compares with pytorch-msssim")
    clean, noisy = waves((256, 192), seed=5)  # even at every scale: it pads odd ones with zeros
    expected = peer.ms_ssim(*(torch.from_numpy(image)[None, None] for image in (clean, noisy)), data_range=1.0)
    assert metrics.ms_ssim(clean, noisy, 1.0) == pytest.approx(float(expected), abs=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8, np.uint16, np.int32, np.int64])
def test_layout_and_type_do_not_matter(dtype):
    pair = [(200 * np.clip(image, 0, 1)).astype(dtype) for image in waves((170, 180))]
    plain = pair if dtype in (np.float32, np.float64) else [image.astype(np.float64) for image in pair]
    expected = metrics.score(*plain, 200)

    def readonly(image):
        image = image.copy()
        image.flags.writeable = False
        return image

    def unaligned(image):
        room = np.zeros(image.nbytes + 1, np.uint8)
        view = room[1:].view(image.dtype).reshape(image.shape)
        view[:] = image
        return view

    layouts = {
        "as it is": lambda image: image,
        "read-only": readonly,
        "Fortran": np.asfortranarray,
        "every other": lambda image: np.repeat(np.repeat(image, 2, 0), 2, 1)[::2, ::2],
        "backwards": lambda image: image[::-1, ::-1].copy()[::-1, ::-1],
        "other byte order": lambda image: image.astype(image.dtype.newbyteorder()),
        "unaligned": unaligned,
    }
    for name, layout in layouts.items():
        given = [layout(image) for image in pair]
        before = [image.copy() for image in given]
        assert metrics.score(*given, 200) == pytest.approx(expected, abs=2e-6), name
        assert metrics.css(*given, 200) == pytest.approx(metrics.css(*plain, 200), abs=1e-12), name
        assert all(np.array_equal(*images) for images in zip(given, before, strict=True)), name


def test_mixed_types_are_compared_in_the_wider():
    clean, noisy = waves((170, 170))
    mixed = metrics.ms_ssim(clean.astype(np.float32), noisy)
    assert mixed == metrics.ms_ssim(clean.astype(np.float32).astype(np.float64), noisy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_give_the_same_bits(dtype):
    pair = [image.astype(dtype) for image in waves((1100, 700))]
    for metric in PAIRWISE:
        assert len({metric(*pair, threads=threads) for threads in (1, 2, 3, 8)}) == 1
    movie = np.stack([*pair, pair[0]])
    assert np.array_equal(metrics.movie_css(movie), metrics.movie_css(movie, threads=3))


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=11, max_side=24),
        elements=st.floats(-1e6, 1e6, width=32),
    ),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_identity_symmetry_and_bounds(image, seed):
    other = image + np.random.default_rng(seed).standard_normal(image.shape).astype(np.float32)
    assert metrics.mae(image, image) == 0
    assert metrics.psnr(image, image) == math.inf
    assert metrics.ssim(image, image) == metrics.css(image, image) == 1
    assert metrics.mae(image, other) == metrics.mae(other, image)
    assert metrics.psnr(image, other, 3.0) == metrics.psnr(other, image, 3.0)
    assert metrics.css(image, other) == metrics.css(other, image)
    similarity = metrics.ssim(image, other, 3.0)
    assert similarity == metrics.ssim(other, image, 3.0)
    assert -1 <= similarity <= 1
    assert -1 <= metrics.css(image, other) <= 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16])
def test_ms_ssim_identity_and_symmetry(dtype):
    clean, noisy = ((1e4 + 200 * image).astype(dtype) for image in waves((180, 201)))
    assert metrics.ms_ssim(clean, clean) == metrics.ssim(clean, clean) == 1
    assert metrics.ms_ssim(clean, noisy, 200) == metrics.ms_ssim(noisy, clean, 200)
    assert 0 < metrics.ms_ssim(clean, noisy, 200) < 1


def test_a_large_offset_loses_no_digits():
    # float32 counts with a mean of 1e4 and a range of 200: peers in float32 err by 7e-3 here
    clean, noisy = ((1e4 + 200 * image).astype(np.float32) for image in waves((256, 256), noise=0.2))
    assert metrics.ms_ssim(clean, noisy, 200) == pytest.approx(reference_ms_ssim(clean, noisy, 200), abs=1e-6)
    assert metrics.ssim(clean, noisy, 200) == pytest.approx(reference_ssim(clean, noisy, 200), abs=1e-6)
    assert metrics.css(clean, noisy, 200) == pytest.approx(reference_css(clean, noisy, 200), abs=1e-9)


@pytest.mark.parametrize("shape", [(176, 176), (300, 211)])
def test_an_offset_of_ten_thousand_ranges_loses_no_digits(shape):
    clean, noisy = ((1e4 + image).astype(np.float32) for image in waves(shape, noise=0.2))
    noisy += np.float32(0.25)  # whose luminance, at the coarsest scale alone, must not be lost with the offset
    assert metrics.ms_ssim(clean, noisy, 1.0) == pytest.approx(reference_ms_ssim(clean, noisy, 1.0), abs=3e-7)


def test_a_steep_background_loses_no_digits():
    clean, noisy = waves((300, 300))
    slope = 200 * np.linspace(0, 1, 300)  # two hundred times the data range, from edge to edge
    clean, noisy = ((image + slope).astype(np.float32) for image in (clean, noisy))
    assert metrics.ssim(clean, noisy, 1.0) == pytest.approx(reference_ssim(clean, noisy, 1.0), abs=1e-4)
    assert metrics.ms_ssim(clean, noisy, 1.0) == pytest.approx(reference_ms_ssim(clean, noisy, 1.0), abs=1e-4)


def test_offsets_that_differ_count_as_luminance():
    clean, noisy = (image.astype(np.float32) for image in waves((170, 170)))
    bright = noisy + np.float32(50)
    assert metrics.ssim(clean, bright, 1.0) == pytest.approx(reference_ssim(clean, bright, 1.0), abs=1e-6)
    assert metrics.ms_ssim(clean, bright, 1.0) == pytest.approx(reference_ms_ssim(clean, bright, 1.0), abs=1e-5)


@pytest.mark.parametrize("unit", [1e-25, 1e-3, 1e20])
def test_the_unit_does_not_matter(unit):
    pair = waves((170, 190))
    expected = metrics.score(*pair, 1.0)
    scaled = metrics.score(*((unit * image).astype(np.float32) for image in pair), unit)
    assert scaled["ssim"] == pytest.approx(expected["ssim"], abs=2e-6)
    assert scaled["ms_ssim"] == pytest.approx(expected["ms_ssim"], abs=2e-6)
    assert scaled["psnr"] == pytest.approx(expected["psnr"], abs=1e-4)


def test_opposite_contrast_scores_nothing():
    checks = np.indices((176, 176)).sum(0) % 2 * 1.0
    assert metrics.ssim(checks, 1 - checks) < -0.9
    assert metrics.ms_ssim(checks, 1 - checks) == 0


@pytest.mark.parametrize("metric", RANGED)
def test_default_range(metric):
    clean, noisy = waves((170, 170))
    unit = np.clip(clean, 0, 1)
    inside = np.clip(noisy, 0, 1)
    assert metric(unit, inside) == metric(unit, inside, 1.0)
    counts, noisy_counts = 7 + 50 * unit, 7 + 50 * inside
    truth = counts if metric is not metrics.css else np.stack([counts, noisy_counts])  # neither frame is the truth
    assert metric(counts, noisy_counts) == metric(counts, noisy_counts, truth.max() - truth.min())
    flat = np.full_like(counts, 7.0)
    assert metric(flat, counts) == metric(flat, counts, counts.max() - 7.0)
    assert metric(flat, flat) == (math.inf if metric is metrics.psnr else 1)


def test_score_gathers_the_metrics():
    pair = waves((200, 170))
    expected = {name: getattr(metrics, name)(*pair) for name in ("mae", "psnr", "ssim", "ms_ssim")}
    assert metrics.score(*pair) == expected
    assert list(metrics.score(*pair)) == ["mae", "psnr", "ssim", "ms_ssim"]


def test_score_of_small_images_leaves_out_what_they_are_too_small_for():
    pair = waves((160, 400))
    assert metrics.score(*pair)["ms_ssim"] is None
    assert metrics.score(*pair)["ssim"] == metrics.ssim(*pair)
    tiny = metrics.score(*waves((10, 400)))
    assert tiny["ssim"] is tiny["ms_ssim"] is None
    assert tiny["psnr"] > 0


def test_scores_survive_strict_json():
    image = waves((20, 20))[0]
    text = json.dumps(metrics.to_json(metrics.score(image, image)), allow_nan=False)
    again = json.loads(text)
    assert again == {"mae": 0.0, "psnr": "Infinity", "ssim": 1.0, "ms_ssim": None}
    assert float(again["psnr"]) == math.inf


def test_movie_css():
    clean, _ = waves((90, 100))
    movie = np.stack([clean + 0.1 * np.random.default_rng(seed).standard_normal(clean.shape) for seed in range(5)])
    values = metrics.movie_css(movie, 2.0)
    expected = [reference_css(*movie[index : index + 2], 2.0) for index in range(4)]
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_array_equal(metrics.movie_css((frame for frame in movie), 2.0), values)
    np.testing.assert_array_equal(metrics.movie_css(movie), metrics.movie_css(movie, movie.max() - movie.min()))


def test_css_is_the_papers_within_the_unit_range():
    frame1, frame2 = (np.clip(image, 0, 1) for image in waves((64, 64)))
    assert metrics.css(frame1, frame2) == pytest.approx(reference_css(frame1, frame2, 1.0), rel=1e-12)


@pytest.mark.parametrize("metric", [*PAIRWISE, metrics.score])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("corner", [(0, 0), (0, -1), (-1, -1), (3, 5)])
def test_refuses_what_is_not_finite(metric, bad, place, corner):
    pair = [image.astype(np.float32) for image in waves((170, 171))]
    pair[place][corner] = bad
    with pytest.raises(ImageError, match=r"1 of its 29070 values are not finite"):
        metric(*pair)
    if metric is not metrics.mae:
        with pytest.raises(ImageError, match=r"1 of its 29070 values are not finite"):
            metric(*pair, 1.0)


@pytest.mark.parametrize("metric", [*PAIRWISE, metrics.score])
def test_refuses_what_does_not_fit(metric):
    clean, noisy = waves((170, 170))
    with pytest.raises(ImageError, match=r"170x170 pixels and .* 170x169"):
        metric(clean, noisy[:, 1:])
    with pytest.raises(ImageError, match=r"2-D image, not an array of shape \(1, 170, 170\)"):
        metric(clean, noisy[None])
    with pytest.raises(ImageError, match=r"2-D image, not an array of shape \(0, 170\)"):
        metric(clean[:0], noisy[:0])
    with pytest.raises(ImageError, match="real numbers, not complex128"):
        metric(clean, noisy * 1j)
    with pytest.raises(ParameterError, match="threads must be 1 or more, not 0"):
        metric(clean, noisy, threads=0)


@pytest.mark.parametrize("metric", [*RANGED, metrics.score])
@pytest.mark.parametrize("data_range", [0, -1.0, math.nan, math.inf])
def test_refuses_a_range_that_is_none(metric, data_range):
    with pytest.raises(ParameterError, match="data_range"):
        metric(*waves((170, 170)), data_range)


def test_names_the_least_size():
    assert metrics.ms_ssim(*waves((161, 161))) > 0
    with pytest.raises(ImageError, match="161x161 pixels or more, not 160x512"):
        metrics.ms_ssim(*waves((160, 512)))
    with pytest.raises(ImageError, match="11x11 pixels or more, not 11x10"):
        metrics.ssim(*waves((11, 10)))
    with pytest.raises(ImageError, match="two or more"):
        metrics.movie_css(waves((11, 10))[:1])


def peak_memory(metric, *pair):
    """Return the bytes that a metric asks for at most."""
    tracemalloc.start()
    try:
        metric(*pair, 1.0)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_needs_the_memory_of_a_few_rows():
    short, tall = ([image.astype(np.float32) for image in waves((height, 200))] for height in (4400, 8800))
    row = short[0][0].nbytes
    assert peak_memory(metrics.ssim, *tall) < 20 * row
    assert peak_memory(metrics.ms_ssim, *short) < 450 * row
    assert peak_memory(metrics.ms_ssim, *tall) < peak_memory(metrics.ms_ssim, *short) + 5 * row
