"""The noise of one image, measured from the image itself: its kind, its strength, and how sure that is."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from temclean.errors import ImageError
from temclean.evidence import correlation, cut, impulses, samples, spectrum, variance
from temclean.evidence.impulses import Suspects
from temclean.evidence.samples import Mask, Sample
from temclean.evidence.spectrum import Structure

IMPULSES, FINE = 1e-4, 0.4
"""Share of wild pixels from which on they are named: a camera's few hot pixels are left to `dark` and `bright`; and
correlation along both axes from which on what looks like grain is fine structure."""

BY_STRUCTURE, BY_CUTS, ALONG_BY_STRUCTURE = 0.11, 0.25, 0.015
"""Share of the variance in doubt where hardly anything but structure varies, and where all noise is cut off: so much
it is off on simulated images (``tests/bench/bench_inspect.py``); and correlation in doubt where structure varies."""

WIDER, WIDER_OF_IMPULSES, WIDER_ALONG = 1.41, 1.30, 1.28
"""By how much standard errors of the strength, impulses and correlations are widened so that 95% of the truths of
simulated images lie within 1.96 of them: printed by `bench_inspect.py --seed 19 20 --count 16 --size 320`."""

WIDER_OF_LINES = 1.28
"""The same of the noise that whole rows share: in 160 images of 256 rows of 24 to 256 pixels the root mean square of
what it was off, over its error, was 1.21 to 1.33."""

BY_FINE, AS_FINE, BY_LAW = 0.3, 3.2, 0.015
"""Share of the noise's strength in doubt where structure reaches periods of half of AS_FINE pixels, and the period from
which on it is in none: the noise is measured by what changes so quickly. Simulated lattices of 0.2 to 0.4 Å a pixel ask
for it: the truth is then within 1.96 errors for 95% of them, which was 89%, and 76% of the finest. The
share BY_LAW is in doubt in any image: no detector's noise follows the report's laws more closely."""

ALL, NOTHING = 0.55, 1e-4
"""Standard error, of the strength, with which 95% reach down to nothing; and noise, of the range of the image, below
which nothing is said of what it depends on."""


@dataclass(frozen=True)
class NoiseReport:
    r"""What noise an image holds; the variance of a pixel of intensity p is :math:`\sigma^2 + g\,(p - p_0)`.

    Intensities are in the image's own units. Of p_0 and sigma one is 0: a detector's offset and its noise at no signal
    cannot be told apart by one image. All errors are one standard deviation: of chance, and of what fine structure and
    being cut off leave in doubt, widened by what simulated images showed to be missing. Noise that varies slowly, such
    as a camera's pink noise, counts as structure.

    Attributes
    ----------
    sigma, sigma_error : noise that does not depend on the signal: the standard deviation.
    gain, gain_error : growth of the variance with the intensity: units an electron, where electrons are counted one
        by one and nothing has been rescaled; 0 where it is not sure, the error then telling what it may be; below 0
        where bright is quiet, as in reversed images.
    middle, middle_error : the intensity at which the variance is surest, and its standard error there.
    offset : p_0, the intensity at which nothing was counted.
    dark, bright : share of the pixels that are wild, far below or above their surroundings, Gaussian tails taken off.
    impulses_error : standard error of the sum of both.
    row, row_error, column, column_error : standard deviation of what all pixels of a row, or of a column, share.
    along_rows, along_columns : correlation of the noise with the next 1, 2, ... pixels of the row, and of the column.
    along_error : standard error of these correlations by chance; `along_doubt` knows of fine structure too.
    row_length, column_length : pixels after which these fall to 1/e; 0 of white noise.
    clipped_low, clipped_high : share of the pixels at the least and the greatest value, where noise is cut off there;
        of counted electrons zeros are not told from what was below 0.
    step : from one possible value to the next; 0 where there is no grid.
    low, high : least and greatest value of what was looked at.
    filled : from the least to the greatest value, but for outliers far beyond all others.
    pixels : how many these are.
    """

    sigma: float
    sigma_error: float
    gain: float
    gain_error: float
    middle: float
    middle_error: float
    offset: float
    dark: float
    bright: float
    impulses_error: float
    row: float
    row_error: float
    column: float
    column_error: float
    along_rows: tuple[float, ...]
    along_columns: tuple[float, ...]
    along_error: float
    row_length: float
    column_length: float
    clipped_low: float
    clipped_high: float
    step: float
    low: float
    high: float
    filled: float
    pixels: int

    @property
    def impulses(self) -> float:
        """Share of the pixels that are wild."""
        return self.dark + self.bright

    @property
    def offset_error(self) -> float:
        """Standard error of the offset; 0 where it was not measured."""
        return self._variance_error(self.offset) / abs(self.gain) if self.gain and self.offset else 0.0

    @property
    def family(self) -> str:
        """What kinds of noise these are, such as ``Poisson-Gaussian, rows``; ``none`` where there is hardly any."""
        middle = 0.5 * (self.low + self.high) if self.filled == self.high - self.low else self.middle
        grain = self.at(middle) > max(2 * NOTHING * self.filled, 0.3 * self.step)
        counted = "Poisson-Gaussian" if self.sigma else "Poisson"
        kind = "falling with the signal" if self.gain < 0 else counted if self.gain else "Gaussian"
        kinds = [kind] if grain else []
        kinds += ["impulses"] if self.impulses > IMPULSES else []
        kinds += [name for name, line in (("rows", self.row), ("columns", self.column)) if line]
        return ", ".join(kinds) or "none"

    @property
    def white(self) -> bool:
        """Whether neighbouring pixels have noise of their own; resampled images and slow detectors' have not."""
        return not (self.row_length or self.column_length or self.row or self.column)

    @property
    def along_doubt(self) -> float:
        """Standard error of these correlations, as what both axes have in common may be fine structure's alone."""
        return math.hypot(self.along_error, max(min(self.along_rows[0], self.along_columns[0]), 0.0) / 1.96)

    @property
    def fine_structure(self) -> bool:
        """Whether what counts as noise may be structure of a few pixels, or a resampled image's smooth noise."""
        return min(self.along_rows[0], self.along_columns[0]) > FINE

    def at(self, intensity: float) -> float:
        """Return the standard deviation of the noise of a pixel of this intensity, without what whole rows share."""
        return math.sqrt(max(self.sigma**2 + self.gain * (intensity - self.offset), 0.0))

    def error_at(self, intensity: float) -> float:
        """Return the standard error of `at`; where that is 0, a bound for it."""
        return _root_error(self.at(intensity), self._variance_error(intensity))

    def _variance_error(self, intensity: float) -> float:
        return math.hypot(self.middle_error, self.gain_error * (intensity - self.middle))


