"""How each model is trained: :data:`RECIPES`."""

from dataclasses import dataclass, field, replace
from typing import Any

from temclean.training.data import DataOptions
from temclean.training.networks import WIDTHS


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    Attributes
    ----------
    data : the pairs.
    widths, more : of the network ``residual``, see :class:`networks.ResidualUNet`.
    network, shape : one of :data:`networks.NAMES`, and what else it is made with.
    steps : updates.
    rate : peak learning rate, reached after ``warm_up`` steps, falling to zero along half a cosine.
    heaviest : largest weight of an image in the loss; even images weigh most.
    average : decay of the moving average of the weights, which is what gets exported.
    relative : weight in the loss of :func:`losses.relative_error`; 0 for :func:`losses.weighted_error` in its place.
    gathered : share of the relative error that is of fourth powers.
    floor : mean square below which the relative error gains nothing more.
    forgiven : share of the error forgiven in pixels that no noise has touched, :func:`losses.forgiven`.
    rare : weight in the loss of :func:`losses.rare_error`.
    taught : weight in the loss of :func:`losses.taught_error`, where there are teachers.
    similarity, lasting, grid : weights in the loss of 1 - MS-SSIM, of :func:`losses.lasting_error` and of
        :func:`losses.grid_error`.
    loss : ``house``, of the four above, or ``lobato``, :func:`losses.pixelwise`.
    adversarial : weight of the adversarial loss; 0 for no discriminator.
    """

    data: DataOptions
    widths: tuple[int, ...] = WIDTHS
    more: tuple[int, ...] = (1, 2, 4)
    steps: int = 10_000
    rate: float = 1.2e-3
    warm_up: int = 300
    weight_decay: float = 1e-4
    heaviest: float = 3.0
    average: float = 0.998
    relative: float = 0.0
    gathered: float = 0.0
    floor: float = 1e-5
    forgiven: float = 0.0
    rare: float = 0.0
    taught: float = 0.1
    similarity: float = 0.5
    lasting: float = 0.05
    grid: float = 0.05
    network: str = "residual"
    shape: dict[str, Any] = field(default_factory=dict)
    loss: str = "house"
    adversarial: float = 0.0


ATOMIC = {
    "coherent": 0.34,
    "phase": 0.28,
    "supported": 0.08,
    "hr": 0.12,
    "scene": 0.04,
    "graphene": 0.05,
    "graphene-defects": 0.03,
    "dense": 0.03,
    "bn": 0.01,
    "mos2": 0.02,
}
"""Shares of specimens whose atoms show."""

TRANSMITTED = {
    "phase": 0.6,
    "supported": 0.08,
    "coherent": 0.16,
    "hr": 0.14,
    "graphene": 0.05,
    "graphene-defects": 0.03,
    "mos2": 0.02,
}
"""The same for models of a TEM: phase contrast first, crystals of which many cells are alike before all."""

LARGE = {
    "lr": 0.42,
    "faint": 0.13,
    "arrays": 0.08,
    "polycrystal": 0.15,
    "labyrinth": 0.1,
    "circuits": 0.06,
    "scene": 0.06,
}
"""Shares of specimens of low magnification."""


def mixture(atomic: float, kinds: dict[str, float] = ATOMIC) -> dict[str, float]:
    """Mix specimens: a share of ``kinds``, whose atoms show, the rest of :data:`LARGE`."""
    shares: dict[str, float] = {}
    for part, weight in ((kinds, atomic), (LARGE, 1.0 - atomic)):
        for name, share in part.items():
            shares[name] = shares.get(name, 0.0) + weight * share / sum(part.values())
    return shares


EVEN = mixture(0.66) | {"scene": 0.25, "graphene": 0.1, "empty": 0.02}
"""Shares with more of what lies on even ground, which is to come out even, and of disordered sheets."""

STRAIGHT = {"coherent": 0.3, "phase": 0.26, "polycrystal": 0.1}
"""Larger shares of what goes on far: lattices, and the straight borders of grains."""

GAUSSIAN = DataOptions(
    noises={"g": 1.0},
    specimens=mixture(0.68),
    room=0.15,
    grainy=0.2,
    crop=192,
    batch=4,
    bank=512,
    first=160,
    renewal=0.12,
)

WIDER = (48, 96, 128, 160, 192)
"""Channels at each depth of ``general``: a weak lattice is averaged over many cells at a quarter of the resolution."""

GENERAL = Recipe(
    replace(
        GAUSSIAN,
        noises={"g": 0.22, "poisson": 0.22, "tem": 0.16, "stem": 0.24, "sem": 0.16},
        levels=(0.03, 0.6),
        crop=256,
        batch=3,
        multiple=64,
    ),
    WIDER,
    rate=3e-4,
    average=0.999,
    relative=0.04,
    rare=0.03,
    similarity=0.6,
    shape={"spectral": (64, 128)},
)

RECIPES = {
    "general": GENERAL,
    "hr": replace(GENERAL, data=replace(GENERAL.data, specimens=mixture(0.96))),
    "lr": replace(
        GENERAL,
        data=replace(GENERAL.data, specimens=mixture(0.09) | {"rough": 0.54}, levels=(0.003, 0.6)),
        floor=1e-6,
        shape={"spectral": (64, 128), "finer": (2, 1)},
    ),
    "fast": replace(
        GENERAL,
        data=replace(
            GENERAL.data, crop=192, batch=6, multiple=32, specimens=mixture(0.68) | {"rough": 0.3}, levels=(0.01, 0.6)
        ),
        widths=WIDTHS,
        rate=6e-4,
        floor=3e-6,
        shape={},
    ),
    "g": replace(
        GENERAL,
        data=replace(
            GENERAL.data,
            noises={"g": 0.7, "bbg-keep": 0.3},
            specimens=EVEN | STRAIGHT | {"rough": 0.7},
            smooth=0.85,
            levels=(0.01, 0.6),
        ),
        floor=3e-6,
        similarity=2.0,
    ),
    "sp": replace(
        GENERAL,
        data=replace(GENERAL.data, noises={"sp": 1.0}, specimens=EVEN, room=0.0, between=0.2),
        floor=1e-7,
        forgiven=0.7,
        shape={"spectral": (64, 128), "filled": True},
    ),
    "gsp": replace(
        GENERAL,
        data=replace(
            GENERAL.data,
            noises={"gsp": 1.0},
            specimens=EVEN | {"hr": 0.2, "atoms": 0.12},
            room=0.2,
            apart=0.25,
            levels=(0.03, 0.45),
        ),
        shape={"spectral": (64, 128), "filled": True},
    ),
    "bbg": Recipe(
        DataOptions(
            noises={"bbg": 1.0},
            specimens={"dense": 0.2, "graphene": 0.4, "graphene-defects": 0.2, "empty": 0.06, "atoms": 0.14},
            coarse=0.75,
            dark=0.0,
            crop=256,
            batch=4,
            scene=384,
            bank=256,
        ),
        rate=6e-4,
        heaviest=1.0,
        relative=0.04,
        similarity=1.0,
    ),
    "lde": Recipe(
        replace(
            GAUSSIAN,
            noises={"short": 1.0},
            specimens={"bright-field": 0.85, "lr": 0.1, "flat": 0.05},
            levels=(0.2, 1.2),
            pixel_sizes=(25.0, 60.0),
        ),
        (16, 32, 64, 96, 128),
        (),
        steps=3_000,
        rate=2e-3,
        warm_up=150,
        relative=0.1,
        similarity=0.0,
        shape={"base": 8},
    ),
    **{
        f"{kind}{microscope}": replace(
            GENERAL,
            data=replace(
                GENERAL.data,
                noises={microscope: 0.5, "poisson": 0.3, "g": 0.2},
                specimens=mixture(atomic, TRANSMITTED if microscope == "tem" else ATOMIC),
            ),
        )
        for microscope in ("tem", "stem", "sem")
        for kind, atomic in (("hr", 0.9), ("lr", 0.1))
    },
}
"""``general`` sees all noises but impulses, and is the start of the others; ``fast`` sees the same on a network that
takes less than half of its work, and can be the start of it. ``bbg`` sees bright atoms on an even background alone: of
anything else it could not tell what is background, and what the noise hides of it is lost. The last six are the models
of Lobato et al. (2024); ``hr`` and ``lr`` are one each for all three microscopes, and ``lr`` ships."""
