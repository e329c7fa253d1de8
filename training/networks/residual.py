"""The restoration network: a residual U-Net behind a pixel unshuffle."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from temclean.training.networks.base import Network

WIDTHS = (32, 64, 96, 128, 192)
"""Channels at each depth of the shipped models: 2.0 million parameters."""


EXTREME = 1e-4
"""Pixels within this of 0 or 1, or beyond, are black or white."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity; it starts as the identity."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(torch.relu(x))))


class ResidualUNet(Network):
    """Map noisy images (batch, 1, height, width) to clean ones of the same shape.

    The image, with a mask of its black pixels and one of its white pixels (which a detector has cut off, or an impulse
    has hit, and whose values say little), is folded to half its size; a block works at each depth, strided 2x2
    convolutions lead down, 1x1 convolutions and nearest-neighbour upsampling lead up, skips are added, and the result
    is added to the input. Height and width must be multiples of :attr:`multiple`.

    Parameters
    ----------
    widths : channels at each depth, from half the image's resolution down.
    more : further blocks at the second depth, a quarter of the resolution, where lattices still show: the dilations of
        those on the way down; as many plain ones follow on the way up. As blocks start as identities, a trained network
        without them can be grown by them and loses nothing.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, more: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.widths, self.more = tuple(widths), tuple(more)
        self.multiple = 2 ** len(widths)
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.down = nn.ModuleList(nn.Conv2d(upper, lower, 2, stride=2) for upper, lower in pairwise(widths))
        self.up = nn.ModuleList(nn.Conv2d(lower, upper, 1) for upper, lower in pairwise(widths))
        self.decoder = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        self.further_down = nn.Sequential(*(ResidualBlock(widths[1], dilation) for dilation in more))
        self.further_up = nn.Sequential(*(ResidualBlock(widths[1]) for _ in more))
        self.head = nn.Conv2d(widths[0], 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @property
    def reach(self) -> int:
        """The furthest distance in pixels from which an input pixel can change an output pixel.

        A 3x3 convolution at a pitch of p pixels reaches p further, times its dilation; a strided convolution and the
        nearest-neighbour upsampling over it together reach less than the coarser pitch.
        """
        pitches = [2 * 2**depth for depth in range(len(self.widths))]
        convolutions = 2 * pitches[0] + sum(4 * pitch for pitch in pitches) - 2 * pitches[-1]
        convolutions += 2 * pitches[1] * sum(dilation + 1 for dilation in self.more)
        return convolutions + pitches[-1] - 1

    def forward(self, x: Tensor) -> Tensor:
        planes = (x, (x < EXTREME).to(x.dtype), (x > 1.0 - EXTREME).to(x.dtype))
        features = self.stem(torch.cat([nn.functional.pixel_unshuffle(plane, 2) for plane in planes], dim=1))
        skips = []
        for depth, block in enumerate(self.encoder):
            if depth:
                features = self.down[depth - 1](features)
            features = block(features)
            if depth == 1:
                features = self.further_down(features)
            skips.append(features)
        for depth in reversed(range(len(self.decoder))):
            features = nn.functional.interpolate(self.up[depth](features), scale_factor=2, mode="nearest")
            features = self.decoder[depth](features + skips[depth])
            if depth == 1:
                features = self.further_up(features)
        return x + nn.functional.pixel_shuffle(self.head(torch.relu(features)), 2)
