"""Intervals: the bound of their calibration, and what they are wide."""

import json
import math
import time
from importlib import resources

import numpy as np
import pytest

from temclean.errors import ImageError, ParameterError
from temclean.evidence import intervals, samples
from temclean.restoration import models, pipeline


def test_the_risk_is_below_what_is_allowed_as_often_as_is_said() -> None:
    # Shares outside fall as 1 - F(factor); images differ by their own scale, log-normal with spread 0.5.
    rng = np.random.default_rng(1)
    grid = np.geomspace(0.2, 20, 60)
    many = np.exp(rng.normal(0, 0.5, 20000))

    def share(scales: np.ndarray, factor: float) -> np.ndarray:
        return np.array([math.erfc(factor / scale / math.sqrt(2)) for scale in scales])

    true = {factor: float(share(many[:2000], factor).mean()) for factor in grid}
    broken = 0
    for _ in range(40):
        drawn = rng.choice(many, 60)
        chosen = intervals.calibrated(lambda factor, drawn=drawn: share(drawn, factor), grid)  # type: ignore[misc]
        broken += true[chosen] > intervals.OUTSIDE
    assert broken <= 8  # of 40, of which 4 are allowed in the mean
    with pytest.raises(ParameterError, match="more images"):
        intervals.calibrated(lambda factor: np.full(60, 0.5), grid)


def test_the_factors_are_those_of_the_weights_that_are_shipped() -> None:
    # New weights: python tests/bench/calibrate_intervals.py --model NAME --write
    table = json.loads(resources.files("temclean.data").joinpath("intervals.json").read_text(encoding="utf-8"))
    assert table["factors"] == intervals.factors()
    assert table["weights"] == {name: models.load(name).sha256 for name in table["factors"]}


def test_the_bound_is_a_bound_on_the_chance_of_binary_losses() -> None:
    count = 80
    for hits in range(10):
        exact = sum(math.comb(count, k) * 0.1**k * 0.9 ** (count - k) for k in range(hits + 1))
        assert (
            exact * (1 - 1e-9)
            <= intervals.chance_of_risk(hits / count, count)
            <= max(math.e * exact, 1e-12) * (1 + 1e-9)
        )


def test_widths_are_the_factor_times_the_spread_of_the_residual() -> None:
    rng = np.random.default_rng(2)
    result = np.full((200, 200), 1e4)
    raw = result + rng.normal(0, 1, result.shape) * np.where(np.arange(200) < 100, 5.0, 20.0)
    found = intervals.half_widths(raw, result, "g") / intervals.factors()["g"]
    assert found[:, :80].mean() == pytest.approx(5, rel=0.03)
    assert found[:, 120:].mean() == pytest.approx(20, rel=0.03)
    assert (intervals.half_widths(result, result, "g") == 0).all()
    whole = intervals.spread(np.array([[3, 0]], np.uint8), np.array([[1, 2]], np.uint8))
    assert whole == pytest.approx(2.0)  # unsigned numbers are not wound round
    with pytest.raises(ParameterError, match="not calibrated"):
        intervals.half_widths(raw, result, "bbg")
    with pytest.raises(ImageError, match="rows and columns"):
        intervals.spread(raw, raw[1:])


def test_they_take_less_than_a_tenth_of_the_time_of_the_network() -> None:
    raw = np.random.default_rng(6).poisson(20, (1, 384, 384)).astype(np.float32)
    session, spent = models.open_session(models.load("g"), "cpu", 1), []
    for _ in range(3):
        samples.forget()
        began = time.process_time()
        result = next(pipeline.denoise_frames(raw, session))
        network = time.process_time()
        intervals.half_widths(raw[0], result, "g")
        spent.append((time.process_time() - network) / (network - began))
    assert min(spent) < 0.1
