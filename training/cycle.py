"""What stands around the network of Noise2Atom (Wang 2020) while it learns, and how it is guarded [ours].

Beside Ms2c, which makes clean frames of noisy ones and is what users keep, there are Mc2s, which makes noisy ones of
clean ones, the critic D, and the fixed low-pass filter Ms2b. Two failures are published: the contrast comes out
inverted in one trial of ten, and under a gradient of the background there are atoms that are none.
"""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from temclean.training import domains, loop
from temclean.training.networks import Critic, LowPass, Network

CRITICS = 5
"""Updates of the critic in a step."""

PENALTY = 10.0
"""Weight lambda of the gradient penalty."""

ALPHA, BETA = 5.0, 1.0
"""Weights of the adversarial and of the cycle loss (eq. 8)."""

LEAST = 0.1
"""Correlation of results with their frames below which the contrast is held up."""

GUARD = 1.0
"""Weight of what guards the contrast and the ground."""

RISE = 0.5
"""How high a gradient rises at most that is laid over frames, on the scale of their percentiles."""


def critic_error(critic: nn.Module, true: Tensor, made: Tensor, penalty: float = PENALTY) -> Tensor:
    """Return E D(made) - E D(true) + lambda G (eqs. 1 to 5); G holds the slope of D between the two at 1."""
    mixed = torch.lerp(made, true, torch.rand_like(true)).requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    length = slope.square().sum(dim=(1, 2, 3)).add(1e-12).sqrt()
    error: Tensor = critic(made).mean() - critic(true).mean() + penalty * (1.0 - length).square().mean()
    return error


def low_frequency_error(low_pass: nn.Module, noisy: Tensor, returned: Tensor) -> Tensor:
    """Return E abs(Ms2b(s) - Ms2b(Mc2s(Ms2c(s)))) (eq. 7)."""
    error: Tensor = (low_pass(noisy) - low_pass(returned)).abs().mean()
    return error


def blurred(images: Tensor, width: float) -> Tensor:
    """Blur images (batch, 1, H, W) by a Gaussian of a standard deviation in pixels; they go on by reflection."""
    reach = min(int(np.ceil(3.0 * width)), min(images.shape[-2:]) - 1)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=images.device) / width) ** 2)
    line = (line / line.sum()).to(images.dtype)
    padded = pad(images, (reach,) * 4, mode="reflect")
    return conv2d(conv2d(padded, line.view(1, 1, -1, 1)), line.view(1, 1, 1, -1))


def contrast(noisy: Tensor, restored: Tensor, width: float) -> Tensor:
    """Return the correlation of each result with what of its frame is as wide as an atom, (batch,).

    It is near 0 where results show nothing, and negative where atoms come out dark, or the ground between them bright.
    """
    first, second = (blurred(images, width) - blurred(images, 3.0 * width) for images in (noisy, restored))
    first, second = (images - images.mean(dim=(1, 2, 3), keepdim=True) for images in (first, second))
    sizes = first.square().sum(dim=(1, 2, 3)) * second.square().sum(dim=(1, 2, 3))
    return (first * second).sum(dim=(1, 2, 3)) / sizes.add(1e-12).sqrt()


def contrast_error(noisy: Tensor, restored: Tensor, width: float) -> Tensor:
    """Return by how much the contrast of results falls below :data:`LEAST`, on the mean."""
    return (LEAST - contrast(noisy, restored, width)).clamp(min=0.0).mean()


def lit(noisy: Tensor, draw: np.random.Generator) -> Tensor:
    """Lay gradients over frames, with the noise that more electrons bring: no atom comes or goes by that."""
    side = noisy.shape[-1]
    light = np.stack([draw.uniform(0.0, RISE) * domains.ramp(side, draw) for _ in noisy])[:, None]
    level = (noisy[..., 1:] - noisy[..., :-1]).std(dim=(1, 2, 3), keepdim=True) / 2**0.5
    counted = torch.from_numpy(light).to(noisy)
    more = level * (counted / noisy.mean(dim=(1, 2, 3), keepdim=True).clamp(min=0.1)).sqrt()
    grain = torch.from_numpy(draw.standard_normal(noisy.shape).astype(np.float32)).to(noisy)
    return (noisy + counted + more * grain).clamp(-1.0, 2.0)


def rmsprop(network: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Return the paper's optimizer."""
    return torch.optim.RMSprop(network.parameters(), lr=rate, momentum=0.9)


class Partners:
    """Mc2s, D and Ms2b, their optimizers, and the four steps of the paper.

    Parameters
    ----------
    to_clean : Ms2c.
    to_noisy : Mc2s.
    side : of crops.
    rate : learning rate.
    device : where they are.
    """

    def __init__(self, to_clean: Network, to_noisy: Network, side: int, rate: float, device: str) -> None:
        self.to_clean, self.device, self.side = to_clean, device, side
        self.to_noisy = to_noisy.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.low_pass = LowPass().to(device)
        self.rate = rate
        self.begin()

    def begin(self) -> None:
        """Take a critic that has learned nothing, and optimizers that remember nothing."""
        self.critic = Critic(self.side).to(self.device)
        self.of_critic, self.of_noisy = rmsprop(self.critic, self.rate), rmsprop(self.to_noisy, self.rate)

    def run(self, network: nn.Module, images: Tensor) -> Tensor:
        """Pass images through Ms2c or Mc2s."""
        with loop.mixed(self.device):
            made: Tensor = network(images.to(memory_format=torch.channels_last))
        return made.float()

    def judge(self, noisy: Tensor, clean: Tensor) -> float:
        """Step 1: five updates of the critic, that tells clean images from results."""
        with torch.no_grad():
            made = self.run(self.to_clean, noisy)
        for _ in range(CRITICS):
            self.of_critic.zero_grad(set_to_none=True)
            error = critic_error(self.critic, clean, made)
            error.backward()  # type: ignore[no-untyped-call]
            self.of_critic.step()
        return float(error.detach())

    def pretend(self, noisy: Tensor) -> Tensor:
        """Step 2: the loss of Ms2c whose results the critic, which stays as it is, must take for clean."""
        self.critic.requires_grad_(False)
        error: Tensor = -ALPHA * self.critic(self.run(self.to_clean, noisy)).mean()
        self.critic.requires_grad_(True)
        return error

    def back_to_noisy(self, noisy: Tensor, width: float, draw: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Step 3: the low-frequency loss, and the guards: atoms stay bright, and a gradient changes nothing."""
        restored = self.run(self.to_clean, noisy)
        error = low_frequency_error(self.low_pass, noisy, self.run(self.to_noisy, restored))
        under = self.run(self.to_clean, lit(noisy, draw))
        guard = contrast_error(noisy, restored, width) + (under - restored.detach()).abs().mean()
        return error, GUARD * guard

    def back_to_clean(self, clean: Tensor) -> Tensor:
        """Step 4: the cycle loss (eq. 6)."""
        return (clean - self.run(self.to_clean, self.run(self.to_noisy, clean))).abs().mean()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        parts = ("to_noisy", "critic", "of_critic", "of_noisy")
        return {part: deepcopy(getattr(self, part).state_dict()) for part in parts}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        for part, kept in state.items():
            getattr(self, part).load_state_dict(kept)
