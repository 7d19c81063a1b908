"""A system under many interventions as one ensemble, so that one machine code serves them all.

A column is one sample under one intervention. Interventions that set a parameter or hold a state
at a number leave the mechanisms as they are: the parameter has another value in their columns,
and the state starts where it is held and does not move. What else there is (expressions,
shifts, other mechanisms) makes a system of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.declarations import require_within
from physcm.mechanism.errors import Unsupported
from physcm.mechanism.expression import names_in, symbol
from physcm.mechanism.interventions import Hold, Interventions, SetParameter
from physcm.mechanism.values import finite
from physcm.sim.conservation import conservation_laws
from physcm.sim.system import System

_NUMBERS = (float, int)
Integers: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = Mapping[str, float]
"""What parameters and held states get, by name."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Columns that share their mechanisms.

    Attributes:
        system: their mechanisms.
        varied: the parameters that are set in some columns.
        columns: which they are of all.
        x0: the states at the start, (states, columns).
        p: the parameters, (parameters, columns).
        held: which states do not move, (states, columns).
    """

    system: System
    varied: frozenset[str]
    columns: NDArray[np.int64]
    x0: Floats
    p: Floats
    held: NDArray[np.bool_]

    @cached_property
    def rates(self) -> Program:
        """The drift, times a parameter `free` of each state that is 0 where it is held."""
        return _that_may_stop(self.system.rates) if self.held.any() else self.system.rates

    @cached_property
    def parameters(self) -> Floats:
        """What `rates` reads, (any, columns)."""
        return np.vstack([self.p, ~self.held]) if self.held.any() else self.p

    @cached_property
    def patterns(self) -> list[tuple[tuple[str, ...], NDArray[np.int64]]]:
        """Which states are held together, and the places of the columns where they are."""
        if not self.held.any():
            return [((), np.arange(self.columns.size))]
        kinds, which = np.unique(self.held, axis=1, return_inverse=True)
        names = np.array(self.system.states, dtype=object)
        return [
            (tuple(names[kind]), np.flatnonzero(which.ravel() == i))
            for i, kind in enumerate(kinds.T)
        ]


@lru_cache(maxsize=256)
def _that_may_stop(rates: Program) -> Program:
    """Return rates, times a parameter `free` of each state."""
    given = rates.written or rates
    names = [f"free({name})" for name in given.variables]
    return Program.over(
        given.variables,
        (*given.parameters, *names),
        dict(given.definitions),
        tuple(
            sp.Mul(symbol(name), drift, evaluate=False)
            for name, drift in zip(names, given.outputs, strict=True)
        ),
    )


def stacked(system: System, families: Sequence[Interventions], n: int, seed: int) -> list[Stack]:
    """Return stacks of all columns, family by family and in each sample by sample.

    Args:
        system: what to intervene on.
        families: what to do, several together in each.
        n: number of samples.
        seed: as in `simulate`.

    Raises:
        UnknownVariable, Infeasible, InvalidValue: as `System.do`.
    """
    numbers = as_numbers(system, families)
    stacks = []
    if numbers:
        stack = set_to(system, list(numbers.values()), *system.draw(np.arange(n), seed))
        columns = n * np.array(list(numbers))[:, np.newaxis] + np.arange(n)
        stacks.append(replace(stack, columns=columns.ravel()))
    for i in sorted(set(range(len(families))) - numbers.keys()):
        own = system.do(*families[i])
        x0, p = own.draw(np.arange(n), seed)
        free = np.zeros(x0.shape, dtype=bool)
        stacks.append(Stack(own, frozenset(), n * i + np.arange(n), x0, p, free))
    return stacks


def as_numbers(system: System, families: Sequence[Interventions]) -> dict[int, Numbers]:
    """Return the numbers that parameters and held states get, by the place of a family.

    Left out are families in which there is more to it, and all where conservation laws would
    differ from family to family.
    """
    plain = _plain(system)
    given = {i: _numbers(system, family, plain) for i, family in enumerate(families)}
    numbers = {i: values for i, values in given.items() if values is not None}
    varied = frozenset().union(*numbers.values()) & system.parameters.keys()
    return numbers if _has_laws(system, varied) else {}


def _numbers(system: System, family: Interventions, plain: frozenset[str]) -> Numbers | None:
    """Return the numbers that parameters and held states get, None if there is more to it."""
    numbers: dict[str, float] = {}
    for intervention in family:
        match intervention:
            case Hold(name, value, during=None) if (
                _is_number(value) and name in plain and name in system.drift
            ):
                require_within(system.bounds.get(name, (-math.inf, math.inf)), name, value)
                numbers[name] = finite(value, f"do({name})")
            case SetParameter(values=values, during=None):
                for name, value in values.items():
                    if not (_is_number(value) and name in plain and name in system.parameters):
                        return None
                    numbers[name] = finite(value, f"parameter `{name}`")
            case _:
                return None
    return numbers


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def _plain(system: System) -> frozenset[str]:
    """Return the states and parameters that nothing else is computed from, nor held with."""
    values = (*system.parameters.values(), *system.initial.values())
    read = set[str]().union(*(names_in(e) for e in values if isinstance(e, sp.Basic)))
    read |= {name for group in system.held_together for name in group}
    states = {name for name in system.states if f"{name}(0)" not in read}
    return frozenset((states | system.parameters.keys()) - read)


def set_to(system: System, families: Sequence[Numbers], x0: Floats, p: Floats) -> Stack:
    """Return a stack of runs that begin alike in all families but for the numbers set there.

    Args:
        system: what to intervene on.
        families: the numbers that parameters and held states get.
        x0: the states at the start of the runs of each family, (states, runs).
        p: the parameters, (parameters, runs).
    """
    size, runs = len(families), x0.shape[1]
    x, q = (np.tile(v, size).reshape(len(v), size, runs) for v in (x0, p))
    held = np.zeros(x.shape, dtype=bool)
    set_in, value_in = _places(system.parameters, families)
    q[set_in] = value_in
    held_in, value_in = _places(system.states, families)
    x[held_in], held[held_in] = value_in, True
    varied = frozenset(np.array([*system.parameters], dtype=object)[np.unique(set_in[0])])
    columns = size * runs
    return Stack(
        system, varied, np.arange(columns), x.reshape(len(x), columns),
        q.reshape(len(q), columns), held.reshape(len(x), columns),
    )  # fmt: skip


def _places(
    names: Iterable[str], families: Sequence[Numbers]
) -> tuple[tuple[Integers, Integers], Floats]:
    """Return where families set some of the names, as places of both, and to what, (any, 1)."""
    index = {name: i for i, name in enumerate(names)}
    rows: list[int] = []
    columns: list[int] = []
    given: list[float] = []
    for k, values in enumerate(families):
        for name, value in values.items():
            if name in index:
                rows.append(index[name])
                columns.append(k)
                given.append(value)
    places = np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)
    return places, np.array(given, dtype=float)[:, np.newaxis]


def _has_laws(system: System, varied: frozenset[str]) -> bool:
    """Say whether the conservation laws are the same whatever some parameters are."""
    try:
        conservation_laws(system, varied)
    except Unsupported:
        return False
    return True
