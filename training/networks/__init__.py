"""The networks: each maps images (batch, 1, height, width) to images of the same shape."""

from temclean.training.networks.base import Network
from temclean.training.networks.chae import ChaeUNet
from temclean.training.networks.residual import WIDTHS, ResidualUNet

__all__ = ["WIDTHS", "ChaeUNet", "Network", "ResidualUNet"]
