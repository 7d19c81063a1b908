"""Counterfactuals: what would have been, had something been done, for units that were seen.

Abduction, action, prediction (Pearl, Causality, 2009, section 7.1): the noise that the evidence
speaks for, the model under the intervention, and its solution with that noise. It is the
conditional distribution of the twin model (Bongers, Forré, Peters & Mooij, Annals of Statistics
2021, section 4).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import physcm
from physcm.mechanism.codegen import Floats
from physcm.mechanism.declarations import require_finite
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.randomness import uniforms
from physcm.mechanism.values import Value, draw
from physcm.scm.abduction import Settings, abduct
from physcm.scm.evidence import as_evidence, units
from physcm.scm.seen import of_units
from physcm.scm.solve import solve
from physcm.scm.status import SolutionStatus, flags

if TYPE_CHECKING:
    from physcm.scm.scm import SCM


def counterfactual(
    model: SCM, would: SCM, evidence: Mapping[str, Any] | xr.Dataset, n: int, seed: int
) -> xr.Dataset:
    """Return the solutions of a model under an intervention, with the noise of seen units."""
    values = {**model.exogenous, **model.parameters}
    random = {name for name, value in values.items() if isinstance(value, Distribution)}
    names = {*model.variables, *random}
    seen = as_evidence(evidence, names, model.in_words, ignored=values.keys() - random)
    settings = abduct(model, seen, n, seed)
    _warn_of_few(settings, n)
    given = _carried(values, {**would.exogenous, **would.parameters}, settings, seed)
    require_finite(given)
    solutions = solve(would.blocks, given, settings.unit.size)
    alone = (solutions.status == SolutionStatus.UNIQUE)[solutions.sample]
    columns = {}
    for name in would.variables:
        columns[name] = np.full(settings.unit.size, np.nan)
        columns[name][solutions.sample[alone]] = solutions.values[name][alone]
    attrs = {
        "title": would.name,
        "scm": str(would),
        "seed": int(seed),
        "physcm_version": physcm.__version__,
    }
    data = _by_unit({**columns, **given}, solutions.status, settings, units(seen))
    if isinstance(evidence, xr.Dataset) and "sample" in evidence.coords:
        data = data.assign_coords(sample=evidence["sample"].values)
    return data.assign_attrs(attrs)


def _warn_of_few(settings: Settings, n: int) -> None:
    poor = settings.poor(n)
    if poor.size:
        least = poor[settings.size[poor].argmin()]
        warnings.warn(
            f"the evidence on {poor.size} of {settings.status.size} units leaves few effective "
            f"draws, at the least {settings.size[least]:.3g} of {n} (unit {least}), and what is "
            f"computed from these cannot be believed; ask for more draws, such as n={100 * n}",
            stacklevel=4,
        )


def _carried(
    before: Mapping[str, Value], after: Mapping[str, Value], settings: Settings, seed: int
) -> dict[str, Floats]:
    """Return the values of the intervened model: those abducted, and new ones for what changed."""
    rows: dict[str, Value] = {}
    for name, value in after.items():
        if name in settings.values and before[name] == value:
            rows[name] = tuple(settings.values[name].tolist())
        elif isinstance(value, Distribution):
            u = uniforms(seed, name, settings.draw, settings.unit)
            rows[name] = tuple(value.quantile(u).tolist())
        elif isinstance(value, tuple):
            rows[name] = tuple(of_units(name, value, settings.status.size)[settings.unit].tolist())
        else:
            rows[name] = value
    return draw(rows, np.arange(settings.unit.size), seed)


def _by_unit(
    columns: Mapping[str, Floats], solved: np.ndarray[Any, Any], settings: Settings, count: int
) -> xr.Dataset:
    """Return columns over `sample`, and over `draw` where a unit has several settings."""
    width = int(np.bincount(settings.unit, minlength=1).max(initial=1))
    place = settings.unit, settings.draw

    def spread(row: Any, fill: Any) -> Any:
        table = np.broadcast_to(np.asarray(fill), (count, width)).copy()
        table[place] = row
        return table

    status = spread(solved, settings.status[:, np.newaxis])
    if width == 1 and not settings.drawn:
        plain = {name: ("sample", spread(row, np.nan)[:, 0]) for name, row in columns.items()}
        data = xr.Dataset({**plain, "status": flags(status[:, 0])})
    else:
        dims = ("sample", "draw")
        weight = spread(settings.weight, 0.0)
        data = xr.Dataset(
            {
                **{name: (dims, spread(row, np.nan)) for name, row in columns.items()},
                "status": (dims, status, flags(settings.status).attrs),
                "evidence_weight": (dims, weight),
                "effective_sample_size": ("sample", settings.size),
            }
        )
    return data.assign_coords(sample=np.arange(count))
