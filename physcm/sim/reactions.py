"""Reaction systems: rates and what one firing changes, for rate equations and single firings.

A reaction r fires at the rate a_r(X), its propensity, and each firing adds c_r to the state.
Read as a mass flow this is the reaction-rate equation

    dX_i/dt = sum_r c_ri(X) a_r(X),

and read one firing at a time a Markov jump process (Gillespie, J. Phys. Chem. 81, 1977), which
`physcm.sim.gillespie` simulates. Both readings are of one `System`: its drift is that sum, with
the rates as derived variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from physcm.mechanism.errors import InvalidValue, Unsupported
from physcm.mechanism.expression import TIME, symbol
from physcm.mechanism.parser import parse

if TYPE_CHECKING:
    from physcm.sim.system import System

_POINTS = 32


def reaction_arguments(
    reactions: Mapping[str, tuple[Any, Mapping[str, Any]]],
    *,
    initial: Mapping[str, Any],
    algebraic: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the constructor arguments of `System` that reactions make up.

    Args:
        reactions: by name a rate and what one firing adds to each state, both expressions.
        initial: the value of each state at the start.
        algebraic: further derived variables.

    Raises:
        InvalidValue: for a reaction that is no such pair, or called like a derived variable.

    >>> reaction_arguments({"decay": ("k*X", {"X": -1})}, initial={"X": 9}, algebraic={})["drift"]
    {'X': -decay}
    """
    terms: dict[str, list[sp.Expr]] = {state: [] for state in initial}
    for name, reaction in reactions.items():
        if name in algebraic:
            raise InvalidValue(
                f"`{name}` is a reaction and a derived variable as well; rename one of them"
            )
        for state, change in _changes(name, reaction).items():
            number = parse(change, None, f"reaction `{name}`, change of `{state}`")
            terms.setdefault(state, []).append(number * symbol(name))
    return {
        "drift": {state: sp.Add(*parts) for state, parts in terms.items()},
        "initial": initial,
        "algebraic": {name: rate for name, (rate, _) in reactions.items()} | {**algebraic},
        "reactions": {name: changes for name, (_, changes) in reactions.items()},
    }


def _changes(name: str, reaction: Any) -> Mapping[str, Any]:
    match reaction:
        case (_, Mapping() as changes):
            return changes
    raise InvalidValue(
        f"reaction `{name}` is `{reaction!r}`; give its rate and the change of each state, for "
        'example ("k*X", {"X": -1})'
    )


def require_reactions_alone(system: System) -> None:
    """Refuse a system in which anything but reactions moves the state.

    Raises:
        Unsupported: for the first such thing, naming it.
    """
    if not system.reactions:
        raise Unsupported(
            f"the system{_named(system)} has no reactions to fire; give some with "
            "System.from_reactions(...), or use another engine"
        )
    for state, source in system.noise:
        raise Unsupported(
            f"`{state}` has noise from `{source}` beside its reactions; the Gillespie engine "
            "takes its noise from the firings alone: remove `noise`"
        )
    for name in system.jumps:
        raise Unsupported(
            f"jump `{name}` is no reaction; write it as one, with its rate and its changes"
        )
    for state in system.states:
        _require_sum(system, state)


def reads_time(system: System, expressions: Iterable[sp.Basic]) -> bool:
    """Say whether expressions read time, be it through derived variables.

    >>> from physcm.sim import System
    >>> decay = System({"x": "-v"}, initial={"x": 1}, algebraic={"v": "x*w", "w": "sin(t)"})
    >>> reads_time(decay, [symbol("v")]), reads_time(decay, [symbol("x")])
    (True, False)
    """
    read = {s for expression in expressions for s in expression.free_symbols}
    for name in reversed(list(system.derived)):
        if symbol(name) in read:
            read |= system.derived[name].free_symbols
    return TIME in read


def _require_sum(system: System, state: str) -> None:
    drift = system.drift[state]
    flow = sp.Add(
        *(
            changes[state] * symbol(name)
            for name, changes in system.reactions.items()
            if state in changes
        )
    )
    if sp.expand(drift - flow) != 0 and not _same_at_random_points(system, drift, flow):
        raise Unsupported(
            f"`{state}` is not moved by reactions alone: its drift is `{drift}`, while its "
            f"reactions add up to `{flow}`; write all that moves it as reactions, or use another "
            "engine"
        )


def _same_at_random_points(system: System, drift: sp.Expr, flow: sp.Expr) -> bool:
    """Compare numerically, at points of all magnitudes from 0.001 to 1000 where both exist."""
    random = np.random.default_rng(0)
    x, p = (
        10.0 ** random.uniform(-3, 3, (len(names), _POINTS))
        for names in (system.states, system.parameters)
    )
    terms = sp.Add.make_args(drift) + sp.Add.make_args(flow)
    values = system.program((drift, flow, *terms)).vector(random.uniform(0, 10, _POINTS), x, p)
    exists = np.isfinite(values).all(axis=0)
    scale = np.abs(values[2:]).max(axis=0)
    near = np.abs(values[0] - values[1]) <= 1e-9 * scale
    return bool(exists.any() and near[exists].all())


def active(system: System) -> Iterator[str]:
    """Yield the reactions that change any state: where all that one changes is held, it cannot."""
    return (name for name, changes in system.reactions.items() if changes)


def _named(system: System) -> str:
    return f" `{system.name}`" if system.name else ""
