"""What is periodic over many cells: overlapping windows, each cleaned in its Fourier transform by a learned gain.

A convolutional network averages a lattice over the few cells that its layers were taught to lay over each other. In the
transform of a window, all cells of a lattice, whatever its spacing and direction, add up in the same few peaks.
"""

import numpy as np
import torch
from torch import Tensor, nn

NEIGHBOURS = 9
"""Side of the square of coefficients around one that its background is the mean of."""

LEAST_POWER = 1e-8
"""What power is measured by, and 1 added to it, so that its logarithm exists: noise with a deviation of 1e-4."""

EULER = float(np.euler_gamma)
"""By how much the mean logarithm of the power of noise, which is distributed exponentially, lies below that of its
mean."""

HIDDEN = 6
"""Features that the gain of a coefficient is corrected by."""

WIDEST = 64
"""Largest side of windows that look at the windows around them: a network's reach grows by half of it."""

UNIT = 0.2
"""What logarithms are multiplied by before layers see them."""

THRESHOLD, STEEPNESS = 4.0, 2.0
"""Multiple of the noise's power that an untrained gain halves, and how fast it changes there: as its power 2."""


class SpectralWindows(nn.Module):
    """Map images (batch, 1, height, width) to estimates, and trust in these, from windows of ``side`` pixels.

    Windows overlap by half and are weighted by a half sine before and after, whose squares add up to 1. Each has its
    mean taken away, is transformed, and has its coefficients multiplied by a gain between 0 and 1: a logistic function
    of the logarithm of the coefficient's power over the geometric mean of all in the window, and of the same for the
    mean of its neighbours; its three weights are learned. Two layers correct it by more: nearer neighbours, the same
    coefficient in the windows around this one where windows are small, the wave's length and the strength of the noise.
    They begin with no correction. Transforms are products with matrices, which every runtime has. Height and width must
    be multiples of ``side / 2``.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        grid = np.arange(side)
        turns = 2.0 * np.pi / side * (np.outer(grid, grid) % side)
        # Half a spectrum stands for both halves, but for its first and last column.
        twice = np.where(grid[: side // 2 + 1] % (side // 2) == 0, 1.0, 2.0)
        taper = np.sin(np.pi * (grid + 0.5) / side)
        waves = np.hypot(np.minimum(grid, side - grid)[:, None], grid[: side // 2 + 1]) / side
        lengths = np.log(np.maximum(waves, 0.5 / side))
        constants = {
            "cosines": np.cos(turns), "sines": np.sin(turns), "twice": twice, "taper": taper, "lengths": lengths,
        }  # fmt: skip
        for name, value in constants.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)
        self.own = nn.Parameter(torch.tensor([STEEPNESS]))
        self.others = nn.Parameter(torch.zeros(1))
        self.shift = nn.Parameter(torch.tensor([-STEEPNESS * float(np.log(THRESHOLD))]))
        self.seen = nn.Parameter(0.3 * torch.randn(HIDDEN, 5 + (side <= WIDEST)))
        self.seen_shift = nn.Parameter(torch.zeros(HIDDEN, 1))
        self.correction = nn.Parameter(torch.zeros(1, HIDDEN))
        self.judged = nn.Parameter(0.3 * torch.randn(HIDDEN, 4))
        self.judged_shift = nn.Parameter(torch.zeros(HIDDEN, 1))
        self.trust = nn.Parameter(torch.zeros(1, HIDDEN))

    @property
    def reach(self) -> int:
        """The furthest distance in pixels from which an input pixel can change an output pixel."""
        return self.side - 1 + (self.side // 2 if self.side <= WIDEST else 0)

    def forward(self, x: Tensor, beyond: int = 0) -> tuple[Tensor, Tensor]:
        """Estimate images, and tell for each pixel how far its windows explain it: both of the images' shape.

        In float32 whatever the precision around it, as peaks are thousands of times the noise. Images are continued by
        reflection, or hold what lies ``beyond`` their border, so many pixels on each side, which are not estimated.
        """
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self.estimated(x.float(), beyond)
        return self.estimated(x, beyond)

    def estimated(self, x: Tensor, beyond: int) -> tuple[Tensor, Tensor]:
        """Estimate images, and tell how far windows explain them, in the precision they have."""
        windows = self.cut(x if not beyond else inner(x, beyond - self.side // 2), beyond > 0)
        mean = windows.mean(dim=(-2, -1), keepdim=True)
        real, imaginary = self.transformed(self.tapered(windows - mean))
        power = real * real + imaginary * imaginary
        floor = torch.log1p(power * (1.0 / LEAST_POWER)).mean(dim=(-2, -1), keepdim=True) + EULER
        gain = self.gain(power, floor)
        restored = self.joined(self.tapered(self.back(gain * real, gain * imaginary) + self.tapered(mean)))
        judged = self.tapered(self.tapered(self.judgement(power, floor, gain).expand_as(windows)))
        return restored, self.joined(judged)

    def judgement(self, power: Tensor, floor: Tensor, gain: Tensor) -> Tensor:
        """Return how far each window's gains explain it, (batch, rows, columns, 1, 1), by two layers that begin with 0.

        They see by how much the power that is left exceeds that of noise alone, which it does not where all that
        stands out was found; the power that was kept, the share of the coefficients that it is in, and the noise's.
        """

        def mean(each: Tensor) -> Tensor:
            return each.mean(dim=(-2, -1), keepdim=True)

        kept = mean(gain)
        left = torch.log1p(mean((1.0 - gain) * power) / (1.0 - kept + 1e-3) * (1.0 / LEAST_POWER)) - floor
        held = torch.log1p(mean(gain * power) * (1.0 / LEAST_POWER)) - floor
        told = torch.stack([10.0 * left, held, torch.log(kept + 1e-4), floor]) * UNIT
        judged = self.trust @ torch.relu(self.judged @ told.reshape(4, -1) + self.judged_shift)
        return judged.reshape(floor.shape)

    def tapered(self, windows: Tensor) -> Tensor:
        """Weight windows by the half sine along both axes."""
        return windows * self.taper * self.taper[:, None]

    def transformed(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return real and imaginary part of half the transforms; of white noise their power is its variance."""
        count = self.side // 2 + 1
        real, imaginary = (windows @ matrix[:, :count] * (2.0 / self.side) for matrix in (self.cosines, self.sines))
        return self.cosines @ real - self.sines @ imaginary, -(self.cosines @ imaginary) - self.sines @ real

    def back(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Return the windows of half their transforms."""
        count = self.side // 2 + 1
        rows = self.cosines @ real - self.sines @ imaginary, self.cosines @ imaginary + self.sines @ real
        real, imaginary = (part * (self.twice / (2.0 * self.side)) for part in rows)
        return real @ self.cosines[:count] - imaginary @ self.sines[:count]

    def gain(self, power: Tensor, floor: Tensor) -> Tensor:
        """Return the gain of each coefficient, (batch, rows, columns, side, side / 2 + 1), by the noise's log power."""
        power = torch.log1p(power * (1.0 / LEAST_POWER))
        shape = power.shape
        windows = [beside(power - floor)] if self.side <= WIDEST else []
        power, *windows = (each.reshape(-1, 1, shape[-2], shape[-1]) for each in (power - floor, *windows))
        around, near = pooled(power, NEIGHBOURS), pooled(power, 3)
        level = floor.reshape(-1, 1, 1, 1).expand_as(power)
        lengths = self.lengths.expand_as(power)
        told = UNIT * torch.stack([power, around, near, level, lengths, *windows]).reshape(self.seen.shape[1], -1)
        correction = (self.correction @ torch.relu(self.seen @ told + self.seen_shift)).reshape(power.shape)
        return torch.sigmoid(self.own * power + self.others * around + self.shift + correction).reshape(shape)

    def cut(self, x: Tensor, continued: bool = False) -> Tensor:
        """Cut images into windows, (batch, rows, columns, side, side), continued by reflection unless they are already.

        By half a window on each side.
        """
        half = self.side // 2
        if not continued:
            x = torch.cat([x[:, :, :half].flip(2), x, x[:, :, -half:].flip(2)], dim=2)
            x = torch.cat([x[..., :half].flip(3), x, x[..., -half:].flip(3)], dim=3)
        batch, _, height, width = x.shape
        rows = x.reshape(batch, height // half, half, width)
        rows = torch.cat([rows[:, :-1], rows[:, 1:]], dim=2)
        columns = rows.reshape(batch, height // half - 1, self.side, width // half, half)
        columns = torch.cat([columns[:, :, :, :-1], columns[:, :, :, 1:]], dim=4)
        return columns.transpose(2, 3)

    def joined(self, windows: Tensor) -> Tensor:
        """Add windows up to images, without what lay outside: what :meth:`cut` takes apart."""
        half = self.side // 2
        batch, down, across = windows.shape[:3]
        windows = windows.transpose(2, 3)  # batch, down, side, across, side
        columns = windows[:, :, :, :-1, half:] + windows[:, :, :, 1:, :half]
        columns = columns.reshape(batch, down, self.side, (across - 1) * half)
        rows = columns[:, :-1, half:] + columns[:, 1:, :half]
        return rows.reshape(batch, 1, (down - 1) * half, (across - 1) * half)


def inner(x: Tensor, border: int) -> Tensor:
    """Return images without a border of so many pixels."""
    return x[:, :, border : x.shape[2] - border, border : x.shape[3] - border] if border else x


def pooled(x: Tensor, side: int) -> Tensor:
    """Return the mean of the square around each coefficient, of which less is there at the edges."""
    reach = side // 2
    rows = nn.functional.avg_pool2d(x, (side, 1), 1, (reach, 0), count_include_pad=False)
    return nn.functional.avg_pool2d(rows, (1, side), 1, (0, reach), count_include_pad=False)


def beside(x: Tensor) -> Tensor:
    """Return the mean of each coefficient over a window and the eight around it; those at the edges count twice."""
    for _ in range(2):  # along rows of windows, then along columns
        wider = torch.cat([x[:, :1], x, x[:, -1:]], dim=1)
        x = ((wider[:, :-2] + wider[:, 1:-1] + wider[:, 2:]) * (1.0 / 3.0)).transpose(1, 2)
    return x
