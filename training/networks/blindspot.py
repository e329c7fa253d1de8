"""A network of movies that never sees, of the frame that it restores, the pixel that it restores.

After blind-spot video denoising (Sheth et al. 2021; Crozier et al. 2025, arXiv:2407.17669): an odd number of frames in,
the middle one out; five there. Theirs hides a pixel by the shape of its convolutions and starts from nothing. This one
hides it by putting its neighbours' mean in its place (Batson and Royer 2019, arXiv:1901.11365), so that the network
behind can be any that has learned to restore single images; in as many passes as it takes to hide each pixel once.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from temclean.training.networks.base import Network
from temclean.training.networks.residual import ResidualUNet

WINDOW, LEAST = 9, 5
"""Frames that are looked at, and how many there must be."""

SCALE = 2.0
"""Standard deviation in pixels of the Gaussian under which frames are compared, about an atom's: to look for narrower
ones too would part frames by noise, and show no more, as this tells nine tenths of what can be told of 1.2 to 3.4."""

STRAYED = 5.0
"""Squared difference, over the variance that noise gives it, at which a neighbour counts half."""

GUESSED = 0.25
"""Weight of a hidden pixel's guess beside a frame that has seen it."""

REACH = 10
"""Pixels from which an input changes what is handed to the network behind."""


@dataclass(frozen=True)
class Spot:
    """What is hidden around each pixel: so many pixels up and down, and left and right."""

    rows: int = 0
    columns: int = 0

    @property
    def period(self) -> tuple[int, int]:
        """Pixels after which the next one is hidden in the same pass, down and right; their product is the passes."""
        return 2 * self.rows + 2, 2 * self.columns + 2


