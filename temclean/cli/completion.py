"""Values whose names a shell can complete; they are known without NumPy: nobody who presses Tab should wait for it."""

import click
from click.shell_completion import CompletionItem

from temclean.cli.options import Name
from temclean.restoration.shipped import AUTO, available

FAMILIES = [
    "g",
    "sp",
    "gsp",
    "bbg",
    "poisson",
    "tem",
    "stem",
    "sem",
    "shot",
    "fixed-pattern",
    "dark-current",
    "thermal",
    "flicker",
    "reset",
    "column-pattern",
    "black-pixels",
    "zingers",
    "saturation",
    "quantisation",
    "jitter",
    "detector",
    "fastscan",
    "rowlines",
]
"""The keys of `temclean.noise.FAMILIES`."""

SPECIMENS = [
    "graphene",
    "graphene-atoms",
    "graphene-defects",
    "bn",
    "mos2",
    "lattice",
    "square",
    "hexagonal",
    "rectangular",
    "rhombic",
    "oblique",
    "coherent",
    "perfect",
    "strained",
    "dislocations",
    "bicrystal",
    "stacking-faults",
    "twins",
    "surface",
    "precipitates",
    "phase",
    "phase-sheet",
    "phase-crystal",
    "phase-particles",
    "phase-film",
    "spots",
    "edges",
    "flat",
    "atoms",
    "scene",
    "crystal",
    "amorphous",
    "points",
    "fringes",
    "hr",
    "particles",
    "soft-particles",
    "sharp-particles",
    "grains",
    "bands",
    "boxes",
    "cracks",
    "patches",
    "faint",
    "nanoparticles",
    "polycrystal",
    "powder",
    "wires",
    "arrays",
    "labyrinth",
    "circuits",
    "rough",
    "bright-field",
    "soot",
    "any-fringes",
    "lr",
]
"""The keys of `temclean.specimen.SPECIMENS`."""


class OneOf(Name):
    """One of a list of names, which what is called checks; or a file, where none of them begins so."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names that begin so, or leave it to the shell to complete a file."""
        found = [CompletionItem(name) for name in self.names if name.startswith(incomplete)]
        return found or super().shell_complete(ctx, param, incomplete)


class ModelName(OneOf):
    """A model: one of those that come with temclean, or an ONNX file."""

    def __init__(self) -> None:
        super().__init__([])

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the models that begin so, or leave it to the shell to complete a file."""
        self.names = [*([AUTO] if param.name == "model" else []), *available()]
        return super().shell_complete(ctx, param, incomplete)
