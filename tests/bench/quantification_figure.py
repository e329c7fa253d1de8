"""The figure of bench_quantification.py: a row for each specimen, errors against dose."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

LAST = {"perfect": ("found", "columns found [%]"), "dislocation": ("core", "error at the core [pm]"),
        "particle": ("counted", "atoms counted right [%]")}  # fmt: skip
CROP = 128
"""Pixels of the middle that are shown."""

COLOURS = 64


def picture(axes: Axes, image: np.ndarray, title: str) -> None:
    """Show the middle of an image."""
    first = (image.shape[0] - CROP) // 2
    middle = image[first : first + CROP, first : first + CROP]
    low, high = np.percentile(middle, (0.5, 99.5))
    axes.imshow(middle, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])


def curves(axes: Axes, rows: list[dict], key: str, title: str) -> None:
    """Draw what each restorer reaches against dose; percentages of a whole on a plain scale."""
    for name in dict.fromkeys(row["name"] for row in rows):
        own = [row for row in rows if row["name"] == name and key in row]
        if own:
            style = "k--" if name == "bound" else "o-"
            axes.plot([row["dose"] for row in own], [row[key] for row in own], style, ms=3, lw=1, label=name)
    axes.set_xscale("log")
    if key in ("found", "counted"):
        axes.set_ylim(0, 103)
    else:
        axes.set_yscale("log")
    axes.set_title(title)


def draw(rows: list[dict], shown: dict[tuple[str, str], np.ndarray], out: Path) -> None:
    """Draw all rows of the tables, and what was raw and what the first model made of it at the least dose."""
    plt.rcParams.update({"font.size": 7, "axes.titlesize": 7})
    names = list(dict.fromkeys(row["specimen"] for row in rows))
    model = next(row["name"] for row in rows if row["name"] not in ("raw", "bound"))
    least = min(row["dose"] for row in rows)
    figure, axes = plt.subplots(len(names), 5, figsize=(11, 2.1 * len(names)), dpi=100, layout="constrained")
    for line, name in zip(axes, names, strict=True):
        own = [row for row in rows if row["specimen"] == name]
        picture(line[0], shown[name, "raw"], f"{name}, raw, {least:.0f} e/Å²")
        picture(line[1], shown[name, model], model)
        curves(line[2], own, "pm", "error of positions [pm]")
        curves(line[3], own, "intensity", "error of intensities [%]")
        curves(line[4], own, *LAST[name])
        line[2].legend(frameon=False)
    for axis in axes[-1, 2:]:
        axis.set_xlabel("dose [e/Å²]")
    figure.savefig(out)
    plt.close(figure)
    with Image.open(out) as drawn:
        drawn.convert("RGB").quantize(COLOURS).save(out, optimize=True)
