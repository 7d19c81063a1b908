"""Potentials: the integrated terms of a drift, of which energies are made beside polynomials.

Where states move each other, x_i' = f_i(.., x_j, ..) and x_j' = f_j(.., x_i, ..), as a velocity
and a position do, the law that ties them has the integral of the terms of f_i over x_j:

    pendulum             x' = v, v' = -sin x                  v^2/2 - cos x
    planet               v' = -r/|r|^3                        |v|^2/2 - 1/|r|
    lattice of Toda      p1' = -exp(q1 - q2)                  p1^2/2 + p2^2/2 + exp(q1 - q2)

Of two amounts that grow by factors, x_i' = x_i g_i, the logarithms play this part: g_i is
integrated over log x_j.

Integrals are taken by substitution alone: a term h(u) du/dx is integrated as h(w) over w.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations

import numpy as np
import sympy as sp
from sympy.integrals.manualintegrate import manualintegrate

from physcm.mechanism.expression import derivative, substitute, symbol
from physcm.sim.conservation import known_parameters
from physcm.sim.system import System

_LONGEST, _MOST_STATES = 60, 16
_BROKEN = (sp.Piecewise, sp.Max, sp.Min, sp.Abs, sp.sign, sp.floor, sp.ceiling)
Terms = dict[sp.Expr, sp.Expr]


def potentials(system: System, amounts: list[sp.Symbol]) -> Terms:
    """Return the integrated terms of a drift, with numbers in place of parameters, and without.

    Args:
        system: whose drift it is.
        amounts: the states that stay positive.

    >>> pendulum = System(
    ...     {"x": "v", "v": "-k*sin(n*x)"}, parameters={"k": 2, "n": 3}, initial={"x": 1, "v": 0}
    ... )
    >>> potentials(pendulum, [])
    {v**2: v**2, cos(3*x): cos(n*x)}
    """
    if len(system.states) > _MOST_STATES:
        return {}
    known = known_parameters(system)
    start = system.draw(np.array([0]), 0)[0][:, 0].tolist()
    begin = dict(zip(map(symbol, system.states), map(sp.Float, start), strict=True))
    found: Terms = {}
    for term in _integrals(system, amounts, known):
        told = term.xreplace(known)
        if told.free_symbols <= begin.keys() and told.xreplace(begin).is_real:
            found.setdefault(told.as_independent(*begin, as_Add=False)[1], term)
    return found


def _integrals(
    system: System, amounts: list[sp.Symbol], known: Mapping[sp.Symbol, sp.Expr]
) -> Iterator[sp.Expr]:
    """Yield terms without constant factors.

    A force that reads what it moves is none of a potential.
    """
    states = [symbol(name) for name in system.states]
    drift = {x: substitute(system.drift[x.name], system.derived, system.derived) for x in states}
    growing = {x: sp.expand(f / x) for x, f in drift.items() if x in amounts}
    reads = {x: f.free_symbols for x, f in drift.items()}
    for i, j in permutations(states, 2):
        if j in reads[i] and i in reads[j]:
            for part in sp.Add.make_args(drift[i]):
                if not part.has(i):
                    yield from _terms(part, j, states, known)
            if i in growing and j in growing and not growing[i].has(i):
                for part in sp.Add.make_args(growing[i]):
                    yield from _terms(part / j, j, states, known)


def _terms(
    part: sp.Expr, x: sp.Symbol, states: list[sp.Symbol], known: Mapping[sp.Symbol, sp.Expr]
) -> Iterator[sp.Expr]:
    """Yield the terms of the integral of one term of a drift, but for x and its logarithm."""
    if not part.has(x) or sp.count_ops(part) > _LONGEST or part.has(*_BROKEN):
        return
    whole = _integral(part, x, known)
    for term in sp.Add.make_args(sp.S.Zero if whole is None else whole):
        moving = term.as_independent(*states, as_Add=False)[1]
        if moving.has(x) and moving not in (x, sp.log(x)):
            yield moving


def _integral(part: sp.Expr, x: sp.Symbol, known: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr | None:
    """Return the integral of a term over x, None if no substitution gives it."""
    if part.is_polynomial(x):
        return sp.expand(sp.Poly(part, x).integrate().as_expr())
    factors = sp.Mul.make_args(part)
    plain = sp.Mul(*(f for f in factors if f.is_polynomial(x)))
    rest = sp.Mul(*(f for f in factors if not f.is_polynomial(x)))
    for inner in [*_inner(rest, x), x]:
        w = sp.Dummy(real=True)
        slope = derivative(inner, x)
        h = (sp.cancel(plain / slope) * rest).xreplace({inner: w})
        if not h.has(x):
            stand_ins = {s: _stand_in(known.get(s)) for s in h.free_symbols - {w}}
            found = manualintegrate(h.xreplace(stand_ins), w)
            if not found.has(sp.Integral, sp.Piecewise, sp.I):
                back = {dummy: s for s, dummy in stand_ins.items()} | {w: inner}
                return sp.expand_mul(found.xreplace(back))
    return None


def _inner(rest: sp.Expr, x: sp.Symbol) -> list[sp.Expr]:
    """Return arguments of functions and bases of powers that read x, the longest first."""
    parts = {
        inner
        for part in rest.atoms(sp.Function, sp.Pow)
        for inner in part.args
        if inner.has(x) and inner != x
    }
    return sorted(parts, key=lambda e: (-sp.count_ops(e), sp.default_sort_key(e)))


def _stand_in(value: sp.Expr | None) -> sp.Dummy:
    """Return an unknown of the sign that a parameter has."""
    if value is None or value.is_zero:
        return sp.Dummy(real=True)
    return sp.Dummy(positive=True) if value.is_positive else sp.Dummy(negative=True)
