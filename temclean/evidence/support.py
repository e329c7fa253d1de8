r"""What the raw image says of every spot or column of a result, and of those that the result has lost.

After the idea of Mohan et al. (2021) and Vincent et al. (2021), both in Microsc. Microanal.: atoms are found in the
result, and the likelihood of the raw image is worked out with each and without it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.errors import ImageError
from temclean.evidence import matched, noise
from temclean.evidence.likelihood import Law, correlated, ratio
from temclean.evidence.matched import Matched
from temclean.evidence.noise import NoiseReport
from temclean.evidence.samples import Mask
from temclean.metrics.columns import SHARE, column_width, columns, reach_of
from temclean.metrics.gaussians import Fit, Windows

Doubles = NDArray[np.float64]

SUPPORTED, WEAK = 1e-3, 1e-2
"""Chance of noise alone up to which a spot is supported, and up to which it is weakly."""

LOST = 1e-2
"""Spots of noise alone that an image may have among those that are called lost."""

WIDER = 2.0
"""How much wider or narrower than estimated spots are taken to be at most."""

REACH = 3.0
"""Radius of the windows, in widths: neighbours in them are taken to be as in the result."""

APART = 1.5
"""Widths of a column within which there is one column."""


@dataclass(frozen=True)
class Support:
    r"""What the raw image says of spots, those of the result first, then those that are lost.

    Attributes
    ----------
    positions : (N, 2) row and column, pixels.
    intensity, error : (N,) volume of the spot in the raw image, with its standard error: the image's unit times square
        pixels; negative where spots are dark.
    restored : (N,) the same in the result; 0 of lost spots.
    logarithm : (N,) :math:`\ln L`, logarithm of the likelihood of the raw image with the spot over that without it,
        divided by how many samples of the noise count as one; below 0 where the raw image has the contrary there.
    height : (N,) :math:`\pm\sqrt{2 |\ln L|}`: standard deviations, as far as there is noise alone.
    chance : (N,) share of the maxima of noise alone that are at least so high.
    lost : (N,) whether the result lacks it.
    dark : whether spots are darker than what surrounds them.
    map : (rows, columns) how far the raw image rises at each pixel as a spot would, in standard deviations, float32.
    """

    positions: Doubles
    intensity: Doubles
    error: Doubles
    restored: Doubles
    logarithm: Doubles
    height: Doubles
    chance: Doubles
    lost: Mask
    dark: bool
    map: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of spots."""
        return len(self.positions)

    @property
    def verdicts(self) -> list[str]:
        """``supported``, ``weak`` or ``unsupported`` of each spot of the result; ``lost`` of those it lacks."""
        place = np.where(self.chance <= SUPPORTED, 0, np.where(self.chance <= WEAK, 1, 2))
        names = ("supported", "weak", "unsupported", "lost")
        return [names[number] for number in np.where(self.lost, 3, place)]


