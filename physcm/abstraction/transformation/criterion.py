"""Linear models: exactness of tau = T for all block interventions at once, by one equation.

With (I - W) X = E below, (I - M) Y = U above and T whose rows read disjoint blocks of variables,
let

    S = (I - M) T (I - W)^-1,   so that   T (I - W)^-1 = (I - M)^-1 S.

tau = T is exact for every hold of whole blocks iff S reads no noise of a block in the equation of
another, S[k, j] = 0 for j in a block other than k's, and U has the law of S E. For (I - M) T X =
S (I - W) X holds of any X; where block l is held, the rows of E that are lost are those of l, and
all other equations above stay as they are iff they read none of these. (The condition of Massidda,
Magliacane & Bacciu, 2024, on linear abstractions; what T drops may be noise of any block.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from sympy.polys.matrices import DomainMatrix

from physcm.abstraction.transformation.laws import difference, linear_tau
from physcm.abstraction.transformation.linear import ROUNDING, LinearEquations, as_floats
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.scm.matrices import labelled

if TYPE_CHECKING:
    from physcm.abstraction.abstraction import Abstraction


@dataclass(frozen=True)
class Criterion:
    """Whether T is exact for all block interventions. True if it is.

    Attributes:
        holds: the answer.
        noise_map: S, over `cause` (equations below) and `effect` (equations above).
        reason: why, in a sentence.
    """

    holds: bool
    noise_map: xr.DataArray
    reason: str

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        return (
            f"{'exact' if self.holds else 'not exact'} for all block interventions: {self.reason}"
        )


def criterion(abstraction: Abstraction) -> Criterion:
    """Decide the criterion; see `Abstraction.linear_criterion`."""
    low, high = LinearEquations.of(abstraction.low), LinearEquations.of(abstraction.high)
    names = abstraction.map.names
    if {*names} != {*high.names}:
        raise InvalidValue(
            f"tau gives {', '.join(names)}, and the causal model has {', '.join(high.names)}; "
            "give all of them"
        )
    high, tau = high.ordered(names), linear_tau(abstraction)
    owners = _owners(tau.matrix, names)
    noise = high.matrix * tau.matrix * low.inverse
    s = labelled(as_floats(noise), low.names, names)
    rounding = ROUNDING * np.abs(s.values).max(initial=0.0)
    for k, row in enumerate(as_floats(noise)):
        for j in np.flatnonzero(np.abs(row) > rounding):
            owner = owners.get(int(j), k)
            if owner != k:
                reason = (
                    f"the equation of `{names[k]}` reads the noise of `{low.names[j]}` by "
                    f"{row[j]:.6g}, which holding `{names[owner]}` takes away"
                )
                return Criterion(False, s, reason)
    constants = noise * low.constants + high.matrix * tau.offset
    carried = low.noise_law(noise * low.loadings, constants, names)
    gap = difference(carried, high.noise_law(high.loadings, high.constants, names))
    if gap is not None:
        return Criterion(False, s, f"the noise does not fit: the {gap} in the model above")
    return Criterion(True, s, "each equation reads noise of its own block, with the law of S E")


def _owners(matrix: DomainMatrix, names: tuple[str, ...]) -> dict[int, int]:
    """Return the row that reads each column."""
    owners: dict[int, int] = {}
    for k, row in enumerate(matrix.to_list()):
        for j, entry in enumerate(row):
            if entry and owners.setdefault(j, k) != k:
                raise Unsupported(
                    f"`{names[owners[j]]}` and `{names[k]}` read the same variable below, so that "
                    "there are no blocks to hold; ask `is_exact` about interventions of your own"
                )
    return owners
