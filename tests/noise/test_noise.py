"""Noise against its NumPy twins, over shapes, types, strides and threads, and what it refuses."""

import doctest
import hashlib
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from reference import (
    background_reference,
    gaussian_reference,
    philox4x32,
    poisson_reference,
    salt_pepper_reference,
    words_at,
)

from temclean import noise
from temclean.errors import ImageError, ParameterError

SEED = 2**40 + 17
SHAPES = [(1, 1), (1, 7), (5, 3), (16, 16), (37, 129), (200, 333)]
FAMILIES = {
    "g": (noise.Gaussian(0.2), lambda x, s: gaussian_reference(x, 0.2, s)),
    "g unclipped": (noise.Gaussian(0.3, clip=False), lambda x, s: gaussian_reference(x, 0.3, s, clip=False)),
    "sp": (noise.SaltPepper(0.25), lambda x, s: salt_pepper_reference(x, 0.25, s)),
    "sp all": (noise.SaltPepper(1), lambda x, s: salt_pepper_reference(x, 1, s)),
    "gsp": (
        noise.GaussianSaltPepper(0.1),
        lambda x, s: salt_pepper_reference(gaussian_reference(x, 0.1, s).astype(x.dtype), 0.1, s),
    ),
    "bbg": (noise.BackgroundBrightness(0.2), lambda x, s: gaussian_reference(background_reference(x, s), 0.2, s)),
    "bbg patches": (
        noise.BackgroundBrightness(0.1, height=0.3, patches=(3, 5), smooth=False, clip=False),
        lambda x, s: gaussian_reference(background_reference(x, s, 0.3, (3, 5), False), 0.1, s, clip=False),
    ),
    "poisson": (noise.Poisson(4), lambda x, s: poisson_reference(x, 4, s)),
    "poisson mixed": (noise.Poisson(40), lambda x, s: poisson_reference(x, 40, s)),
    "poisson large": (noise.Poisson(1e5), lambda x, s: poisson_reference(x, 1e5, s)),
}


def image_of(shape, dtype=np.float32):
    y, x = np.indices(shape)
    return ((7 * x + 3 * y * y) % 256 / 255).astype(dtype)


@pytest.fixture(params=FAMILIES, ids=str)
def family(request):
    return FAMILIES[request.param]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, expected):
    numbers = ([int(word, 16) for word in words.split()] for words in (counter, key, expected))
    counter, key, expected = numbers
    assert [int(word) for word in philox4x32(counter, key)] == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_noise_agrees_with_its_twin(family, shape, dtype):
    kind, twin = family
    image = image_of(shape, dtype)
    noisy = noise.apply(image, kind, SEED)
    assert noisy.dtype == dtype
    # normals come from uniforms of 24 bits, thresholds are float32
    np.testing.assert_allclose(noisy, twin(image, SEED), rtol=3e-7, atol=3e-6)
    assert np.array_equal(image, image_of(shape, dtype))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_do_not_change_a_bit(family, threads):
    image = image_of((301, 257))
    assert np.array_equal(noise.apply(image, family[0], 5, threads=threads), noise.apply(image, family[0], 5))


def test_processor_and_compiler_do_not_change_a_bit():
    """The digest was the same for gcc 12 at x86-64, -v3, -v4 and without optimisation, and for clang.

    It changes if products and sums are fused (-ffp-contract), and whenever the random streams are changed on purpose,
    which every manifest of ``temclean simulate`` notices: say so in the change log.
    """
    image = np.square(np.square(image_of((133, 257))))
    digest = hashlib.sha256()
    for kind, _ in FAMILIES.values():
        digest.update(noise.apply(image, kind, SEED).astype("<f4").tobytes())
        digest.update(noise.apply(image.astype(np.float64), kind, SEED).astype("<f8").tobytes())
    assert digest.hexdigest()[:16] == "ac47dcbde49e4223"


