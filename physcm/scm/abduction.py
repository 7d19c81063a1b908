"""Abduction: which values of the noise an observation speaks for, and how much.

The equations of the model, with what was seen put in, are solved for noise and for what was not
seen. Every equation determines one of these, by a matching; noise with a density that no
equation is left for is *free*. Then

- nothing is free: the noise is what solves the equations, exactly;
- discrete noise is gone through value by value, if there are not too many combinations;
- free noise is drawn from its prior (importance sampling), and the rest solved for.

A setting u = (free, solved) of the noise under which o is seen has the weight

    p(free) p(solved) |d solved / d o| = p(free) p(solved) |det F_x| / |det F_z|

with F = 0 the equations, x what is unknown in them when the model is run (what was seen among
it) and z what they are solved for here. An equation that determines nothing has to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import sympy as sp
from numpy.typing import NDArray

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
from physcm.scm.evidence import units
from physcm.scm.matching import matched
from physcm.scm.solve import Solutions, blocks, solve
from physcm.scm.status import SolutionStatus
from physcm.scm.subsets import reading

if TYPE_CHECKING:
    from physcm.scm.scm import SCM

_GAP = 1e-6
_PROBES = 500
_CORNERS = (sp.Max, sp.Min, sp.Abs, sp.Piecewise)


@dataclass(frozen=True)
class Settings:
    """Settings of the noise that fit the evidence, by unit.

    Attributes:
        unit: the unit that each setting belongs to, ascending.
        draw: its number within the unit.
        values: all values of the model but computed ones, over the settings.
        weight: how much the evidence speaks for each; the sum over a unit is 1.
        status: what is known of each unit: `UNIQUE` if any setting fits.
        drawn: whether the settings are draws, so that there may be others.
    """

    unit: Ints
    draw: Ints
    values: Mapping[str, Floats]
    weight: Floats
    status: NDArray[np.int8]
    drawn: bool

    @classmethod
    def joined(cls, count: int, parts: Sequence[tuple[Ints, Settings]]) -> Settings:
        """Return the settings of all units from those of some of them."""
        unit = np.concatenate([which[part.unit] for which, part in parts])
        order = np.argsort(unit, kind="stable")
        status = np.zeros(count, np.int8)
        for which, part in parts:
            status[which] = part.status
        rows = {
            name: np.concatenate([part.values[name] for _, part in parts])[order]
            for name in parts[0][1].values
        }
        draw, weight = (
            np.concatenate([getattr(part, field) for _, part in parts])[order]
            for field in ("draw", "weight")
        )
        drawn = any(part.drawn for _, part in parts)
        return cls(unit[order], draw, rows, weight, status, drawn)


def abduct(model: SCM, seen: Mapping[str, Floats], n: int, seed: int) -> Settings:
    """Return settings of the noise that fit what was seen.

    Args:
        model: of which something was seen.
        seen: variables or random values, (units,) each.
        n: how many settings to draw for a unit where noise is free.
        seed: for the draws.

    Raises:
        Unsupported: if the equations cannot be solved for what was not seen, and for solved
            noise whose density is not known.
    """
    parts = [
        (
            which,
            _abduct(
                _Problem(model, {k: row[which] for k, row in seen.items()}, flat, which), n, seed
            ),
        )
        for flat, which in _by_flatness(model, seen, seed).items()
    ]
    return Settings.joined(units(seen), parts)


def _abduct(problem: _Problem, n: int, seed: int) -> Settings:
    columns = problem.columns(n, seed)
    found = solve(problem.blocks, columns.given, columns.unit.size)
    given = {name: row[found.sample] for name, row in columns.given.items()}
    given |= found.values
    weight = columns.log_prior[found.sample]
    only_one = not problem.free and not problem.discrete and (found.count <= 1).all()
    if not only_one and problem.solved:
        weight = weight + problem.log_density(given)
    weight = np.where(problem.hold(given), weight, -np.inf)
    unit = columns.unit[found.sample]
    total = np.full(columns.count, -np.inf)
    np.logaddexp.at(total, unit, weight)
    possible = np.isfinite(weight)
    values = {
        name: given[name][possible]
        for name, value in problem.values.items()
        if not isinstance(value, sp.Basic)
    }
    unit = unit[possible]
    status = _status(columns, found, total, certain=not columns.drawn)
    share = np.exp(weight[possible] - total[unit])
    return Settings(unit, _rank(unit), values, share, status, columns.drawn)


def _by_flatness(model: SCM, seen: Mapping[str, Floats], seed: int) -> dict[frozenset[str], Ints]:
    """Return the units by the equations that tell nothing but their own variable.

    Where a variable has a value with positive probability, as max(0, y) has 0, some equation
    with corners on the way to it does not change with its noise, which no value of the variable
    tells then. Such values occur twice among a few draws, and no others do.
    """
    count = units(seen)
    flat: list[set[str]] = [set() for _ in range(count)]
    cornered = {label for label, r in model.residuals.items() if r.has(*_CORNERS)}
    observed = [name for name in seen if name in model.mechanisms] if cornered else []
    prior = model.sample(_PROBES, seed) if observed else {}
    graph = reading(model.mechanisms)
    for name in observed:
        values, times = np.unique(prior[name].values, return_counts=True)
        labels = cornered & {name, *nx.ancestors(graph, name)}
        for place in np.flatnonzero(np.isin(seen[name], values[times > 1])):
            flat[place] |= labels
    groups: dict[frozenset[str], list[int]] = {}
    for unit, found in enumerate(flat):
        groups.setdefault(frozenset(found), []).append(unit)
    return {found: np.array(which) for found, which in groups.items()}


@dataclass(frozen=True)
class _Columns:
    """What the equations are solved for: units times draws."""

    unit: Ints
    given: Mapping[str, Floats]
    log_prior: Floats
    count: int
    drawn: bool


@dataclass(frozen=True)
class _Problem:
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

    def columns(self, n: int, seed: int) -> _Columns:
        count = self.numbers.size
        combinations = int(np.prod([len(v) for v, _ in self.discrete.values()], dtype=float))
        drawn = bool(self.free) or combinations > n
        draws = n if drawn else combinations
        unit, draw = np.repeat(np.arange(count), draws), np.tile(np.arange(draws), count)
        given = {name: row[unit] for name, row in self.seen.items()}
        for name, value in self.values.items():
            if isinstance(value, float):
                given[name] = np.full(unit.size, value)
            elif isinstance(value, tuple):
                given[name] = of_units(name, value, self.numbers.max() + 1)[self.numbers][unit]
        log_prior = np.zeros(unit.size)
        if drawn:
            for name in (*self.free, *self.discrete):
                given[name] = self.noise[name].quantile(
                    uniforms(seed, name, draw, self.numbers[unit])
                )
        elif self.discrete:
            listed = [list(zip(*pair, strict=True)) for pair in self.discrete.values()]
            table = np.array(list(product(*listed)))[draw]
            given |= dict(zip(self.discrete, table[:, :, 0].T, strict=True))
            with np.errstate(divide="ignore"):
                log_prior = np.log(table[:, :, 1]).sum(axis=1)
        return _Columns(unit, given, log_prior, count, drawn)

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


def _rank(unit: Ints) -> Ints:
    return np.arange(unit.size) - np.searchsorted(unit, unit)


def _status(
    columns: _Columns, found: Solutions, total: Floats, *, certain: bool
) -> NDArray[np.int8]:
    status = np.full(columns.count, SolutionStatus.NONE if certain else SolutionStatus.NOT_FOUND)
    for doubt in (SolutionStatus.NOT_FOUND, SolutionStatus.CONTINUUM):
        status[columns.unit[found.status == doubt]] = doubt
    status[np.isfinite(total)] = SolutionStatus.UNIQUE
    return status.astype(np.int8)
