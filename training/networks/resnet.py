"""The network of Katsuno et al. (2021): a U-Net whose way down is a ResNet-18, as Yakubovskiy's package builds it."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from temclean.training.networks.base import Network


def convolution(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution without bias and the batch normalisation behind it."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside an identity, or beside a 1x1 convolution where the shape changes (He 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = convolution(inputs, outputs, stride=stride), convolution(outputs, outputs)
        self.beside = nn.Identity() if inputs == outputs and stride == 1 else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.beside(x) + self.second(torch.relu(self.first(x))))


class ResNetUNet(Network):
    """Map short exposures (batch, 1, height, width) to long ones; both sides must be multiples of 32.

    Down: a 7x7 convolution and a maximum, both strided, then four pairs of basic blocks of ``width``, 2, 4 and 8 times
    as many channels. Up: nearest-neighbour upsampling, what was there on the way down beside it, two 3x3 convolutions;
    five times. At ``width`` 64 it has 14,321,937 parameters. The paper's starts from photographs, with three channels;
    this one from nothing, with one.

    Parameters
    ----------
    width : channels of the first convolution, a multiple of 4.
    """

    multiple = 32

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        sides = [width, width, 2 * width, 4 * width, 8 * width]
        self.stem = convolution(1, width, 7, stride=2)
        self.encoder = nn.ModuleList(
            nn.Sequential(BasicBlock(inputs, outputs, 1 if number == 0 else 2), BasicBlock(outputs, outputs, 1))
            for number, (inputs, outputs) in enumerate(pairwise(sides))
        )
        ups = [4 * width, 2 * width, width, width // 2, width // 4]
        beside = [sides[3], sides[2], sides[1], sides[0], 0]
        inputs = [sides[-1], *ups[:-1]]
        self.decoder = nn.ModuleList(
            nn.Sequential(convolution(each + more, up), nn.ReLU(), convolution(up, up), nn.ReLU())
            for each, more, up in zip(inputs, beside, ups, strict=True)
        )
        self.head = nn.Conv2d(ups[-1], 1, 3, padding=1)

    @property
    def reach(self) -> int:
        """The furthest distance in pixels from which an input pixel can change an output pixel, or a little more.

        On the way down 3 for the 7x7 convolution, 2 for the maximum, 4 convolutions at a pitch of 4, 8, 16 and 32;
        on the way up 2 at 16, 8, 4, 2 and 1, the last convolution, and the squares that upsampling makes.
        """
        return 3 + 2 + 4 * (4 + 8 + 16 + 32) + 2 * (16 + 8 + 4 + 2 + 1) + 1 + 31

    def forward(self, x: Tensor) -> Tensor:
        skips = [torch.relu(self.stem(x))]
        for number, blocks in enumerate(self.encoder):
            below = skips[-1] if number else nn.functional.max_pool2d(skips[-1], 3, stride=2, padding=1)
            skips.append(blocks(below))
        features = skips.pop()
        for block in self.decoder:
            features = nn.functional.interpolate(features, scale_factor=2, mode="nearest")
            features = block(torch.cat([features, skips.pop()], dim=1) if skips else features)
        restored: Tensor = self.head(features)
        return restored
