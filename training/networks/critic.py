"""Of Noise2Atom (Wang 2020): the critic, and the fixed low-pass filter Ms2b."""

import torch
from torch import Tensor, nn


class Critic(nn.Module):
    """Map images (batch, 1, side, side) to one number each, greater where they look like images of atoms alone.

    Four modules of a transposed 3x3 convolution, a strided one and a dropout of a quarter, and a fully connected layer.
    The paper tells no channels; few are enough for spots on black, and a user's processor has to bear five of its
    updates a step [ours].

    Parameters
    ----------
    side : pixels along a side of an image, a multiple of 16.
    width : channels of the first two modules; the others have twice as many.
    """

    def __init__(self, side: int, width: int = 16) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        inputs = 1
        for outputs in (width, width, 2 * width, 2 * width):
            parts += [nn.ConvTranspose2d(inputs, outputs, 3), nn.LeakyReLU(0.2)]
            parts += [nn.Conv2d(outputs, outputs, 3, stride=2), nn.LeakyReLU(0.2), nn.Dropout(0.25)]
            inputs = outputs
        self.layers = nn.Sequential(*parts, nn.Flatten(), nn.Linear(2 * width * (side // 16) ** 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        judged: Tensor = self.layers(x)
        return judged[:, 0]


class LowPass(nn.Module):
    """Blur images by one 33x33 Gaussian, of sum 1, without padding: each side is 32 pixels shorter.

    "A variance of sigma = 15.0" is read as a variance [R]: with it the window holds four standard deviations, while a
    standard deviation of 15 pixels would make it nearly a plain mean.
    """

    def __init__(self, variance: float = 15.0) -> None:
        super().__init__()
        line = torch.exp(-0.5 * torch.arange(-16.0, 17.0).square() / variance)
        self.register_buffer("line", line / line.sum(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        line: Tensor = self.line  # type: ignore[assignment]
        rows = nn.functional.conv2d(x, line.view(1, 1, -1, 1))
        return nn.functional.conv2d(rows, line.view(1, 1, 1, -1))
