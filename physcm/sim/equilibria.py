"""`equilibria`: all equilibria of a system that can be found, and what they are like.

Two searches complement each other: long-time integration, which finds what attracts, and
Newton's method from many starts, which finds repelling equilibria as well. Roots are kept
where they are feasible (an amount is not negative), deduplicated on the scale of each state,
and described by the eigenvalues of the dynamics on the conserved subspace. Where these change
sign within what rounding leaves open of a root, as at a double root, they tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.codegen import Floats
from physcm.sim.equilibrium import EquilibriumEquations, stability
from physcm.sim.long_run import long_run, long_runs
from physcm.sim.multistart import every_root, scatter, size_of_states
from physcm.sim.periodicity import free_angles
from physcm.sim.provenance import provenance
from physcm.sim.root_nearby import has_root_nearby
from physcm.sim.settle import require_autonomous
from physcm.sim.status import LimitStatus
from physcm.sim.system import System

_INTEGRATIONS, _STEPS = 6, 10_000
_MANY, _SAME = 10, 1e-6
_EACH_TURN = "an equilibrium stands for all that are whole turns away"


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """One equilibrium.

    Attributes:
        state: shape (states,).
        eigenvalues: of the dynamics on the conserved subspace, largest real part first.
        stability: "stable", "unstable" or "marginal".
        found_by: "integration" or "newton".
    """

    state: Floats
    eigenvalues: NDArray[np.complex128]
    stability: str
    found_by: str

    @property
    def is_degenerate(self) -> bool:
        """Whether an eigenvalue vanishes, so that other equilibria may lie next to it."""
        sizes = np.abs(self.eigenvalues)
        return bool((sizes <= 1e-9 * sizes.max(initial=0.0)).any())


def equilibria(system: System, *, seed: int = 0, sample: int = 0, starts: int = 200) -> xr.Dataset:
    """Return the equilibria of a system for one draw of its parameters and initial values.

    Conserved totals are those of the initial state.

    Args:
        system: autonomous and without noise.
        seed: as in `simulate`.
        sample: whose parameters and initial values to take.
        starts: from how many points at a time Newton's method sets out.

    Returns:
        A dataset over `equilibrium`: each state and derived variable, `stability` (stable,
        unstable, or marginal where the linearization cannot tell), `found_by` (integration or
        newton), and over `mode` the eigenvalues, `eigenvalue_real` and `eigenvalue_imag`. No
        equilibrium found gives length 0. Where full turns of an angle change no equation, an
        equilibrium stands for infinitely many, of which the one nearest to 0 is given; the
        attribute `turn` of the angle is the period.

    Raises:
        Unsupported: for a system with noise or explicit time.

    >>> switch = System({"x": "x - x**3"}, initial={"x": 0.5})
    >>> found = equilibria(switch)
    >>> found.x.values.round(6).tolist(), found.stability.values.tolist()
    ([-1.0, 0.0, 1.0], ['stable', 'unstable', 'stable'])
    """
    require_autonomous(system)
    x0, p = system.draw(np.array([sample]), seed)
    turns = free_angles(system)
    angles = np.array([turns.get(name, np.nan) for name in system.states])
    found = find(EquilibriumEquations(system), x0[:, 0], p[:, 0], starts, angles)
    settings = {"seed": int(seed), "sample": int(sample), "starts": int(starts)}
    dataset = _dataset(system, found, p).assign_attrs(provenance(system), **settings)
    for name, turn in turns.items():
        dataset[name].attrs |= {"turn": turn, "comment": _EACH_TURN}
    return dataset


def find(
    equations: EquilibriumEquations, x0: Floats, p: Floats, starts: int,
    turns: Floats | None = None,
) -> list[Equilibrium]:  # fmt: skip
    """Return the feasible equilibria with the conserved totals of x0, in order of the states.

    Where `turns` (states,) gives the periods of angles, NaN for what is none, those that are
    whole turns apart are given once. On a continuum of equilibria runs end where the errors on
    their way take them, beside which ends that agree are one.
    """
    total = equations.weights @ x0
    first = long_run(equations, x0, p)
    scale = size_of_states(x0, first)
    points = scatter(equations, scale, total, starts)
    others = points[:, equations.meets(points, total)][:, :_INTEGRATIONS]
    many = np.repeat(p[:, np.newaxis], others.shape[1], axis=1)
    limits = [first, *long_runs([(equations, others, many)], most_steps=_STEPS)[0]]
    settled = [limit.state for limit in limits if limit.status is LimitStatus.SETTLED]
    candidates = [(_polished(equations, state, p), "integration") for state in settled]
    scale = np.maximum.reduce([scale, *(np.abs(state) for state in settled)])
    roots = every_root(equations, np.column_stack([x0, *settled]), p, total, scale, starts)
    candidates += [(root, "newton") for root in roots.T]
    if turns is not None:
        candidates = [(_turned(state, turns), found_by) for state, found_by in candidates]
    kept: list[Equilibrium] = []
    for state, found_by in candidates:
        if equations.is_feasible(state, scale) and not _known(state, kept, scale):
            values = equations.eigenvalues(state, p, scale)
            off = equations.uncertainty(state, p, total)
            beside = [equations.eigenvalues(x, p, scale) for x in (state - off, state + off)]
            kept.append(Equilibrium(state, values, _kind(values, *beside), found_by))
    certain = [e for e in _isolated(kept) if _is_certain(e, equations, p, total, scale)]
    way = np.maximum.reduce([scale, *(limit.scale for limit in limits)])
    return sorted(_apart(certain, way), key=lambda e: tuple(e.state))


def _apart(found: list[Equilibrium], way: Floats) -> list[Equilibrium]:
    """Return equilibria, of degenerate ones that agree beside the way to them the first."""
    kept: list[Equilibrium] = []
    for one in found:
        if not (one.is_degenerate and _known(one.state, kept, way)):
            kept.append(one)
    return kept


def _kind(values: NDArray[np.complex128], *beside: NDArray[np.complex128]) -> str:
    """Return the stability by some eigenvalues, marginal if those beside differ in it."""
    differ = {stability(other) for other in beside} == {"stable", "unstable"}
    return "marginal" if differ else stability(values)


def _is_certain(
    found: Equilibrium, equations: EquilibriumEquations, p: Floats, total: Floats, scale: Floats
) -> bool:
    """Say whether an equilibrium is one where no flow has come to rest there."""
    return found.found_by == "integration" or has_root_nearby(
        equations, found.state, p, total, scale
    )


def _turned(state: Floats, turns: Floats) -> Floats:
    """Return a state (states,) with its angles turned next to 0."""
    shares = np.where(np.isfinite(turns), state / turns, 0.0)
    return np.asarray(state - np.where(shares, turns, 0.0) * np.ceil(shares - 0.5 - _SAME))


def _isolated(found: list[Equilibrium]) -> list[Equilibrium]:
    """Drop what Newton's method found on a continuum of equilibria, where it finds any number."""
    marginal = [e for e in found if e.found_by == "newton" and e.stability != "stable"]
    flat = [e for e in marginal if e.is_degenerate]
    return [e for e in found if e not in flat] if len(flat) > _MANY else found