@pytest.mark.parametrize(
    "make",
    [
        lambda x: np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
        np.asfortranarray,
        lambda x: x.astype(">f4"),
        lambda x: x.astype("<f4"),
        lambda x: x.tolist(),
    ],
    ids=["strided", "reversed", "fortran", "big-endian", "little-endian", "list"],
)
def test_any_layout_gives_the_same_noise(make, family):
    image = image_of((19, 23)).astype(np.float16).astype(np.float32)
    given = make(image)
    expected = noise.apply(image.astype(np.asarray(given).dtype.newbyteorder("=")), family[0], 9)
    assert np.array_equal(noise.apply(given, family[0], 9), expected)


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "i8", "f2", "?"])
def test_other_types_become_float32(dtype):
    image = np.eye(9).astype(dtype)
    noisy = noise.apply(image, noise.Gaussian(0.1), 3)
    assert noisy.dtype == np.float32
    assert np.array_equal(noisy, noise.apply(image.astype(np.float32), noise.Gaussian(0.1), 3))


def test_read_only_input_is_taken_and_left_alone(family):
    image = image_of((12, 12))
    image.flags.writeable = False
    noise.apply(image, family[0], 1)
    with pytest.raises(ParameterError, match="read-only"):
        noise.apply(image, family[0], 1, out=image)


def test_noise_goes_into_out_and_in_place(family):
    image = image_of((67, 31), np.float64)
    expected = noise.apply(image, family[0], 4)
    out = np.empty_like(image)
    assert noise.apply(image, family[0], 4, out=out) is out
    assert np.array_equal(out, expected)
    swapped = np.empty(image.shape, ">f8")
    assert np.array_equal(noise.apply(image, family[0], 4, out=swapped), expected)
    strided = np.zeros((67, 62))
    noise.apply(image, family[0], 4, out=strided[:, ::2])
    assert np.array_equal(strided[:, ::2], expected)
    assert not strided[:, 1::2].any()
    assert noise.apply(image, family[0], 4, out=image) is image
    assert np.array_equal(image, expected)


def test_overlapping_out_is_as_good_as_a_separate_one(family):
    memory = image_of((40, 50))
    expected = noise.apply(memory[:-3].copy(), family[0], 4)
    noise.apply(memory[:-3], family[0], 4, out=memory[3:])
    assert np.array_equal(memory[3:], expected)


@pytest.mark.parametrize("name", [name for name in FAMILIES if not name.startswith("bbg")])
def test_a_pixels_noise_depends_on_its_place_and_intensity_alone(name):
    """Neighbours, among them ones that the Poisson sampler draws in another way, change nothing."""
    family = FAMILIES[name]
    dim, bright = np.full((40, 40), 0.05), np.full((40, 40), 0.9)
    mask = image_of((40, 40)) > 0.5
    mixed = noise.apply(np.where(mask, bright, dim), family[0], 6)
    apart = np.where(mask, noise.apply(bright, family[0], 6), noise.apply(dim, family[0], 6))
    assert np.array_equal(mixed, apart)
    assert np.array_equal(mixed[:10], noise.apply(np.where(mask, bright, dim)[:10], family[0], 6))


def test_seeds_are_64_bits_wide():
    image = np.full((8, 8), 0.5)
    seeds = [0, 1, 2**32, 2**63, 2**64 - 1, np.uint64(12)]
    results = {noise.apply(image, noise.Gaussian(0.1), seed).tobytes() for seed in seeds}
    assert len(results) == len(seeds)
    assert len(np.unique(words_at(7, 0, [0, 1, 2**32, 2**63]))) == 16


def test_level_zero_changes_nothing():
    image = image_of((9, 9))
    for kind in (noise.Gaussian(0), noise.SaltPepper(0), noise.GaussianSaltPepper(0)):
        assert np.array_equal(noise.apply(image, kind, 2), image)


def test_mean_zero_counts_nothing():
    assert not noise.apply(np.zeros((20, 20)), noise.Poisson(1e12), 1).any()


def test_background_is_what_apply_adds_gaussian_noise_to():
    image = image_of((50, 70))
    kind = noise.BackgroundBrightness(0.2, patches=(4, 6))
    floor = noise.background(image, kind, 8, threads=2)
    assert np.array_equal(noise.apply(floor, noise.Gaussian(0.2), 8), noise.apply(image, kind, 8))
    out = np.empty_like(image)
    assert noise.background(image, kind, 8, out=out) is out
    assert np.array_equal(out, floor)


