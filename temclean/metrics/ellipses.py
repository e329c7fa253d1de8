r"""Fit particles to a raw image: ellipses with the edges of :mod:`profiles`, each on a sloped ground of its own.

A restored image shows where particles are, but a network draws faint ones smaller than they are; the raw image has far
more noise, and none of that bias. Least squares, weighed by the noise, find height, ground, place, size and form of
each particle. Mix and blur of the profile are those of all particles together. As each particle is fitted to its own
noise, which sharp edges do best, they are not those of greatest likelihood, but of greatest

.. math:: \sum_k -\tfrac12 \chi_k^2 - \lambda \ln \det N_k

over the clear particles k, N being the normal matrix of one (as Cox and Reid 1987, J. R. Stat. Soc. B 49, 1), with a
prior: particles are nearly balls, behind a blur of about a pixel. Faint ones alone would tell nothing of that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.metrics.outlines import Window, away, cut_out, matrix
from temclean.metrics.profiles import half, profile
from temclean.metrics.scatter import growth_of_variance

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

OWN = 9
"""Figures of one particle: height, ground, its slopes down and right, row, column, logarithm of R, form along the rows
and across them."""

SHAPE, LOOSE = np.array([0.85, math.log(0.8)]), np.array([0.1, 0.3])
"""The mix and the logarithm of the blur in pixels before anything is known, and their standard deviations."""

LEAST_BLUR, MOST_BLUR = 0.5, 20.0
"""Pixels."""

FORM, PLACE = 0.1, 0.1
"""Standard deviations by which a particle may be off its outline before the raw image is looked at: in its form, the
logarithm of a half-axis over R, and in its place, in radii."""

PENALTY = 0.3
"""The factor of the determinant's logarithm. Simulated particles ask for less than the half of Cox and Reid: with 0
their edges come out too sharp and diameters 1.5% too large, with a half too soft and 0.8% too small (by hand)."""

STEPS = 12
FREE, WHOLE = 2, 6
"""Steps after which the profile is fitted too, and after which all steps are halved, so that they come to rest."""

LONGEST = np.array([np.inf] * 4 + [0.25, 0.25, 0.2, 0.15, 0.15])
"""Longest steps, places in radii."""

BOUND = 0.9
"""By how much the logarithm of R may be off that of the outline."""

CLEAR = 0.08
"""Standard error of log R of a particle that tells of the profile."""

SURE, SETTLED = 0.3, 0.05
"""Greatest error of a diameter in diameters, and the last step of log R, with which a fit holds."""

MISFIT, TOLERATED = 2.5, 0.05
"""Mean square of what is left in sectors in standard errors with which it holds, a share of the height aside."""

SECTORS, EDGE, FEW = 12, 0.3, 4
"""Sectors of the edge, on either side of it, how wide it is there in radii, and the least pixels of one."""

WIDER, FAINT = 1.2, 12.0
"""By how much errors are widened, and how much more where they are large, in diameters, so that 95% of the truths of
simulated particles lie within 1.96 of them: the fit is not quite as linear as they take it to be."""

HANGS = 3
"""Pixels up to which noise may hang together."""


@dataclass(frozen=True)
class Ellipses:
    """Fitted particles, in pixels.

    Attributes
    ----------
    places : (N, 2) row and column.
    diameter, error : (N,) of the circle as large as the ellipse in which a particle has half of its height or more, and
        its standard error.
    outline : (N, 2, 2) what makes that ellipse of a circle of radius 1, rows and columns.
    height : (N,) above the ground, negative of dark ones.
    holds : (N,) whether a particle is such an ellipse, as far as the noise lets see it, and well enough known.
    mix, blur : of the profile of all.
    """

    places: Floats
    diameter: Floats
    error: Floats
    outline: Floats
    height: Floats
    holds: NDArray[np.bool_]
    mix: float
    blur: float


@dataclass
class _State:
    """Where a fit has come to.

    Of each particle its figures, their covariance with the profile's, the last step, and what sharp edges lose by it.
    """

    own: Floats
    shape: Floats
    covariance: Floats
    step: Floats
    sharpness: Floats
    growth: float = 0.0
    dark: float = 0.0


def fit(raw: ArrayLike, labels: Numbers, numbers: Sequence[int]) -> Ellipses:
    """Fit ellipses to what a raw image (H, W) shows where labels (H, W) have some numbers; 0 is the ground.

    Where other numbers lie is left out, a fifth of a radius and two pixels about them.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> disc = np.clip(10.5 - np.hypot(y - 30, x - 33), 0, 1)
    >>> noisy = np.random.default_rng(1).normal(100 - 40 * disc, 10)
    >>> fit(noisy, (disc > 0.5).astype(int), [1]).diameter.round()
    array([20.])
    """
    pixels, count = np.asarray(raw, np.float64), len(numbers)
    windows = [cut_out(pixels, labels, each) for each in numbers]
    state = _State(
        np.array([_start(each) for each in windows]).reshape(-1, OWN),
        SHAPE.copy(),
        np.zeros((count, OWN + 2, OWN + 2)),
        np.zeros(count),
        np.zeros((count, 2)),
    )
    for turn in range(STEPS if count else 0):
        _step(state, windows, turn)
        if turn in (FREE, WHOLE):
            made = [_model(each, own, state.shape)[0] for each, own in zip(windows, state.own, strict=True)]
            left = np.concatenate([each.data - mean for each, mean in zip(windows, made, strict=True)])
            state.growth, state.dark = growth_of_variance(np.concatenate(made), left, np.ones(len(left)))
    return _told(state, windows)


def _start(window: Window) -> Floats:
    own = np.concatenate([np.zeros(6), [math.log(1.08 * window.radius)], window.form])
    rows = _model(window, own, SHAPE)[1][:4]
    own[:4] = np.linalg.lstsq(rows.T, window.data, rcond=None)[0]
    return own


def _model(window: Window, own: Floats, shape: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the model (P,), its slopes by a particle's own figures (OWN, P), and by mix and log blur (2, P)."""
    height, radius, form = own[0], math.exp(own[6]), own[7:]
    blur = math.exp(shape[1])
    wide = math.sqrt(blur**2 + (window.coarse**2 - 1) / 12)
    down, right = window.down - own[4], window.right - own[5]
    y, x, far, turn = away(down, right, form)
    found = profile(far, radius, shape[0], wide)
    slopes = np.empty((OWN, len(far)))
    slopes[0], slopes[1] = found.value, 1.0
    slopes[2], slopes[3] = window.down / window.radius, window.right / window.radius
    along = height * found.by_distance
    slopes[4:6] = -turn.T @ np.stack([y, x]) * (along / far)
    slopes[6] = height * found.by_radius * radius
    for which in range(2):
        slopes[7 + which] = along * (away(down, right, form + 1e-4 * np.eye(2)[which])[2] - far) / 1e-4
    by_shape = height * np.stack([found.by_mix, found.by_blur * blur**2 / wide])
    return own[:4] @ slopes[:4], slopes, by_shape


