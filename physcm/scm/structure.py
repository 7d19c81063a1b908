"""Who reads whom: the causal graph from the meaning of the mechanisms, not from their letters.

k is a parent of i iff no equivalent mechanism of i omits k (Bongers, Forré, Peters & Mooij,
Annals of Statistics 2021, definition 2.6); so x - x and 0*x make no parent, nor does a factor
that never vanishes. i has a self-cycle iff its equation does not determine X_i uniquely given
all others: x = 0.5*x + y says x = 2*y, which is no cycle, nor is x**3 = y, and x = x + y is one.
An equation that is not known to determine its variable counts as a self-cycle.

A derivative that is not zero at some random point does not vanish; only one that is zero at
all of them is simplified. Parameters have their values here, so that 0 makes no edge;
exogenous variables are generic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.expression import derivative, exact, names_in, symbol
from physcm.mechanism.linearization import Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.mechanism.values import Value, draw
from physcm.scm.block import Block
from physcm.scm.closed_form import closed_form
from physcm.scm.constants import constants_in
from physcm.scm.graph import MixedGraph
from physcm.scm.linear import linear_form
from physcm.scm.monotone import is_monotone
from physcm.scm.solve import residual

_POINTS = 6
_NEGLIGIBLE = 1e-9
_LARGEST = 300


@dataclass(frozen=True)
class Structure:
    """The mechanisms of a model with what is known about the values in them."""

    mechanisms: Mapping[str, sp.Basic]
    exogenous: Mapping[str, Value]
    parameters: Mapping[str, Value]
    domains: Mapping[str, tuple[float, float]]

    def graph(self) -> MixedGraph:
        """Return the directed edges of the mechanisms and the bidirected ones of their noise."""
        directed: list[tuple[str, str]] = []
        hidden: dict[str, frozenset[str]] = {}
        for name, mechanism in self.mechanisms.items():
            read, has_self_cycle = self.reads(name, mechanism)
            directed += [(cause, name) for cause in self.mechanisms if cause in read]
            directed += [(name, name)] if has_self_cycle and name not in read else []
            hidden[name] = self.sources(read - self.mechanisms.keys())
        shared = [(a, b) for a, b in combinations(self.mechanisms, 2) if hidden[a] & hidden[b]]
        return MixedGraph(directed, shared, self.mechanisms)

    def reads(self, name: str, mechanism: sp.Basic) -> tuple[frozenset[str], bool]:
        """Return the names that a mechanism depends on, and whether it is a self-cycle."""
        if not isinstance(mechanism, sp.Eq) and name not in names_in(mechanism):
            return self.depends_on(mechanism), False
        equation = _essential(residual(name, mechanism))
        form = linear_form(equation, {symbol(name)})
        slope = form[0].get(symbol(name), sp.S.Zero) if form else sp.S.Zero
        if form is not None and self.never_vanishes(slope):
            return self.depends_on(-form[1] / slope), False
        return self.depends_on(equation) - {name}, not self._determines(name, equation)

    def _determines(self, name: str, equation: sp.Expr) -> bool:
        """Say whether an equation that is not linear is known to have one root in a variable."""
        known = constants_in(equation, self.parameters)
        if is_monotone(known, (name,)):
            return True
        everything = (-np.inf, np.inf)
        form = closed_form(Block((name,), (known,), (None,), (everything,), (np.nan,)))
        return form is not None and not form.ranges and all(map(self.never_vanishes, form.pivots))

    def depends_on(self, expression: sp.Expr) -> frozenset[str]:
        """Return the names in which the derivative does not vanish identically."""
        names = sorted(names_in(expression))
        form = linear_form(expression, {symbol(name) for name in names})
        slopes = [
            form[0].get(symbol(name), sp.S.Zero) if form else derivative(expression, symbol(name))
            for name in names
        ]
        nonzero = [bool(row.any()) for row in self._somewhere(slopes)]
        return frozenset(
            name
            for name, slope, seen in zip(names, slopes, nonzero, strict=True)
            if seen or not self._is_zero(slope)
        )

    def never_vanishes(self, expression: sp.Expr) -> bool:
        """Say whether an expression is almost surely not zero, whatever the variables."""
        if expression.is_number or expression.is_nonzero:
            return bool(expression != 0)
        free = names_in(expression).isdisjoint(self.mechanisms)
        return free and bool(self._somewhere([expression]).all())

    def sources(self, names: Collection[str]) -> frozenset[str]:
        """Return the random or exogenous names that some values come from."""
        found: set[str] = set()
        for name in names:
            value = self.exogenous.get(name, self.parameters.get(name))
            if isinstance(value, sp.Basic):
                found |= self.sources(names_in(value))
            elif name in self.exogenous or isinstance(value, Distribution | tuple):
                found.add(name)
        return frozenset(found)

    @cached_property
    def _point(self) -> dict[str, Floats]:
        """Generic values of all names, each (points,)."""
        given = {**self.exogenous, **self.parameters}
        fixed = draw(repeated(given, _POINTS), np.arange(_POINTS), seed=0)
        moving = generic((*self.mechanisms, *self.exogenous), self.domains, _POINTS)
        drawn = {k for k, value in self.exogenous.items() if isinstance(value, Distribution)}
        return fixed | {name: values for name, values in moving.items() if name not in drawn}

    def _somewhere(self, expressions: Sequence[sp.Expr]) -> Flags:
        """Say of expressions at which points they are not zero, (expressions, points)."""
        names = tuple(self._point)
        p = np.array(list(self._point.values())).reshape(len(names), _POINTS)
        outputs = [*expressions, *map(size_of_terms, expressions)]
        values = Program.over((), names, {}, outputs).vector(0.0, np.empty((0, _POINTS)), p)
        value, size = np.split(values, 2)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.isfinite(value) & (np.abs(value) > _NEGLIGIBLE * size))

    def _is_zero(self, expression: sp.Expr) -> bool:
        """Say whether an expression vanishes identically, at the values of the parameters."""
        numbers = {symbol(k): exact(v) for k, v in self.parameters.items() if isinstance(v, float)}
        known = expression.xreplace(numbers)
        return bool(known == 0 or (known.count_ops() < _LARGEST and sp.simplify(known) == 0))


def _essential(equation: sp.Expr) -> sp.Expr:
    """Return an equation's left side without denominators and factors that never vanish."""
    if equation.count_ops() >= _LARGEST:
        return equation
    factors = sp.Mul.make_args(sp.factor(sp.numer(sp.together(equation))))
    return sp.Mul(*(f for f in factors if not f.is_nonzero or f.is_number))