def test_background_keeps_order_and_extremes():
    ramp = np.tile(np.linspace(0, 1, 501), (3, 1))
    lifted = noise.background(ramp, noise.BackgroundBrightness(0, patches=1), 3)
    assert (np.diff(lifted) >= 0).all()
    assert lifted[0, 0] > 0
    assert (lifted[:, -1] == 1).all()
    assert np.abs(np.diff(lifted)).max() < 0.012


def test_jumping_background_is_flat_within_patches():
    lifted = noise.background(np.zeros((64, 40)), noise.BackgroundBrightness(0, smooth=False), 3)
    patches = lifted.reshape(8, 8, 8, 5).swapaxes(1, 2).reshape(64, -1)
    assert (patches == patches[:, :1]).all()
    assert len(np.unique(patches[:, 0])) > 40


def test_smooth_background_has_no_steps():
    size = 256
    steep = np.abs(np.diff(noise.background(np.zeros((size, size)), noise.BackgroundBrightness(0), 3), axis=0)).max()
    assert steep <= 0.6 * 8 / size + 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: noise.Gaussian(-0.1), r"level is -0\.1; give a number from 0"),
        (lambda: noise.Gaussian(float("nan")), "level is nan"),
        (lambda: noise.Gaussian(float("inf")), "level is inf"),
        (lambda: noise.Gaussian("0.1"), "level is '0.1'"),
        (lambda: noise.SaltPepper(1.5), r"level is 1\.5; give a number from 0 to 1"),
        (lambda: noise.GaussianSaltPepper(2), "level is 2"),
        (lambda: noise.BackgroundBrightness(-1), "level is -1"),
        (lambda: noise.BackgroundBrightness(0.1, height=2), "height is 2"),
        (lambda: noise.BackgroundBrightness(0.1, patches=0), "patches is 0"),
        (lambda: noise.BackgroundBrightness(0.1, patches=(8, 2.5)), r"patches is 2\.5"),
        (lambda: noise.BackgroundBrightness(0.1, patches=(8, 8, 8)), r"patches is \(8, 8, 8\)"),
        (lambda: noise.Poisson(0), "counts is 0"),
        (lambda: noise.Poisson(1e13), "counts is 1"),
        (lambda: noise.apply(np.zeros((2, 2)), noise.Gaussian(0.1), -1), "seed is -1"),
        (lambda: noise.apply(np.zeros((2, 2)), noise.Gaussian(0.1), 2**64), "seed is 18446744073709551616"),
        (lambda: noise.apply(np.zeros((2, 2)), noise.Gaussian(0.1), 1.5), r"seed is 1\.5"),
        (lambda: noise.apply(np.zeros((2, 2)), noise.Gaussian(0.1), 1, threads=0), "threads is 0"),
        (lambda: noise.apply(np.full((2, 2), 1e3), noise.Poisson(1e10), 1), "must not exceed 1e.12 electrons"),
        (lambda: noise.apply(np.zeros((2, 2)), noise.Gaussian(0.1), 1, out=np.zeros((2, 3))), r"out .* \(2, 3\)"),
        (lambda: noise.apply(np.zeros((2, 2)), noise.Gaussian(0.1), 1, out=np.zeros((2, 2), "f4")), "out .* float32"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\); give one 2-D image"),
        (np.zeros(4), r"shape \(4,\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        (np.array([[0, np.nan], [np.inf, 1]]), "2 pixels that are NaN or infinite"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.array([["a"]]), "<U1"),
        (np.array([[0.1, -0.1]]), "1 negative pixels"),
    ],
    ids=lambda value: None if isinstance(value, str) else f"{value.dtype}{value.shape}",
)
def test_bad_images_are_refused(image, message):
    with pytest.raises(ImageError, match=message):
        noise.apply(image, noise.Poisson(5), 1)


def test_families_are_frozen_and_made_from_a_level():
    for name, kind in noise.FAMILIES.items():
        made = kind(1 if fields(kind)[0].type is int else 0.25)
        assert noise.apply(np.full((4, 4), 0.5), made, 1).shape == (4, 4), name
        with pytest.raises(FrozenInstanceError):
            made.level = 1


def test_examples_in_the_docstrings():
    assert doctest.testmod(noise).failed == 0
