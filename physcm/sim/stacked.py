"""A system under many interventions as one ensemble, so that one machine code serves them all.

A column is one sample under one intervention. Interventions that set a parameter or hold a state
at a number leave the mechanisms as they are: the parameter has another value in their columns,
and the state starts where it is held and does not move. What else there is (expressions,
shifts, other mechanisms) makes a system of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
        if not self.held.any():
            return self.system.rates
        system, names = self.system, [f"free({name})" for name in self.system.states]
        drifts = zip(names, system.drift.values(), strict=True)
        return Program.over(
            system.states,
            (*system.parameters, *names),
            system.derived,
            tuple(sp.Mul(symbol(name), drift, evaluate=False) for name, drift in drifts),
        )

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
            case SetParameter(values=values, during=None) if all(
                _is_number(value) and name in plain and name in system.parameters
                for name, value in values.items()
            ):
                numbers |= {k: finite(v, f"parameter `{k}`") for k, v in values.items()}
            case _:
                return None
    return numbers


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


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
    runs = x0.shape[1]
    x, q = np.tile(x0, len(families)), np.tile(p, len(families))
    held, varied = np.zeros(x.shape, dtype=bool), set[str]()
    place = {name: i for i, name in enumerate(system.parameters)}
    index = {name: i for i, name in enumerate(system.states)}
    for k, values in enumerate(families):
        own = slice(runs * k, runs * (k + 1))
        for name, value in values.items():
            if name in index:
                x[index[name], own], held[index[name], own] = value, True
            else:
                q[place[name], own] = value
                varied.add(name)
    return Stack(system, frozenset(varied), np.arange(x.shape[1]), x, q, held)


def _has_laws(system: System, varied: frozenset[str]) -> bool:
    """Say whether the conservation laws are the same whatever some parameters are."""
    try:
        conservation_laws(system, varied)
    except Unsupported:
        return False
    return True
