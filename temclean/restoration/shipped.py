"""The models that come with temclean. Nothing is read of them here, so that names can be completed in no time."""

from pathlib import Path

AUTO = "auto"
"""Stands for the model that fits the image; see `temclean.restoration.choice`."""

DEFAULT = AUTO
"""What is taken where no model is named, on the command line and in Python."""


ALSO = {
    f"{scale}{microscope}": model
    for scale, model in (("hr", "general"), ("lr", "lr"))
    for microscope in ("tem", "stem", "sem")
} | {"bbg-keep": "g"}
"""Further names, and the models that they stand for: those of the models of Lobato et al. (2024), as ours tell the
noise of a TEM, a STEM and a SEM apart by themselves; and one for grain on an uneven ground, which ``g`` knows too."""


def available() -> dict[str, Path]:
    """Return the models that came with temclean, by name."""
    from importlib import resources  # a tenth of the time that `--help` takes

    try:
        folder = Path(str(resources.files("temclean.weights")))
    except ModuleNotFoundError:
        return {}
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}