def support(
    raw: NDArray[Any],
    result: NDArray[Any],
    report: NoiseReport | None = None,
    *,
    at: NDArray[Any] | None = None,
    width: float | None = None,
    dark: bool | None = None,
) -> Support:
    r"""Compare the raw image with and without each spot of its result.

    In a round window about the spot, the raw image is taken to be the result without the spot, and an even ground;
    or these and the spot, of the result's place and width and of a height of its own. With the greatest likelihoods of
    both under the noise of the report (`temclean.evidence.likelihood`)

    .. math:: \ln L = \pm \frac{1}{n} \ln \frac{p(\mathrm{raw} \mid \mathrm{spot})}{p(\mathrm{raw} \mid \mathrm{none})}

    where n is how many pixels of correlated noise count as one, and the sign that of the height. n is worked out from
    the report, and is more where the residual, raw minus result, scatters more over the image than the noise would have
    it. How often noise is as high is told by its maxima (`temclean.evidence.matched.chance`).

    Spots that are lost are sought in the residual, once each spot of the result is as high as the raw image has it:
    maxima of which noise alone has one in a hundred images, with a fifth of the typical intensity at least.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after, of the same scale.
    report : NoiseReport, optional
        Of the raw image; measured by default.
    at : ndarray, (N, 2), optional
        Rows and columns of the spots, in pixels; by default those that `temclean.metrics.columns` finds in the result.
    width : float, optional
        Standard deviation of a spot in pixels; estimated by default.
    dark : bool, optional
        Whether spots are darker than what surrounds them; what is more pointed by default.

    Raises
    ------
    ImageError
        If the shapes differ, or the noise cannot be measured.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> spot = lambda row, column: np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8)
    >>> raw = spot(20, 20) + spot(20, 44) + np.random.default_rng(0).normal(0, 0.2, (64, 64))
    >>> found = support(raw, spot(20, 20) + spot(44, 44))  # one is invented, and one is lost
    >>> sorted(zip(found.positions.round().astype(int).tolist(), found.verdicts))
    [([20, 20], 'supported'), ([20, 44], 'lost'), ([44, 44], 'unsupported')]
    """
    if raw.ndim != 2 or raw.shape != result.shape:
        raise ImageError(f"an image of {raw.shape} and a result of {result.shape}: rows and columns must be the same")
    report = noise.measure(raw) if report is None else report
    before, after = (image.astype(np.float64) for image in (raw, result))
    if width is None:
        width = column_width(after if np.ptp(after) > 0 else before)
    dark = _dark(after, width) if dark is None else dark
    if at is None:
        found = columns(after, width, dark=dark)
        places = found.positions
        # Fits to what is no spot may be far wider than it.
        width = float(np.clip(np.median(found.width), width / WIDER, width * WIDER)) if len(found) else width
    else:
        places = np.asarray(at, dtype=np.float64).reshape(-1, 2)
    scene = _Scene.of(before, after, report, width, dark=dark)
    there = scene.compared(places, max(2, round(REACH * width)), scene.heights(places))
    # What is too high or too low in the result would look like something missing beside it.
    righted = _Scene.of(before, scene.righted(there), report, width, dark=dark)
    missing = righted.missing(there)
    spots = [np.concatenate(pair) for pair in zip(there, missing, strict=True)]
    positions, intensity, error, restored, logarithm = spots
    height = np.sign(logarithm) * np.sqrt(2 * np.abs(logarithm))
    lost = np.arange(len(positions)) >= len(places)
    rises = scene.filter.answer(before) * np.float32(scene.sign)
    return Support(positions, intensity, error, restored, logarithm, height, matched.chance(height), lost, dark, rises)


def _dark(result: Doubles, width: float) -> bool:
    """Return whether what is dark in a result is more pointed than what is bright."""
    span = float(np.ptp(result))
    if not span > 0:
        return False
    single = ((result - result.mean()) / span).astype(np.float32)
    answer = filters.gaussian(single, 0.7 * width) - filters.gaussian(single, 1.6 * width)
    return float((answer.astype(np.float64) ** 3).mean()) < 0


Spots = tuple[Doubles, Doubles, Doubles, Doubles, Doubles]
"""Positions, intensities, errors, intensities in the result, and logarithms of likelihood ratios."""


