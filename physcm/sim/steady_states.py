"""`steady_states`: the equilibrium of every sample, under every one of many interventions.

All columns, samples times interventions, go through the same machine code (see
`physcm.sim.resting`). The few that it leaves open are looked at one by one (see
`physcm.sim.alone`).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from physcm.mechanism.errors import NotCompiled, Unsupported
from physcm.mechanism.interventions import Family, Interventions, each_of, label
from physcm.sim.alone import Sample, explained
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.long_run import long_runs
from physcm.sim.options import positive_count
from physcm.sim.provenance import provenance
from physcm.sim.settle import require_autonomous
from physcm.sim.stacked import Stack, stacked
from physcm.sim.status import RestStatus, flags
from physcm.sim.system import System

if TYPE_CHECKING:
    from physcm.sim.resting import Answers


def steady_states(
    system: System,
    interventions: Family | None = None,
    *,
    n: int = 1,
    seed: int = 0,
    threads: int | None = None,
) -> xr.Dataset:
    """Return the equilibrium of each sample, under each intervention.

    It is the one in which the flow from the sample's start comes to rest, where it does: the
    flow is followed with an accuracy of about 1e-3, so that only a start that is so close to
    the border between two basins may be told the wrong one. Where the flow is not at rest after
    a number of steps it is one that Newton's method finds with the same conserved totals; if that
    is unstable the flow is not followed any further. `settle` tells what such a flow does, and
    `equilibria` finds several equilibria of one sample.

    Args:
        system: autonomous and without noise.
        interventions: what to do, one after the other; an entry is an intervention or a list
            of several at once. Interventions that set parameters or hold states at numbers
            share their machine code and run as one ensemble.
        n: number of samples.
        seed: as in `simulate`.
        threads: how many run at once, as many as there are cores unless told; results do not
            depend on it.

    Returns:
        A dataset over `sample`, and `intervention` where some are given: every state and derived
        variable, NaN where no equilibrium was found; `status` (reached; found, by Newton's
        method alone; or what the flow does: periodic, diverged, still_moving, broken_off);
        `stability` (stable, unstable, or marginal where the linearization cannot tell); and
        over `mode` the eigenvalues, `eigenvalue_real` and `eigenvalue_imag`.

    Raises:
        Unsupported: for a system with noise or explicit time.
        UnknownVariable, Infeasible, InvalidValue: as `System.do`.

    >>> from physcm.mechanism import Hold, SetParameter
    >>> chain = System(
    ...     {"x": "1 - k*x", "y": "x - y"}, parameters={"k": 2}, initial={"x": 0, "y": 0}
    ... )
    >>> found = steady_states(chain, [Hold("x", 3), SetParameter(k=4)])
    >>> found.y.values.tolist(), found.stability.values.tolist()
    ([[3.0], [0.25]], [['stable'], ['stable']])
    """
    require_autonomous(system)
    families: list[Interventions] = [()] if interventions is None else each_of(interventions)
    workers = Numba(threads=threads).workers
    search = _Columns(system, families, positive_count(n, "n"), seed)
    for stack in stacked(system, families, search.n, seed):
        search.answer(stack, workers)
    return search.dataset(interventions is not None).assign_attrs(
        provenance(system), seed=int(seed)
    )


class _Columns:
    """All columns, family by family and in each sample by sample, and what is known of them."""

    def __init__(self, system: System, families: list[Interventions], n: int, seed: int) -> None:
        self.system, self.families, self.n, self.seed = system, families, n, seed
        count = n * len(families)
        self.values = {name: np.full(count, np.nan) for name in system.variables}
        self.eigenvalues = np.full((count, len(system.states)), complex(np.nan, np.nan))
        self.stability = np.full(count, "", dtype="<U8")
        self.status = np.zeros(count, dtype=np.int8)

    def answer(self, stack: Stack, threads: int) -> None:
        """Find the answers of a stack, all together and then one by one."""
        from physcm.sim.resting import Answers, resting  # brings Numba

        answers = Answers.none(*stack.x0.shape)
        if len(stack.x0):
            with suppress(Unsupported, NotCompiled):
                answers = resting(stack, threads)
        self.complete(stack, answers)
        self.adopt(stack, answers)

    def complete(self, stack: Stack, answers: Answers) -> None:
        """Look one by one at the columns that are left."""
        from physcm.sim.resting import UNKNOWN

        left: list[tuple[int, list[int], Sample]] = []
        for place in np.flatnonzero(answers.status == UNKNOWN).tolist():
            one = self.alone(int(stack.columns[place]))
            rows = [stack.system.states.index(name) for name in one.equations.system.states]
            found = one.rests_at(answers.end[rows, place])
            if found is None:
                left.append((place, rows, one))
            else:
                answers.take(np.array([place]), found, RestStatus.REACHED, rows)
        limits = long_runs([(one.equations, one.x0, one.p) for _, _, one in left])
        known = explained([one for _, _, one in left], [limit for (limit,) in limits])
        for (place, rows, _), (exact, status) in zip(left, known, strict=True):
            answers.take(np.array([place]), exact, status, rows)

    def alone(self, column: int) -> Sample:
        """Return one column as a sample of a system of its own, of which no state is held."""
        family, sample = divmod(column, self.n)
        system = self.system.do(*self.families[family])
        return Sample(EquilibriumEquations(system), *system.draw(np.array([sample]), self.seed))

    def adopt(self, stack: Stack, answers: Answers) -> None:
        """Enter the answers of a stack."""
        system, columns, known = stack.system, stack.columns, answers.stability != ""
        x = np.where(stack.held & known, stack.x0, answers.x)
        derived = np.where(known, system.outputs.vector(0.0, x, stack.p), np.nan)
        for names, rows in ((system.states, x), (tuple(system.derived), derived)):
            for name, row in zip(names, rows, strict=True):
                self.values.setdefault(name, np.full(self.status.size, np.nan))[columns] = row
        self.eigenvalues[columns, : len(system.states)] = answers.eigenvalues
        self.stability[columns], self.status[columns] = answers.stability, answers.status

    def dataset(self, over_interventions: bool) -> xr.Dataset:
        """Return all answers."""
        shape = (len(self.families), self.n) if over_interventions else (self.n,)
        dims = ("intervention", "sample")[-len(shape) :]
        variables: dict[str, Any] = {
            name: (dims, whole.reshape(shape)) for name, whole in self.values.items()
        }
        status = flags(self.status, RestStatus)
        variables["status"] = (dims, status.values.reshape(shape), status.attrs)
        variables["stability"] = (dims, self.stability.reshape(shape))
        values = self.eigenvalues[:, ~np.isnan(self.eigenvalues).all(axis=0)]
        for name, part in (("real", values.real), ("imag", values.imag)):
            variables[f"eigenvalue_{name}"] = (
                (*dims, "mode"),
                part.reshape(*shape, values.shape[1]),
            )
        names = {"intervention": [label(family) for family in self.families]}
        coords = {"sample": np.arange(self.n)} | (names if over_interventions else {})
        return xr.Dataset(variables, coords)
