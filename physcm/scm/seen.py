"""The equations of a model with some values seen, and what they are solved for.

Every equation of what is seen, and of what that reads, determines an unknown of its own: what
was not seen of it, or noise with a density. `physcm.scm.abduction` says what comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.distributions.exact import atoms, log_density
from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import derivative, names_in, symbol
from physcm.mechanism.linearization import Flags
from physcm.mechanism.magnitude import size_of_terms
from physcm.mechanism.randomness import uniforms
from physcm.mechanism.values import Value
from physcm.scm.block import Block, Ints
from physcm.scm.matching import matched
from physcm.scm.solve import Solutions, blocks, solve

if TYPE_CHECKING:
    from physcm.scm.scm import SCM

_GAP = 1e-6


@dataclass(frozen=True)
class Columns:
    """What the equations are solved for: units times draws.

    Attributes:
        unit: the unit of each column.
        given: what is known, by name.
        log_prior: the logarithm of the probability of listed discrete noise.
        count: the number of units.
        drawn: whether noise was drawn.
    """

    unit: Ints
    given: Mapping[str, Floats]
    log_prior: Floats
    count: int
    drawn: bool


@dataclass(frozen=True)
class SeenModel:
    """The equations of a model with some of its values seen.

    Attributes:
        model: the model.
        seen: values by name, (units,) each.
        flat: the equations that give their own variable and tell nothing else.
        numbers: the number of each unit, to which its draws belong.
    """

    model: SCM
    seen: Mapping[str, Floats]
    flat: frozenset[str]
    numbers: Ints

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """Exogenous variables and parameters."""
        return {**self.model.exogenous, **self.model.parameters}

    @cached_property
    def noise(self) -> Mapping[str, Distribution]:
        """What is random and was not seen."""
        return {
            name: value
            for name, value in self.values.items()
            if isinstance(value, Distribution) and name not in self.seen
        }

    @cached_property
    def discrete(self) -> Mapping[str, tuple[Floats, Floats]]:
        """The values of discrete noise, and their probabilities."""
        found = {name: atoms(one) for name, one in self.noise.items()}
        return {name: listed for name, listed in found.items() if listed is not None}

    @cached_property
    def equations(self) -> Mapping[str, sp.Expr]:
        """What has to vanish: residuals and definitions of what is seen and of what that reads."""
        computed = {k: symbol(k) - v for k, v in self.values.items() if isinstance(v, sp.Basic)}
        every = {**self.model.residuals, **computed}
        needed: set[str] = set()
        waiting = [name for name in self.seen if name in every]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += names_in(every[name]) & every.keys()
        return {label: residual for label, residual in every.items() if label in needed}

    @cached_property
    def hidden(self) -> tuple[str, ...]:
        """What equations give when the model is run and was not seen."""
        return tuple(name for name in self.equations if name not in self.seen)

    @cached_property
    def matching(self) -> Mapping[str, str]:
        """The equation by which each unknown is found."""
        continuous = [name for name in self.noise if name not in self.discrete]
        unknown = {*self.hidden, *continuous}
        reads = {
            label: {
                s.name
                for s in residual.free_symbols
                if s.name in (unknown if label not in self.flat else {label} & unknown)
                and derivative(residual, s) != 0
            }
            for label, residual in self.equations.items()
        }
        start = {name: name for name in self.hidden if name in reads[name]}
        own = matched(reads, [name for name in self.hidden if name not in start], start)
        for name in self.hidden:
            if name not in own:
                raise Unsupported(
                    f"the evidence on `{', '.join(self.seen)}` leaves no equation for `{name}`; "
                    "observe it too, or fewer variables"
                )
        # Noise of what was seen, and of a single equation, first: other noise is better drawn.
        left = reads.keys() - own.values()
        rank = {
            name: (not any(name in reads[k] for k in left), sum(name in r for r in reads.values()))
            for name in continuous
        }
        return matched(reads, sorted(continuous, key=rank.__getitem__), own)

    @cached_property
    def solved(self) -> tuple[str, ...]:
        """The noise that is solved for."""
        return tuple(name for name in self.matching if name in self.noise)

    @cached_property
    def free(self) -> tuple[str, ...]:
        """The noise with a density that no equation determines."""
        left = self.noise.keys() - self.matching.keys() - self.discrete.keys()
        return tuple(name for name in self.noise if name in left)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The equations in the form in which they are solved."""
        mechanisms = {
            unknown: sp.Eq(self.equations[label], 0, evaluate=False)
            for unknown, label in self.matching.items()
        }
        supports = {name: self.noise[name].support for name in self.solved}
        return blocks(mechanisms, {**self.model.domains, **supports}, self.model.guesses)

    def columns(self, n: int, seed: int) -> Columns:
        """Return all combinations of discrete noise, or n draws of what is not solved for."""
        count = self.numbers.size
        combinations = int(np.prod([len(v) for v, _ in self.discrete.values()], dtype=float))
        if self.free or combinations > n:
            unit, draw = np.repeat(np.arange(count), n), np.tile(np.arange(n), count)
            u = {k: uniforms(seed, k, draw, self.numbers[unit]) for k in self.latent}
            return self.at(u, n)
        unit, draw = np.repeat(np.arange(count), combinations), np.tile(range(combinations), count)
        given, log_prior = self._given(unit), np.zeros(unit.size)
        if self.discrete:
            listed = [list(zip(*pair, strict=True)) for pair in self.discrete.values()]
            table = np.array(list(product(*listed)))[draw]
            given |= dict(zip(self.discrete, table[:, :, 0].T, strict=True))
            with np.errstate(divide="ignore"):
                log_prior = np.log(table[:, :, 1]).sum(axis=1)
        return Columns(unit, given, log_prior, count, drawn=False)

    def at(self, u: Mapping[str, Floats], n: int) -> Columns:
        """Return n draws for each unit at quantiles (units * n,) of what is drawn."""
        count = self.numbers.size
        unit = np.repeat(np.arange(count), n)
        drawn = {name: self.noise[name].quantile(row) for name, row in u.items()}
        return Columns(unit, self._given(unit) | drawn, np.zeros(unit.size), count, drawn=True)

    @cached_property
    def latent(self) -> tuple[str, ...]:
        """The noise that is drawn, if any is."""
        return (*self.free, *self.discrete)

    def _given(self, unit: Ints) -> dict[str, Floats]:
        given = {name: row[unit] for name, row in self.seen.items()}
        for name, value in self.values.items():
            if isinstance(value, float):
                given[name] = np.full(unit.size, value)
            elif isinstance(value, tuple):
                given[name] = of_units(name, value, self.numbers.max() + 1)[self.numbers][unit]
        return given

    def weighed(self, columns: Columns) -> tuple[Solutions, dict[str, Floats], Floats]:
        """Solve columns; return all values, too, and the logarithms of the weights."""
        found = solve(self.blocks, columns.given, columns.unit.size)
        given = {name: row[found.sample] for name, row in columns.given.items()} | dict(
            found.values
        )
        weight = columns.log_prior[found.sample]
        only_one = not self.free and not self.discrete and (found.count <= 1).all()
        if not only_one and self.solved:
            weight = weight + self.log_density(given)
        return found, given, np.where(self.hold(given), weight, -np.inf)

    def hold(self, given: Mapping[str, Floats]) -> Flags:
        """Say where the equations that determine nothing hold."""
        left = [r for k, r in self.equations.items() if k not in self.matching.values()]
        gap, size = np.split(_evaluated([*left, *map(size_of_terms, left)], given), 2)
        return np.asarray((np.abs(gap) <= _GAP * size).all(axis=0))

    def log_density(self, given: Mapping[str, Floats]) -> Floats:
        """Return the logarithm of p(solved) |det F_x| / |det F_z|."""
        total = np.zeros(next(iter(given.values())).size)
        for name in self.solved:
            total += log_density(self.noise[name], given[name])
        residuals = {label: self.equations[label] for label in self.matching.values()}
        run = matched(
            {
                label: {s.name for s in residual.free_symbols if derivative(residual, s) != 0}
                & self.equations.keys()
                for label, residual in residuals.items()
            },
            [*self.hidden, *self.seen.keys()],
            {},
        )
        volumes = [_log_volume(residuals, list(x), given) for x in (run, self.matching)]
        return total + volumes[0] - volumes[1]


def _log_volume(
    residuals: Mapping[str, sp.Expr], names: Sequence[str], given: Mapping[str, Floats]
) -> Floats:
    others = [name for name in given if name not in names]
    program = Program.over(names, others, {}, list(residuals.values()))
    x, p = (np.array([given[name] for name in part]) for part in (names, others))
    size = next(iter(given.values())).size
    jacobian = program.jacobian.batch(0.0, x, p.reshape(len(others), size))
    return np.asarray(np.linalg.slogdet(jacobian).logabsdet)


def _evaluated(expressions: Sequence[sp.Expr], given: Mapping[str, Floats]) -> Floats:
    p = np.array(list(given.values()))
    nothing = np.empty((0, p.shape[1]))
    return Program.over((), tuple(given), {}, expressions).vector(0.0, nothing, p)


def of_units(name: str, value: tuple[float, ...], count: int) -> Floats:
    """Return values per sample, one for each unit."""
    if len(value) < count:
        raise InvalidValue(
            f"`{name}` has values for {len(value)} samples, but there is evidence on {count} "
            "units; give one for each"
        )
    return np.array(value)[:count]
