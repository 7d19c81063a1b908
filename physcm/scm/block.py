"""A block: equations that have to be solved together, and what an answer to them is.

A strongly connected component of the dependence graph gives one block. Its equations read the
block's unknowns and values that are known by then: parameters, exogenous variables and
variables of earlier blocks. The ways of solving a block all answer in one form, for many
columns of known values at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.expression import names_in, symbol
from physcm.mechanism.linearization import Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.mechanism.roots import distinct, in_continuum, newton
from physcm.scm.steps import Steps

Ints = NDArray[np.int64]
_SLACK = 100.0
_RTOL = 1e-6
_BLUR = 1e-3
_POLISHING = 25
_CHUNK = 2**21


@dataclass(frozen=True)
class Block:
    """Residuals r(x, known) = 0, one per unknown and labelled by it.

    Attributes:
        unknowns: the names to solve for.
        residuals: what has to vanish; that of an explicit mechanism h of X is X - h.
        explicit: the mechanism h of each unknown that has one which does not read itself.
        domains: the lowest and highest value of each unknown.
        guess: a value near which to look for each unknown, NaN where there is none.
    """

    unknowns: tuple[str, ...]
    residuals: tuple[sp.Expr, ...]
    explicit: tuple[sp.Expr | None, ...]
    domains: tuple[tuple[float, float], ...]
    guess: tuple[float, ...]

    @cached_property
    def symbols(self) -> frozenset[sp.Symbol]:
        """The unknowns as symbols."""
        return frozenset(map(symbol, self.unknowns))

    @cached_property
    def known(self) -> tuple[str, ...]:
        """The names that the block reads and does not solve for."""
        read = frozenset().union(*map(names_in, self.residuals), *map(names_in, self.explicit_ones))
        return tuple(sorted(read - {*self.unknowns}))

    @property
    def explicit_ones(self) -> tuple[sp.Expr, ...]:
        """The explicit mechanisms there are."""
        return tuple(h for h in self.explicit if h is not None)

    @cached_property
    def equations(self) -> Equations:
        """The residuals as functions."""
        return Equations.over(self.unknowns, self.known, (), self.residuals)

    @cached_property
    def smooth(self) -> Equations:
        """The residuals as functions that also read the values of their steps."""
        residuals, names = self.steps.frozen(self.residuals)
        return Equations.over(self.unknowns, (*self.known, *names), (), residuals)

    @cached_property
    def steps(self) -> Steps:
        """The steps that read unknowns."""
        return Steps.of(self.residuals, self.unknowns, self.known)

    @cached_property
    def lower(self) -> Floats:
        """The lowest value of each unknown."""
        return np.array([low for low, _ in self.domains])

    @cached_property
    def upper(self) -> Floats:
        """The highest value of each unknown."""
        return np.array([high for _, high in self.domains])


@dataclass(frozen=True)
class Equations:
    """Residuals in the form that `physcm.mechanism.roots` takes: functions of (x, p)."""

    program: Program
    sizes: Program

    @classmethod
    def over(
        cls,
        unknowns: tuple[str, ...],
        known: tuple[str, ...],
        definitions: Iterable[tuple[str, sp.Expr]],
        residuals: Iterable[sp.Expr],
    ) -> Equations:
        """Return residuals, through named definitions, with the sizes of their terms.

        What is defined as a difference of large terms counts with their size, as written out.
        """
        defined, outputs = dict(definitions), tuple(residuals)
        own = {sp.Abs(symbol(name)): symbol(f"size({name})") for name in defined}
        through = {f"size({k})": size_of_terms(e).xreplace(own) for k, e in defined.items()}
        sizes = tuple(size_of_terms(e).xreplace(own) for e in outputs)
        return cls(
            Program.over(unknowns, known, defined, outputs),
            Program.over(unknowns, known, defined | through, sizes),
        )

    def residual(self, x: Floats, p: Floats) -> Floats:
        """Return the residuals, (equations, points)."""
        return self.program.vector(0.0, x, p)

    def jacobian(self, x: Floats, p: Floats) -> Floats:
        """Return the derivatives, (points, equations, unknowns)."""
        return self.program.jacobian.batch(0.0, x, p)

    def size(self, x: Floats, p: Floats) -> Floats:
        """Return the sums of absolute terms, (equations, points)."""
        return self.sizes.vector(0.0, x, p)


@dataclass(frozen=True)
class Answer:
    """All solutions of a block, for columns of known values.

    Attributes:
        x: the solutions, (unknowns, solutions).
        column: the column that each belongs to, ascending.
        continuum: which columns have infinitely many, of which x has none.
        unfound: which columns have none in x though they may have some.
        ways: in which ways it was found, in words.
    """

    x: Floats
    column: Ints
    continuum: Flags
    unfound: Flags
    ways: tuple[str, ...] = ()

    @classmethod
    def one_each(cls, x: Floats, solved: Flags) -> Answer:
        """Return one solution for each column marked, none for the others."""
        none = np.zeros(solved.size, bool)
        return cls(x[:, solved], np.flatnonzero(solved), none, none)

    @classmethod
    def joined(cls, columns: int, parts: Iterable[tuple[Ints, Answer]]) -> Answer:
        """Return the answer for all columns from answers for some of them."""
        parts = list(parts)
        x = np.concatenate([answer.x for _, answer in parts], axis=1)
        column = np.concatenate([which[answer.column] for which, answer in parts])
        continuum, unfound = np.zeros((2, columns), bool)
        for which, answer in parts:
            continuum[which], unfound[which] = answer.continuum, answer.unfound
        order = np.argsort(column, kind="stable")
        ways = dict.fromkeys(way for _, answer in parts for way in answer.ways)
        return cls(x[:, order], column[order], continuum, unfound, tuple(ways))

    def by(self, *ways: str) -> Answer:
        """Return the answer with the ways in which it was found."""
        return replace(self, ways=ways)

    def is_one_each(self, columns: int) -> bool:
        """Say whether each of some columns has exactly one solution."""
        alone = self.column.size == columns and not self.continuum.any()
        return alone and bool((self.column == np.arange(columns)).all())

    def solved(self) -> Flags:
        """Say which columns have a solution."""
        marks = self.continuum.copy()
        marks[self.column] = True
        return marks

    def open_where_empty(self, doubted: Flags | None = None) -> Answer:
        """Return the answer in which a column without solution counts as not found."""
        empty = ~self.solved() if doubted is None else ~self.solved() & doubted
        return replace(self, unfound=self.unfound | empty)


def certified(block: Block, candidates: Floats, column: Ints, p: Floats) -> Answer:
    """Return which candidates are solutions of the block: polished, checked and told apart.

    Args:
        block: the equations, not reduced in any way.
        candidates: points near solutions, (unknowns, candidates).
        column: the column of each, ascending.
        p: the known values, (known, columns).
    """
    usable = np.isfinite(candidates).all(axis=0)
    x, column = candidates[:, usable], column[usable]
    ends = np.searchsorted(column, np.arange(p.shape[1] + 1))
    step = max(1, _CHUNK // (len(block.unknowns) ** 2 * max(1, int(np.diff(ends).max(initial=1)))))
    parts = []
    for first in range(0, p.shape[1], step):
        which = np.arange(first, min(first + step, p.shape[1]))
        part = slice(ends[first], ends[which[-1] + 1])
        parts.append((which, _certified(block, x[:, part], column[part] - first, p[:, which])))
    return Answer.joined(p.shape[1], parts)


def _certified(block: Block, x: Floats, column: Ints, p: Floats) -> Answer:
    x, column, levels = block.steps.tried(x, column, p)
    equations, known = block.smooth, p[:, column]
    own = np.concatenate([known, levels])
    functions = equations.residual, equations.jacobian
    roots = newton(*functions, x, magnitude=equations.size, parameters=own, iterations=_POLISHING)
    x, kept = confined(block, roots.x, roots.error)
    kept &= roots.converged & block.steps.stay(levels, x, known)
    continuum = np.zeros(p.shape[1], bool)
    flat = np.flatnonzero(kept & roots.singular)
    if flat.size:
        lies = in_continuum(
            *functions, x[:, flat], magnitude=equations.size, parameters=own[:, flat]
        )
        continuum[column[flat[lies]]] = True
        kept[flat[lies]] = False
    kept = first_of_each(x, roots.error, roots.singular, column, kept)
    return Answer(x[:, kept], column[kept], continuum, np.zeros(p.shape[1], bool))


def confined(block: Block, x: Floats, error: Floats) -> tuple[Floats, Flags]:
    """Return points moved into their domain where only rounding kept them out, and which are in."""
    low, high = block.lower[:, np.newaxis], block.upper[:, np.newaxis]
    slack = _SLACK * error + 1e-9 * np.abs(x)
    with np.errstate(invalid="ignore"):
        inside: Flags = np.asarray(((x >= low - slack) & (x <= high + slack)).all(axis=0))
    return np.clip(x, low, high), inside


def first_of_each(x: Floats, error: Floats, singular: Flags, column: Ints, valid: Flags) -> Flags:
    """Mark the roots to keep where several candidates of a column led to the same one.

    Args:
        x: (unknowns, roots).
        error: how far rounding may have moved each, as x.
        singular: which may be multiple; rounding moves those by a root of 2^-52, which no
            first-order error tells.
        column: the column of each, ascending.
        valid: which to consider.
    """
    which = np.flatnonzero(valid)
    if not which.size:
        return valid
    scale = np.where(singular, _BLUR / _RTOL, 1.0) * np.abs(x) + _SLACK / _RTOL * error
    _, first, place = np.unique(column[which], return_index=True, return_inverse=True)
    rank = np.arange(which.size) - first[place]
    shape = (len(x), first.size, int(rank.max()) + 1)
    points, sizes, there = np.zeros(shape), np.ones(shape), np.zeros(shape[1:], bool)
    points[:, place, rank], sizes[:, place, rank] = x[:, which], scale[:, which]
    there[place, rank] = True
    kept = np.zeros(valid.size, bool)
    kept[which] = distinct(points, sizes, _RTOL, there)[place, rank]
    return kept