def _weights(state: _State, made: Floats, left: Floats) -> Floats:
    """Return the inverse variance of pixels (P,)."""
    weight = 1 / np.maximum(1 + state.growth * (made - state.dark), 0.05)
    return weight * max(len(left) - OWN, 1) / max(float((left * left * weight).sum()), 1e-300)


def _step(state: _State, windows: list[Window], turn: int) -> None:
    """Take a step of Gauss and Newton with all particles and their common profile."""
    known_of_all, slope = np.diag(LOOSE**-2), (SHAPE - state.shape) / LOOSE**2
    known = []
    for each, (window, own) in enumerate(zip(windows, state.own, strict=True)):
        made, slopes, by_shape = _model(window, own, state.shape)
        left = window.data - made
        weight = _weights(state, made, left)
        prior = np.zeros(OWN)
        prior[4:6], prior[7:] = (PLACE * window.radius) ** -2, FORM**-2
        weighed = slopes * weight
        inverse = _inverse(weighed @ slopes.T + np.diag(prior))
        pull = weighed @ left - prior * (own - np.concatenate([np.zeros(7), window.form]))
        mixed = weighed @ by_shape.T
        if window.simple and inverse[6, 6] < CLEAR**2:
            known_of_all = known_of_all + (by_shape * weight) @ by_shape.T - mixed.T @ inverse @ mixed
            slope = slope + (by_shape * weight) @ left - mixed.T @ inverse @ pull
            if turn % 2 == 0:
                state.sharpness[each] = _sharpness(window, own, state.shape, weight, prior)
            slope = slope - PENALTY * state.sharpness[each]
        known.append((inverse, mixed, pull))
    free = np.linalg.inv(known_of_all)
    bounds = [0.0, math.log(LEAST_BLUR)], [1.0, math.log(MOST_BLUR)]
    shape = np.clip(state.shape + np.clip(0.6 * free @ slope, -0.2, 0.2), *bounds) if turn >= FREE else state.shape
    change = shape - state.shape
    for each, (inverse, mixed, pull) in enumerate(known):
        radius = windows[each].radius
        longest = LONGEST * np.array([1, 1, 1, 1, radius, radius, 1, 1, 1])
        step = np.clip(inverse @ (pull - mixed @ change), -longest, longest) * (0.5 if turn >= WHOLE else 1.0)
        state.own[each] += step
        start = math.log(radius)
        state.own[each, 6] = np.clip(state.own[each, 6], start - BOUND, start + BOUND)
        state.step[each] = abs(step[6])
        cross = -inverse @ mixed @ free
        state.covariance[each] = np.block([[inverse - cross @ mixed.T @ inverse, cross], [cross.T, free]])
    state.shape = shape


