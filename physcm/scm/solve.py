"""From the equations of a model to all its solutions, sample by sample.

The strongly connected components of the dependence graph are solved in topological order.
What is solved so far is a set of *branches*: columns, each of one sample, with the values of
the variables solved by then. A component with two solutions splits its column in two, one
without a solution ends it, and one whose solutions cannot be told leaves a column of NaN, on
which components that read it cannot decide and all others still can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import networkx as nx
import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats
from physcm.mechanism.expression import names_in, symbol
from physcm.scm.block import Answer, Block, Ints
from physcm.scm.explicit import followed, is_explicit
from physcm.scm.graph import components
from physcm.scm.status import SolutionStatus
from physcm.scm.ways import solve_block

_SETTLED = 0


@dataclass(frozen=True)
class Solutions:
    """All solutions of all samples.

    Attributes:
        values: each variable over the solutions, ordered by sample, then by value.
        sample: the sample of each solution.
        count: how many each sample has.
        status: the `SolutionStatus` of each sample.
        ways: how the variables of each feedback loop, and of each equation that is not explicit,
            were solved for.
    """

    values: Mapping[str, Floats]
    sample: Ints
    count: Ints
    status: np.ndarray[tuple[int, ...], np.dtype[np.int8]]
    ways: Mapping[tuple[str, ...], tuple[str, ...]]

    def in_words(self) -> str:
        """Say how loops and equations were solved, such as "x, y: interval bounds"."""
        named = (f"{', '.join(names)}: {', '.join(ways)}" for names, ways in self.ways.items())
        return "; ".join(named)

    def unique(self) -> dict[str, Floats]:
        """Return each variable over the samples, NaN unless the solution is unique."""
        alone = self.status == SolutionStatus.UNIQUE
        if alone.all():
            return dict(self.values)
        place = alone[self.sample]
        values = {}
        for name, found in self.values.items():
            values[name] = np.full(alone.size, np.nan)
            values[name][alone] = found[place]
        return values

    def nearest(self, near: Mapping[str, float]) -> dict[str, Floats]:
        """Return each variable over the samples, of the solution nearest to some values.

        The distance is Euclid's over the variables named; of equals the first is taken. A sample
        without solution, or with infinitely many, has NaN.
        """
        distance = np.zeros(self.sample.size)
        for name, value in near.items():
            distance += (self.values[name] - value) ** 2
        order = np.lexsort((distance, self.sample))
        which, first = np.unique(self.sample[order], return_index=True)
        told = self.status[which] != SolutionStatus.CONTINUUM
        values = {}
        for name, found in self.values.items():
            values[name] = np.full(self.status.size, np.nan)
            values[name][which[told]] = found[order[first[told]]]
        return values


def residual(name: str, mechanism: sp.Basic) -> sp.Expr:
    """Return what has to vanish: X - h of an explicit mechanism, left - right of an equation.

    >>> residual("x", symbol("y") + 1)
    x - y - 1
    """
    if isinstance(mechanism, sp.Eq):
        return mechanism.lhs - mechanism.rhs
    return symbol(name) - mechanism


def blocks(
    mechanisms: Mapping[str, sp.Basic],
    domains: Mapping[str, tuple[float, float]],
    guesses: Mapping[str, float],
) -> tuple[Block, ...]:
    """Return the strongly connected components as blocks, each after those that it reads.

    >>> x, y = symbol("x"), symbol("y")
    >>> [block.unknowns for block in blocks({"z": x + y, "x": 2 * y, "y": x - 1}, {}, {})]
    [('x', 'y'), ('z',)]
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(mechanisms)
    for name, mechanism in mechanisms.items():
        causes = names_in(mechanism) & mechanisms.keys()
        graph.add_edges_from((cause, name) for cause in sorted(causes))
    return tuple(_block(names, mechanisms, domains, guesses) for names in components(graph))


def _block(
    names: Sequence[str],
    mechanisms: Mapping[str, sp.Basic],
    domains: Mapping[str, tuple[float, float]],
    guesses: Mapping[str, float],
) -> Block:
    everything = (-np.inf, np.inf)
    return Block(
        tuple(names),
        tuple(residual(name, mechanisms[name]) for name in names),
        tuple(_explicit(name, mechanisms[name]) for name in names),
        tuple(domains.get(name, everything) for name in names),
        tuple(guesses.get(name, np.nan) for name in names),
    )


def _explicit(name: str, mechanism: sp.Basic) -> sp.Expr | None:
    reads_itself = isinstance(mechanism, sp.Eq) or name in names_in(mechanism)
    return None if reads_itself else mechanism


