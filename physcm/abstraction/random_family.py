"""Random interventions on a system or a structural model, of all kinds that it knows.

Their sizes are those of the model: of a system, its state at rest and the terms that balance each
other there; of a structural model, the root mean square of a variable. What happens at a time, in
a window or as an impulse, leaves no trace in the long run of a stable system, has no counterpart in
a model without time, and is none of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import sympy as sp

from physcm.abstraction.family import clipped, fits, rounded, sizes_at_rest
from physcm.abstraction.population.samples import Low
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import exact, names_in, symbol, to_text
from physcm.mechanism.interventions import (
    Hold,
    Interventions,
    Mode,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
)
from physcm.mechanism.magnitude import size_of_terms
from physcm.scm import SCM, LinearSCM
from physcm.sim import System
from physcm.sim.options import positive_count

ALIKE: tuple[type[Mode], ...] = (Hold, SetParameter)
"""The kinds that mean the same to a system and to a structural model."""

KINDS: tuple[type[Mode], ...] = (Hold, SetParameter, Shift, ScaleNoise, Replace)
"""All kinds that act at all times."""

_MANY = 256


def random_interventions(
    model: Low, count: int, *, most: int = 2, seed: int = 0,
    kinds: Sequence[type[Mode]] = ALIKE,
) -> list[Interventions]:  # fmt: skip
    """Return random interventions, one to `most` at once on different targets.

    The value of a `Hold` is drawn from a tenth to ten times the typical size, of either sign for
    a variable that may have both. A `Shift` is drawn likewise: of a drift by the size of its terms
    at rest, of an explicit mechanism by the size of the variable. A `Replace` draws a system's
    variable towards a value, f + g (v - X), and makes X = c natural(X) + d of a mechanism.
    Parameters and noise move by a factor of three at most.

    Args:
        model: a system or a structural model.
        count: how many.
        most: the largest number of interventions at once.
        seed: of the draws.
        kinds: which kinds to draw, as far as the model has targets for them.

    Raises:
        InvalidValue: for what is no model, no count, or no kind that the model has a target for.

    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> random_interventions(tank, 2)
    [(SetParameter(q=0.364735), SetParameter(k=0.691322)), (SetParameter(k=4.95335),)]
    >>> random_interventions(tank, 1, kinds=[Shift, Replace])
    [(Replace('h', '-h*k - 1.38559*h + q - 0.083666496647'),)]
    """
    if not isinstance(model, System | SCM | LinearSCM):
        raise InvalidValue(f"`{model!r}` is no System, SCM or LinearSCM; give one to intervene on")
    count, most = positive_count(count, "count"), positive_count(most, "most")
    rng = np.random.default_rng(seed)
    ways = _ways(model, kinds, seed)
    targets = [*ways]
    found = list[Interventions]()
    for _ in range(count):
        chosen = rng.choice(len(targets), rng.integers(1, min(most, len(targets)) + 1), False)
        picked = [ways[targets[place]] for place in sorted(chosen)]
        found.append(tuple(_one(own, rng) for own in picked))
    return found


_Way = Callable[[np.random.Generator], Mode]
_Ways = Mapping[str, Mapping[type[Mode], _Way]]


def _one(ways: Sequence[_Way], rng: np.random.Generator) -> Mode:
    """Draw one of the ways to act on a target."""
    return ways[0 if len(ways) == 1 else int(rng.integers(len(ways)))](rng)


def _ways(model: Low, kinds: Sequence[type[Mode]], seed: int) -> dict[str, list[_Way]]:
    """Return the ways to act on each target by some kinds.

    Raises:
        InvalidValue: if there are none.
    """
    for kind in kinds:
        if kind not in KINDS:
            names = ", ".join(one.__name__ for one in KINDS)
            raise InvalidValue(f"kinds has `{kind!r}`; give some of {names}")
    every = _of_system(model, seed) if isinstance(model, System) else _of_equations(model, seed)
    found = {
        target: [way for kind, way in ways.items() if kind in kinds]
        for target, ways in {**every, **_of_parameters(model)}.items()
    }
    found = {target: ways for target, ways in found.items() if ways}
    if not found:
        names = ", ".join(kind.__name__ for kind in kinds)
        raise InvalidValue(f"{model.in_words} has no target for {names}; give other kinds")
    return found


def _of_system(system: System, seed: int) -> _Ways:
    """Return what can be done to states: forces are as large as the terms of the drift."""
    sizes = sizes_at_rest(system, seed)
    noisy = {state for state, _ in system.noise}
    forces = _forces(system, sizes, seed)
    found: dict[str, dict[type[Mode], _Way]] = {}
    for name, size in sizes.items():
        found[name] = {
            Hold: partial(_hold, system, name, size),
            Shift: partial(_shift, system, name, forces[name]),
            Replace: partial(_pull, system, name, size, forces[name]),
        }
        if name in noisy:
            found[name][ScaleNoise] = partial(_scale, name)
    return found


def _of_equations(model: SCM | LinearSCM, seed: int) -> _Ways:
    """Return what can be done to variables: an equation says not what to add to."""
    sizes = _spreads(model, seed)
    equations = model.to_scm() if isinstance(model, LinearSCM) else model
    found: dict[str, dict[type[Mode], _Way]] = {}
    for name, size in sizes.items():
        found[name] = {Hold: partial(_hold, model, name, size)}
        mechanism = equations.mechanisms[name]
        if isinstance(mechanism, sp.Eq):
            continue
        found[name] |= {
            Shift: partial(_shift, model, name, size),
            Replace: partial(_soften, model, name, size),
        }
        if names_in(mechanism) & equations.exogenous.keys():
            found[name][ScaleNoise] = partial(_scale, name)
    return found


def _of_parameters(model: Low) -> _Ways:
    """Return what can be done to parameters that are numbers other than 0."""
    values = {} if isinstance(model, LinearSCM) else model.parameters
    return {
        name: {SetParameter: partial(_set, name, value)}
        for name, value in values.items()
        if isinstance(value, float) and value != 0
    }


def _hold(model: Low, name: str, size: float, rng: np.random.Generator) -> Hold:
    return Hold(name, clipped(model, name, _value(model, name, size, rng)))


def _value(model: Low, name: str, size: float, rng: np.random.Generator) -> float:
    """Draw a value of a tenth to ten times a size, of either sign if the variable has both."""
    value = size * 10 ** rng.uniform(-1, 1)
    return -value if rng.random() < 0.5 and fits(model, name, -value) else value


def _shift(model: Low, name: str, size: float, rng: np.random.Generator) -> Shift:
    return Shift(name, rounded(_value(model, name, size, rng)))


def _pull(
    system: System, name: str, size: float, force: float, rng: np.random.Generator
) -> Replace:
    """Pull a state towards a value, f + g (v - X)."""
    gain = rounded(force / abs(size) * 10 ** rng.uniform(-1, 1))
    value = clipped(system, name, _value(system, name, size, rng))
    return Replace(name, to_text(system.drift[name] + exact(gain) * (exact(value) - symbol(name))))


def _soften(model: Low, name: str, size: float, rng: np.random.Generator) -> Replace:
    """Return X = c natural(X) + d."""
    factor, offset = rounded(rng.uniform(0, 1)), rounded(_value(model, name, size, rng))
    return Replace(name, f"{factor}*natural({name}) + {offset}")


def _scale(name: str, rng: np.random.Generator) -> ScaleNoise:
    return ScaleNoise(name, rounded(3 ** rng.uniform(-1, 1)))


def _set(name: str, value: float, rng: np.random.Generator) -> SetParameter:
    return SetParameter({name: rounded(value * 3 ** rng.uniform(-1, 1))})


def _forces(system: System, sizes: Mapping[str, float], seed: int) -> dict[str, float]:
    """Return the size of the terms of each drift where states have some sizes, 1 where it is 0."""
    x0, p = system.draw(np.array([0]), seed)
    x = np.array([[sizes.get(k, v)] for k, v in zip(system.states, x0[:, 0], strict=True)])
    sizes_of = system.program(tuple(map(size_of_terms, system.drift.values())))
    terms = sizes_of.vector(0.0, x, p)[:, 0]
    terms = np.where(np.isfinite(terms) & (terms > 0), terms, 1.0)
    return dict(zip(system.states, terms.tolist(), strict=True))


def _spreads(model: SCM | LinearSCM, seed: int) -> dict[str, float]:
    """Return the root mean square of each variable, 1 where that is 0."""
    data = model.sample(_MANY, seed)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        sizes = {v: float(np.sqrt(np.nanmean(data[v].values ** 2))) for v in model.variables}
    return {name: size if np.isfinite(size) and size > 0 else 1.0 for name, size in sizes.items()}