@dataclass(frozen=True)
class _Scene:
    raw: Doubles
    result: Doubles
    law: Law
    report: NoiseReport
    specks: Mask | None
    filter: Matched
    residual: NDArray[np.float32]
    excess: float
    sign: float

    @property
    def width(self) -> float:
        return self.filter.width

    @classmethod
    def of(cls, raw: Doubles, result: Doubles, report: NoiseReport, width: float, *, dark: bool) -> "_Scene":
        law, sign = Law.of(report), -1.0 if dark else 1.0
        specks = matched.specks(raw, result, law, report)
        filter_ = Matched.of(result, law, report, width)
        left = raw - result if specks is None else np.where(specks, 0.0, raw - result)
        residual = filter_.answer(sign * left)
        return cls(raw, result, law, report, specks, filter_, residual, matched.excess(residual, width), sign)

    def heights(self, places: Doubles) -> Doubles:
        """Fit the heights of spots at places (N, 2) of the result, each beside its neighbours."""
        if not len(places):
            return np.empty(0)
        reach = reach_of(places, self.width)
        windows = Windows.about(places, reach, (self.raw.shape[0], self.raw.shape[1]))
        offset, span = float(self.result.mean()), float(np.ptp(self.result)) or 1.0
        known = Fit.of(places, np.full(len(places), self.width))
        known.measure(self.sign / span * (self.result - offset), windows)
        # Where spots are closer than they are wide, no height is above what is there.
        data = np.where(windows.inside > 0, self.sign * self.result.ravel()[windows.index], np.nan)
        contrast = np.nanmax(data, axis=1) - np.nanmin(data, axis=1)
        return np.clip(span * known.heights, 0.0, contrast)

    def compared(self, places: Doubles, reach: int, heights: Doubles) -> Spots:
        """Compare the raw image with and without spots at places (N, 2); the result has them at these heights."""
        windows = Windows.about(places, reach, (self.raw.shape[0], self.raw.shape[1]))
        shape = self.sign * windows.shapes(places, np.full(len(places), self.width)).astype(np.float64)
        data, result = (image.ravel()[windows.index] for image in (self.raw, self.result))
        weight = windows.inside.astype(np.float64)
        if self.specks is not None:
            weight *= ~self.specks.ravel()[windows.index]
        found = ratio(data, result - heights[:, None] * shape, shape, weight, self.law)
        filter_ = _filter(reach, self.width)
        count = self.excess * correlated(filter_, self.report, found.noise) * _shared(places, filter_, self.width)
        volume = 2 * np.pi * self.width**2 * self.sign
        error = np.minimum(found.error * np.sqrt(count), np.finfo(np.float32).max) * abs(volume)
        return places, volume * found.height, error, volume * heights, found.logarithm / count

    def righted(self, there: Spots) -> Doubles:
        """Return the result with each spot as high as the raw image has it."""
        shape = self.raw.shape[0], self.raw.shape[1]
        windows = Windows.about(there[0], max(2, round(REACH * self.width)), shape)
        bells = windows.inside * windows.shapes(there[0], np.full(len(there[0]), self.width))
        change = (there[1] - there[3]) / (2 * np.pi * self.width**2)
        drawn = (bells * change[:, None]).ravel()
        return self.result + np.bincount(windows.index.ravel(), drawn, self.result.size).reshape(shape)

    def missing(self, there: Spots) -> Spots:
        """Return the spots that the residual has and the result has not."""
        answer = self.residual / np.float32(np.sqrt(self.excess))
        peaks = matched.peaks(answer)
        height = answer[peaks[:, 0], peaks[:, 1]]
        few = matched.chance(height) * len(peaks) < LOST
        places = peaks[few][np.argsort(-height[few], kind="stable")].astype(np.float64)
        places = _apart(places, there[0], APART * self.width)
        spots = self.compared(places, max(2, round(REACH * self.width)), np.zeros(len(places)))
        typical = float(np.median(np.abs(there[3]))) if len(there[3]) else 0.0
        likely = matched.chance(np.sqrt(2 * np.maximum(spots[4], 0.0))) * len(peaks) < LOST
        kept = likely & (np.abs(spots[1]) >= SHARE * typical)
        return spots[0][kept], spots[1][kept], spots[2][kept], spots[3][kept], spots[4][kept]


def _filter(reach: int, width: float) -> Doubles:
    """Return the filter that the fit of a spot and an even ground in a round window comes to."""
    line = np.arange(-reach, reach + 1)
    away = np.hypot(line[:, None], line)
    inside = away < reach + 0.5
    bell = np.exp(-0.5 * (away / width) ** 2)
    found: Doubles = np.where(inside, bell - bell[inside].mean(), 0.0)
    return found


def _shared(places: Doubles, filter_: Doubles, width: float) -> Doubles:
    r"""Return how much neighbours, whose heights are not known for sure, add to the variance of a spot's height (N,).

    A spot of height 1 at the distance d adds c(d) to the answer of a filter, over that to a spot in its middle:
    :math:`1 + \sum_j c(d_j)^2`.
    """
    reach = len(filter_) // 2
    away = np.arange(0.0, reach + 4 * width, 0.25)
    line = np.arange(-reach, reach + 1)
    bells = np.exp(-0.5 * (line[:, None] ** 2 + (line - away[:, None, None]) ** 2) / width**2)
    answers = (bells * filter_).sum(axis=(1, 2))
    squares = (answers / answers[0]) ** 2
    found = np.ones(len(places))
    for start in range(0, len(places), 512):
        part = places[start : start + 512]
        distance = np.hypot(part[:, :1] - places[:, 0], part[:, 1:] - places[:, 1])
        near = (distance < away[-1]) & (distance > 0)
        where = np.nonzero(near)
        found[start : start + 512] += np.bincount(where[0], np.interp(distance[where], away, squares), len(part))
    return found


def _apart(places: Doubles, others: Doubles, distance: float) -> Doubles:
    """Return the places (N, 2) that are further than a distance from all others, and from those before them."""
    kept: list[Doubles] = []
    taken = others
    for place in places:
        if not len(taken) or float(np.hypot(*(taken - place).T).min()) > distance:
            kept.append(place)
            taken = np.concatenate([taken.reshape(-1, 2), place[None]])
    return np.array(kept).reshape(-1, 2)
