"""Laws that every distribution obeys, comparisons with scipy.stats, files and errors."""

import copy
import math
import pickle
import re
import subprocess
import sys
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
    Distribution,
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
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import normals, uniforms

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


# Laws


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


# Single distributions


def test_a_standard_normal_draws_the_normals():
    assert Normal().sample(100).tobytes() == normals(0, "draw", np.arange(100)).tobytes()


@given(rows, st.lists(st.floats(0.001, 0.999), min_size=1))
def test_empirical_quantiles_are_those_of_numpy(values, u):
    expected = np.quantile(values, u, method="inverted_cdf")
    assert Empirical(values).quantile(np.array(u)).tolist() == expected.tolist()


def test_impossible_categories_are_never_drawn():
    tenth = Categorical(range(11), [0.1] * 10 + [0])
    assert tenth.quantile(np.array([0.0, 1 - 2.0**-53, 1.0])).tolist() == [0, 9, 9]
    never_first = Categorical([0, 1], [0, 1])
    assert never_first.quantile(np.array([0.0, 0.5])).tolist() == [1, 1]


def test_the_order_of_categories_does_not_move_the_draws():
    one, other = Categorical([1, 2], [0.25, 0.75]), Categorical([2, 1], [0.75, 0.25])
    assert one.sample(100).tolist() == other.sample(100).tolist()


@pytest.mark.parametrize("probability", [0, 1])
def test_a_certain_bernoulli_is_constant(probability):
    assert set(Bernoulli(probability).sample(1_000)) == {probability}


def test_the_bounds_of_a_uniform_hold_despite_rounding():
    narrow = Uniform(0.1, np.nextafter(0.1, 1))
    assert set(narrow.sample(100)) == set(narrow.support)
    assert narrow.quantile(np.array([1.0])).tolist() == [narrow.high]


def test_the_mean_of_a_wide_lognormal_is_infinite():
    assert LogNormal(0, 1e200).mean == math.inf


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (Normal(np.float32(0.5), np.int64(2)), Normal(0.5, 2.0)),
        (Categorical(np.array([1, 2]), [0.5, 0.5]), Categorical((1.0, 2.0), (0.5, 0.5))),
        (Empirical(np.array([1, 2], np.int8)), Empirical((1.0, 2.0))),
        (Empirical(range(1, 3)), Empirical([1, 2])),
    ],
)
def test_numbers_of_any_type_are_stored_as_floats(given, stored):
    assert given == stored
    assert hash(given) == hash(stored)
    assert repr(given) == repr(stored)


def test_distributions_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign to field 'sd'"):
        Normal().sd = 2


def test_a_distribution_of_your_own_needs_three_methods():
    class Half(Distribution):
        mean = 0.5
        support = (0.5, 0.5)

        def quantile(self, u):
            return u * 0 + 0.5

    assert Half().sample(2).tolist() == [0.5, 0.5]
    assert as_distribution(Half()).mean == 0.5
    with pytest.raises(InvalidValue, match=r"Half object .* has no form in files; use one of Norm"):
        to_dict(Half())


# Distributions of scipy.stats


@pytest.mark.parametrize(
    "frozen", [stats.norm(1, 2), stats.poisson(3), stats.t(df=5, loc=1)], ids=str_of_type
)
def test_frozen_scipy_distributions_are_recognized(frozen):
    distribution = as_distribution(frozen)
    assert isinstance(distribution, Frozen)
    assert distribution == Frozen(frozen)
    assert distribution.sample(3).tolist() == frozen.ppf(uniforms(0, "draw", range(3))).tolist()


@pytest.mark.parametrize(
    "value", [1.0, "Normal", None, [1, 2], np.arange(3), Normal], ids=str_of_type
)
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
    ids=lambda value: type(value).__name__,
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