def _polished(equations: EquilibriumEquations, state: Floats, p: Floats) -> Floats:
    """Bring the end of a run onto the root that it approaches, where there is one."""
    roots, converged = equations.roots(state[:, np.newaxis], p, equations.weights @ state)
    return roots[:, 0] if converged[0] else state


def _known(state: Floats, kept: list[Equilibrium], scale: Floats) -> bool:
    return any((np.abs(state - other.state) <= _SAME * scale).all() for other in kept)


def _dataset(system: System, found: list[Equilibrium], p: Floats) -> xr.Dataset:
    states = np.array([e.state for e in found]).reshape(len(found), len(system.states)).T
    derived = system.outputs.vector(0.0, states, np.repeat(p, len(found), axis=1))
    variables: dict[str, Any] = {}
    for names, rows in ((system.states, states), (tuple(system.derived), derived)):
        variables |= {n: ("equilibrium", row) for n, row in zip(names, rows, strict=True)}
    modes = max((e.eigenvalues.size for e in found), default=0)
    values = np.array([e.eigenvalues for e in found]).reshape(len(found), modes)
    variables["eigenvalue_real"] = (("equilibrium", "mode"), values.real)
    variables["eigenvalue_imag"] = (("equilibrium", "mode"), values.imag)
    variables["stability"] = ("equilibrium", np.array([e.stability for e in found], dtype=str))
    variables["found_by"] = ("equilibrium", np.array([e.found_by for e in found], dtype=str))
    return xr.Dataset(variables)
