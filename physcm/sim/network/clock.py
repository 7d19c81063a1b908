"""When the mechanisms of a network switch by the clock, so that no solver steps over a pulse.

As in `physcm.sim.switching`, for all nodes and edges at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.sim.network.field import Field
from physcm.sim.network.structure import Structure
from physcm.sim.switching import switches
from physcm.sim.system import System


def is_autonomous(structure: Structure) -> bool:
    """Say whether no mechanism reads time."""
    forms = (*(group.form for group in structure.groups), structure.edge_form)
    return all(form.is_autonomous for form in forms)


def switch_times(field: Field) -> Floats:
    """Return the times, in order, at which conditions on time and parameters alone change."""
    structure = field.structure
    if is_autonomous(structure):
        return np.empty(0)
    found = [_switches(structure.edge_form, structure.coupling.parameters, field.of_edges)]
    for group, p in zip(structure.groups, field.of_groups, strict=True):
        found.append(_switches(group.form, group.parameters, p))
    times = np.concatenate(found)
    return np.unique(times[np.isfinite(times)])


def _switches(form: System, known: Sequence[str], p: Floats) -> Floats:
    """Return the times of a form; those that depend on more than what is known are NaN."""
    rows = np.full((len(form.parameters), *p.shape[1:]), np.nan)
    rows[[list(form.parameters).index(name) for name in known]] = p
    return switches(form).vector(0.0, np.empty((0, *p.shape[1:])), rows).ravel()
