"""The U-Net of Chae et al. (2025), section II.7."""

import torch
from torch import Tensor, nn

from temclean.training.networks.base import Network


class Block(nn.Sequential):
    """Two 3x3 convolutions with ReLU, batch normalisation after each; the rest as Keras has it unless told."""

    def __init__(self, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            convolution = nn.Conv2d(channels, outputs, 3, padding=1)
            nn.init.xavier_uniform_(convolution.weight)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            layers += [convolution, nn.ReLU(), nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)]
        super().__init__(*layers)


class ChaeUNet(Network):
    """The paper's network: two blocks down, a bottleneck, two blocks up, and ReLU at the end.

    The first block has ``width`` channels, and each max-pooling doubles them [R].
    """

    multiple = 4

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.ModuleList([Block(1, width), Block(width, 2 * width)])
        self.bottleneck = Block(2 * width, 4 * width)
        self.up = nn.ModuleList([Block(6 * width, 2 * width), Block(3 * width, width)])
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for block in self.down:
            skips.append(block(x))
            x = nn.functional.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for block in self.up:
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
            x = block(torch.cat([x, skips.pop()], dim=1))
        return torch.relu(self.head(x))
