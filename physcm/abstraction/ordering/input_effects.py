"""Effects at equilibrium, predicted by the causal ordering and seen in simulations.

Every input of a system (a parameter, or an initial value that a conserved total reads) and every
equation is changed a little, from rest, one at a time (from the initial state where the weights of
a conserved total read an input, which has no effect on what starts at rest). The simulation tells
how far each variable went on the way (`transient`) and where it came to rest (`change`), relative
to its size; the causal ordering tells which variables the change reaches over time (`reaches`) and
which it has an effect on at equilibrium (`effect`). A last run, in which nothing is changed, is
what the others are compared with. A *false claim* is a predicted absence of an
effect that is seen, a *miss* a predicted effect that is not. A variable that answers and comes
back shows perfect adaptation.

A soft intervention on the equation 0 = r adds a constant to r: to the drift f = q r it adds q
times this constant, so that what divided out still does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from physcm.abstraction.ordering.adaptation import reached, weighing
from physcm.abstraction.ordering.causal_ordering import CausalOrdering, causal_ordering
from physcm.abstraction.requirements import require_system
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue, NoEquilibrium
from physcm.mechanism.expression import symbol
from physcm.sim import System, simulate, steady_states
from physcm.sim.status import RestStatus

_MOVED = 1e-7
_CHANGED = 1e-9
_ZERO = 1e-9
_RTOL, _ROUGH = 1e-10, 1e-6
_LENGTH, _POINTS = 40.0, 400
_SHOWN = 12


@dataclass(frozen=True)
class InputEffects:
    """What was predicted of every (cause, variable) pair, and what was seen.

    Attributes:
        ordering: the causal ordering on the branch on which the system settles.
        table: over `cause` (inputs and labels of equations) and `variable`: `reaches`, `effect`,
            `transient` (the largest change on the way) and `change` (that at rest), relative to
            the size of the variable; NaN where the changed system did not come to rest.
        step: by how much inputs were changed, relative to their values.
    """

    ordering: CausalOrdering
    table: xr.Dataset
    step: float

    @property
    def tested(self) -> int:
        """The number of pairs of which both is known."""
        return int(np.isfinite(self.table.change).sum())

    @cached_property
    def adapted(self) -> tuple[tuple[str, str], ...]:
        """The (cause, variable) pairs that were seen to answer and to come back."""
        back = (self.table.transient > _MOVED) & (self.table.change <= _CHANGED)
        return self._pairs(back & ~self.table.effect)

    @cached_property
    def false_claims(self) -> tuple[tuple[str, str], ...]:
        """The pairs of which no effect was predicted, and one was seen."""
        return self._pairs((self.table.change > _CHANGED) & ~self.table.effect)

    @cached_property
    def misses(self) -> tuple[tuple[str, str], ...]:
        """The pairs of which an effect was predicted, and none was seen."""
        return self._pairs((self.table.change <= _CHANGED) & self.table.effect)

    @property
    def ok(self) -> bool:
        """Whether all predictions were confirmed."""
        return not self.false_claims and not self.misses

    def __str__(self) -> str:
        table = self.table.where(np.isfinite(self.table.change), drop=False)
        effects = int((table.effect == 1).sum())
        lines = [
            f"{self.tested} pairs tested by changes of {self.step:.2%}: {effects} effects "
            f"predicted, {len(self.misses)} of them not seen; {self.tested - effects} absences "
            f"predicted, {len(self.false_claims)} of them false; {len(self.adapted)} perfect "
            "adaptations seen",
            *(self._line("false", *pair) for pair in self.false_claims),
            *(self._line("missed", *pair) for pair in self.misses),
            *(self._line("adapted", *pair) for pair in self.adapted[:_SHOWN]),
        ]
        more = len(self.adapted) - _SHOWN
        return "\n".join([*lines, *([f"  and {more} more"] if more > 0 else [])])

    __repr__ = __str__

    def _line(self, kind: str, cause: str, variable: str) -> str:
        at = self.table.sel(cause=cause, variable=variable)
        return (
            f"  {kind}: {cause} on {variable}, moves by {at.transient.item():.1e} on the way and "
            f"by {at.change.item():.1e} at rest"
        )

    def _pairs(self, chosen: xr.DataArray) -> tuple[tuple[str, str], ...]:
        causes, variables = self.table.cause.values, self.table.variable.values
        return tuple((str(causes[i]), str(variables[j])) for i, j in np.argwhere(chosen.values))


def input_effects(
    system: System, *, step: float = 0.01, seed: int = 0, sample: int = 0
) -> InputEffects:
    """Return which effects at equilibrium are predicted, and which are seen in simulations.

    Args:
        system: autonomous and without noise; it settles from its initial state.
        step: by how much to change each input, relative to its value.
        seed: as in `simulate`.
        sample: whose parameters and initial values to take.

    Raises:
        NoEquilibrium: if the system does not settle.
        NotSolvable: if its equations have no causal ordering.
        InvalidValue: for a step that is not a small positive number.

    >>> from physcm.sim import zoo
    >>> effects = input_effects(zoo.load("torricelli_bathtub"))
    >>> effects.ok, effects.adapted
    (True, (('f_O', 'O'), ('f_P', 'O'), ('f_P', 'P'), ('K', 'O'), ('g', 'O'), ('g', 'P')))
    """
    require_system(system)
    if not isinstance(step, int | float) or not 0 < step < 1:
        raise InvalidValue(f"step is `{step}`; give a number between 0 and 1, such as 0.01")
    fixed = _fixed(system, seed, sample)
    rest = steady_states(fixed)
    _require_rest(system, rest)
    ordering = causal_ordering(system, zero=_dead(system, rest))
    causes = [*_forces(ordering, fixed), *_inputs(ordering, fixed)]
    changed = _changed(fixed, ordering, rest, causes, step)
    transient, change = _responses(changed, rest, len(causes))
    table = _predictions(ordering, causes)
    dims = ("cause", "variable")
    table["transient"], table["change"] = (dims, transient), (dims, change)
    return InputEffects(ordering, table, step)


def _require_rest(system: System, rest: xr.Dataset) -> None:
    """Refuse a system that does not come to a stable state of rest."""
    status, stability = RestStatus(int(rest.status[0])), rest.stability.item()
    if status is RestStatus.REACHED and stability == "stable":
        return
    if status is RestStatus.FOUND and stability == "stable":
        place = ", ".join(f"{name} = {rest[name].item():.6g}" for name in system.states)
        raise NoEquilibrium(
            f"{system.in_words} is not seen to come from its initial state to the stable state of "
            f"rest `{place}`; start nearer to it"
        )
    if status is RestStatus.REACHED:
        raise NoEquilibrium(
            f"{system.in_words} comes from its initial state to a state of rest that is "
            f"`{stability}`, which a small change may take it away from; choose another initial "
            "state, or other parameters"
        )
    raise NoEquilibrium(
        f"{system.in_words} does not settle from its initial state: no `stable` state of rest is "
        "reached; choose another, or other parameters"
    )


def _fixed(system: System, seed: int, sample: int) -> System:
    """Return a system with the numbers of one sample in place of random values."""
    x, p = system.draw(np.array([sample]), seed)
    parameters = dict(zip(system.parameters, p[:, 0].tolist(), strict=True))
    initial = dict(zip(system.initial, x[:, 0].tolist(), strict=True))

    def numbers(given: Any, drawn: dict[str, float]) -> dict[str, Any]:
        return {k: v if isinstance(v, sp.Basic) else drawn[k] for k, v in given.items()}

    return system.replace(
        parameters=numbers(system.parameters, parameters), initial=numbers(system.initial, initial)
    )


def _dead(system: System, rest: xr.Dataset) -> list[str]:
    """Return the states that are zero at rest, where their equation is X times something."""
    size = max(abs(rest[name].item()) for name in system.states)
    return [
        name
        for name, f in system.drift.items()
        if system.bounds.get(name, (None,))[0] == 0
        and f != 0
        and f.xreplace({symbol(name): sp.S.Zero}) == 0
        and abs(rest[name].item()) <= _ZERO * size
    ]


def _inputs(ordering: CausalOrdering, fixed: System) -> list[str]:
    """Return the parameters that are not computed, and the initial values that matter."""
    given = [k for k, v in fixed.parameters.items() if not isinstance(v, sp.Basic)]
    starts = [f"{k}(0)" for k, v in fixed.initial.items() if not isinstance(v, sp.Basic)]
    return [*given, *(name for name in starts if name in ordering.inputs)]


def _changed(
    fixed: System, ordering: CausalOrdering, rest: xr.Dataset, causes: Sequence[str], step: float
) -> System:
    """Return a system one sample of which has one cause changed, and a last one in which none is.

    They start at rest, unless the weights of a conserved total read an input, of which there one
    sees nothing.
    """
    forces = _forces(ordering, fixed)
    count = len(causes) + 1
    drift, algebraic = dict(fixed.drift), dict(fixed.algebraic)
    parameters: dict[str, Any] = dict(fixed.parameters)
    initial: dict[str, Any] = dict(fixed.initial)
    for k, cause in enumerate(causes):
        if cause in forces:
            name = f"force{k}{'_' * max(map(len, parameters), default=0)}"
            size = step * _size(ordering, cause, rest, fixed)
            parameters[name] = tuple(size * (i == k) for i in range(count))
            for variable, factor in forces[cause].items():
                mechanisms = drift if variable in drift else algebraic
                mechanisms[variable] = mechanisms[variable] + factor * symbol(name)
        else:
            values = parameters if cause in parameters else initial
            name = cause if cause in parameters else cause.removesuffix("(0)")
            changed = values[name] * (1 + step) if values[name] else step
            values[name] = tuple(changed if i == k else values[name] for i in range(count))
    moved = fixed.replace(drift=drift, algebraic=algebraic, parameters=parameters, initial=initial)
    starts = moved.draw(np.arange(count), 0)[0]
    if not weighing(ordering):
        at_rest = np.array([rest[name].item() for name in fixed.states])[:, np.newaxis]
        starts += at_rest - fixed.draw(np.array([0]), 0)[0]
    return moved.replace(initial=dict(zip(fixed.states, map(tuple, starts.tolist()), strict=True)))


def _forces(ordering: CausalOrdering, fixed: System) -> dict[str, dict[str, sp.Expr]]:
    """Return what a soft intervention on each equation adds to mechanisms.

    A drift that was left out, as it follows from others, goes on following from them, so that
    all totals stay conserved.
    """
    reduced = ordering.reduced
    assert reduced is not None
    states = reduced.source.state_of
    left_out = [x for f, x in states.items() if f not in reduced.residuals]
    weights = sp.Matrix(
        len(reduced.laws),
        len(states),
        [
            dict(law.coefficients).get(x, 0)
            for law in reduced.laws.values()
            for x in states.values()
        ],
    )
    place = {x: j for j, x in enumerate(states.values())}
    dependent = weights[:, [place[x] for x in left_out]]
    forces = {}
    for f in ordering.equations:
        factor = reduced.factors.get(f, sp.S.One)
        if f in states:
            follow = -dependent.inv() * weights[:, place[states[f]]] if left_out else []
            added = {x: w * factor for x, w in zip(left_out, follow, strict=True) if w}
            forces[f] = {states[f]: factor, **added}
        elif reduced.source.defined_by.get(f) in fixed.algebraic:
            forces[f] = {reduced.source.defined_by[f]: factor}
    return forces


def _size(ordering: CausalOrdering, label: str, rest: xr.Dataset, fixed: System) -> float:
    """Return the size of the terms of an equation at rest."""
    assert ordering.reduced is not None
    at = {symbol(name): rest[name].item() for name in fixed.variables}
    drawn = fixed.draw(np.array([0]), 0)[1][:, 0]
    at |= dict(zip(map(symbol, fixed.parameters), drawn.tolist(), strict=True))
    terms = sp.Add.make_args(sp.expand(ordering.reduced.residuals[label]))
    return max((abs(float(term.xreplace(at))) for term in terms), default=0.0) or 1.0


def _responses(changed: System, rest: xr.Dataset, causes: int) -> tuple[Floats, Floats]:
    """Return how far variables went on the way and at rest, (causes, variables)."""
    names, count = changed.variables, causes + 1
    after = steady_states(changed, n=count)
    rates = np.abs(rest.eigenvalue_real.values)
    fast = np.abs(rest.eigenvalue_real.values + 1j * rest.eigenvalue_imag.values).max(initial=1e-3)
    slow = rates[rates > 1e-12 * fast].min(initial=fast)
    times = [0.0, *np.geomspace(1e-3 / fast, _LENGTH / slow, _POINTS)]
    rough = simulate(changed, times, n=count, rtol=_ROUGH)
    sizes = [np.nanmax(np.abs(rough[name].values)) for name in changed.states]
    atol = [_RTOL * (size or 1.0) for size in sizes]
    runs = simulate(changed, times, n=count, rtol=_RTOL, atol=atol)
    start = np.array([rest[name].item() for name in names])
    last = np.array([after[name].values for name in names]).T
    path = np.array([runs[name].values for name in names])
    settled = np.array(after.status.values == 0)[:, np.newaxis]
    on_the_way = np.abs(path - path[:, -1:]).max(axis=2).T
    size = np.maximum(np.abs(start), np.nanmax(on_the_way, axis=0))
    size = np.where(size > 0, size, 1.0)
    change = np.where(settled, np.abs(last - last[-1]) / size, np.nan)
    return np.where(settled, on_the_way / size, np.nan)[:-1], change[:-1]


def _predictions(ordering: CausalOrdering, causes: Sequence[str]) -> xr.Dataset:
    variables = ordering.variables
    reaches = reached(ordering)
    gone = {*ordering.cancelled}
    known = {*ordering.equations, *ordering.inputs}
    effects = {
        c: {v for v in ordering.effects(c) if (c, v) not in gone} if c in known else set()
        for c in causes
    }
    rows = {
        "reaches": [[v in reaches.get(c, ()) for v in variables] for c in causes],
        "effect": [[v in effects[c] for v in variables] for c in causes],
    }
    return xr.Dataset(
        {
            key: (("cause", "variable"), np.array(row).reshape(len(causes), len(variables)))
            for key, row in rows.items()
        },
        coords={"cause": list(causes), "variable": list(variables)},
    )