def measure(image: ArrayLike) -> NoiseReport:
    """Measure the noise of an image.

    Of more than a million pixels, pieces of 256x256 at full resolution are looked at. Blocks of 8x8 pixels in which
    little varies slowly give variances (`temclean.evidence.variance`), to which a constant and a line are fitted, each
    cut off where noise is; a slope that is sure is taken. Noise that hangs together loses more in
    the filter than white noise; that is put right by its correlation with the next two pixels.

    Parameters
    ----------
    image : array_like, (rows, columns)
        Of any real type.

    Raises
    ------
    ImageError
        If it is not of two dimensions, or all its pixels are alike, or some are NaN or infinite.

    Examples
    --------
    >>> noise = measure(np.random.default_rng(1).normal(100.0, 5.0, (256, 256)))
    >>> round(noise.sigma), noise.gain, noise.impulses
    (5, 0.0, 0.0)
    """
    pixels = np.asarray(image)
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype.kind not in "iufb":
        raise ImageError(f"noise is measured on an image of rows and columns, not on shape {pixels.shape}")
    looked_at = samples.sample(pixels)
    if looked_at is None:
        raise ImageError("the noise cannot be measured: all pixels are alike, or some are NaN or infinite")
    return doubted(report(looked_at), spectrum.structure(looked_at))


