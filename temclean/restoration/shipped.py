"""The models that come with temclean. Nothing is read of them here, so that names can be completed in no time."""

from pathlib import Path

AUTO = "auto"
"""Stands for the model that fits the image; see `temclean.restoration.choice`."""

DEFAULT = AUTO
"""What is taken where no model is named, on the command line and in Python."""


ALSO = {f"{kind}{microscope}": kind for kind in ("hr", "lr") for microscope in ("tem", "stem", "sem")}
"""Further names, those of the models of Lobato et al. (2024), and the models that they stand for: one for atoms that
show and one for low magnification, each of which tells a TEM's, a STEM's and a SEM's noise apart by itself."""


def available() -> dict[str, Path]:
    """Return the models that came with temclean, by name."""
    from importlib import resources  # a tenth of the time that `--help` takes

    try:
        folder = Path(str(resources.files("temclean.weights")))
    except ModuleNotFoundError:
        return {}
    return {path.stem: path for path in sorted(folder.glob("*.onnx"))}
