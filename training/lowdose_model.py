"""From a checkpoint of ``lowdose`` to a model, judged on the pairs that were held out: OUT.onnx, OUT.json, OUT.txt."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import metrics
from temclean.errors import ImageError, TemcleanWarning
from temclean.restoration import pipeline
from temclean.restoration.onnx_outline import Outline, digest
from temclean.training import export, networks, onnx_graph, particles
from temclean.training.data import PERCENTILES
from temclean.training.exposures import Pair

Array = NDArray[np.float32]

ENDS = (0.1, 99.9)
"""Percentiles of the long exposure that are 0 and 1 where errors are told; the paper's rescaling isn't told [R]."""


def limits(long: Array) -> tuple[float, float]:
    """Return the intensities of a long exposure that count as 0 and 1."""
    low, high = np.percentile(long, ENDS)
    return float(low), float(high)


def errors(long: Array, image: Array) -> dict[str, float]:
    """Return MAE and PSNR (dB) of an image against a long exposure, whose range is 1."""
    low, high = limits(long)
    span = max(high - low, 1e-12)
    truth, test = ((each - low) / span for each in (long, image))
    return {
        "mae": round(metrics.mae(truth, test), 4),
        "psnr": round(min(metrics.psnr(truth, test, 1.0), 99.0), 2),
    }


def judged(pair: Pair, restored: Array) -> tuple[dict[str, Any], particles.Comparison]:
    """Compare a restored short exposure with the long one: intensities, and particles."""
    found = particles.compare(pair.long, restored, noisy=pair.short)
    row: dict[str, Any] = {"name": pair.name, "drift_px": [round(each, 2) for each in pair.drift]}
    row |= {"short": errors(pair.long, pair.short), "restored": errors(pair.long, restored)}
    row["particles"] = particles.summary([found])
    lengths = ("diameters", found.diameters), ("fitted_diameters", found.fitted), ("distances", found.distances)
    for name, values in lengths:
        row[f"{name}_px"] = np.round(values, 2).tolist()
        if pair.pixel_nm is not None:
            row[f"{name}_nm"] = np.round(values * pair.pixel_nm, 2).tolist()
    return row, found


def report(held_out: list[Pair], model: Path) -> dict[str, Any]:
    """Judge a model on held-out pairs, through all that ``temclean denoise`` does."""
    rows, comparisons = [], []
    for pair in held_out:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TemcleanWarning)  # of one result at a time; the report says more
            restored = pipeline.denoise(pair.short, model=model, device="cpu")
        row, found = judged(pair, restored)
        rows.append(row)
        comparisons.append(found)
    means: dict[str, Any] = {}
    for image in ("short", "restored"):
        for measure in ("mae", "psnr"):
            values = [row[image][measure] for row in rows]
            means[f"{measure}_{image}"] = [round(float(np.mean(values)), 4), round(float(np.std(values)), 4)]
    return {"pairs": len(rows), **means, **particles.summary(comparisons), "each": rows}


def told(found: dict[str, Any]) -> str:
    """Put a report into words: the table of the paper, and what became of particles."""
    lines = [
        f"Held-out pairs: {found['pairs']}. Errors in parts of the long exposure's range, mean and spread:",
        f"  {'':10} {'MAE':>17} {'PSNR, dB':>17}",
    ]
    for image in ("short", "restored"):
        (mae, of_mae), (psnr, of_psnr) = found[f"mae_{image}"], found[f"psnr_{image}"]
        lines.append(f"  {image:10} {mae:8.3f} +- {of_mae:5.3f} {psnr:8.2f} +- {of_psnr:5.2f}")
    lines.append(
        f"Of {found['particles']} particles of the long exposures {found['vanished']} vanished; "
        f"{found['imaginary']} shown are not there."
    )
    if found["diameter_error_percent"] is not None:
        lines.append(
            f"Diameters of {found['measured']} round ones: their mean {found['mean_diameter_percent']:+.1f}%, "
            f"{found['diameter_bias_percent']:+.1f}% on the median, off by {found['diameter_error_percent']:.1f}%; "
            f"edges {found['edge_restored_px']:.1f} pixels wide, of {found['edge_true_px']:.1f}."
        )
    if "fitted" in found:
        lines.append(
            f"Fitted to the short exposures, as `temclean measure --raw` does ({found['fitted']} of them): "
            f"their mean {found['fitted_mean_diameter_percent']:+.1f}%, "
            f"{found['fitted_diameter_bias_percent']:+.1f}% on the median, off by "
            f"{found['fitted_diameter_error_percent']:.1f}%."
        )
    if found["distance_error_percent"] is not None:
        lines.append(f"Distances to the nearest: off by {found['distance_error_percent']:.1f}% on the median.")
    return "\n".join(lines)


def noise_levels(held_out: list[Pair]) -> tuple[float, float]:
    """Return the least and the greatest noise of short exposures, in parts of the range that the network sees."""
    levels = []
    for pair in held_out:
        low, high = np.percentile(pair.short, PERCENTILES)
        levels.append(float((pair.short - pair.long).std()) / max(float(high - low), 1e-6))
    return round(min(levels), 3), round(max(levels), 3)


def write(state: dict[str, Any], held_out: list[Pair], out: Path) -> str:
    """Export and verify a model, judge it, and write it with its report; return the report's text.

    Raises
    ------
    ImageError : a pair cannot be denoised.
    ModelError : ONNX and torch do not agree.
    """
    recipe = json.loads(state["recipe"])
    network = networks.build(recipe)
    network.load_state_dict(state["average"])
    whole = onnx_graph.to_onnx(network)
    onnx_graph.verify(network, onnx_graph.Runner(whole))
    half = onnx_graph.store_half(whole)
    widths = [10.0 * pair.pixel_nm for pair in held_out if pair.pixel_nm is not None]
    metadata: dict[str, Any] = {
        "format": 1,
        "name": out.stem,
        "family": "lde",
        "summary": "short exposures like those that it was trained on",
        "graph_sha256": digest(Outline(half.SerializeToString()).graph),
        "levels": noise_levels(held_out),
        "pixel_sizes": [round(min(widths), 4), round(max(widths), 4)] if widths else [0.0, 0.0],
        "normalisation": {
            "method": "percentile",
            "low": PERCENTILES[0],
            "high": PERCENTILES[1],
            "room": recipe["room"],
        },
        "multiple": network.multiple,
        "halo": -(-network.reach // network.multiple) * network.multiple,
        "training": export.training_of(network, state),
        "data": recipe["data"],
        "scores": {},
        "licence": "of whoever made it",
    }
    part = out.with_suffix(".part")
    export.write(half, metadata, part)
    try:
        found = report(held_out, part)
    except ImageError:
        part.unlink()
        raise
    metadata["scores"] = {"held_out": {key: value for key, value in found.items() if key != "each"}}
    export.write(half, metadata, part)
    part.replace(out)
    text = told(found)
    out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    out.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    return text
