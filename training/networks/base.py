"""What all networks have in common."""

from torch import nn


class Network(nn.Module):
    """A network that maps images to images, whose sides are multiples of :attr:`multiple`.

    It takes (batch, :attr:`frames`, height, width) and gives (batch, 1, height, width). Where :attr:`beyond` is not 0,
    images come with so many pixels more on each side, which it looks at and does not restore.
    """

    multiple: int
    frames: int = 1
    beyond: int = 0
