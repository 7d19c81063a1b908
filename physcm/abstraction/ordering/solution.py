"""The causal ordering as an executable model: clusters solved one after another.

Each cluster becomes structural equations for its variables: in closed form where it is linear or
one equation that SymPy solves uniquely for the known signs, else as the implicit equations
themselves, each labelled by the variable that the matching gives it, which the causal model
solves numerically. Inputs that are random become exogenous variables.

Within a cluster of several variables these labels are a convention, so that holding one of them
is for `CausalOrdering.do`, which names the equation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import sympy as sp
from sympy.solvers.solveset import NonlinearError

from physcm.abstraction.ordering.reduction import Reduced
from physcm.abstraction.ordering.signs import Signs
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import symbol
from physcm.scm import SCM

if TYPE_CHECKING:
    from physcm.abstraction.ordering.causal_ordering import CausalOrdering
    from physcm.abstraction.ordering.clusters import Cluster

_LARGEST = 100


def executable(ordering: CausalOrdering) -> SCM:
    """Return a causal model with the solutions of the equations.

    >>> from physcm.abstraction.ordering.causal_ordering import causal_ordering
    >>> tub = {"f1": "I - O", "f2": "K*sqrt(P) - O", "f3": "g*D - P"}
    >>> ordering = causal_ordering(
    ...     tub,
    ...     parameters={"I": 5, "K": 0.7, "g": 9.8},
    ...     bounds={name: (0, float("inf")) for name in "DPO"},
    ... )
    >>> print(executable(ordering))
    O = I
    P = O**2/K**2
    D = P/g
    >>> float(executable(ordering.do("f1", D=2)).sample(1).O[0])
    3.0990...
    """
    reduced = ordering.reduced
    if reduced is None:
        raise Unsupported(
            "only the names in each equation are known; give equations as texts to solve them"
        )
    values = reduced.source.values
    for name in ordering.inputs:
        if name not in values:
            raise InvalidValue(f"`{name}` has no value; give one in `parameters`")
    given = {name: values[name] for name in ordering.inputs}
    mechanisms: dict[str, sp.Basic] = {}
    for cluster in ordering.clusters:
        mechanisms |= solved(reduced, cluster) or _implicit(ordering, reduced, cluster)
    return SCM(
        mechanisms,
        exogenous={k: v for k, v in given.items() if not isinstance(v, float)},
        parameters={k: v for k, v in given.items() if isinstance(v, float)},
        name=reduced.source.name,
        domains={k: v for k, v in reduced.source.bounds.items() if k in mechanisms},
    )


def solved(reduced: Reduced, cluster: Cluster) -> dict[str, sp.Basic]:
    """Return the closed form of the variables of a cluster, nothing where none is known."""
    residuals = [reduced.residuals[f] for f in cluster.equations]
    unknowns = [symbol(name) for name in cluster.variables]
    try:
        matrix, right = sp.linear_eq_to_matrix(residuals, unknowns)
    except NonlinearError:
        return _single(reduced, residuals, unknowns) if len(unknowns) == 1 else {}
    if len(unknowns) > 4 or matrix.det() == 0:
        return {}
    values = matrix.LUsolve(right)
    return {x.name: sp.cancel(value) for x, value in zip(unknowns, values, strict=True)}


def _single(
    reduced: Reduced, residuals: list[sp.Expr], unknowns: list[sp.Symbol]
) -> dict[str, sp.Basic]:
    """Solve one equation for one variable, where exactly one root has the right sign."""
    (residual,), (x,) = residuals, unknowns
    source = reduced.source
    signs = Signs(source.bounds, source.values, source.variables)
    stand_ins = signs.stand_ins(residual.free_symbols, source.variables)
    if residual.count_ops() > _LARGEST or not all(
        s.is_nonnegative or s.is_nonpositive for s in stand_ins.values()
    ):
        return {}
    try:
        roots = sp.solve(residual.xreplace(stand_ins), stand_ins[x])
    except NotImplementedError:
        return {}
    if len(roots) != 1 or roots[0].has(sp.Piecewise):
        return {}
    back = {dummy: s for s, dummy in stand_ins.items()}
    return {x.name: roots[0].xreplace(back)}


def _implicit(
    ordering: CausalOrdering, reduced: Reduced, cluster: Cluster
) -> Mapping[str, sp.Basic]:
    matching = ordering.structure.matching
    return {matching[f]: sp.Eq(reduced.residuals[f], 0, evaluate=False) for f in cluster.equations}
