"""Abstractions of abstractions.

With tau = tau2 after tau1 and omega = omega2 after omega1, exact ones compose to an exact one
(Rubenstein et al., UAI 2017). Errors, as 2-Wasserstein distances, add up to at most

    e(i) <= L e1(i) + e2(omega1(i)),

where L is the Lipschitz constant of tau2, the largest singular value of T if tau2 = T x + t: by
the triangle inequality over tau2 of the middle model, W(tau2 P, tau2 Q) <= L W(P, Q).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from physcm.abstraction.tau import Given, Values
from physcm.abstraction.transformation.errors import PAIRS, Estimate, errors
from physcm.abstraction.transformation.linear import LinearMap
from physcm.abstraction.transformation.omega import Image, Omega, Undefined
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import symbol
from physcm.mechanism.interventions import Family, Interventions, each_of, label

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction


@dataclass(frozen=True)
class BoundRow:
    """What the errors of two abstractions say about the error of both, under one intervention.

    Attributes:
        do: the intervention below.
        first: e1(i), the error of the first.
        second: e2(omega1(i)), that of the second.
        bound: L e1 + e2, at the upper ends of their intervals.
        error: of both, as measured.
    """

    do: Interventions
    first: Estimate
    second: Estimate
    bound: float
    error: Estimate


@dataclass(frozen=True)
class Bound:
    """The errors that a composition can have.

    Attributes:
        lipschitz: L, of the second map of states.
        rows: one per intervention.
    """

    lipschitz: float
    rows: tuple[BoundRow, ...]

    @property
    def largest(self) -> float:
        """The largest bound."""
        return max(row.bound for row in self.rows)

    def __str__(self) -> str:
        return "\n".join(
            f"{label(row.do)}: {row.error} <= {row.bound:.4g} = {self.lipschitz:.4g} * "
            f"{row.first.interval[1]:.4g} + {row.second.interval[1]:.4g}"
            for row in self.rows
        )


def composed_tau(first: Abstraction, second: Abstraction) -> Given:
    """Return the states above both as expressions in those below, or as a function.

    Raises:
        InvalidValue: if the second reads what the first does not give.
    """
    require_same_middle(first, second)
    inner, outer = first.map, second.map
    if inner.function is None and outer.function is None:
        written = dict(zip(inner.names, first.written_out, strict=True))
        by = {symbol(name): expression for name, expression in written.items()}
        return {k: e.xreplace(by) for k, e in zip(outer.names, second.written_out, strict=True)}

    def tau(values: Values) -> Mapping[str, Floats]:
        middle = dict(zip(inner.names, inner.of(values), strict=True))
        return dict(zip(outer.names, outer.of(middle), strict=True))

    return tau


def composed_omega(first: Abstraction, second: Abstraction) -> Omega:
    """Return what interventions below are above both."""

    def omega(do: Interventions) -> Image:
        middle = first.image(do)
        return middle if isinstance(middle, Undefined) else second.image(middle)

    return omega


def require_same_middle(first: Abstraction, second: Abstraction) -> None:
    """Refuse abstractions of which the second does not begin where the first ends."""
    if first.high is not second.low and first.high != second.low:
        raise InvalidValue(
            f"the second abstraction begins at `{second.low.name or type(second.low).__name__}`, "
            "which is not the causal model of the first; give both the same model"
        )


def bound(
    first: Abstraction, second: Abstraction, interventions: Family,
    *, lipschitz: float | None = None, n: int = PAIRS, seed: int = 0,
) -> Bound:  # fmt: skip
    """Bound the errors of a composition; see `Abstraction.error_bound`."""
    both = first.then(second)
    constant = _lipschitz(first, second) if lipschitz is None else lipschitz
    family = each_of(interventions)
    one = errors(first, family, n=n, seed=seed)
    two = errors(
        second, [image for image in one.images if not isinstance(image, Undefined)], n=n, seed=seed
    )
    whole = errors(both, family, n=n, seed=seed)
    rows = zip(family, one.errors, two.errors, whole.errors, strict=True)
    return Bound(
        constant,
        tuple(
            BoundRow(do, e1, e2, constant * e1.interval[1] + e2.interval[1], e)
            for do, e1, e2, e in rows
        ),
    )


def _lipschitz(first: Abstraction, second: Abstraction) -> float:
    if second.map.function is None:
        try:
            linear = LinearMap.of(second.written_out, first.map.names)
            return float(np.linalg.norm(linear.floats, 2))
        except Unsupported:
            pass
    raise Unsupported(
        "the second map of states is not linear, and its Lipschitz constant is not known; give a "
        "number that bounds its slope as `lipschitz`"
    )