def _inverse(normal: Floats) -> Floats:
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    scale = scale[:, None] * scale
    inverse: Floats = np.linalg.inv(normal * scale + 1e-9 * np.eye(len(normal))) * scale
    return inverse


def _sharpness(window: Window, own: Floats, shape: Floats, weight: Floats, prior: Floats) -> Floats:
    """Return how the logarithm of the determinant of the normal matrix grows with mix and log blur (2,)."""
    logarithms = []
    for step in 0.02 * np.array([[0, 0], [1, 0], [0, 1]]):
        slopes = _model(window, own, shape + step)[1]
        logarithms.append(np.linalg.slogdet((slopes * weight) @ slopes.T + np.diag(prior))[1])
    grown: Floats = (np.array(logarithms[1:]) - logarithms[0]) / 0.02
    return grown


def _told(state: _State, windows: list[Window]) -> Ellipses:
    count = len(windows)
    (mix, blur), radii = (state.shape[0], math.exp(state.shape[1])), np.exp(state.own[:, 6])
    diameter, error, holds = np.zeros(count), np.zeros(count), np.zeros(count, bool)
    halves = [half(float(radius), mix, blur) for radius in radii]
    left = [each.data - _model(each, own, state.shape)[0] for each, own in zip(windows, state.own, strict=True)]
    parts = list(zip(windows, state.own, left, halves, strict=True))
    hangs = {
        coarse: float(np.median([_hanging(*each) for each in parts if each[0].coarse == coarse]))
        for coarse in {each.coarse for each in windows}
    }
    for each, window in enumerate(windows):
        radius, at = float(radii[each]), halves[each]
        grown = np.zeros(OWN + 2)
        grown[6] = (half(1.01 * radius, mix, blur) - at) / math.log(1.01)
        grown[9] = (half(radius, mix + 0.01, blur) - at) / 0.01
        grown[10] = (half(radius, mix, 1.02 * blur) - at) / math.log(1.02)
        diameter[each] = 2 * at
        share = math.sqrt(hangs[window.coarse] * max(grown @ state.covariance[each] @ grown, 0.0)) / max(at, 1e-9)
        error[each] = diameter[each] * share * math.hypot(WIDER, FAINT * share)
        fits = _misfit(state, window, state.own[each], left[each], at, hangs[window.coarse]) < MISFIT
        sure = error[each] < SURE * diameter[each] and state.step[each] < SETTLED
        holds[each] = window.simple and fits and sure
    return Ellipses(
        places=np.array([each.middle for each in windows]).reshape(-1, 2) + state.own[:, 4:6],
        diameter=diameter,
        error=error,
        outline=np.array([matrix(-own[7:]) for own in state.own]).reshape(-1, 2, 2) * diameter[:, None, None] / 2,
        height=state.own[:, 0],
        holds=holds,
        mix=float(mix),
        blur=blur,
    )


def _ground(window: Window, own: Floats, at: float) -> NDArray[np.bool_]:
    """Return which pixels lie well outside a particle with half of its height at a distance."""
    beyond: NDArray[np.bool_] = away(window.down - own[4], window.right - own[5], own[7:])[2] > (1 + EDGE) * at
    return beyond


def _hanging(window: Window, own: Floats, left: Floats, at: float) -> float:
    """Return by how much the variance of sums over the ground is greater than that of as many pixels of white noise."""
    rows, columns = window.inside.shape
    square = np.zeros((rows, columns))
    square[window.inside] = left * _ground(window, own, at)
    sides = rows + HANGS, columns + HANGS
    along = np.fft.irfft2(np.abs(np.fft.rfft2(square, sides)) ** 2, sides)
    lags = np.arange(-HANGS, HANGS + 1)
    return max(1.0, float(along[np.ix_(lags, lags)].sum() / max(along[0, 0], 1e-300)))


def _misfit(state: _State, window: Window, own: Floats, left: Floats, at: float, hangs: float) -> float:
    """Return the mean square of what is left in sectors, in standard errors."""
    y, x, far, _ = away(window.down - own[4], window.right - own[5], own[7:])
    edge = abs(far - at) < EDGE * at
    turned = ((np.arctan2(y, x) / math.pi + 1) * SECTORS / 2).astype(np.intp) % SECTORS
    sector = np.where(edge, turned + SECTORS * (far > at), 2 * SECTORS)
    variance, ground = 1 / _weights(state, window.data - left, left), _ground(window, own, at)
    if ground.any():  # what is left of a particle that is no ellipse is no noise
        variance *= np.mean(left[ground] ** 2) / np.mean(variance[ground])
    number, sums, noise = (
        np.bincount(sector, each, 2 * SECTORS + 1)[:-1] for each in (np.ones(len(left)), left, variance)
    )
    there = number >= FEW
    mean = sums[there] / number[there]
    doubt = hangs * noise[there] / number[there] ** 2 + (TOLERATED * own[0]) ** 2
    return float((mean**2 / doubt).mean()) if there.any() else 0.0
