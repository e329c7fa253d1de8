"""Post-processing: alike in both images of a pair, except for the blur, and as SciPy does it."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from temclean import filters
from temclean.errors import ParameterError
from temclean.noise import postprocess


def pair(shape: tuple[int, int] = (96, 80), seed: int = 0) -> postprocess.Pair:
    """Return a smooth image and the same with noise."""
    rng = np.random.default_rng(seed)
    clean = ndimage.gaussian_filter(rng.random(shape), 3.0).astype(np.float32)
    return clean, clean + rng.normal(0.0, 0.1, shape).astype(np.float32)


def rotation(degrees: float, scale: float = 1.0) -> np.ndarray:
    angle = np.radians(degrees)
    return scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.mark.parametrize("name", [*postprocess.ALTERATIONS, "draw_all"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 3), (64, 64), (40, 130)])
def test_shape_and_type_stay_and_the_given_images_too(name: str, shape: tuple[int, int]) -> None:
    clean, noisy = pair(shape)
    before = clean.copy(), noisy.copy()
    alter = getattr(postprocess, name)
    for seed in range(8):
        altered = alter(clean, noisy, np.random.default_rng(seed))
        again = alter(clean, noisy, np.random.default_rng(seed))
        for image, same in zip(altered, again, strict=True):
            assert image.shape == shape
            assert image.dtype == np.float32
            assert np.isfinite(image).all()
            np.testing.assert_array_equal(image, same)
    np.testing.assert_array_equal(before[0], clean)
    np.testing.assert_array_equal(before[1], noisy)


@pytest.mark.parametrize("matrix", [rotation(0), rotation(11), rotation(-7, 1.2), np.array([[0.9, 0.1], [0.05, 1.1]])])
def test_linear_resampling_is_that_of_scipy(matrix: np.ndarray) -> None:
    _, image = pair()
    centre = (np.array(image.shape) - 1) / 2
    expected = ndimage.affine_transform(
        image.astype(float), matrix, centre - matrix @ centre, order=1, mode="grid-mirror"
    )
    alike = postprocess.resample(image, matrix)
    np.testing.assert_allclose(alike[16:-16, 16:-16], expected[16:-16, 16:-16], atol=2e-5)


def test_borders_reflect() -> None:
    _, image = pair((20, 24))
    matrix = rotation(30, 2.0)
    padded = np.pad(image, 40, mode="symmetric")
    for weights in (postprocess.linear, postprocess.cubic):
        inner = postprocess.resample(padded, matrix, weights)[40:-40, 40:-40]
        np.testing.assert_allclose(postprocess.resample(image, matrix, weights), inner, atol=2e-5)


def test_cubic_resampling_is_right_for_a_parabola() -> None:
    y, x = np.mgrid[:50, :60] - np.array([24.5, 29.5])[:, None, None]
    curved = (0.3 + 0.01 * y + 0.002 * x**2 - 0.001 * y * x).astype(np.float32)
    matrix = rotation(9, 0.9)
    v, u = matrix[0, 0] * y + matrix[0, 1] * x, matrix[1, 0] * y + matrix[1, 1] * x
    expected = 0.3 + 0.01 * v + 0.002 * u**2 - 0.001 * v * u
    found = postprocess.resample(curved, matrix, postprocess.cubic)
    np.testing.assert_allclose(found[8:-8, 8:-8], expected[8:-8, 8:-8], atol=2e-5)


def test_interpolation_moves_both_images_alike() -> None:
    clean, noisy = pair()
    for seed in range(6):
        both = postprocess.interpolate(clean, noisy, np.random.default_rng(seed))
        difference, _ = postprocess.interpolate(noisy - clean, noisy, np.random.default_rng(seed))
        np.testing.assert_allclose(both[1] - both[0], difference, atol=1e-5)
        assert np.abs(both[0] - clean).max() > 0.01


@pytest.mark.parametrize("sigma", [0.0, 0.2, 0.7, 1.0, 3.0])
def test_gaussian_is_that_of_scipy(sigma: float) -> None:
    _, image = pair()
    reach = int(np.ceil(4 * sigma))
    expected = ndimage.gaussian_filter(image.astype(float), sigma, radius=reach) if sigma else image
    np.testing.assert_allclose(filters.gaussian(image, sigma), expected, atol=1e-5)
    assert filters.gaussian(image, sigma).mean() == pytest.approx(image.mean(), rel=1e-5)


def test_blur_leaves_the_clean_image_and_weakens_the_noise() -> None:
    clean, noisy = pair()
    spreads = []
    for seed in range(20):
        kept, blurred = postprocess.blur(clean, noisy, np.random.default_rng(seed))
        assert kept is clean
        spreads.append((blurred - clean).std() / (noisy - clean).std())
    # White noise through a Gaussian of sigma = 1 keeps 1 / (2 sqrt(pi)) = 0.28 of its spread.
    assert 0.26 < min(spreads) < 0.4
    assert 0.9 < max(spreads) < 1.001


def test_crop_writes_the_same_value_around_a_rectangle_into_both() -> None:
    clean, noisy = pair((100, 120))
    shares, medians = [], 0
    for seed in range(60):
        cropped = postprocess.crop(clean, noisy, np.random.default_rng(seed))
        gone = (cropped[0] != clean) | (cropped[1] != noisy)
        np.testing.assert_array_equal(cropped[0][~gone], clean[~gone])
        values = np.unique([image[gone] for image in cropped])
        assert len(values) <= 1
        if len(values):
            assert noisy.min() <= values[0] <= noisy.max()
            medians += values[0] == np.float32(np.median(noisy))
        shares.append(gone.mean())
        assert not gone[45:55, 50:70].any()
    assert 0.15 < np.mean(shares) < 0.5
    assert max(shares) < 0.6
    assert 15 <= medians <= 45


@pytest.mark.parametrize("kind", postprocess.ANNOTATIONS, ids=lambda kind: kind.__name__)
def test_every_annotation_marks_some_of_the_image(
    kind: Callable[[tuple[int, ...], np.random.Generator], list[postprocess.Layer]],
) -> None:
    for seed in range(30):
        layers = kind((100, 140), np.random.default_rng(seed))
        assert all(mask.shape == (100, 140) and 0.0 <= brightness <= 1.0 for mask, brightness in layers)
        share = np.any([mask for mask, _ in layers], axis=0).mean()
        assert 0.0 < share < 0.5


def test_annotations_are_the_same_in_both_images() -> None:
    clean, noisy = pair((128, 128))
    hard = soft = 0
    for seed in range(40):
        drawn = postprocess.annotate(clean, noisy, np.random.default_rng(seed))
        # Where an annotation covers a share w of a pixel, 1 - w of what told the images apart is left.
        left = (drawn[1] - drawn[0]) / (noisy - clean)
        sure = np.abs(noisy - clean) > 0.02
        assert left[sure].min() > -1e-3
        assert left[sure].max() < 1 + 1e-3
        covered = sure & (left < 1e-3)
        np.testing.assert_allclose(drawn[0][covered], drawn[1][covered], atol=1e-4)
        partly = (sure & (left > 0.01) & (left < 0.99)).any()
        soft, hard = soft + partly, hard + (not partly)
        assert (drawn[0] != clean).any()
        assert noisy.min() - 1e-5 <= drawn[0][covered].min(initial=noisy.max())
        assert drawn[0][covered].max(initial=noisy.min()) <= noisy.max() + 1e-5
    assert soft >= 10
    assert hard >= 10


def test_lettering_is_legible() -> None:
    rows = ["".join("#" if bit else "." for bit in row) for row in postprocess.lettering("17", 1)]
    assert rows == [".#..###.", "##....#.", ".#....#.", ".#....#.", "###...#."]
    np.testing.assert_array_equal(
        postprocess.lettering("5n", 3), np.kron(postprocess.lettering("5n", 1), np.ones((3, 3), bool))
    )


def test_draw_all_does_each_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    done = dict.fromkeys(postprocess.CHANCES, 0)

    def count(name: str) -> Callable[..., postprocess.Pair]:
        def alter(clean: postprocess.Image, noisy: postprocess.Image, rng: np.random.Generator) -> postprocess.Pair:
            done[name] += 1
            return clean, noisy

        return alter

    monkeypatch.setattr(postprocess, "ALTERATIONS", {name: count(name) for name in done})
    rng, flat = np.random.default_rng(1), np.ones((4, 4), np.float32)
    trials = 4000
    for _ in range(trials):
        postprocess.draw_all(flat, flat, rng)
    for name, chance in postprocess.CHANCES.items():
        assert abs(done[name] / trials - chance) < 4 * np.sqrt(chance * (1 - chance) / trials)


@pytest.mark.parametrize("name", [*postprocess.ALTERATIONS, "draw_all"])
@pytest.mark.parametrize("shapes", [((4, 4), (4, 5)), ((4,), (4,)), ((0, 4), (0, 4)), ((2, 3, 4), (2, 3, 4))])
def test_what_is_no_pair_is_refused(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    clean, noisy = (np.zeros(shape, np.float32) for shape in shapes)
    with pytest.raises(ParameterError, match="no pair"):
        getattr(postprocess, name)(clean, noisy, np.random.default_rng(0))