class BlindSpot(Network):
    r"""Restore the middle one of some frames (batch, frames, height, width).

    Each neighbour k counts as far as it shows the same as the middle frame around a pixel,

    .. math:: w_k = \sigma(z_0 - \max_d (G * d)^2 / v_d)

    with a Gaussian G, differences d, and the variance :math:`v_d` that noise gives these: where an atom has hopped
    there is more. The differences are that of the two frames, :math:`y_0 - y_k`, and for each moment between
    them that of the means of all frames before it and of all after it, which tell a step that two frames alone do not.
    The mean under these weights, with less noise the more frames agree, is what ``prior`` restores,
    together with features of how many do and of the middle frame. At the start these are nothing, so the network begins
    with what ``prior`` knows of images. Its results are brought to the movie's own intensities by a ``line``, an offset
    and a gain, none at first.

    Parameters
    ----------
    prior : a network for single images, its weights are trained on.
    spot : what is hidden.
    noise : variance of the smoothed difference of two frames: at intensity 0, and its growth.
    span : intensities that become 0 and 1 for ``prior``.
    frames : how many are looked at, an odd number.
    """

    noise: Tensor
    span: Tensor
    line: Tensor
    guess: Tensor
    gaussian: Tensor

    def __init__(
        self,
        prior: ResidualUNet,
        spot: Spot,
        noise: tuple[float, float] = (0.01, 0.0),
        span: tuple[float, float] = (0.0, 1.0),
        frames: int = WINDOW,
    ) -> None:
        super().__init__()
        self.prior, self.spot, self.frames = prior, spot, frames
        self.multiple = math.lcm(prior.multiple, *spot.period)
        self.beside = nn.Conv2d(8, prior.stem.out_channels, 3, padding=1, bias=False)
        nn.init.zeros_(self.beside.weight)
        self.strayed = nn.Parameter(torch.tensor(STRAYED))
        self.register_buffer("noise", torch.tensor(noise))
        self.register_buffer("span", torch.tensor(span))
        self.register_buffer("line", torch.tensor((0.0, 1.0)))
        self.register_buffer("gaussian", gaussian(SCALE))
        rows, columns = (torch.arange(-reach - 1, reach + 2.0) / (reach + 1) for reach in (spot.rows, spot.columns))
        self.register_buffer("guess", torch.exp(-1.5 * (rows[:, None] ** 2 + columns**2))[None, None])

    @property
    def passes(self) -> int:
        """In how many passes each pixel is hidden once."""
        return math.prod(self.spot.period)

    def forward(self, x: Tensor) -> Tensor:
        restored = torch.zeros_like(x[:, :1])
        for number in range(self.passes):
            restored = restored + self.hidden(x, number) * self.restored(x, number)
        return restored

    def hidden(self, x: Tensor, number: int) -> Tensor:
        """Return a mask (1, 1, height, width) of the pixels that a pass restores."""
        down, right = self.spot.period
        rows = (torch.arange(x.shape[2], device=x.device) % down == number // right).to(x.dtype)
        columns = (torch.arange(x.shape[3], device=x.device) % right == number % right).to(x.dtype)
        return (rows[:, None] * columns)[None, None]

    def restored(self, x: Tensor, number: int) -> Tensor:
        """Return what one pass makes of all pixels; only those that it has hidden count."""
        mean, middle, count = self.mean(x, number)
        low, width = self.span[0], self.span[1] - self.span[0]
        mean, middle = (mean - low) / width, (middle - low) / width
        planes = [functional.pixel_unshuffle(plane, 2) for plane in (middle - mean, count / self.frames - 1.0)]
        restored: Tensor = low + width * self.prior(mean, self.beside(torch.cat(planes, dim=1)))
        return self.line[0] + self.line[1] * restored

    def mean(self, x: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean of the frames that agree, the middle one with guesses, and how many there are at a pixel."""
        half = self.frames // 2
        middle, shown = self.blind(x[:, half : half + 1], number)
        others = torch.cat([x[:, :half], x[:, half + 1 :]], dim=1)
        weights = self.agreement(middle, others)
        own = GUESSED + (1.0 - GUESSED) * shown
        count = own + weights.sum(1, keepdim=True)
        return (own * middle + (weights * others).sum(1, keepdim=True)) / count, middle, count

    def blind(self, middle: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Put the mean of what is near in the place of all that a pass hides; return that and a mask of the rest."""
        reach = self.spot.rows, self.spot.columns
        sides = 2 * reach[0] + 1, 2 * reach[1] + 1
        shown = 1.0 - functional.max_pool2d(self.hidden(middle, number), sides, stride=1, padding=reach)
        padding = reach[0] + 1, reach[1] + 1
        near = functional.conv2d(middle * shown, self.guess, padding=padding)
        guess = near / functional.conv2d(shown, self.guess, padding=padding).clamp_min(1e-6)
        return middle * shown + guess * (1.0 - shown), shown

    def agreement(self, middle: Tensor, others: Tensor) -> Tensor:
        """Return the weights of the neighbours, (batch, frames - 1, height, width)."""
        half, last = self.frames // 2, self.frames - 1
        level = smoothed((middle + others.sum(1, keepdim=True)) / self.frames, self.gaussian)
        summed = torch.cat([others[:, :half], middle, others[:, half:]], dim=1).cumsum(1)
        before = torch.arange(1.0, self.frames, device=others.device)[:, None, None]
        after = self.frames - before
        steps = summed[:, :-1] / before - (summed[:, -1:] - summed[:, :-1]) / after
        apart = torch.cat([middle - others, steps * (0.5 / before + 0.5 / after).rsqrt()], dim=1)
        start, slope = self.noise
        variance = torch.maximum(start + slope * level, 0.1 * (start + slope.abs()) + 1e-9)
        strayed = smoothed(apart, self.gaussian).square() / variance
        alone, steps = strayed[:, :last], strayed[:, last:]
        # A step shows at the moments beside its own too, at up to 0.64 of it: only the greatest one counts in full. It
        # parts the middle frame from all that are beyond it.
        steps = 3.0 * steps - 2.0 * steps.amax(1, keepdim=True)
        earlier = [steps[:, index:half].amax(1) for index in range(half)]
        later = [steps[:, half : index + 1].amax(1) for index in range(half, last)]
        return torch.sigmoid(self.strayed - torch.maximum(alone, torch.stack([*earlier, *later], dim=1)))


def gaussian(sigma: float) -> Tensor:
    """Return a Gaussian of sum 1 along one axis, (1, 1, 1, length)."""
    reach = math.ceil(3.0 * sigma)
    values = torch.exp(-0.5 * (torch.arange(-reach, reach + 1.0) / sigma) ** 2)
    return (values / values.sum())[None, None, None]


def smoothed(planes: Tensor, kernel: Tensor) -> Tensor:
    """Smooth planes (batch, channels, height, width) along both axes; beyond the border there is nothing."""
    reach = kernel.shape[-1] // 2
    batch, channels, height, width = planes.shape
    flat = planes.reshape(batch * channels, 1, height, width)
    flat = functional.conv2d(functional.conv2d(flat, kernel, padding=(0, reach)), kernel.mT, padding=(reach, 0))
    return flat.reshape(batch, channels, height, width)
