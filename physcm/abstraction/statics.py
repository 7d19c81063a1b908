"""Comparative statics: how a state of rest moves when something that determines it changes.

Where 0 = F(X, theta) holds at a regular point, the implicit function theorem gives

    dX/dtheta = -(dF/dX)^-1 dF/dtheta,

the derivative of the effect of a soft intervention (Samuelson, Foundations of Economic Analysis,
1947). F is the drift of a system, with its conservation laws c . X = c . X(0) in place of
dependent rows, or the equations of a causal model; that the two agree is what it means for the
causal model to stand for the system. Scaled, as d ln X / d ln theta, these are the control
coefficients of metabolic control analysis (Kacser & Burns, Symp. Soc. Exp. Biol. 27, 1973;
with conserved totals Reder, J. Theor. Biol. 135, 1988).

A parameter acts through everything that is computed from it: other parameters, initial values
and with them the conserved totals. Where the weights of a law read theta, they move too: from
c f = 0 follows c' f + c df/dtheta = 0 at all X, which determines c', unless theta breaks the law.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
import xarray as xr

from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.laws import is_special, laws_of
from physcm.abstraction.parametric import breaking
from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import initial_symbol, symbol, to_text
from physcm.mechanism.linearization import inverses
from physcm.mechanism.values import Value, draw
from physcm.scm import SCM
from physcm.sim import ConservationLaw, System, equilibria
from physcm.sim.equilibrium import EquilibriumEquations

_BROKEN = 1e-8
_DERIVATIVES = ("derivative", "control")


def comparative_statics(
    model: System | SCM | CausalConstraintsModel, *, seed: int = 0, sample: int = 0
) -> xr.Dataset:
    """Return the derivatives of every state of rest by everything that determines it.

    Args:
        model: a system, autonomous and without noise, or a causal model.
        seed: as in `simulate`.
        sample: whose parameters, initial and exogenous values to take.

    Returns:
        For a system over `equilibrium`, as found by `equilibria` and with what it tells of them;
        for a causal model over `solution`, as found by `solve`. The variables are joined by
        `derivative`, dX/dtheta, and `control`, its scaled form theta/X dX/dtheta, over `effect`
        and `cause`. Effects are all variables. Causes are all parameters, the value `do(X)` at
        which a variable is held among them, and the conserved totals of a system, such as
        `C(0) + E(0)`, or the exogenous variables of a causal model. NaN where the state is not
        isolated or the change breaks a conservation law, so that there is no derivative;
        `control` is NaN or infinite where X is zero.

    Raises:
        Unsupported: for a system with noise or explicit time.
        InvalidValue: for what is no model.

    >>> tank = System({"h": "q - k*h**2"}, parameters={"q": 1, "k": 4}, initial={"h": 1})
    >>> found = comparative_statics(tank).sel(effect="h").isel(equilibrium=-1)
    >>> found.derivative.sel(cause="q").item(), found.control.sel(cause="k").item()
    (0.25, -0.5)
    """
    if isinstance(model, System):
        return _of_system(model, seed, sample)
    if isinstance(model, CausalConstraintsModel):
        return _without_broken(model, _of_causal_model(model.scm, seed, sample))
    if isinstance(model, SCM):
        return _of_causal_model(model, seed, sample)
    raise InvalidValue(
        f"`{model!r}` is no model; give a System, an SCM or a CausalConstraintsModel"
    )


def _of_system(system: System, seed: int, sample: int) -> xr.Dataset:
    found = equilibria(system, seed=seed, sample=sample)
    x0, p = system.draw(np.array([sample]), seed)
    x = np.array([found[name].values for name in system.states])
    x = x.reshape(len(system.states), found.sizes["equilibrium"])
    at_rest = _Rest(EquilibriumEquations(system), x0[:, 0], x, p[:, 0])
    amounts = dict(zip(system.parameters, p[:, 0], strict=True))
    amounts |= {_at_start(law): total for law, total in zip(*at_rest.totals, strict=True)}
    values = np.array([found[name].values for name in system.variables])
    return found.assign(
        _labelled("equilibrium", system.variables, amounts, values, at_rest.responses())
    )


def _of_causal_model(model: SCM, seed: int, sample: int) -> xr.Dataset:
    found = model.solve(n=sample + 1, seed=seed).isel(sample=sample, drop=True)
    found = found.isel(solution=slice(int(found["count"])))
    given = {**model.exogenous, **model.parameters}
    drawn = draw(given, np.array([sample]), seed)
    amounts = {name: float(drawn[name][0]) for name in given}
    x = np.array([found[name].values for name in model.variables])
    p = np.repeat(np.array([*amounts.values()]).reshape(-1, 1), x.shape[1], axis=1)
    names, residuals = tuple(given), tuple(model.residuals.values())
    by_variable = Program.over(model.variables, names, {}, residuals).jacobian.batch(0.0, x, p)
    by_name = Program.over(names, model.variables, {}, residuals).jacobian.batch(0.0, p, x)
    slopes = _responses(by_variable, by_name @ _follow(given, amounts))
    return found.assign(_labelled("solution", model.variables, amounts, x, slopes))


def _without_broken(model: CausalConstraintsModel, found: xr.Dataset) -> xr.Dataset:
    """Return derivatives, NaN by what breaks a law that holds for the given values alone."""
    special = [law for law in laws_of(model.system, model.degree) if is_special(law)]
    broken = {name for law in special for name in breaking(model.system, law)}
    multipliers = {*model.scm.variables} - {*model.variables}
    found = found.drop_vars(multipliers).drop_sel(effect=[*multipliers])
    kept = ~found.cause.isin([*broken])
    return found.assign({key: found[key].where(kept) for key in _DERIVATIVES})


def _labelled(
    dimension: str, effects: Sequence[str], causes: Mapping[str, Any], values: Floats,
    slopes: Floats,
) -> dict[str, xr.DataArray]:  # fmt: skip
    """Return derivatives, (points, effects, causes), and control coefficients with names."""
    coords = {"effect": list(effects), "cause": list(causes)}
    with np.errstate(all="ignore"):
        control = slopes * np.array([*causes.values()]) / values.T[:, :, np.newaxis]
    dims = (dimension, "effect", "cause")
    return {
        "derivative": xr.DataArray(slopes, coords, dims),
        "control": xr.DataArray(control, coords, dims),
    }


def _responses(matrix: Floats, force: Floats) -> Floats:
    """Return -J^-1 dF/dtheta, (points, unknowns, causes), NaN where J is singular.

    Rows and columns are scaled to entries near 1, so that units do not matter.

    Args:
        matrix: J = dF/dX at roots, (points, equations, unknowns).
        force: dF/dtheta, (points, equations, causes).
    """
    defined = np.isfinite(matrix).all(axis=(1, 2), keepdims=True)
    matrix = np.where(defined, matrix, 0.0)
    row = _unit(np.abs(matrix).max(axis=2, keepdims=True, initial=0.0))
    column = _unit(np.abs(matrix * row).max(axis=1, keepdims=True, initial=0.0))
    inverse, _, singular = inverses(matrix * row * column)
    slopes = 0.0 - np.swapaxes(column, 1, 2) * (inverse @ (row * force))
    return np.where(defined & ~singular[:, np.newaxis, np.newaxis], slopes, np.nan)


def _unit(sizes: Floats) -> Floats:
    return 1 / np.where(sizes > 0, sizes, 1.0)


def _follow(values: Mapping[str, Value], numbers: Mapping[str, float]) -> Floats:
    """Return how all values follow a change of each one, (names, names): the chain rule.

    Values that are computed from others form no circle, so that with A their derivatives the
    sum 1 + A + A^2 + ... = (1 - A)^-1 ends. Changing a computed value puts another in its place.
    """
    names = tuple(values)
    formulas = tuple(v if isinstance(v, sp.Basic) else sp.S.Zero for v in values.values())
    direct = Program.over(names, (), {}, formulas).jacobian
    A = direct.dense(0.0, [float(numbers[name]) for name in names], [])
    return np.asarray(np.linalg.inv(np.eye(len(names)) - A))


def _at_start(law: ConservationLaw) -> str:
    at_start = {s: initial_symbol(s.name) for s in law.expression.free_symbols}
    return to_text(law.expression.xreplace(at_start))


@dataclass(frozen=True, eq=False)
class _Rest:
    """A system at rest.

    Attributes:
        equations: its equilibrium equations.
        x0: the initial state, (states,).
        x: the equilibria, (states, points).
        p: the parameters, (parameters,).
    """

    equations: EquilibriumEquations
    x0: Floats
    x: Floats
    p: Floats

    @property
    def totals(self) -> tuple[Sequence[ConservationLaw], Floats]:
        """The conservation laws and what they keep."""
        return self.equations.laws, self.equations.weights @ self.x0

    def responses(self) -> Floats:
        """Return the derivatives of all variables by parameters and totals, (points, ., .)."""
        equations, system = self.equations, self.equations.system
        laws, rows, (states, points) = len(equations.laws), len(self.p), self.x.shape
        p = np.repeat(self.p[:, np.newaxis], points, axis=1)
        ways, starts = self.following()
        force = np.zeros((points, states, rows + laws))
        force[:, :, :rows] = self.pushed(system.drift.values(), self.x) @ ways
        force[:, equations.dependent, :rows] = self.turned(ways) - equations.weights @ starts
        force[:, equations.dependent, rows:] = -np.eye(laws)
        slopes = _responses(equations.jacobian(self.x, p), force)
        derived = system.outputs.jacobian.batch(0.0, self.x, p) @ slopes
        derived[:, :, :rows] += self.pushed(map(symbol, system.derived), self.x) @ ways
        return np.concatenate([slopes, derived], axis=1)

    def following(self) -> tuple[Floats, Floats]:
        """Return how parameters and the initial state follow each parameter."""
        system, rows = self.equations.system, len(self.p)
        values = {**system.parameters, **{f"{k}(0)": v for k, v in system.initial.items()}}
        numbers = dict(zip(values, [*self.p, *self.x0], strict=True))
        follow = _follow(values, numbers)
        return follow[:rows, :rows], follow[rows:, :rows]

    def pushed(self, expressions: Iterable[sp.Expr], x: Floats) -> Floats:
        """Return the derivatives of expressions by the parameters, (points, expressions, .)."""
        system = self.equations.system
        names, p = tuple(system.parameters), np.repeat(self.p[:, np.newaxis], x.shape[1], axis=1)
        program = Program.over(names, system.states, system.derived, tuple(expressions))
        return program.jacobian.batch(0.0, p, x)

    def turned(self, ways: Floats) -> Floats:
        """Return c' . (X - X(0)), (points, laws, parameters), NaN where a law breaks.

        c' f + c df/dtheta = 0 at random points determines c', which is zero for the states that
        laws determine.
        """
        equations, free = self.equations, self.equations.free
        x = self.anywhere()
        f = equations.system.rates.vector(0.0, x, np.repeat(self.p[:, np.newaxis], x.shape[1], 1))
        pushed = self.pushed(equations.system.drift.values(), x) @ ways
        known = np.isfinite(f).all(axis=0) & np.isfinite(pushed).all(axis=(1, 2))
        f, pushed = f[free][:, known].T, pushed[known]
        unit = _unit(np.abs(f).max(axis=0, initial=0.0))
        moved = (self.x - self.x0[:, np.newaxis])[free].T * unit
        result = np.empty((self.x.shape[1], len(equations.laws), len(self.p)))
        for place, weights in enumerate(equations.weights):
            side = -weights @ pushed
            terms = np.abs(weights) @ np.abs(pushed)
            turn = np.linalg.lstsq(f * unit, side, rcond=None)[0]
            left = np.abs((f * unit) @ turn - side).max(axis=0, initial=0.0)
            kept = left <= _BROKEN * terms.max(axis=0, initial=0.0)
            result[:, place] = np.where(kept, moved @ turn, np.nan)
        return result

    def anywhere(self) -> Floats:
        """Return random points within the bounds, (states, points)."""
        low, high = self.equations.bounds[:, :, np.newaxis]
        x = np.exp(np.random.default_rng(0).normal(size=(len(self.x0), 2 * len(self.x0) + 4)))
        return np.clip(x, low, high)
