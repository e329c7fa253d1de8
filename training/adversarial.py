"""The relativistic GAN of Lobato et al. (2024), eqs. 2, 3, 12 and 15: true images against restored ones."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from temclean.training import distributed, loop
from temclean.training.networks import PatchDiscriminator

RATE = 2e-4
"""Learning rate of the discriminator, constant, that of pix2pix [R]."""


def relative(true: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of D(y, yg) and D(yg, y): C of one kind less the mean C of the other (eqs. 2, 3)."""
    return true - made.mean(), made - true.mean()


def generator_loss(true: Tensor, made: Tensor) -> Tensor:
    """Return -E{log(1 - D(y, yg))} - E{log D(yg, y)} (eq. 12), from C of true and of restored images."""
    truer, faker = relative(true, made)
    return softplus(truer).mean() + softplus(-faker).mean()  # as -log(1 - sigmoid(a)) is softplus(a)


def discriminator_loss(true: Tensor, made: Tensor) -> Tensor:
    """Return -E{log D(y, yg)} - E{log(1 - D(yg, y))} (eq. 15)."""
    truer, faker = relative(true, made)
    return softplus(-truer).mean() + softplus(faker).mean()


class Adversary:
    """The discriminator of a run, and how it learns: one update after each of the generator."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.network = PatchDiscriminator().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shared = distributed.shared(self.network)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=RATE, betas=(0.5, 0.999))

    def judged(self, network: nn.Module, true: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """Return C of true and of made images."""
        with loop.mixed(self.device):
            both: Tensor = network(torch.cat([true, made]))
        first, second = both.float().chunk(2)
        return first, second

    def loss(self, restored: Tensor, clean: Tensor) -> Tensor:
        """Return the adversarial loss of restored images; the discriminator gets no gradient from it."""
        self.network.requires_grad_(False)
        loss = generator_loss(*self.judged(self.network, clean, restored))
        self.network.requires_grad_(True)
        return loss

    def update(self, restored: Tensor, clean: Tensor) -> None:
        """Make one update of the discriminator."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = discriminator_loss(*self.judged(self.shared, clean, restored.detach()))
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
