"""The networks: each maps images (batch, frames, height, width) to images (batch, 1, height, width).

``residual`` is that of the shipped models, ``cgrdn`` that of Lobato et al. (2024), with ``discriminator`` as its
opponent; ``chae`` is that of Chae et al. (2025), ``resnet`` that of Katsuno et al. (2021). ``blindspot`` puts one
behind some frames of a movie. ``branched`` holds convolutions that are folded at export.
"""

from collections.abc import Mapping
from typing import Any

from temclean.training.networks.base import Network
from temclean.training.networks.branched import folded
from temclean.training.networks.cgrdn import CGRDN
from temclean.training.networks.chae import ChaeUNet
from temclean.training.networks.critic import Critic, LowPass
from temclean.training.networks.discriminator import PatchDiscriminator
from temclean.training.networks.residual import WIDTHS, ResidualUNet
from temclean.training.networks.resnet import ResNetUNet

NAMES = ("residual", "cgrdn")
"""What a recipe can call for."""


def build(recipe: Mapping[str, Any]) -> ResidualUNet | CGRDN | ResNetUNet:
    """Make the network of a recipe, as it stands in a checkpoint; older ones name none and are ``residual``."""
    shape = recipe.get("shape", {})
    if recipe.get("network", "residual") == "cgrdn":
        return CGRDN(**shape)
    if recipe.get("network") == "resnet18":
        return ResNetUNet(**shape)
    return ResidualUNet(tuple(recipe["widths"]), tuple(recipe.get("more", ())), **shape)


def beginning(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes the network of a shipped model again, from the recipe of its last run: branches are folded."""
    shape = {name: value for name, value in recipe.get("shape", {}).items() if name != "branches"}
    return {"widths": tuple(recipe["widths"]), "more": tuple(recipe.get("more", ())), "shape": shape}


__all__ = [
    "CGRDN",
    "NAMES",
    "WIDTHS",
    "ChaeUNet",
    "Critic",
    "LowPass",
    "Network",
    "PatchDiscriminator",
    "ResNetUNet",
    "ResidualUNet",
    "beginning",
    "build",
    "folded",
]