# Errors


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Normal(math.nan), "Normal: mean is `nan`; give a finite number"),
        (lambda: Normal(0, 0), "Normal: sd is `0`; give a finite number above 0"),
        (lambda: Normal("a"), "Normal: mean is `a`; give a finite number"),
        (lambda: Normal(True), "Normal: mean is `True`; give a finite number"),
        (lambda: Normal(1j), "Normal: mean is `1j`; give a finite number"),
        (lambda: Normal([0.0]), "Normal: mean is `[0.0]`; give a finite number"),
        (lambda: Normal(10**400), "; give a finite number"),
        (lambda: LogNormal(math.inf, 1), "LogNormal: mu is `inf`; give a finite number"),
        (lambda: LogNormal(0, -1), "LogNormal: sigma is `-1`; give a finite number above 0"),
        (lambda: Uniform(0, None), "Uniform: high is `None`; give a finite number"),
        (lambda: Uniform(2, 1), "Uniform: low is `2.0` and high is `1.0`; give low < high"),
        (lambda: Uniform(1, 1), "(for a fixed value use Constant)"),
        (lambda: Uniform(-1e308, 1e308), "with a finite difference"),
        (lambda: Exponential(0), "Exponential: rate is `0`; give a finite number above 0"),
        (lambda: Gamma(0, 1), "Gamma: shape is `0`; give a finite number above 0"),
        (lambda: Gamma(1, math.inf), "Gamma: rate is `inf`; give a finite number above 0"),
        (lambda: Beta(-1, 1), "Beta: a is `-1`; give a finite number above 0"),
        (lambda: Beta(1, 0), "Beta: b is `0`; give a finite number above 0"),
        (lambda: Bernoulli(1.5), "Bernoulli: p is `1.5`; give a probability from 0 to 1"),
        (lambda: Constant(math.nan), "Constant: value is `nan`; give a finite number"),
        (lambda: Empirical([]), "Empirical: values is `[]`; give a list of at least one number"),
        (lambda: Empirical("ab"), "Empirical: values is `ab`; give a list"),
        (lambda: Empirical([[1, 2]]), "Empirical: values is `[[1, 2]]`; give a list"),
        (lambda: Empirical([1, math.nan]), "Empirical: values[1] is `nan`; give a finite number"),
        (lambda: Empirical([1, [2]]), "Empirical: values[1] is `[2]`; give a finite number"),
        (lambda: Categorical(["a"], [1]), "Categorical: values[0] is `a`; give a finite number"),
        (
            lambda: Categorical([1, 2], [1.5, -0.5]),
            "Categorical: probabilities[0] is `1.5`; give a probability from 0 to 1",
        ),
        (
            lambda: Categorical([1, 2], [1]),
            "Categorical: `2` values, but `1` probabilities; give one probability per value",
        ),
        (
            lambda: Categorical([1, 2], [0.5, 0.25]),
            "Categorical: the probabilities sum to `0.75`; divide them by their sum",
        ),
        (lambda: Frozen(3), "`3` is not a frozen distribution of one number; give one such as"),
        (lambda: Normal().sample(-1), "the number of draws `-1` is not valid; give an integer"),
        (lambda: Normal().sample(1.0), "the number of draws `1.0` is not valid; give an integer"),
        (lambda: Normal().sample(1, seed=-1), "the seed `-1` is not valid; give an integer"),
    ],
)
def test_values_that_are_not_allowed_are_refused(build, message):
    with pytest.raises(InvalidValue, match=re.escape(message)):
        build()


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (3, "`3` is not a distribution; give one entry with its name and its fields"),
        ({}, "`{}` is not a distribution; give one entry with its name and its fields"),
        ({"Normal": {}, "Beta": {}}, "give one entry with its name"),
        (
            {"Gauss": {"mean": 0}},
            "`Gauss` is not a distribution; use one of Normal, LogNormal, Uniform, Exponential, "
            "Gamma, Beta, Bernoulli, Categorical, Constant, Empirical, scipy",
        ),
        ({"Normal": 3}, "Normal: `3` is not a table; give its fields by name"),
        ({"Normal": {"men": 1}}, "Normal: `men` is not one of its fields; give mean, sd"),
        ({"Gamma": {"shape": 1}}, "Gamma: the field `rate` is missing; give shape, rate"),
        ({"Normal": {"mean": "x"}}, "Normal: mean is `x`; give a finite number"),
        ({"Empirical": {"values": 1}}, "Empirical: values is `1`; give a list of at least one"),
        ({"scipy": "norm"}, "scipy: `norm` is not a table; give its fields by name"),
        ({"scipy": {"args": [1]}}, "scipy: the field `name` is missing; give name, args, kwds"),
        ({"scipy": {"name": "norm", "loc": 1}}, "scipy: `loc` is not one of its fields"),
        (
            {"scipy": {"name": "weibul_min"}},
            "scipy: `weibul_min` is not a distribution of scipy.stats; use one such as weibull_min",
        ),
        ({"scipy": {"name": "kstest"}}, "scipy: `kstest` is not a distribution of scipy.stats"),
        ({"scipy": {"name": "__class__"}}, "`__class__` is not a distribution of scipy.stats"),
        ({"scipy": {"name": ["norm"]}}, "scipy: `['norm']` is not a distribution"),
        ({"scipy": {"name": "norm", "args": 1}}, "scipy: args `1` with kwds `{}`; give args as a"),
        ({"scipy": {"name": "norm", "kwds": [1]}}, "scipy: args `[]` with kwds `[1]`; give args"),
        (
            {"scipy": {"name": "norm", "args": ["a"]}},
            "scipy: norm has the argument `a`; give finite numbers",
        ),
        (
            {"scipy": {"name": "norm", "kwds": {"scale": math.inf}}},
            "scipy: norm has the argument `inf`; give finite numbers",
        ),
        (
            {"scipy": {"name": "weibull_min"}},
            "scipy: weibull_min does not take args `[]` with kwds `{}` (",
        ),
        (
            {"scipy": {"name": "norm", "kwds": {"sigma": 1}}},
            "scipy: norm does not take args `[]` with kwds `{'sigma': 1}` (",
        ),
        ({"scipy": {"name": "gamma", "args": [-1]}}, "its median is `nan`; give single numbers"),
    ],
)
def test_mappings_that_are_no_distribution_are_refused(mapping, message):
    with pytest.raises(InvalidValue, match=re.escape(message)):
        from_dict(mapping)


def test_a_missing_field_with_a_default_takes_it():
    assert from_dict({"Normal": {"mean": 2}}) == Normal(2, 1)
    assert from_dict({"scipy": {"name": "norm"}}) == Frozen(stats.norm())


def test_only_the_distributions_of_scipy_stats_need_its_slow_import():
    """A fresh interpreter that works with physcm's own distributions never loads scipy.stats."""
    program = (
        "import sys; from physcm.mechanism import distributions as d; "
        "d.as_distribution(3); d.from_dict(d.to_dict(d.Normal())); d.Gamma(1, 2).sample(3); "
        "print('scipy.stats' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
