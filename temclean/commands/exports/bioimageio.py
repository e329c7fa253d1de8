"""A model as a package for bioimage.io, by its model description 0.5.

The description is JSON, which is YAML too. It tells of the network alone, from an image brought to its scale to one on
that scale: the grid of two pixels, clipped areas, tiles and the way back to the image's own scale are temclean's.
"""

import hashlib
import json
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from temclean import io
from temclean.commands.portrait import portrait
from temclean.errors import ParameterError
from temclean.restoration import models
from temclean.restoration.models import Model
from temclean.restoration.onnx_outline import Outline

VERSION = "0.5.4"
EPSILON = 1e-6
"""What the specification adds to the range that an image is divided by."""

WEIGHTS, DESCRIPTION, COVER, TEXT = "weights.onnx", "rdf.yaml", "cover.png", "README.md"
TEST_INPUT, TEST_OUTPUT = "test_input.npy", "test_output.npy"


def export(model: Model, folder: Path) -> None:
    """Write a package of a model of single images into a new folder, which appears whole or not at all.

    Raises
    ------
    ParameterError
        If the folder is there, or the model is one of movies.
    """
    if folder.exists():
        raise ParameterError(f"{folder}: is there already; name a new folder")
    if model.frames > 1:
        raise ParameterError(
            f"{model.name} looks at {model.frames} frames of a movie; bioimage.io takes one of single images"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".temclean-") as made:
        package = Path(made, "package")
        package.mkdir()
        shutil.copyfile(model.path, package / WEIGHTS)
        (package / TEXT).write_text(_text(model), encoding="utf-8")
        before = _sample(_side(model))
        after = models.open_session(model, "cpu").run(_scaled(before, model))
        np.save(package / TEST_INPUT, before)
        np.save(package / TEST_OUTPUT, after)
        _cover(before[0, 0, model.beyond :, model.beyond :][: len(after[0, 0]), : len(after[0, 0])], after[0, 0]).save(
            package / COVER
        )
        description = json.dumps(_description(model, package), indent=2, ensure_ascii=False)
        (package / DESCRIPTION).write_text(description + "\n", encoding="utf-8")
        package.rename(folder)


def _side(model: Model) -> int:
    """Return the least side of an image of which something is left between the halos."""
    return (2 * model.halo // model.multiple + 1) * model.multiple + 2 * model.beyond


def _sample(side: int) -> NDArray[np.float32]:
    """Return a part of the sample as a tensor, (1, 1, side, side), mirrored on where it is smaller."""
    with resources.as_file(resources.files("temclean.data") / "sample.tif") as path, io.read(path) as image:
        frame = image.pixels[0][:side, :side]
    pixels = np.pad(frame, [(0, side - length) for length in frame.shape], mode="symmetric")
    return pixels[None, None].astype(np.float32)


def _scaled(image: NDArray[np.float32], model: Model) -> NDArray[np.float32]:
    """Return what the specification's `scale_range` makes of an image."""
    low, high = np.percentile(image, (model.normalisation.low, model.normalisation.high))
    scaled: NDArray[np.float32] = ((image - low) / (high - low + EPSILON)).astype(np.float32)
    return scaled


def _cover(before: NDArray[np.float32], after: NDArray[np.float32]) -> Image.Image:
    """Return the two side by side, each in a contrast of its own."""
    halves = []
    for pixels in (before, after):
        low, high = np.percentile(pixels, (0.5, 99.5))
        halves.append(np.clip((pixels - low) / max(high - low, EPSILON) * 255, 0, 255).astype(np.uint8))
    return Image.fromarray(np.hstack(halves))


def _text(model: Model) -> str:
    lines = [line for line in portrait(model) if not line.startswith("path: ")]
    told = (
        "The network takes an image brought to its scale by `preprocessing` and gives one on that scale. temclean, "
        "which it was made for, also cuts large images, leaves room around the scale where noise is not cut off, takes "
        "away a weak grid of two pixels, and brings the result back to the scale and type of the input."
    )
    return "\n".join([f"# {model.name}", "", told, "", "## Validation", "", "```", *lines, "```", ""])


def _description(model: Model, package: Path) -> dict[str, Any]:
    """Return the description of a package whose other files lie there."""

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashlib.sha256((package / name).read_bytes()).hexdigest()}

    sides = [
        {"type": "space", "id": axis, "size": {"min": _side(model), "step": model.multiple}} for axis in ("y", "x")
    ]
    less = {"offset": -2 * model.beyond} if model.beyond else {}
    halo = {"halo": model.halo} if model.halo else {}
    same = [
        {"type": "space", "id": axis, "size": {"tensor_id": "image", "axis_id": axis, **less}, **halo}
        for axis in ("y", "x")
    ]
    first: list[dict[str, Any]] = [{"type": "batch"}, {"type": "channel", "channel_names": ["intensity"]}]
    scale = {
        "axes": ["channel", "y", "x"],
        "min_percentile": model.normalisation.low,
        "max_percentile": model.normalisation.high,
        "eps": EPSILON,
    }
    return {
        "type": "model",
        "format_version": VERSION,
        "name": f"temclean {model.name}",
        "description": model.summary,
        "authors": [{"name": "the authors of temclean"}],
        "license": model.licence,
        "tags": ["denoising", "restoration", "electron-microscopy", "tem", "stem", "sem", "2d", "onnx"],
        "documentation": TEXT,
        "covers": [COVER],
        "inputs": [
            {
                "id": "image",
                "axes": [*first, *sides],
                "test_tensor": file(TEST_INPUT),
                "preprocessing": [{"id": "scale_range", "kwargs": scale}],
            }
        ],
        "outputs": [{"id": "restored", "axes": [*first, *same], "test_tensor": file(TEST_OUTPUT)}],
        "weights": {"onnx": {**file(WEIGHTS), "opset_version": Outline(model.path.read_bytes()).opset}},
    }
