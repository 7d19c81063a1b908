"""The distributions whose quantile functions are also there in machine code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple
from types import MappingProxyType
from typing import Any

from physcm.mechanism import quantiles
from physcm.mechanism.distributions.continuous import Exponential, LogNormal, Normal, Uniform
from physcm.mechanism.distributions.discrete import Bernoulli
from physcm.mechanism.distributions.distribution import Distribution
from physcm.mechanism.quantiles import Law

_FUNCTIONS: Mapping[type[Any], Callable[..., Any]] = MappingProxyType(
    {
        Normal: quantiles.normal,
        LogNormal: quantiles.log_normal,
        Uniform: quantiles.uniform,
        Exponential: quantiles.exponential,
        Bernoulli: quantiles.bernoulli,
    }
)


def law(distribution: Distribution) -> Law | None:
    """Return the quantile function of draws and its parameters, `None` where there is no code.

    >>> law(Normal(1, 2)) == (quantiles.normal, (1.0, 2.0))
    True
    """
    function = _FUNCTIONS.get(type(distribution))
    return None if function is None else (function, astuple(distribution))  # type: ignore[call-overload]
