"""What all networks have in common."""

from torch import nn


class Network(nn.Module):
    """A network that maps images to images, whose sides are multiples of :attr:`multiple`."""

    multiple: int
