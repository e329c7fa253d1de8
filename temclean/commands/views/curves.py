"""Radial spectra and histograms of a raw image and its result, and how they are drawn on a page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.commands.views import greys
from temclean.commands.views.greys import Floats

SQUARE = 1024
"""Side of the middle square, in pixels, of which spectra are taken, at most."""

POINTS = 100
"""Of a curve, at most."""

ENDS = 0.1, 99.9
"""Percentiles between which histograms are drawn."""

SAMPLE = 2**20
"""Pixels that are enough for a histogram."""

WIDTH, HEIGHT = 300, 150
"""Of a drawing, in its own units."""


@dataclass(frozen=True)
class Curves:
    """Two curves over one axis: of the raw image and of the result.

    Attributes
    ----------
    x : (points,).
    raw, restored : (points,).
    """

    x: Floats
    raw: Floats
    restored: Floats


def spectra(raw: NDArray[Any], restored: NDArray[Any]) -> Curves:
    """Return the radial power spectra of both over the spatial frequency in cycles a pixel, up to 0.5."""
    (x, before), (_, after) = spectrum(raw), spectrum(restored)
    return Curves(x, before, after)


def spectrum(frame: NDArray[Any]) -> tuple[Floats, Floats]:
    r"""Return spatial frequencies in cycles a pixel, and the mean power of a frame (rows, columns) at each.

    .. math:: P(k) = \left\langle |F(w (p - \bar p))|^2 \right\rangle_{|q| = k} / \sum w^2

    with w a Hann window over the middle square, of 2 pixels or more a side. White noise of variance
    :math:`\sigma^2` has :math:`P = \sigma^2`.

    Examples
    --------
    >>> k, power = spectrum(np.random.default_rng(0).normal(0, 2, (256, 256)))
    >>> float(k[-1]), bool(abs(power[5:].mean() - 4) < 0.1)
    (0.5, True)
    """
    side = min(SQUARE, *frame.shape)
    square = greys.middle(frame, side)[:side, :side].astype(np.float64)
    window = np.hanning(side + 2)[1:-1]
    power = np.abs(np.fft.rfft2((square - square.mean()) * window[:, None] * window)) ** 2 / (window @ window) ** 2
    half = side // 2
    last = min(half, POINTS)
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)) * side
    ring = np.rint(radius * (last / half)).astype(int).ravel()
    rings = slice(1, last + 1)  # neither the mean, nor the corners
    counts, sums = np.bincount(ring)[rings], np.bincount(ring, power.ravel())[rings]
    return np.arange(1, last + 1) / last * half / side, sums / counts


def histograms(raw: NDArray[Any], restored: NDArray[Any]) -> Curves:
    """Return the shares of the pixels of both in equal steps of the intensity, between the outer `ENDS` of the two.

    Of more than `SAMPLE` pixels an even part is looked at.
    """
    step = math.isqrt(max(1, raw.size // SAMPLE))
    raw, restored = (each[::step, ::step] for each in (raw, restored))
    ends = np.array([np.percentile(each, ENDS) for each in (raw, restored)], np.float64)
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if not high > low:
        high = low + 1
    edges = np.linspace(low, high, POINTS + 1)
    before, after = (np.histogram(each, edges)[0] / each.size for each in (raw, restored))
    return Curves((edges[1:] + edges[:-1]) / 2, before, after)


def drawing(curves: Curves, labels: Sequence[str], *, logarithmic: bool = False) -> str:
    """Return curves as SVG, ``labels`` at the left, the middle and the right of their axis; they hold no markup."""
    both = np.stack([curves.raw, curves.restored])
    if logarithmic:
        both = np.log10(np.maximum(both, both.max() * 1e-9 or 1))
    low, high = (float(both.min()), float(both.max())) if logarithmic else (0.0, float(both.max()))
    y = HEIGHT - 4 - (both - low) / ((high - low) or 1) * (HEIGHT - 8)
    x = (curves.x - curves.x[0]) / ((curves.x[-1] - curves.x[0]) or 1) * WIDTH
    lines = "".join(
        f'<polyline class="{name}" points="{" ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x, line, strict=True))}"/>'
        for name, line in zip(("raw", "restored"), y, strict=True)
    )
    places = ((0, "start"), (WIDTH // 2, "middle"), (WIDTH, "end"))
    texts = "".join(
        f'<text x="{place}" y="{HEIGHT + 14}" text-anchor="{anchor}">{label}</text>'
        for (place, anchor), label in zip(places, labels, strict=True)
    )
    axis = f'<line x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>'
    return f'<svg viewBox="-6 0 {WIDTH + 12} {HEIGHT + 20}" role="img">{axis}{lines}{texts}</svg>'