def repeated(values: Mapping[str, Value], count: int) -> dict[str, Value]:
    """Return values in which those per sample are as many as wanted, over and over.

    >>> repeated({"a": (1.0, 2.0), "b": 3.0}, 3)
    {'a': (1.0, 2.0, 1.0), 'b': 3.0}
    """
    return {
        name: tuple(np.resize(value, count).tolist()) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def generic(
    names: Sequence[str], domains: Mapping[str, tuple[float, float]], count: int
) -> dict[str, Floats]:
    """Return generic values of some names, within their domains, (count,) each.

    >>> bool((generic(["x"], {"x": (2, 3)}, 9)["x"] > 2).all())
    True
    """
    rng = np.random.default_rng(20)
    sizes = rng.lognormal(size=(len(names), count))
    signs = np.where(rng.random(sizes.shape) < 0.5, -1.0, 1.0)
    return {
        name: _within(domains.get(name, (-np.inf, np.inf)), size, sign)
        for name, size, sign in zip(names, sizes, signs, strict=True)
    }


def _within(domain: tuple[float, float], size: Floats, sign: Floats) -> Floats:
    low, high = domain
    if np.isfinite(low) and np.isfinite(high):
        return np.asarray(low + (high - low) * size / (1 + size))
    if np.isfinite(low):
        return low + size
    return high - size if np.isfinite(high) else sign * size