@dataclass(frozen=True)
class _Branches:
    """Columns: the sample of each, the values so far, why any are missing, and what was done."""

    sample: Ints
    values: Mapping[str, Floats]
    doubt: Ints
    ways: Mapping[tuple[str, ...], tuple[str, ...]]

    def known(self, block: Block) -> Floats:
        rows = [self.values[name] for name in block.known]
        return np.array(rows).reshape(len(rows), self.sample.size)

    def followed(self, blocks: Sequence[Block]) -> _Branches:
        """Evaluate explicit mechanisms."""
        if (self.doubt != _SETTLED).any():
            return self.extended(*blocks)
        new, sound = followed(blocks, self.values, self.sample.size)
        values = {**self.values, **new}
        if sound.all():
            return replace(self, values=values)
        kept = {name: row[sound] for name, row in values.items()}
        return _Branches(self.sample[sound], kept, self.doubt[sound], self.ways)

    def extended(self, *blocks: Block) -> _Branches:
        """Solve more blocks, one after the other."""
        branches = self
        for block in blocks:
            branches = branches._extended(block)
        return branches

    def _extended(self, block: Block) -> _Branches:
        p = self.known(block)
        decided = np.isfinite(p).all(axis=0)
        which, unknown = np.flatnonzero(decided), np.flatnonzero(~decided)
        own = p[:, which] if unknown.size else p
        answer = solve_block(block, own) if which.size else _nothing(block)
        ways = self.ways if is_explicit(block) else {**self.ways, block.unknowns: answer.ways}
        if answer.is_one_each(self.sample.size):
            new = dict(zip(block.unknowns, answer.x, strict=True))
            return _Branches(self.sample, {**self.values, **new}, self.doubt, ways)
        parts = [
            (which[answer.column], answer.x, _SETTLED),
            (which[answer.continuum], None, SolutionStatus.CONTINUUM),
            (which[answer.unfound], None, SolutionStatus.NOT_FOUND),
            (unknown, None, _SETTLED),
        ]
        return self._split(block, parts, ways)

    def _split(
        self,
        block: Block,
        parts: Iterable[tuple[Ints, Floats | None, int]],
        ways: Mapping[tuple[str, ...], tuple[str, ...]],
    ) -> _Branches:
        columns, doubts, values = [], [], []
        for column, x, doubt in parts:
            missing = np.full((len(block.unknowns), column.size), np.nan)
            columns.append(column)
            values.append(missing if x is None else x)
            doubts.append(np.maximum(self.doubt[column], doubt))
        column, solved = np.concatenate(columns), np.concatenate(values, axis=1)
        old = {name: row[column] for name, row in self.values.items()}
        new = dict(zip(block.unknowns, solved, strict=True))
        return _Branches(self.sample[column], old | new, np.concatenate(doubts), ways)


def _nothing(block: Block) -> Answer:
    none = np.zeros(0, bool)
    return Answer(np.empty((len(block.unknowns), 0)), np.zeros(0, np.int64), none, none)


def solve(system: Sequence[Block], given: Mapping[str, Floats], n: int) -> Solutions:
    """Return all solutions of n samples, given exogenous variables and parameters."""
    everyone = np.arange(n)
    branches = _Branches(everyone, dict(given), np.zeros(n, dtype=np.int64), {})
    for plain, part in groupby(system, is_explicit):
        run = list(part)
        branches = branches.followed(run) if plain else branches.extended(*run)
    names = [name for block in system for name in block.unknowns]
    sample, values = _complete(branches, names)
    if sample is everyone:  # no branch was split, ended or left open
        unique = np.full(n, SolutionStatus.UNIQUE, np.int8)
        return Solutions(values, sample, np.ones(n, np.int64), unique, branches.ways)
    count = np.bincount(sample, minlength=n)
    if (np.diff(sample) <= 0).any():
        order = np.lexsort((*(values[name] for name in reversed(names)), sample))
        sample, values = sample[order], {name: values[name][order] for name in names}
    return Solutions(values, sample, count, _status(branches, count), branches.ways)


def _complete(branches: _Branches, names: Sequence[str]) -> tuple[Ints, dict[str, Floats]]:
    """Return the branches in which nothing is missing, the sample of each and their values."""
    complete = branches.doubt == _SETTLED
    if complete.all():
        return branches.sample, {name: branches.values[name] for name in names}
    values = {name: branches.values[name][complete] for name in names}
    return branches.sample[complete], values


def _status(branches: _Branches, count: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    """Return what is known: a continuum outweighs what was found, and that what was not."""
    status = np.where(count > 1, int(SolutionStatus.SEVERAL), int(SolutionStatus.UNIQUE))
    status[count == 0] = SolutionStatus.NONE
    missing = branches.sample[branches.doubt == SolutionStatus.NOT_FOUND]
    status[missing[count[missing] == 0]] = SolutionStatus.NOT_FOUND
    status[branches.sample[branches.doubt == SolutionStatus.CONTINUUM]] = SolutionStatus.CONTINUUM
    return status.astype(np.int8)