def doubted(known: NoiseReport, structure: Structure) -> NoiseReport:
    """Return a report whose strength is the more in doubt the finer the structure is that stands out of the noise.

    The same where what counts as noise hangs together along both axes: then it may be structure, all of it.
    """
    common = min(known.along_rows[0], known.along_columns[0])
    share = BY_FINE * max(AS_FINE / structure.finest - 1, 0.0)
    share = math.hypot(BY_LAW, share, min(2 * max(common - correlation.RESAMPLED, 0.0), ALL))
    middle = 2 * share * known.at(known.middle) ** 2
    return replace(
        known,
        sigma_error=math.hypot(known.sigma_error, share * known.sigma),
        gain_error=math.hypot(known.gain_error, 2 * share * known.gain),
        middle_error=math.hypot(known.middle_error, middle),
    )


@samples.remembered
def report(sample: Sample, *, counted: bool = False) -> NoiseReport:
    """Return what is known of the noise of a sample, be it that electrons are known to be counted one by one."""
    aside = impulses.set_aside(sample) if min(sample.pieces.shape[1:]) > 4 else None
    if aside is None:
        return _report(sample, None, counted=counted)
    ends = impulses.suspects(sample, counted=counted)
    known = _report(aside.sample, aside.mask, counted=counted)
    by_number = WIDER_OF_IMPULSES * math.sqrt((aside.dark + aside.bright) / aside.mask.size)
    return replace(
        known,
        dark=known.dark + aside.dark,
        bright=known.bright + aside.bright,
        impulses_error=math.hypot(known.impulses_error, by_number),
        clipped_low=ends.at_low if ends.low else known.clipped_low,
        clipped_high=ends.at_high if ends.high else known.clipped_high,
        low=sample.low,
        high=sample.low + sample.width,
    )


def _report(sample: Sample, aside: Mask | None, *, counted: bool) -> NoiseReport:
    """Return what is known of the noise of a sample whose outliers are set aside."""
    pieces = sample.pieces
    found = impulses.suspects(sample, counted=counted, known=aside) if min(pieces.shape[1:]) > 4 else None
    dead = impulses.dead(sample, found) if found else None
    at_low = found.at_low * found.low if found else 0.0
    if dead and dead.mask is not None:
        gone = dead.mask if aside is None else dead.mask | aside
        counted, found = True, impulses.suspects(sample, counted=True, known=gone)
    specks, found = found, found and cut.saturated(sample, found)
    data = variance.blocks(pieces, found.mask) if found else None
    if found is None or specks is None or data is None:
        return _little(sample, found)
    across = correlation.along_rows(pieces, found.mask, data)
    mask = None if found.mask is None else found.mask.swapaxes(1, 2)
    turned = replace(data, chosen=data.chosen.swapaxes(1, 2))
    down = correlation.along_rows(pieces.swapaxes(1, 2), mask, turned)
    known = correlation.restored(pieces, found.mask, data, across, down)
    data, across, down = known.data, known.across, known.down
    if found.low and cut.counted(data, found, sample):
        return _report(sample, aside, counted=True)
    line, width = _fit(data, found, sample.step)
    structured = data.structured
    by_chance = min(line.start_error / (2 * math.sqrt(line.start)) if line.start > 0 else 0.0, 0.1 * width)
    zeros = found.low or (counted and not cut.one_by_one(line, sample.step, 2.0))  # read-out noise may be cut off there
    lost = found.at_low * zeros + found.at_high * found.high
    line = line.doubted(math.hypot(known.doubt, BY_STRUCTURE * structured, BY_CUTS * lost))
    if min(across.correlation[0], down.correlation[0]) > FINE:
        width *= math.sqrt(known.kept)  # what may be fine structure has no tails
    cut_low = found.low and (dead is None or found.high)  # else dead pixels are all that there can be at 0
    sides = impulses.salt_and_pepper(pieces, replace(found, low=cut_low, high=specks.high), width, by_chance)
    start_error, gain_error = line.start_error * sample.width**2, line.slope_error * sample.width
    gain = line.slope * sample.width
    start = line.start * sample.width**2 - gain * sample.low
    if gain:
        start_error = math.hypot(start_error, gain_error * sample.low)
    middle, middle_error = sample.low + line.middle * sample.width, line.middle_error * sample.width**2
    if gain and abs(start) < 2 * start_error:
        # The line goes through the origin then, and as before through the place where it is surest.
        if middle > 0 and start + gain * middle > 0:
            gain, gain_error = gain + start / middle, min(gain_error, middle_error / middle)
        start = 0.0
    sigma = math.sqrt(max(start, 0.0))
    return NoiseReport(
        sigma=sigma,
        sigma_error=WIDER * _root_error(sigma, start_error),
        gain=gain,
        gain_error=WIDER * gain_error,
        middle=middle,
        middle_error=WIDER * middle_error,
        offset=-start / gain if gain and start < 0 else 0.0,
        dark=sides.dark + found.dark + (dead.share if dead else 0.0),
        bright=sides.bright + found.bright,
        impulses_error=WIDER_OF_IMPULSES
        * math.hypot(sides.error, dead.error if dead else 0.0, math.sqrt((found.dark + found.bright) / pieces.size)),
        row=across.line * sample.width,
        row_error=WIDER_OF_LINES * across.line_error * sample.width,
        column=down.line * sample.width,
        column_error=WIDER_OF_LINES * down.line_error * sample.width,
        along_rows=across.correlation,
        along_columns=down.correlation,
        along_error=WIDER_ALONG * math.hypot(max(across.error, down.error), ALONG_BY_STRUCTURE * structured),
        row_length=across.length,
        column_length=down.length,
        clipped_low=at_low,
        clipped_high=found.at_high * found.high,
        step=sample.step * sample.width,
        low=sample.low,
        high=sample.low + sample.width,
        filled=sample.width,
        pixels=pieces.size,
    )


