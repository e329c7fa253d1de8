"""Turn a network that was trained on a movie into a model: all that is known about it goes into the file."""

import json
from pathlib import Path
from typing import Any

from temclean import io
from temclean.io.units import convert, tidy_unit
from temclean.restoration import models
from temclean.restoration.modelfile import FORMAT_OF_MOVIES
from temclean.restoration.onnx_outline import Outline, digest
from temclean.training.export import training_of, write
from temclean.training.footage import PERCENTILES, Measured
from temclean.training.networks.blindspot import REACH, BlindSpot
from temclean.training.onnx_graph import Runner, store_half, to_onnx, verify


def export(
    network: BlindSpot, state: dict[str, Any], out: Path, image: io.Image, measured: Measured
) -> dict[str, object]:
    """Export and verify a network that was trained on a movie; return the metadata of the model."""
    whole = to_onnx(network)
    verify(network, Runner(whole))
    half = store_half(whole)
    recipe = json.loads(state["recipe"])
    prior = models.load(recipe["prior"])
    pixel = convert(image.pixel_size[1], tidy_unit(image.unit), "Å") if image.pixel_size else None
    metadata: dict[str, object] = {
        "format": FORMAT_OF_MOVIES,
        "frames": network.frames,
        "name": out.stem,
        "family": "movie",
        "summary": f"the movie {Path(recipe['movie']).name} and movies like it",
        "graph_sha256": digest(Outline(half.SerializeToString()).graph),
        "levels": [round(measured.level, 4)] * 2,
        "pixel_sizes": [pixel, pixel] if pixel else [0.0, 0.0],
        "normalisation": {"method": "percentile", "low": PERCENTILES[0], "high": PERCENTILES[1], "room": 0.0},
        "multiple": network.multiple,
        "halo": -(-(prior.halo + REACH) // network.multiple) * network.multiple,
        "training": {**training_of(network, state), "best_step": state["best"]["step"]},
        "data": f"the frames of {Path(recipe['movie']).name}, beginning with {prior.name}",
        "scores": {},
        "licence": prior.licence,
    }
    part = out.with_suffix(".part")
    write(half, metadata, part)
    part.replace(out)
    return metadata
