"""Laws that every distribution obeys, and comparisons with scipy.stats."""

import copy
import math
import pickle
import tomllib

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from physcm.mechanism.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Constant,
    Empirical,
    Exponential,
    Frozen,
    Gamma,
    LogNormal,
    Normal,
    Uniform,
    as_distribution,
    from_dict,
    to_dict,
)
from physcm.mechanism.randomness import uniforms

VALUES = (3.0, -1.0, 7.5, 0.0)
PROBABILITIES = (0.2, 0.5, 0.0, 0.3)

REFERENCES = [
    (Normal(1.5, 2), stats.norm(1.5, 2)),
    (Normal(), stats.norm()),
    (LogNormal(0.5, 0.75), stats.lognorm(0.75, scale=math.exp(0.5))),
    (Uniform(-1, 3), stats.uniform(-1, 4)),
    (Exponential(2.5), stats.expon(scale=1 / 2.5)),
    (Gamma(0.3, 2), stats.gamma(0.3, scale=0.5)),
    (Gamma(40, 0.1), stats.gamma(40, scale=10)),
    (Beta(0.5, 2), stats.beta(0.5, 2)),
    (Bernoulli(0.3), stats.bernoulli(0.3)),
    (Bernoulli(0), stats.bernoulli(0)),
    (Bernoulli(1), stats.bernoulli(1)),
    (Categorical(VALUES, PROBABILITIES), stats.rv_discrete(
        values=(sorted(VALUES), [p for _, p in sorted(zip(VALUES, PROBABILITIES, strict=True))]))),
    (Frozen(stats.weibull_min(1.5, scale=2)), stats.weibull_min(1.5, scale=2)),
    (Frozen(stats.poisson(4)), stats.poisson(4)),
]  # fmt: skip
ALL = [d for d, _ in REFERENCES] + [Constant(2), Empirical(VALUES)]

U = np.concatenate([np.linspace(0, 1, 202)[1:-1], [2.0**-53, 1e-9, 1 - 1e-9, 1 - 2.0**-53]])


def str_of_type(value):
    """Name a case without the memory address that scipy's own text holds."""
    return getattr(getattr(value, "dist", None), "name", type(value).__name__)


compared = pytest.mark.parametrize(("distribution", "reference"), REFERENCES, ids=str_of_type)
continuous = pytest.mark.parametrize(
    ("distribution", "reference"),
    [pair for pair in REFERENCES if hasattr(pair[1], "pdf")],
    ids=str_of_type,
)
every = pytest.mark.parametrize("distribution", ALL, ids=str_of_type)
finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e3)
rows = st.lists(finite, min_size=1, max_size=20)


@st.composite
def categoricals(draw):
    values = draw(rows)
    weights = draw(
        st.lists(st.integers(0, 9), min_size=len(values), max_size=len(values)).filter(any)
    )
    return Categorical(values, [weight / sum(weights) for weight in weights])


@st.composite
def uniform_distributions(draw):
    low, high = sorted(draw(st.tuples(finite, finite).filter(lambda pair: pair[0] != pair[1])))
    return Uniform(low, high)


distributions = st.one_of(
    st.builds(Normal, finite, positive),
    st.builds(LogNormal, st.floats(-10, 10), st.floats(0.001, 5)),
    uniform_distributions(),
    st.builds(Exponential, positive),
    st.builds(Gamma, positive, positive),
    st.builds(Beta, positive, positive),
    st.builds(Bernoulli, st.floats(0, 1)),
    categoricals(),
    st.builds(Constant, finite),
    st.builds(Empirical, rows),
    st.builds(lambda c, s: Frozen(stats.weibull_min(c, scale=s)), st.floats(0.2, 10), positive),
    st.builds(lambda n, p: Frozen(stats.binom(n, p)), st.integers(1, 50), st.floats(0, 1)),
)


@compared
def test_quantiles_are_those_of_scipy(distribution, reference):
    u = U[(U > 1e-6) & (U < 1 - 1e-6)]  # stats.beta(0.5, 2).ppf(1e-9) is wrong in SciPy 1.17
    np.testing.assert_allclose(distribution.quantile(u), reference.ppf(u), rtol=1e-12)


@continuous
def test_quantiles_invert_the_cumulative_distribution_up_to_both_tails(distribution, reference):
    np.testing.assert_allclose(reference.cdf(distribution.quantile(U)), U, rtol=1e-9)


@compared
def test_means_are_those_of_scipy(distribution, reference):
    assert distribution.mean == pytest.approx(reference.mean(), rel=1e-12)


@compared
def test_supports_are_those_of_scipy(distribution, reference):
    assert distribution.support == reference.support()


@continuous
def test_draws_follow_the_reference(distribution, reference):
    assert stats.kstest(distribution.sample(5_000, seed=1), reference.cdf).pvalue > 1e-3


@every
def test_draws_average_to_the_mean(distribution):
    draws = distribution.sample(20_000)
    assert draws.mean() == pytest.approx(distribution.mean, abs=5 * draws.std() / 20_000**0.5)


@given(distributions, st.floats(2.0**-53, 1 - 2.0**-53), st.floats(2.0**-53, 1 - 2.0**-53))
def test_quantiles_ascend_within_the_support(distribution, u, v):
    low, high = distribution.quantile(np.array(sorted([u, v])))
    assert distribution.support[0] <= low <= high <= distribution.support[1]


@given(distributions)
def test_files_lose_nothing(distribution):
    text = tomli_w.dumps({"k": to_dict(distribution)})
    again = from_dict(tomllib.loads(text)["k"])
    assert again == distribution
    assert hash(again) == hash(distribution)
    assert again.quantile(U).tobytes() == distribution.quantile(U).tobytes()


@every
def test_a_sample_is_the_quantile_of_the_uniform_of_its_source(distribution):
    expected = distribution.quantile(uniforms(3, "k", np.arange(50)))
    assert distribution.sample(50, seed=3, source="k").tobytes() == expected.tobytes()


@every
def test_sample_k_of_many_is_sample_k_of_few(distribution):
    many = distribution.sample(1_000)
    for n in (0, 1, 2, 3, 7, 501):
        assert distribution.sample(n).tobytes() == many[:n].tobytes()


@every
def test_quantiles_do_not_depend_on_chunks_layout_or_shape(distribution):
    u = uniforms(0, "u", np.arange(60))
    whole = distribution.quantile(u)
    assert [distribution.quantile(u[i : i + 1])[0] for i in range(60)] == whole.tolist()
    assert distribution.quantile(np.repeat(u, 2)[::2]).tolist() == whole.tolist()
    assert distribution.quantile(u.reshape(3, 20)).tolist() == whole.reshape(3, 20).tolist()
    assert whole.dtype == np.float64


@every
def test_copies_and_pickles_are_equal(distribution):
    distribution.sample(3)  # so that whatever is cached is copied too
    for again in (copy.deepcopy(distribution), pickle.loads(pickle.dumps(distribution))):
        assert again == distribution
        assert hash(again) == hash(distribution)


def test_different_distributions_are_different():
    assert len(set(ALL)) == len(ALL)


@every
def test_distributions_are_recognized(distribution):
    assert as_distribution(distribution) is distribution
