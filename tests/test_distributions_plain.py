"""Distributions in plain dictionaries: defaults, and mappings that are refused."""

import math
import re
import subprocess
import sys

import pytest
from scipy import stats

from physcm.mechanism.distributions import Frozen, Normal, from_dict
from physcm.mechanism.errors import InvalidValue


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
