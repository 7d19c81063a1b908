"""Single distributions: what each promises alone, and the values that it refuses."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    to_dict,
)
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.randomness import normals


def test_a_standard_normal_draws_the_normals():
    assert Normal().sample(100).tobytes() == normals(0, "draw", np.arange(100)).tobytes()


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20),
    st.lists(st.floats(0.001, 0.999), min_size=1),
)
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
