"""Groups of intensities against mixtures that are known, and scikit-learn's likelihood by SciPy's density."""

import numpy as np
import pytest
from scipy.stats import norm

from temclean.errors import ParameterError
from temclean.metrics.counting import intensity_groups


def drawn(means: list[float], counts: list[int], width: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    which = np.repeat(np.arange(len(means)), counts)
    return draw.normal(np.array(means)[which], width), which + 1


def test_atoms_are_counted_where_steps_are_even() -> None:
    values, true = drawn([300.0, 400.0, 500.0, 600.0, 700.0], [30, 60, 90, 60, 40], 16.0)
    found = intensity_groups(values)
    assert found is not None
    np.testing.assert_allclose(found.means, [300, 400, 500, 600, 700], rtol=0.015)
    assert found.width == pytest.approx(16, rel=0.1)
    assert (found.group == true).mean() > 0.98
    assert found.atoms is not None
    assert (found.atoms == true + 2).mean() > 0.98
    assert (1 - found.probability).sum() == pytest.approx((found.group != true).sum(), abs=4)


def test_steps_that_are_not_even_are_not_atoms() -> None:
    found = intensity_groups(drawn([300.0, 400.0, 750.0], [60, 60, 60], 16.0)[0])
    assert found is not None
    assert len(found.means) == 3
    assert found.atoms is None


@pytest.mark.parametrize("count", [60, 3000])
def test_one_group_is_one(count: int) -> None:
    found = intensity_groups(np.random.default_rng(4).normal(5, 1, count))
    assert found is not None
    assert len(found.means) == 1


def test_the_criterion_is_the_published_one() -> None:
    values, _ = drawn([2.0, 3.0], [70, 50], 0.2)
    found = intensity_groups(values)
    assert found is not None
    parts = found.shares * norm.pdf(values[:, None], found.means, found.width)
    tau = parts / parts.sum(axis=1, keepdims=True)
    entropy = -(tau * np.log(tau)).sum()
    icl = -2 * np.log(parts.sum(axis=1)).sum() + 2 * entropy + 4 * np.log(120)
    assert found.criterion[1] == pytest.approx(icl, rel=1e-4)
    one = -2 * norm.logpdf(values, values.mean(), values.std()).sum() + 2 * np.log(120)
    assert found.criterion[0] == pytest.approx(one, rel=1e-4)


def test_too_few_and_what_is_not_finite() -> None:
    assert intensity_groups(np.arange(29.0)) is None
    with pytest.raises(ParameterError, match="NaN"):
        intensity_groups([np.nan] * 40)
