"""Turn a network of Noise2Atom into a model: all that is known about it goes into the file."""

from pathlib import Path
from typing import Any

from temclean.restoration.onnx_outline import Outline, digest
from temclean.training.export import training_of, write
from temclean.training.footage import PERCENTILES
from temclean.training.networks import CGRDN, ResidualUNet, ResNetUNet
from temclean.training.onnx_graph import Runner, store_half, to_onnx, verify

JOINED = 3
"""Frames of a movie that are taken together for these models: more atoms are found, fewer are false."""


def export(
    network: ResidualUNet | CGRDN | ResNetUNet,
    state: dict[str, Any],
    out: Path,
    told: dict[str, Any],
    pixels: tuple[float, float],
) -> dict[str, object]:
    """Export and verify a network; return the metadata of the model.

    Parameters
    ----------
    network : what to export.
    state : its checkpoint.
    out : the model's file, by whose stem it is called.
    told : its "summary", "data", "scores" and "levels".
    pixels : least and greatest pixel size in training, Å; 0 where it is not known.
    """
    whole = to_onnx(network)
    verify(network, Runner(whole))
    half = store_half(whole)
    metadata: dict[str, object] = {
        "format": 1,
        "name": out.stem,
        "family": "n2a",
        **told,
        "graph_sha256": digest(Outline(half.SerializeToString()).graph),
        "pixel_sizes": list(pixels),
        "normalisation": {"method": "percentile", "low": PERCENTILES[0], "high": PERCENTILES[1], "room": 0.0},
        "multiple": network.multiple,
        "joined": JOINED,
        "halo": -(-network.reach // network.multiple) * network.multiple,
        "training": training_of(network, state),
        "licence": "BSD-3-Clause",
    }
    part = out.with_suffix(".part")
    write(half, metadata, part)
    part.replace(out)
    return metadata
