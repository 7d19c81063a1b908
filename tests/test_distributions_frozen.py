"""Frozen distributions of scipy.stats: recognized, compared, and refused out of range."""

import math
import re

import numpy as np
import pytest
from scipy import stats

from physcm.mechanism.distributions import Frozen, Normal, as_distribution, to_dict
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import uniforms


def kind(value):
    """Name a case without the memory address that scipy's own text holds."""
    return type(value).__name__


@pytest.mark.parametrize(
    "frozen",
    [stats.norm(1, 2), stats.poisson(3), stats.t(df=5, loc=1)],
    ids=lambda frozen: frozen.dist.name,
)
def test_frozen_scipy_distributions_are_recognized(frozen):
    distribution = as_distribution(frozen)
    assert isinstance(distribution, Frozen)
    assert distribution == Frozen(frozen)
    assert distribution.sample(3).tolist() == frozen.ppf(uniforms(0, "draw", range(3))).tolist()


@pytest.mark.parametrize("value", [1.0, "Normal", None, [1, 2], np.arange(3), Normal], ids=kind)
def test_other_values_are_no_distributions(value):
    assert as_distribution(value) is None


def test_frozen_distributions_are_equal_by_name_and_arguments():
    assert Frozen(stats.t(5, scale=2, loc=1)) == Frozen(stats.t(5.0, loc=1, scale=np.int64(2)))
    assert Frozen(stats.t(5)) != Frozen(stats.t(6))
    assert Frozen(stats.expon()) != Frozen(stats.norm())
    assert Frozen(stats.norm()) != Normal()
    assert repr(Frozen(stats.t(5, scale=np.float64(2)))) == "Frozen(stats.t(5, scale=2.0))"


def test_a_frozen_histogram_draws_and_equals_itself_alone():
    histogram = stats.rv_histogram(np.histogram([1, 2, 2, 3], bins=3))
    frozen = histogram()
    assert Frozen(frozen) == Frozen(frozen)
    assert Frozen(frozen) != Frozen(histogram())
    assert Frozen(frozen).support == (1.0, 3.0)
    with pytest.raises(InvalidValue, match=r"not in scipy.stats by name .* use Empirical"):
        to_dict(Frozen(frozen))


def test_a_distribution_without_a_mean_says_nan():
    assert math.isnan(Frozen(stats.cauchy()).mean)


@pytest.mark.parametrize(
    "value",
    [stats.norm, stats.Normal(mu=0, sigma=1), stats.multivariate_normal([0, 0])],
    ids=kind,
)
def test_other_objects_of_scipy_stats_are_refused(value):
    with pytest.raises(InvalidValue, match=r"is not a frozen distribution of one number; give one"):
        as_distribution(value)


@pytest.mark.parametrize(
    ("frozen", "message"),
    [
        (stats.gamma(-1), r"Frozen(stats.gamma(-1)): its median is `nan`; give single numbers"),
        (stats.norm(0, -1), r"Frozen(stats.norm(0, -1)): its median is `nan`"),
        (stats.norm(math.inf, 1), r"Frozen(stats.norm(inf, 1)): its median is `inf`"),
        (stats.norm([1, 2], 1), r"Frozen(stats.norm([1, 2], 1)): its median is `[1. 2.]`"),
    ],
)
def test_frozen_distributions_with_parameters_out_of_range_are_refused(frozen, message):
    with pytest.raises(InvalidValue, match=re.escape(message)):
        as_distribution(frozen)
