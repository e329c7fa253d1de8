"""The losses of Lobato et al. (2024) against cases worked by hand, and their gradients; needs the ``train`` extra."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from temclean.training import adversarial, losses  # noqa: E402

STRIPES = (torch.arange(32) % 2).double().expand(2, 1, 32, 32)
"""Columns of 0 and 1: of mean 0.5 and standard deviation 0.5 in every window of an even side."""


def test_errors_weigh_as_the_contrast_of_their_image_is_low() -> None:
    clean = 0.3 + 0.4 * STRIPES  # of standard deviation 0.2
    assert losses.absolute_error(clean + 0.05, clean).item() == pytest.approx(0.05 / 0.2)
    assert losses.squared_error(clean - 0.05, clean).item() == pytest.approx(0.05**2 / 0.2)
    even = torch.full_like(clean, 0.4)  # of none, so of the least
    assert losses.absolute_error(even + 0.05, even).item() == pytest.approx(0.05 / losses.LEAST_SPREAD)
    both = torch.cat([clean[:1], even[:1]])
    expected = (0.05 / 0.2 + 0.05 / losses.LEAST_SPREAD) / 2
    assert losses.absolute_error(both + 0.05, both).item() == pytest.approx(expected)


@pytest.mark.parametrize("side", losses.WHITENING)
def test_whitening_takes_away_brightness_and_contrast(side: int) -> None:
    assert torch.allclose(losses.whitened(0.1 + 0.02 * side * STRIPES, side), 2.0 * STRIPES - 1.0)
    faint = losses.LEAST_SPREAD / 5.0  # below the least, it stays faint
    assert torch.allclose(losses.whitened(2.0 * faint * STRIPES, side), (2.0 * STRIPES - 1.0) / 5.0)
    image = np.random.default_rng(side).random((40, 36))
    mean, square = (ndimage.uniform_filter(each, side, mode="mirror") for each in (image, image**2))
    expected = (image - mean) / np.maximum(losses.LEAST_SPREAD, np.sqrt(square - mean**2))
    np.testing.assert_allclose(losses.whitened(torch.from_numpy(image)[None, None], side)[0, 0], expected, atol=1e-9)


def test_whitened_images_are_compared_at_every_scale() -> None:
    assert losses.whitening_error(0.3 + 0.1 * STRIPES, STRIPES).item() == pytest.approx(0.0, abs=1e-9)
    assert losses.whitening_error(1.0 - STRIPES, STRIPES).item() == pytest.approx(2.0)


def test_fourier_loss_of_a_point_is_that_of_even_waves() -> None:
    point = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    point[0, 0, 3, 5] = 1.0
    assert losses.fourier_error(point, torch.zeros_like(point)).item() == pytest.approx(16**-0.125, rel=1e-6)
    same = point.clone().requires_grad_()
    losses.fourier_error(same, point).backward()
    assert torch.isfinite(same.grad).all()


def test_means_and_spreads_are_compared_image_by_image() -> None:
    shifts = torch.tensor([0.1, -0.1])[:, None, None, None]  # which cancel over the batch
    assert losses.mean_error(STRIPES + shifts, STRIPES).item() == pytest.approx(0.1)
    assert losses.spread_error(STRIPES + shifts, STRIPES).item() == pytest.approx(0.0, abs=1e-9)
    assert losses.spread_error(0.4 * STRIPES, STRIPES).item() == pytest.approx(0.3)
    even = torch.full((1, 1, 16, 16), 0.5, requires_grad=True)
    losses.spread_error(even, torch.zeros_like(even)).backward()
    assert torch.isfinite(even.grad).all()


PAPER = [
    losses.absolute_error,
    losses.squared_error,
    losses.whitening_error,
    losses.fourier_error,
    losses.mean_error,
    losses.spread_error,
    losses.pixelwise,
    adversarial.generator_loss,
    adversarial.discriminator_loss,
]


@pytest.mark.parametrize("loss", PAPER, ids=lambda loss: loss.__name__)
def test_gradients_are_those_of_differences(loss: Callable[[Any, Any], Any]) -> None:
    rng = torch.Generator().manual_seed(2)
    first, second = (torch.rand(1, 1, 9, 10, generator=rng, dtype=torch.float64) for _ in range(2))
    both = loss.__module__ == adversarial.__name__  # of the others, what is true has no gradient
    assert torch.autograd.gradcheck(loss, (first.requires_grad_(), second.requires_grad_(both)), atol=1e-6)
    loss(first, second).backward()
    assert float(first.grad.abs().max()) > 0.0


def test_relativistic_losses_are_those_of_the_paper() -> None:
    true, made = torch.full((2, 1, 3, 3), 1.5), torch.full((2, 1, 3, 3), -0.5)
    assert adversarial.discriminator_loss(true, made).item() == pytest.approx(2.0 * math.log1p(math.exp(-2.0)))
    assert adversarial.generator_loss(true, made).item() == pytest.approx(2.0 * math.log1p(math.exp(2.0)))
    assert adversarial.generator_loss(true, true).item() == pytest.approx(2.0 * math.log(2.0))
    rng = np.random.default_rng(1)
    c, g = rng.normal(size=(2, 20))
    truer, faker = (1.0 / (1.0 + np.exp(b.mean() - a)) for a, b in ((c, g), (g, c)))  # eqs. 2 and 3
    pair = torch.from_numpy(c), torch.from_numpy(g)
    expected = -np.log(1.0 - truer).mean() - np.log(faker).mean()
    assert adversarial.generator_loss(*pair).item() == pytest.approx(expected)
    expected = -np.log(truer).mean() - np.log(1.0 - faker).mean()
    assert adversarial.discriminator_loss(*pair).item() == pytest.approx(expected)


def test_the_discriminator_learns_and_the_restored_images_get_a_gradient() -> None:
    torch.manual_seed(1)
    adversary = adversarial.Adversary("cpu")
    clean = STRIPES.float().contiguous()
    restored = (torch.rand(2, 1, 32, 32)).requires_grad_()
    before = adversary.loss(restored, clean)
    before.backward()
    assert float(restored.grad.abs().max()) > 0.0
    assert all(weight.grad is None for weight in adversary.network.parameters())
    for _ in range(4):
        adversary.update(restored, clean)
    assert adversary.loss(restored, clean).item() > before.item() + 0.5  # the fake is found out
