"""omega derived from tau (Beckers & Halpern, AAAI 2019, section 3).

do(X_J = x) is do(Y_K = y) above, if tau sends all low states that agree with x onto exactly the
high states that agree with y; high states are those that tau gives. K are the variables above
that x determines. With tau = T x + t over real numbers, J held and R not,

    K = {k : (T_R)_k = 0},   and the image is all of what agrees iff
    rank T_R = rank T - rank T_K.

With ranges that are finite all states are gone through. Else, where no two variables above read
one below, each is decided on its own: by what its formula leaves free, and by intervals.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType

import numpy as np
import sympy as sp

from physcm.abstraction.tau import Tau
from physcm.abstraction.transformation.linear import LinearMap, rank
from physcm.abstraction.transformation.omega import Image, Undefined
from physcm.mechanism.declarations import Interval
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import exact, names_in, symbol
from physcm.mechanism.interventions import Hold, Intervention, Interventions, SetParameter, label

_MOST_STATES = 200_000


@dataclass(frozen=True)
class FromTau:
    """The rule by which omega follows from tau; as `omega="from tau"` all values are real numbers.

    Attributes:
        values: the values that variables below can take, where these are finitely many.

    >>> FromTau(values={"vote1": (0, 1), "vote2": (0, 1)})
    FromTau(values={'vote1': (0, 1), 'vote2': (0, 1)})
    """

    values: Mapping[str, Sequence[float]] = field(default_factory=lambda: MappingProxyType({}))

    def image(
        self, do: Interventions, *, tau: Tau, below: Sequence[str],
        domains: Mapping[str, Interval], alike: Collection[str] = (),
    ) -> Image:  # fmt: skip
        """Return what an intervention is above, or why it is nothing; see `image_by_tau`.

        Raises:
            InvalidValue: for values of what is no variable below, and for none.
        """
        for name, given in self.values.items():
            if name not in below or not len(given):
                raise InvalidValue(
                    f"FromTau gives `{name}` the values `{list(given)}`; give variables below "
                    f"({', '.join(below)}) at least one value each"
                )
        return image_by_tau(do, tau, below, domains, self.values, alike)


def image_by_tau(
    do: Interventions, tau: Tau, below: Sequence[str],
    domains: Mapping[str, Interval], values: Mapping[str, Sequence[float]],
    alike: Collection[str] = (),
) -> Image:  # fmt: skip
    """Return what an intervention is above, or why it is nothing.

    Args:
        do: the intervention below.
        tau: the map of states; expressions with all constants written in, or a function.
        below: the variables of the model below.
        domains: intervals that variables below stay in; what has none takes all real numbers.
        values: what variables below can take, where that is finite.
        alike: parameters that both models have and tau does not read: what sets them sets them in
            both.

    >>> tau = Tau.given({"total": "x + y"}, ["x", "y"], ["total"])
    >>> image_by_tau((Hold("x", 1), Hold("y", 2)), tau, ["x", "y"], {}, {})
    (Hold('total', 3.0),)
    >>> image_by_tau((Hold("x", 1),), tau, ["x", "y"], {}, {})
    ()
    >>> print(image_by_tau((Hold("x", 1),), tau, ["x", "y"], {"x": (0, 9), "y": (0, 9)}, {}))
    undefined: with x = 1, `total` goes over [1, 10] and not over all of [0, 18]
    """
    held: dict[str, float] = {}
    settings = list[Intervention]()
    for one in do:
        if isinstance(one, SetParameter) and one.during is None and one.values.keys() <= {*alike}:
            settings.append(one)
            continue
        if not isinstance(one, Hold) or one.during is not None or not _is_number(one.value):
            return Undefined(f"{label([one])} holds no variable at a number, which is all tau maps")
        if one.name not in below:
            return Undefined(f"`{one.name}` is no variable of the model below")
        held[one.name] = float(one.value)
    if not held:
        return tuple(settings)
    try:
        return (*_holds(_determined(tau, below, held, domains, values)), *settings)
    except _No as no:
        return Undefined(str(no))


class _No(Exception):
    """Why there is no image."""


def _determined(
    tau: Tau, below: Sequence[str], held: Mapping[str, float],
    domains: Mapping[str, Interval], values: Mapping[str, Sequence[float]],
) -> dict[str, float]:  # fmt: skip
    if values or tau.function is not None:
        return _by_enumeration(tau, below, held, values)
    reads = sorted(frozenset().union(*map(names_in, tau.expressions)))
    if unknown := [name for name in reads if name not in below]:
        raise _No(f"tau reads `{unknown[0]}`, which is neither a variable below nor a number")
    if not any(name in domains for name in reads):
        try:
            return _by_rank(LinearMap.of(tau.expressions, reads), tau.names, reads, held)
        except Unsupported:
            pass  # tau is not linear
    if sum(len(names_in(e)) for e in tau.expressions) > len(reads):
        raise _No(
            "tau is not linear over all real numbers, and variables above share what they read: "
            "give finite ranges, as in FromTau(values=...), or a list of pairs"
        )
    pairs = zip(tau.names, tau.expressions, strict=True)
    found = {name: _alone(name, expression, held, domains) for name, expression in pairs}
    return {name: value for name, value in found.items() if value is not None}


def _by_rank(
    tau: LinearMap, names: Sequence[str], reads: Sequence[str], held: Mapping[str, float]
) -> dict[str, float]:
    free = [j for j, name in enumerate(reads) if name not in held]
    rows = tau.matrix.to_list()
    fixed = [k for k, row in enumerate(rows) if any(row) and not any(row[j] for j in free)]
    every, left = list(range(len(names))), list(range(len(reads)))
    freedom = rank(tau.matrix.extract(every, free))
    room = rank(tau.matrix) - rank(tau.matrix.extract(fixed, left))
    if freedom != room:
        raise _No(
            f"the states that {_spelled(held)} allows are tied to each other above: they have "
            f"{freedom} degrees of freedom of {room}, which no hold of single variables says"
        )
    point = [exact(held.get(name, 0.0)) for name in reads]
    given = sp.Matrix([[a * x for a, x in zip(row, point, strict=True)] for row in rows])
    offsets = [row[0] for row in tau.offset.to_list()]
    return {names[k]: float(sum(given.row(k)) + sp.QQ.to_sympy(offsets[k])) for k in fixed}


def _alone(
    name: str, expression: sp.Expr, held: Mapping[str, float], domains: Mapping[str, Interval]
) -> float | None:
    """Return what a variable above is, None where it stays free; else raise."""
    if names_in(expression).isdisjoint(held):
        return None
    left = sp.simplify(expression.xreplace({symbol(k): exact(v) for k, v in held.items()}))
    if left.is_number:
        return float(left)
    allowed, whole = _range(left, domains), _range(expression, domains)
    if allowed is None or whole is None:
        raise _No(
            f"over which values `{name}` goes with {_spelled(held)} cannot be decided; give finite "
            "ranges, as in FromTau(values=...), or a list of pairs"
        )
    if allowed == whole:
        return None
    raise _No(
        f"with {_spelled(held)}, `{name}` goes over {_interval(allowed)} and not over all of "
        f"{_interval(whole)}"
    )


def _range(expression: sp.Expr, domains: Mapping[str, Interval]) -> Interval | None:
    """Return the values of an expression, each of whose variables goes over its interval.

    All real numbers, if it is linear in one variable that does so, with a slope that is a
    polynomial in the others, and so not zero everywhere.
    """
    names = sorted(names_in(expression))
    expanded = sp.expand(expression)
    for name in names:
        slope = sp.diff(expanded, symbol(name))
        straight = slope != 0 and slope.is_polynomial() and name not in names_in(slope)
        if straight and domains.get(name, _LINE) == _LINE:
            return _LINE
    try:
        linear = LinearMap.of([expression], names)
    except Unsupported:
        return None
    (row,), ((offset,),) = linear.floats, linear.offset.to_list()
    ends = [sorted(a * end for end in domains[name]) for a, name in zip(row, names, strict=True)]
    return float(offset) + sum(low for low, _ in ends), float(offset) + sum(up for _, up in ends)


def _by_enumeration(
    tau: Tau, below: Sequence[str], held: Mapping[str, float], values: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    read = below if tau.function else sorted(frozenset().union(*map(names_in, tau.expressions)))
    if missing := [name for name in read if name not in values]:
        raise _No(
            f"tau reads `{missing[0]}`, whose range is not given; add it to FromTau(values=...)"
        )
    if math.prod(len(values[name]) for name in read) > _MOST_STATES:
        raise _No(f"there are more than {_MOST_STATES:,} states to go through; list omega's pairs")
    whole = {*_states(tau, {name: values[name] for name in read})}
    image = {*_states(tau, {k: [held[k]] if k in held else values[k] for k in read})}
    first = next(iter(image))
    fixed = [k for k in range(len(first)) if _constant(image, k) and not _constant(whole, k)]
    agreeing = {y for y in whole if all(y[k] == first[k] for k in fixed)}
    if image != agreeing:
        other = next(iter((agreeing - image) or (image - agreeing)))
        state = ", ".join(f"{name} = {y:.6g}" for name, y in zip(tau.names, other, strict=True))
        verb = "cannot come about" if other in agreeing else "is no state above"
        raise _No(f"with {_spelled(held)} the state {state} {verb}")
    return {tau.names[k]: first[k] for k in fixed}


def _states(tau: Tau, ranges: Mapping[str, Sequence[float]]) -> Iterator[tuple[float, ...]]:
    states = np.array([*product(*ranges.values())], dtype=float).T
    columns = tau.of(dict(zip(ranges, states, strict=True)))
    return map(tuple, columns.T.round(12).tolist())


def _constant(states: set[tuple[float, ...]], k: int) -> bool:
    return len({y[k] for y in states}) == 1


def _holds(values: Mapping[str, float]) -> Interventions:
    return tuple(Hold(name, value) for name, value in values.items())


def _spelled(held: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.6g}" for name, value in held.items())


def _interval(ends: Interval) -> str:
    return f"[{ends[0]:.6g}, {ends[1]:.6g}]"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))


_LINE: Interval = (-math.inf, math.inf)
