"""Labelled equilibrium equations: what a system says about its states at rest.

A state X_i with drift f_i gives the equation 0 = f_i(X), labelled i. Where it can be solved
for X_i, given the other variables, it becomes the structural equation X_i = h_i(X_pa(i))
(Mooij, Janzing & Schölkopf, UAI 2013, section 3); else it stays implicit, a self-cycle.

- f_i = a X_i + b, with a and b free of X_i and not zero together:  X_i = -b/a.
- f_i = X_i g with g = a X_i + b, a < 0, X_i >= 0:  X_i = max(0, -b/a). The state that attracts
  when all others are held is -b/a where that is positive, and else extinction.
- f_i = 0 identically: nothing moves X_i, and X_i = X_i(0).

Variables that are held together share their equations: holding one removes all of them, so
that the labels within a group may be exchanged. For a mass, the equation Q' = P/m says that
P = 0, and the balance of forces P' = 0 gives Q, explicitly or not.

An equation that does not contain its own variable, such as that of an integrating controller,
has no natural label; holding its variable then removes an equation that another variable needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import sympy as sp

from physcm.abstraction.parametric import linear_in_parameters
from physcm.abstraction.unfolding import multiplier, unfolded
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.expression import derivative, initial_symbol, names_in, symbol
from physcm.mechanism.values import Value
from physcm.scm import SCM
from physcm.sim import FirstIntegral, System
from physcm.sim.conservation import ConservationLaw, known_parameters

_POINTS = 5


def equilibrium_scm(
    system: System, laws: Sequence[ConservationLaw], curved: Sequence[FirstIntegral] = ()
) -> SCM:
    """Return the structural equations of a system at rest, with no claim that it comes to rest.

    A conservation law takes the place of the equation of the state that it determines: that
    equation follows from the others. Its weights are in the parameters, unless it holds for their
    given values alone. A nonlinear law stands beside them, with a multiplier (see
    `physcm.abstraction.unfolding`).
    """
    mechanisms = {name: structural_equation(system, name) for name in system.states}
    for group in system.held_together:
        mechanisms |= _relabeled(system, [name for name in group if name in system.drift])
    mechanisms |= unfolded(system, laws, curved)
    mechanisms |= {law.determines: _conserved(law) for law in linear_in_parameters(system, laws)}
    mechanisms |= dict(system.derived)
    determined = {law.determines for law in laws}
    moving = {k: f for k, f in system.drift.items() if f != 0 and k not in determined}
    random = {k: v for k, v in system.parameters.items() if is_random(v)}
    fixed = {k: v for k, v in system.parameters.items() if not is_random(v)}
    amounts = {s.name for law in curved for s in law.amounts}
    domains = {**system.bounds, **{name: _above_zero(system, name) for name in amounts}}
    return SCM(
        mechanisms,
        exogenous=random | starts_read(system, [*mechanisms.values(), *moving.values()]),
        parameters=fixed,
        name=system.name,
        domains=domains,
        guesses=_at_start(system) | {multiplier(k): 0.0 for k in range(len(curved))},
        dynamics=None if curved else moving,
    )


def _above_zero(system: System, name: str) -> tuple[float, float]:
    low, high = system.bounds.get(name, (0.0, math.inf))
    return max(low, 0.0), high


def _at_start(system: System) -> dict[str, float]:
    """Return the variables in the initial state of the first sample, where they are finite."""
    x, p = system.draw(np.zeros(1, dtype=np.int64), 0)
    values = np.concatenate([x, system.outputs.vector(0.0, x, p)])[:, 0]
    return {k: float(v) for k, v in zip(system.variables, values, strict=True) if np.isfinite(v)}


def structural_equation(system: System, name: str) -> sp.Basic:
    """Return X_i = h_i as the expression h_i, or the implicit equation 0 = f_i."""
    f, x = sp.together(system.drift[name]), symbol(name)
    if f == 0:
        return initial_symbol(name)
    f = system.drift[name]
    if not _reaches(system, name, names_in(f) - {name}):
        solved = _affine_root(system, f, x)
        if solved is None:
            solved = _surviving_root(system, f, name)
        if solved is not None:
            return solved
    return sp.Eq(f, 0, evaluate=False)


def _relabeled(system: System, group: list[str]) -> dict[str, sp.Basic]:
    """Return mechanisms for a group, each equation labelled by what it determines."""
    equations = [system.drift[name] for name in group]
    solved: dict[str, sp.Basic] = {}
    for name in reversed(group):
        for i, f in enumerate(equations):
            f = f.xreplace({symbol(k): v for k, v in solved.items() if v.is_number})
            indirect = _reaches(system, name, names_in(f) - {name})
            if indirect or name in names_in(f):
                root = None if indirect else _affine_root(system, f, symbol(name))
                solved[name] = sp.Eq(f, 0, evaluate=False) if root is None else root
                del equations[i]
                break
    return solved if len(solved) == len(group) else {}


def without_natural_label(system: System) -> tuple[str, ...]:
    """Return the states whose equilibrium equation determines another, X = 0 set aside.

    f_i does not contain X_i where its derivative by X_i vanishes, and f_i = X_i g with g free
    of X_i where X_i df_i/dX_i = f_i; both are tested at random points. With g a constant, as in
    X' = r X, no other state is determined.

    >>> prey = System(
    ...     {"x": "x*(a - y)", "y": "x - y"}, parameters={"a": 1}, initial={"x": 1, "y": 1}
    ... )
    >>> without_natural_label(prey)
    ('x',)
    """
    exchangeable = {name for group in system.held_together for name in group}
    count = len(system.states)
    rng = np.random.default_rng(0)
    x = np.exp(rng.normal(size=(count, _POINTS)))
    p = system.draw(np.zeros(_POINTS, dtype=np.int64), 0)[1]
    f = system.rates.vector(0.0, x, p)
    jacobian = system.rates.jacobian.batch(0.0, x, p)
    slope = np.diagonal(jacobian, axis1=1, axis2=2).T
    size = np.abs(f) + np.abs(x * slope)
    absent = ((slope == 0) | (np.abs(x * slope - f) <= 1e-9 * size)).all(axis=1)
    reads_others = ((jacobian != 0) & ~np.eye(count, dtype=bool)).any(axis=(0, 2))
    return tuple(
        name
        for name, unlabeled in zip(system.states, absent & reads_others, strict=True)
        if unlabeled and name not in exchangeable
    )


def is_random(value: Value) -> bool:
    """Say whether a value differs between samples.

    >>> is_random(1.0), is_random((1.0, 2.0))
    (False, True)
    """
    return isinstance(value, Distribution | tuple)


def _affine_root(system: System, f: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    """Return -b/a for f = a x + b, if a and b cannot vanish together.

    Where they could, as in prey (growth - predator) = 0, any x would solve the equation, and
    dividing by a would lose that solution.
    """
    slope = derivative(f, x)
    if slope == 0 or x in slope.free_symbols:
        slope = sp.cancel(slope) if slope != 0 and slope.count_ops() < 200 else slope
        if slope == 0 or x in slope.free_symbols:
            return None
    rest = f.xreplace({x: sp.S.Zero})
    signed = _physical_signs(system, slope.free_symbols | rest.free_symbols)
    if slope.xreplace(signed).is_zero is False or rest.xreplace(signed).is_zero is False:
        return sp.cancel(-rest / slope)
    return None


def _physical_signs(system: System, symbols: Iterable[sp.Symbol]) -> dict[sp.Symbol, sp.Expr]:
    """Return stand-ins for symbols that know the signs of parameters and amounts.

    Of a parameter no more is used, so that the equation holds at other values too.
    """
    known = known_parameters(system)
    return {s: _stand_in(*_range(system, s, known)) for s in symbols}


def _range(
    system: System, name: sp.Symbol, known: Mapping[sp.Symbol, sp.Expr]
) -> tuple[float, float]:
    """Return the least and the largest value of a variable or parameter."""
    value = system.parameters.get(name.name)
    if name in known and value is not None:
        return float(known[name]), float(known[name])
    if isinstance(value, Distribution):
        return value.support
    if isinstance(value, tuple):
        return min(value), max(value)
    return system.bounds.get(name.name, (-math.inf, math.inf))


def _stand_in(low: float, high: float) -> sp.Expr:
    if low > 0:
        return sp.Dummy(positive=True)
    if high < 0:
        return sp.Dummy(negative=True)
    return sp.Dummy(nonnegative=True) if 0 <= low < high else sp.Dummy(real=True)


def _surviving_root(system: System, f: sp.Expr, name: str) -> sp.Expr | None:
    """Return max(0, -b/a) for f = x (a x + b) with a < 0 and x >= 0."""
    x = symbol(name)
    if system.bounds.get(name, (None,))[0] != 0 or f.xreplace({x: sp.S.Zero}) != 0:
        return None
    growth = sp.expand(sp.cancel(f / x))
    slope = derivative(growth, x)
    signed = slope.xreplace(_physical_signs(system, slope.free_symbols))
    if x in growth.xreplace({x: sp.S.Zero}).free_symbols or not signed.is_negative:
        return None
    return sp.Max(0, sp.cancel(-growth.xreplace({x: sp.S.Zero}) / slope))


def _reaches(system: System, name: str, reads: frozenset[str]) -> bool:
    """Say whether any of the derived variables read depends on a state, through others too."""
    seen: set[str] = set()
    waiting = set(reads & system.derived.keys())
    while waiting:
        derived = waiting.pop()
        seen.add(derived)
        inner = names_in(system.derived[derived])
        if name in inner:
            return True
        waiting |= (inner & system.derived.keys()) - seen
    return False


def _conserved(law: ConservationLaw) -> sp.Basic:
    """Return the law as the structural equation of the state that it determines."""
    x = symbol(law.determines)
    at_start = law.total.xreplace({symbol(name): initial_symbol(name) for name in law.states})
    return (at_start - law.total.xreplace({x: sp.S.Zero})) / law.total.coeff(x)


def starts_read(system: System, read: Iterable[sp.Basic]) -> dict[str, Value]:
    """Return the initial values that these or parameters read, as exogenous variables.

    >>> starts_read(System({"x": "-x"}, initial={"x": 2}), [symbol("x") - initial_symbol("x")])
    {'x(0)': 2.0}
    """
    values = {f"{name}(0)": value for name, value in system.initial.items()}
    texts = [*read, *(v for v in system.parameters.values() if _is_text(v))]
    needed: dict[str, Value] = {}
    waiting = set().union(*(names_in(text) for text in texts)) & values.keys()
    while waiting:
        name = waiting.pop()
        needed[name] = values[name]
        if _is_text(values[name]):
            waiting |= (names_in(values[name]) & values.keys()) - needed.keys()
    return dict(sorted(needed.items()))


def _is_text(value: Value) -> bool:
    return isinstance(value, sp.Basic)
