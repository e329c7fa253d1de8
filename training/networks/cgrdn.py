"""The generator of Lobato et al. (2024), "Generator architecture": concatenated grouped residual dense network."""

import torch
from torch import Tensor, nn

from temclean.training.networks.base import Network


class DenseBlock(nn.Module):
    """Residual dense block: each 3x3 convolution sees all before it, a 1x1 one fuses them, the input is added."""

    def __init__(self, width: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(width + number * growth, growth, 3, padding=1) for number in range(layers)
        )
        self.fusion = nn.Conv2d(width + layers * growth, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for layer in self.layers:
            features = torch.cat([features, torch.relu(layer(features))], dim=1)
        fused: Tensor = self.fusion(features)
        return x + fused


class Chain(nn.Module):
    """Modules in a row, whose outputs are laid side by side and fused by a 1x1 convolution; the input is added.

    Of dense blocks this is the paper's grouped residual dense block, of such groups its middle part.
    """

    def __init__(self, width: int, parts: list[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.fusion = nn.Conv2d(width * len(parts), width, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for part in self.parts:
            found.append(part(found[-1]))
        fused: Tensor = self.fusion(torch.cat(found[1:], dim=1))
        return x + fused


class CGRDN(Network):
    """Map distorted images (batch, 1, height, width) to restored ones of the same shape; both sides must be even.

    A convolution, a strided one down to half the resolution, groups of residual dense blocks there, a transposed
    convolution up, a convolution, and the input is added. As it stands there are 7,035,521 parameters; the paper has
    7.04 million, and 7.02 million without the fusion of the groups, which is 16,448 of them. The paper's figure tells
    no channels: 64, 32 more a layer, kernels of 4x4 pixels where the resolution changes and eight 3x3 convolutions
    beside the 1x1 fusion, its nine layers, are the only round numbers that add up to both [R]. The last convolution
    starts at zero [ours], so that training begins with the identity.

    Parameters
    ----------
    width : channels between blocks.
    growth : channels that each layer of a dense block adds.
    groups, blocks, layers : groups, dense blocks in a group, 3x3 convolutions in a block.
    """

    multiple = 2

    def __init__(self, width: int = 64, growth: int = 32, groups: int = 4, blocks: int = 4, layers: int = 8) -> None:
        super().__init__()
        self.depth = groups * blocks * layers
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.down = nn.Conv2d(width, width, 4, stride=2, padding=1)
        self.groups = Chain(
            width,
            [Chain(width, [DenseBlock(width, growth, layers) for _ in range(blocks)]) for _ in range(groups)],
        )
        self.up = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)
        self.head = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)

    @property
    def reach(self) -> int:
        """The furthest distance in pixels from which an input pixel can change an output pixel.

        Two for each 3x3 convolution at half the resolution, one for each of the outer two, three for the way down and
        up.
        """
        return 2 * self.depth + 5

    def forward(self, x: Tensor) -> Tensor:
        restored: Tensor = self.head(self.up(self.groups(self.down(self.stem(x)))))
        return x + restored
