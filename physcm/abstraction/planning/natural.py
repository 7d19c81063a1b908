"""The values without any action, and the actions that there are unless told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.abstraction.planning.action import Action
from physcm.abstraction.planning.imagined import Causal, Imagined
from physcm.mechanism.errors import InvalidValue, NotUnique, UnknownVariable
from physcm.mechanism.interventions import Hold
from physcm.mechanism.parser import closest
from physcm.scm import SCM

_DECADE = 10.0


class Natural:
    """A model without any action.

    Args:
        model: the causal model.
        n: number of samples.
        seed: of the draws.
    """

    def __init__(self, model: Causal, n: int, seed: int) -> None:
        self.model = model
        self.scm = model if isinstance(model, SCM) else model.scm
        self.found, steady = Imagined(model, {}, (), n, seed).solve(np.empty((0, 1)))
        self.counts = steady >= 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """What can be set: parameters and exogenous variables."""
        return (*self.scm.exogenous, *self.scm.parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Variables, then what can be set."""
        return (*self.scm.variables, *self.inputs)

    @property
    def is_unique(self) -> bool:
        """Whether every sample has exactly one solution that counts."""
        return bool((self.counts.sum(axis=1) == 1).all())

    def value(self, name: str) -> float:
        """Return the median of a value over the samples, NaN where it is not unique."""
        if name in self.inputs:
            return float(np.median(self.found[name]))
        return float(np.median(only(self.found, name, self.counts))) if self.is_unique else np.nan

    def typical(self, name: str) -> float:
        """Return a value by which sizes can be judged, the median over all solutions."""
        values = self.found[name].values
        known = values[np.isfinite(values)]
        return float(np.median(known)) if known.size else np.nan

    def actions(self, given: Iterable[Action] | None, avoid: Iterable[str]) -> tuple[Action, ...]:
        """Return the actions that were given, or those there are: holds first, with natural values.

        Raises:
            UnknownVariable: for an action on what the model does not have.
            NotUnique: for a variable whose natural value the model does not tell.
            InvalidValue: for an action that is none, and for two on the same name.
            Infeasible: for values that a variable cannot take.
        """
        chosen = self._default({*avoid}) if given is None else tuple(given)
        if not chosen:
            raise InvalidValue(f"{self.scm.in_words} is left without actions; give one, `[Action]`")
        for action in chosen:
            self._check(action)
        names = [action.name for action in chosen]
        for name in names:
            if names.count(name) > 1:
                raise InvalidValue(f"`{name}` has several actions; give one with all its range")
        holds_first = sorted(chosen, key=lambda action: action.name in self.inputs)
        return tuple(map(self._resolved, holds_first))

    def _check(self, action: Any) -> None:
        if not isinstance(action, Action):
            raise InvalidValue(f"`{action!r}` is no action; write Action('x', (0, 1))")
        if action.name not in self.names:
            remedy = closest(action.name, self.names)
            raise UnknownVariable(f"{self.scm.in_words} has no `{action.name}`; {remedy}")
        if action.name in self.scm.variables:
            for end in action.within:
                self.model.do(Hold(action.name, float(end)))  # raises what is infeasible

    def _resolved(self, action: Action) -> Action:
        natural = self.value(action.name) if action.natural is None else float(action.natural)
        if not np.isfinite(natural):
            raise NotUnique(
                f"without any action `{action.name}` has no single value in {self.scm.in_words}, "
                "from which to count costs; give Action(..., natural=...)"
            )
        return Action(
            action.name, action.within, cost=action.cost, fixed=action.fixed, natural=natural
        )

    def _default(self, avoid: set[str]) -> tuple[Action, ...]:
        """Return an action on all that has a size, a decade up and down, within its domain."""
        dynamics = self.scm.dynamics
        actions = []
        for name in (*(self.scm.variables if dynamics is None else dynamics), *self.inputs):
            value, (low, high) = self.value(name), self.scm.domains.get(name, (-np.inf, np.inf))
            is_start = name.endswith("(0)")
            if name not in avoid and np.isfinite(value) and value != 0 and not is_start:
                ends = sorted((value / _DECADE, value * _DECADE))
                actions.append(Action(name, (max(low, ends[0]), min(high, ends[1]))))
        return tuple(actions)


def only(found: xr.Dataset, name: str, counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the first solution that counts, (samples,)."""
    values = found[name].values
    return np.asarray(values[np.arange(len(values)), counts.argmax(axis=1)])