def _fit(data: variance.Blocks, found: Suspects, step: float) -> tuple[variance.Line, float]:
    """Return the variance as a line over the intensity in [0, 1], and the width of tails."""
    ended = found.low or found.high
    even, _ = variance.line(data, sloped=False)
    sloped, raw = variance.line(data, sloped=True)
    sloped, misfit = cut.line(data, found.low, found.high, step) if ended else (sloped, raw)
    width = math.sqrt(max(even.start, 0.0))
    doubtful = max(sloped.slope_error, abs(sloped.slope) / 2)  # a slope that is not sure may be there all the same
    reach = float(np.subtract(*np.quantile(data.mean, (0.95, 0.05))))
    grows = abs(sloped.slope) > variance.SURE * sloped.slope_error
    grows &= width > NOTHING and abs(sloped.slope) * reach > 0.15 * max(even.start, 0.0)
    sigma, error, cut_misfit = cut.sigma_of(data, found.low, found.high, step) if ended else (0.0, 0.0, math.inf)
    if cut_misfit < 1.5 * raw:
        width, error = sigma, 2 * sigma * error
        if not (found.low and found.high):
            error = math.hypot(error, sloped.start + sloped.slope * sloped.middle - width**2)
            doubtful = max(doubtful, abs(sloped.slope))
        even = variance.Line(width**2, 0.0, error, 0.0)
        # Cut off at both ends, or where structure is left, a slope may come of that.
        grows &= not ((found.low and found.high) or misfit > 1.5)
    if grows:
        return sloped, math.sqrt(max(sloped.start + sloped.slope, 0.0)) if found.high and not found.low else width
    return replace(even, slope_error=doubtful, middle=sloped.middle, middle_error=even.start_error), width


def _root_error(deviation: float, error: float) -> float:
    """Return the standard error of a deviation from that of its square, also where that may be 0."""
    return error / (2 * deviation) if error < deviation**2 else math.sqrt(error) - deviation / 2


def _little(sample: Sample, found: Suspects | None) -> NoiseReport:
    """Report on an image too small, or too full of wild pixels, for blocks: a guess, as unsure as it is large."""
    first = impulses.first_sigma(sample.pieces) if found else 0.0
    sigma = first * sample.width
    none = (0.0,) * correlation.LAGS
    sides = impulses.salt_and_pepper(sample.pieces, found, first, 0.2 * first) if found else impulses.Specks()
    return NoiseReport(
        sigma, sigma, 0.0, 0.0, sample.low, 2 * sigma**2, 0.0,
        sides.dark, sides.bright, sides.error, 0.0, 0.0, 0.0, 0.0, none, none, 1.0, 0.0, 0.0,
        found.at_low if found and found.low else 0.0, found.at_high if found and found.high else 0.0,
        sample.step * sample.width, sample.low, sample.low + sample.width, sample.width, sample.pieces.size,
    )  # fmt: skip
