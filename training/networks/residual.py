"""The restoration network: a residual U-Net behind a pixel unshuffle."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from temclean.training.networks.base import Network
from temclean.training.networks.branched import BranchedConv2d
from temclean.training.networks.spectral import SpectralWindows, inner

WIDTHS = (32, 64, 96, 128, 192)
"""Channels at each depth of the shipped models: 2.0 million parameters."""


EXTREME = 1e-4
"""Pixels within this of 0 or 1, or beyond, are black or white."""

NEAR = 3
"""Pixels, along each axis, of the neighbours that take the place of black and white ones."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity; it starts as the identity."""

    def __init__(self, width: int, dilation: int = 1, biases: bool = True, branches: bool = False) -> None:
        super().__init__()

        def convolution() -> nn.Conv2d | BranchedConv2d:
            if branches:
                return BranchedConv2d(width, width, dilation, biases)
            return nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=biases)

        self.first, self.second = convolution(), convolution()
        zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        change: Tensor = self.second(torch.relu(self.first(torch.relu(x))))
        return x + change


def zero(convolution: nn.Conv2d | BranchedConv2d) -> None:
    """Make a convolution give nothing, while its gradient is not."""
    if isinstance(convolution, BranchedConv2d):
        convolution.zero()
        convolution = convolution.plain
    nn.init.zeros_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)


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
    deeper : the same at the third depth, an eighth of the resolution.
    finer : dilations of further blocks at the first depth, half of the resolution, on the way up: they see along edges
        and wires.
    biases : without, and without the masks, f(a x) = a f(x) for all a > 0, and a network should hold beyond the levels
        of noise that it was trained on (Mohan 2020).
    branches : whether blocks are trained as parallel branches that fold into 3x3 convolutions.
    full : channels at the full resolution, from which a 3x3 convolution makes the image; with none, the pixel shuffle
        makes it, and its four phases may differ.
    base : side in pixels, a power of two, of the squares of the input whose means the result is added to. Where
        electrons are few, means leave less noise to be taken away than the pixels themselves, 1, do.
    spectral : sides in pixels of the windows in whose Fourier transforms lattices are found (:class:`SpectralWindows`),
        multiples of 4. What each size makes of the image is folded beside it, and takes the place of the result as far
        as the network, and the windows themselves, tell for each pixel. A trained network without them can be grown by
        them and loses nothing.
    filled : whether all but the masks see, in the place of a black or white pixel, the mean of its neighbours that are
        neither, the nearest weighing most (:meth:`fill`): impulses would spread over a window's whole transform.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = WIDTHS,
        more: tuple[int, ...] = (),
        deeper: tuple[int, ...] = (),
        biases: bool = True,
        branches: bool = False,
        full: int = 0,
        base: int = 1,
        spectral: tuple[int, ...] = (),
        filled: bool = False,
        finer: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.widths, self.more, self.deeper, self.biases = tuple(widths), tuple(more), tuple(deeper), biases
        self.base, self.filled = base, filled
        self.multiple = math.lcm(2 ** len(widths), *(side // 2 for side in spectral))

        def block(width: int, dilation: int = 1) -> ResidualBlock:
            return ResidualBlock(width, dilation, biases, branches)

        self.spectral = nn.ModuleList(SpectralWindows(side) for side in spectral)
        planes = (3 if biases else 1) + len(spectral)
        self.stem = nn.Conv2d(4 * planes, widths[0], 3, padding=1, bias=biases)
        self.encoder = nn.ModuleList(block(width) for width in widths)
        self.down = nn.ModuleList(
            nn.Conv2d(upper, lower, 2, stride=2, bias=biases) for upper, lower in pairwise(widths)
        )
        self.up = nn.ModuleList(nn.Conv2d(lower, upper, 1, bias=biases) for upper, lower in pairwise(widths))
        self.decoder = nn.ModuleList(block(width) for width in widths[:-1])
        self.further_down = nn.Sequential(*(block(widths[1], dilation) for dilation in more))
        self.further_up = nn.Sequential(*(block(widths[1]) for _ in more))
        self.deeper_down = nn.Sequential(*(block(widths[2], dilation) for dilation in deeper))
        self.deeper_up = nn.Sequential(*(block(widths[2]) for _ in deeper))
        self.dilations = tuple(finer)
        self.finer = nn.Sequential(*(block(widths[0], dilation) for dilation in finer))
        self.head = nn.Conv2d(widths[0], 4 * max(full, 1), 3, padding=1, bias=biases)
        self.share = nn.Conv2d(widths[0], 4 * len(spectral), 3, padding=1, bias=biases) if spectral else None
        self.last = nn.Conv2d(full, 1, 3, padding=1, bias=biases) if full else None
        zero(self.last or self.head)
        if self.share is not None:
            zero(self.share)

    @property
    def reach(self) -> int:
        """The furthest distance in pixels from which an input pixel can change an output pixel.

        A 3x3 convolution at a pitch of p pixels reaches p further, times its dilation; a strided convolution and the
        nearest-neighbour upsampling over it together reach less than the coarser pitch.
        """
        pitches = [2 * 2**depth for depth in range(len(self.widths))]
        convolutions = 2 * pitches[0] + sum(4 * pitch for pitch in pitches) - 2 * pitches[-1]
        convolutions += 2 * pitches[1] * sum(dilation + 1 for dilation in self.more)
        convolutions += 4 * pitches[1] * sum(dilation + 1 for dilation in self.deeper)
        convolutions += 2 * pitches[0] * sum(self.dilations)
        convolutions += 0 if self.last is None else 1
        convolutions += max((windows.reach for windows in self.spectral), default=0)
        convolutions += NEAR if self.filled else 0
        return convolutions + pitches[-1] - 1

    @property
    def furthest(self) -> int:
        """Pixels beyond an image's border into which windows reach: what ``beyond`` is if it is not 0."""
        return max((windows.side // 2 for windows in self.spectral), default=0)

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """Restore images; ``beside``, features of half the size that another network made, is added to the first."""
        seen, x = x, inner(x, self.beyond)
        masks = [(x < EXTREME).to(x.dtype), (x > 1.0 - EXTREME).to(x.dtype)] if self.biases else []
        if self.filled:
            seen = self.fill(seen)
            x = inner(seen, self.beyond)
        planes = [x, *masks]
        found, trusts = [], []
        for windows in self.spectral:
            estimate, trust = windows(seen, self.beyond)
            found.append(estimate)
            trusts.append(trust)
        folded = [nn.functional.pixel_unshuffle(plane, 2) for plane in planes + found]
        features = self.stem(torch.cat(folded, dim=1))
        features = features if beside is None else features + beside
        down, up = {1: self.further_down, 2: self.deeper_down}, {1: self.further_up, 2: self.deeper_up}
        skips = []
        for depth, block in enumerate(self.encoder):
            if depth:
                features = self.down[depth - 1](features)
            features = block(features)
            if depth in down:
                features = down[depth](features)
            skips.append(features)
        for depth in reversed(range(len(self.decoder))):
            features = nn.functional.interpolate(self.up[depth](features), scale_factor=2, mode="nearest")
            features = self.decoder[depth](features + skips[depth])
            if depth in up:
                features = up[depth](features)
        features = torch.relu(self.finer(features))
        restored = nn.functional.pixel_shuffle(self.head(features), 2)
        if self.base > 1:
            means = nn.functional.avg_pool2d(x, self.base)
            x = nn.functional.interpolate(means, scale_factor=self.base, mode="nearest")
        restored = x + (restored if self.last is None else self.last(torch.relu(restored)))
        if self.share is not None:
            shares = nn.functional.pixel_shuffle(self.share(features), 2) + torch.cat(trusts, dim=1)
            restored = restored + (shares * (torch.cat(found, dim=1) - restored)).sum(dim=1, keepdim=True)
        return restored

    @staticmethod
    def fill(x: Tensor) -> Tensor:
        """Replace black and white pixels by the mean of those around them, whose weights fall with the distance.

        Those that have none but black and white ones around them, as where a detector is saturated, become what most of
        these are. In float32 whatever the precision around it.
        """
        with torch.autocast(x.device.type, enabled=False):
            black, white = (x < EXTREME).to(x.dtype), (x > 1.0 - EXTREME).to(x.dtype)
            known = 1.0 - black - white
            steps = torch.arange(-NEAR, NEAR + 1, dtype=x.dtype, device=x.device)
            weights = torch.exp2(-2.0 * (steps[:, None] ** 2 + steps**2))[None, None]
            total = nn.functional.conv2d(known, weights, padding=NEAR)
            means = nn.functional.conv2d(known * x, weights, padding=NEAR) / total.clamp(min=1e-30)
            most = nn.functional.avg_pool2d(white - black, 2 * NEAR + 1, 1, NEAR) > 0.0
            around = torch.where(total < 1e-12, most.to(x.dtype), means)
            return torch.where(known > 0.0, x, around)
