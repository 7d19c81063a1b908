"""Elimination: from many unknowns to few, by writing most of them in terms of the others.

An equation a x + b = 0, with a free of unknowns and b free of x, defines x = -b/a. Equations
chosen so that no definition reads itself, through others or at once, leave few unknowns (the
*tears*) and as many equations (Kron 1963; Elmqvist & Otter, ESM 1994). Nothing is substituted:
the definitions stay a chain, through which values and derivatives run.

No solution is lost: a is a number, or never vanishes, or is checked for each column.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import names_in, symbol
from physcm.mechanism.linearization import Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.scm.block import Block, Equations
from physcm.scm.linear import linear_form

MOST_TEARS = 4
_LOOKAHEAD = 8
_SMALL = 1e-12


@dataclass(frozen=True)
class Reduced:
    """A block in terms of few unknowns.

    Attributes:
        block: the block.
        tears: the unknowns that are left.
        definitions: the others, each by an expression of tears and earlier definitions.
        residuals: the equations that are left, one per tear.
        pivots: the coefficients a that must not vanish; expressions of known values.
    """

    block: Block
    tears: tuple[str, ...]
    definitions: tuple[tuple[str, sp.Expr], ...]
    residuals: tuple[sp.Expr, ...]
    pivots: tuple[sp.Expr, ...]

    @cached_property
    def equations(self) -> Equations:
        """The remaining equations as functions of the tears."""
        return Equations.over(self.tears, self.block.known, self.definitions, self.residuals)

    @cached_property
    def completion(self) -> Program:
        """All unknowns of the block as functions of the tears."""
        every = tuple(map(symbol, self.block.unknowns))
        return Program.over(self.tears, self.block.known, dict(self.definitions), every)

    def is_sound(self, p: Floats) -> Flags:
        """Say for which columns of known values no pivot vanishes."""
        outputs = (*self.pivots, *map(size_of_terms, self.pivots))
        program = Program.over((), self.block.known, {}, outputs)
        values = program.vector(0.0, np.empty((0, p.shape[1])), p)
        pivots, sizes = np.split(np.abs(values), 2)
        with np.errstate(invalid="ignore"):
            sound: Flags = np.asarray((pivots > _SMALL * sizes).all(axis=0))
        return sound & np.isfinite(values).all(axis=0)


@lru_cache(maxsize=256)
def reduced(block: Block) -> Reduced | None:
    """Return the block in terms of few unknowns, or None if more than `MOST_TEARS` are left.

    >>> x, y = symbol("x"), symbol("y")
    >>> block = Block(("x", "y"), (x - y**2, y + x**3 - 5), (y**2, None), ((-9, 9),) * 2, (0, 0))
    >>> reduced(block).tears, reduced(block).residuals
    (('x',), (x - y**2,))
    """
    search = _Search(block)
    tears: list[str] = []
    done = search.propagated(frozenset(), frozenset())
    while len(done.names) < len(block.unknowns):
        if len(tears) == MOST_TEARS:
            return None
        options = {
            name: search.propagated(done.names | {name}, done.used)
            for name in search.candidates(done.names)
        }
        best = max(options, key=lambda name: len(options[name].names))
        tears.append(best)
        done = options[best].after(done)
    left = [r for i, r in enumerate(block.residuals) if i not in done.used]
    definitions = [(name, -rest / pivot) for name, pivot, rest in done.steps]
    pivots = {pivot for _, pivot, _ in done.steps if not pivot.is_nonzero}
    ordered_pivots = tuple(sorted(pivots, key=sp.default_sort_key))
    return Reduced(block, tuple(tears), tuple(definitions), tuple(left), ordered_pivots)


@dataclass(frozen=True)
class _Progress:
    """What is determined so far, by which equations, in which steps (name, a, b)."""

    names: frozenset[str]
    used: frozenset[int]
    steps: tuple[tuple[str, sp.Expr, sp.Expr], ...]

    def after(self, earlier: _Progress) -> _Progress:
        return _Progress(self.names, self.used, earlier.steps + self.steps)


class _Search:
    """Which equation defines which unknown, given what is determined."""

    def __init__(self, block: Block) -> None:
        self.block = block
        unknowns = {*block.unknowns}
        self.reads = [names_in(residual) & unknowns for residual in block.residuals]
        self.solved: dict[tuple[int, str], tuple[sp.Expr, sp.Expr] | None] = {}

    def propagated(self, names: frozenset[str], used: frozenset[int]) -> _Progress:
        """Determine every unknown that follows, one equation at a time."""
        steps: list[tuple[str, sp.Expr, sp.Expr]] = []
        known, spent, changed = set(names), set(used), True
        while changed:
            changed = False
            for i in range(len(self.reads)):
                open_ = self.reads[i] - known if i not in spent else frozenset()
                form = self.form(i, next(iter(open_))) if len(open_) == 1 else None
                if form is not None:
                    (name,) = open_
                    steps.append((name, *form))
                    known.add(name)
                    spent.add(i)
                    changed = True
        return _Progress(frozenset(known), frozenset(spent), tuple(steps))

    def candidates(self, names: frozenset[str]) -> Iterable[str]:
        """Return the undetermined unknowns, those first that most equations read."""
        degree = {name: sum(name in r for r in self.reads) for name in self.block.unknowns}
        open_ = [name for name in self.block.unknowns if name not in names]
        return sorted(open_, key=lambda name: -degree[name])[:_LOOKAHEAD]

    def form(self, equation: int, name: str) -> tuple[sp.Expr, sp.Expr] | None:
        """Return (a, b) of the equation a x + b = 0, or None if it does not define x."""
        place = equation, name
        if place not in self.solved:
            self.solved[place] = self._form(equation, name)
        return self.solved[place]

    def _form(self, equation: int, name: str) -> tuple[sp.Expr, sp.Expr] | None:
        explicit = self.block.explicit[equation]
        if explicit is not None and self.block.unknowns[equation] == name:
            return sp.S.One, -explicit
        split = linear_form(self.block.residuals[equation], {symbol(name)})
        pivot = split[0].get(symbol(name)) if split else None
        if split is None or pivot is None:
            return None
        safe = pivot.is_nonzero or pivot.free_symbols.isdisjoint(self.block.symbols)
        return (pivot, split[1]) if safe else None
