"""Distributions as values: what a noise source, a parameter or an initial value is drawn from."""

from physcm.mechanism.distributions.continuous import (
    Beta,
    Exponential,
    Gamma,
    LogNormal,
    Normal,
    Uniform,
)
from physcm.mechanism.distributions.discrete import Bernoulli, Categorical, Constant, Empirical
from physcm.mechanism.distributions.distribution import Distribution
from physcm.mechanism.distributions.frozen import Frozen, as_distribution
from physcm.mechanism.distributions.plain import from_dict, to_dict

__all__ = [
    "Bernoulli",
    "Beta",
    "Categorical",
    "Constant",
    "Distribution",
    "Empirical",
    "Exponential",
    "Frozen",
    "Gamma",
    "LogNormal",
    "Normal",
    "Uniform",
    "as_distribution",
    "from_dict",
    "to_dict",
]
