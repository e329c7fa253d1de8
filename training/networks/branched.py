"""Convolutions that are trained as parallel branches and exported as one (RepVGG, PlainUSR)."""

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn


class BranchedConv2d(nn.Module):
    """A 3x3 convolution whose kernel is the sum of three: 3x3, 1x1, and 1x1 to twice the channels followed by 3x3.

    As there is nothing between the branches but sums, their kernels are summed before the image is met: training costs
    what a plain convolution does, and only the path down the gradient is another.
    """

    def __init__(self, inputs: int, outputs: int, dilation: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.dilation = dilation
        self.plain = nn.Conv2d(inputs, outputs, 3, bias=bias)
        self.point = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.spread = nn.Conv2d(inputs, 2 * outputs, 1, bias=False)
        self.gather = nn.Conv2d(2 * outputs, outputs, 3, bias=False)

    @property
    def kernel(self) -> Tensor:
        """The sum of the branches (outputs, inputs, 3, 3)."""
        chained = torch.einsum("ockl,ci->oikl", self.gather.weight, self.spread.weight[:, :, 0, 0])
        return self.plain.weight + nn.functional.pad(self.point.weight, (1, 1, 1, 1)) + chained

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.kernel, self.plain.bias, padding=self.dilation, dilation=self.dilation)

    def zero(self) -> None:
        """Make it give nothing, while its gradient is not."""
        for part in (self.plain, self.point, self.gather):
            nn.init.zeros_(part.weight)

    def folded(self) -> nn.Conv2d:
        """Return the plain convolution that does the same."""
        plain = deepcopy(self.plain)
        plain.weight.data.copy_(self.kernel)
        plain.padding = plain.dilation = (self.dilation, self.dilation)
        return plain


Module = TypeVar("Module", bound=nn.Module)


def folded(network: Module) -> Module:
    """Return a copy of a network whose branches are folded, which gives the same result."""
    plain = deepcopy(network)
    for parent in list(plain.modules()):
        for name, part in parent.named_children():
            if isinstance(part, BranchedConv2d):
                setattr(parent, name, part.folded())
    return plain
