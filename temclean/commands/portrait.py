"""A model in plain sentences: what it is for, where its limits are, how well it does; its training comes last."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from temclean.restoration.models import Model

WIDTH = 100

LEVELS = {
    "g": "of the range of intensities",
    "sp": "of the pixels",
    "gsp": "of the range of intensities, and of the pixels",
    "bbg": "of the range of intensities",
}
"""What a noise level is a share of."""


def record(model: Model) -> dict[str, Any]:
    """Return all that is known of a model, its training last, as any JSON writer takes it."""
    known = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(model).items()}
    return known | {"training": known.pop("training")}


def portrait(model: Model) -> Iterator[str]:
    """Yield lines for people who choose a model."""
    yield f"{model.name}: {model.summary}"
    yield ""
    yield "Limits"
    low, high = model.levels
    share = f" (a share {LEVELS[model.family]})" if model.family in LEVELS else ""
    least, most = model.pixel_sizes
    yield from _paragraph(
        f"It has learned noise levels of {low:g} to {high:g}{share} and pixels of {least:g} to {most:g} Å. Beyond "
        "these it may invent features or lose them; compare its result with the original before you measure on it."
    )
    if model.frames > 1:
        yield from _paragraph(f"It looks at {model.frames} frames of a movie to restore the middle one.")
    if model.joined > 1:
        yield from _paragraph(
            f"Of a movie {model.joined} frames are taken together, where they agree with the middle one, which is "
            "restored; denoise --frames 1 takes each by itself."
        )
    yield from _paragraph(f"It was trained on {model.data.replace('simulated: ', 'simulated images only: ', 1)}.")
    for name, lattices in model.scores.items():
        if name.startswith("spots_") and isinstance(lattices, dict):
            yield from _paragraph(_of_columns(name.removeprefix("spots_"), lattices))
    for title, rows in _tables(model.scores):
        yield ""
        yield title
        yield from rows
    yield ""
    yield from _of_training(model)
    yield f"licence: {model.licence}"
    yield f"path: {model.path}"
    yield f"sha256: {model.sha256}"
    yield f"Every score and every training run: temclean models {model.name} --full"


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _of_columns(level: str, lattices: dict[str, Any]) -> str:
    """Say how many columns are lost and invented, of the plane lattices that do worst."""
    try:
        true, found = ({kind: float(pair[place]) for kind, pair in lattices.items()} for place in (0, 1))
        worst_true, worst_found = min(true, key=true.__getitem__), min(found, key=found.__getitem__)
    except (TypeError, ValueError, LookupError):
        return ""
    return (
        f"At noise level {level} it finds at least {100 * found[worst_found]:.1f}% of the columns of simulated plane "
        f"lattices (the worst are {worst_found}), and at least {100 * true[worst_true]:.1f}% of the columns that it "
        f"shows are there (the worst are {worst_true})."
    )


def _tables(scores: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield titles and tables of the MS-SSIM by noise level."""
    levels = _two_deep(scores.get("ms_ssim"))
    if levels:
        kinds = [kind for kind in next(iter(levels.values())) if " " not in kind]
        rows = [[level, *(_number(values.get(kind)) for kind in kinds)] for level, values in levels.items()]
        title = "Mean MS-SSIM with the truth (1 is perfect), on simulated images that took no part in its training"
        yield title, _aligned([["noise level", *kinds], *rows])
    sizes = _two_deep(scores.get("graphene"))
    if sizes:
        heads = list(next(iter(sizes.values())))
        rows = [[head, *(_number(values.get(head)) for values in sizes.values())] for head in heads]
        titles = [f"{size.removesuffix(' A')} Å a pixel" for size in sizes]
        title = "The same on graphene from first principles, of a structure that took no part in its training"
        yield title, _aligned([["noise level", *titles], *rows])
    yield from _of_microscopes(_two_deep(scores.get("validation")))
    yield from _of_particles(_two_deep(scores.get("short_exposures")))


def _of_microscopes(found: dict[str, dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Yield title and table of the scores on pairs of whole microscopes."""
    if not found:
        return
    heads = ["pairs", "PSNR noisy", "restored", "MS-SSIM noisy", "restored"]
    keys = ["psnr_noisy", "psnr_restored", "ms_ssim_noisy", "ms_ssim_restored"]
    rows = [[name, *(_number(values.get(key)) for key in keys)] for name, values in found.items()]
    title = (
        "Mean PSNR (dB) and MS-SSIM with the truth, after the line that fits best, on simulated pairs that took no part"
        " in training (hr: atoms, lr: low magnification)"
    )
    yield title, _aligned([heads, *rows])


def _of_particles(found: dict[str, dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Yield title and table of what becomes of particles at five electrons a pixel."""
    if not found:
        return
    heads = ["contrast", "MAE", "PSNR", "particles", "vanished", "imaginary", "diameter off by %"]
    keys = ["mae_restored", "psnr_restored", "particles", "vanished", "imaginary", "diameter_error_percent"]
    rows = [
        [
            contrast,
            *(str(values[key]) if isinstance(values.get(key), int) else _number(values.get(key)) for key in keys),
        ]
        for contrast, values in found.items()
    ]
    title = "Particles of 30 to 200 nm at 5 electrons a pixel of 3 nm, simulated, that took no part in its training"
    yield title, _aligned([heads, *rows])


def _of_training(model: Model) -> Iterator[str]:
    facts = model.training
    runs = facts.get("runs")
    parts = [
        f"{facts['hours']:.1f} hours" if isinstance(facts.get("hours"), int | float) else "",
        f"{facts['images']:,} images" if isinstance(facts.get("images"), int) else "",
        f"{len(runs)} runs" if isinstance(runs, list) else "",
        f"{facts['parameters']:,} parameters" if isinstance(facts.get("parameters"), int) else "",
    ]
    if any(parts):
        yield f"training: {', '.join(filter(None, parts))}"


def _two_deep(found: Any) -> dict[str, dict[str, Any]]:
    """Return a table of tables, empty where a model says something else."""
    if not isinstance(found, dict) or not found or not all(isinstance(each, dict) for each in found.values()):
        return {}
    return found


def _number(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "-"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return [f"  {line.rstrip()}" for line in lines]
