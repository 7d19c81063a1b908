"""Effects: what a treatment changes beside a control, unit by unit, on average, along paths.

    unit effect        X_i(treatment) - X_i(control), both solved with the noise of one unit
    average effect     its mean, with the error that comes from averaging draws
    path effect        X_i(treatment along some edges, control along all others) - X_i(control)

Along x -> y alone a path effect is the natural direct effect of x on y; along x -> m -> y alone
the natural indirect effect through m (Pearl, UAI 2001; Avin, Shpitser & Pearl, IJCAI 2005).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import networkx as nx
import numpy as np
import sympy as sp
import xarray as xr

from physcm.mechanism.errors import UnknownVariable, Unsupported
from physcm.mechanism.expression import names_in, symbol
from physcm.mechanism.interventions import Hold, Intervention
from physcm.scm.graph import components
from physcm.scm.intervene import new_name
from physcm.scm.scm import SCM
from physcm.scm.subsets import reading

Doing: TypeAlias = "Intervention | Iterable[Intervention]"
_OF_UNIT = ("evidence_weight", "effective_sample_size")


def unit_effects(
    model: SCM,
    treatment: Doing,
    control: Doing = (),
    *,
    evidence: Mapping[str, Any] | xr.Dataset | None = None,
    n: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Return what a treatment changes beside a control, with the noise of every unit.

    Args:
        model: the structural causal model.
        treatment: one intervention or several.
        control: what is done otherwise; nothing unless told.
        evidence: what was seen of some units; unless told, units are samples of the model.
        n: the number of samples, or of draws for a unit of which something was seen.
        seed: for the draws.

    Returns:
        The difference of every variable, over `sample` (and `draw`, as in `counterfactual`),
        NaN where either solution is not unique; with evidence, its weights.

    >>> from physcm.mechanism import Normal
    >>> chain = SCM({"x": "e", "y": "x**2"}, {"e": Normal(0, 1)})
    >>> unit_effects(chain, Hold("x", 3), Hold("x", 1), n=2).y.values.tolist()
    [8.0, 8.0]
    """
    worlds = []
    for interventions in (treatment, control):
        done = _listed(interventions)
        if evidence is None:
            worlds.append(model.do(*done).sample(n, seed))
        else:
            worlds.append(model.counterfactual(evidence, *done, n=n, seed=seed))
    treated, untreated = worlds
    names = list(model.variables)
    kept = [name for name in _OF_UNIT if name in treated]
    differences = (treated[names] - untreated[names]).assign(treated[kept])
    return _described(differences, model, seed)


def average_effects(effects: xr.Dataset) -> xr.Dataset:
    """Return the average of unit effects, with its Monte Carlo error.

    Units count alike; the draws of a unit of which something was seen count by their weight w,
    and the error is then (sum w^2 (d - mean)^2)^(1/2), that of importance sampling.

    Args:
        effects: as from `unit_effects` or `path_effects`.

    Returns:
        Over `variable` (and over `sample`, where effects have draws): `effect`,
        `standard_error` and `undefined`, the number of samples or draws that have no effect and
        are left out.

    >>> from physcm.mechanism import Normal
    >>> chain = SCM({"x": "e", "y": "x*e"}, {"e": Normal(1, 1)})
    >>> average = average_effects(unit_effects(chain, Hold("x", 3), Hold("x", 1), n=4000))
    >>> bool(abs(average.effect.sel(variable="y") - 2) < 3 * average.standard_error[1])
    True
    """
    names = [str(name) for name in effects.data_vars if name not in _OF_UNIT]
    differences = effects[names].to_dataarray("variable")
    defined = differences.notnull()
    if "draw" in effects.dims:
        dim, weight = "draw", effects["evidence_weight"].where(defined, 0.0)
        undefined = (~defined & (effects["evidence_weight"] > 0)).sum(dim)
    else:
        dim, weight = "sample", defined.astype(float)
        undefined = (~defined).sum(dim)
    weight = weight / weight.sum(dim)
    effect = (weight * differences.fillna(0.0)).sum(dim, skipna=False)
    gap = (differences - effect).fillna(0.0)
    error = np.sqrt((weight**2 * gap**2).sum(dim, skipna=False))
    return xr.Dataset(
        {"effect": effect, "standard_error": error, "undefined": undefined}
    ).drop_attrs()


def path_effects(
    model: SCM,
    treatment: Hold,
    control: Hold,
    through: Iterable[tuple[str, str]],
    *,
    n: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Return what a treatment changes along some edges, beside a control, unit by unit.

    Args:
        model: the structural causal model.
        treatment: the held value that acts along the edges.
        control: the held value of the same variable that acts along all other edges.
        through: (cause, effect) edges.
        n: the number of samples.
        seed: for the draws.

    Returns:
        The difference of every variable over `sample`.

    Raises:
        UnknownVariable: for an edge that the model does not have.
        Unsupported: for a path into a feedback loop, round which an effect has no one path, and
            for a treatment and a control of different variables.

    >>> model = SCM({"x": "0", "m": "2*x", "y": "3*x + m + x*m"})
    >>> direct = path_effects(model, Hold("x", 1), Hold("x", 0), [("x", "y")], n=1)
    >>> through = path_effects(model, Hold("x", 1), Hold("x", 0), [("x", "m"), ("m", "y")], n=1)
    >>> direct.y.item(), through.y.item()
    (3.0, 2.0)
    """
    if treatment.name != control.name:
        raise Unsupported(
            f"the treatment holds `{treatment.name}` and the control `{control.name}`; hold the "
            "same variable at two values"
        )
    edges = {(str(cause), str(effect)) for cause, effect in through}
    held = model.do(control)
    _require_edges(model, edges)
    reached = _reached(held, control.name, edges)
    data = _with_paths(held, treatment, reached, edges).sample(n, seed)
    along = {name: data[f"{name}_path" if name in reached else name] for name in model.variables}
    effects = {name: values - data[name] for name, values in along.items()}
    return _described(xr.Dataset(effects), model, seed)


def _described(effects: xr.Dataset, model: SCM, seed: int) -> xr.Dataset:
    attrs = {"title": model.name, "scm": str(model), "seed": int(seed)}
    return effects.drop_attrs().assign_attrs(attrs)


def _listed(interventions: Doing) -> tuple[Intervention, ...]:
    return (interventions,) if isinstance(interventions, Intervention) else tuple(interventions)


def _require_edges(model: SCM, edges: Iterable[tuple[str, str]]) -> None:
    for cause, effect in edges:
        mechanism = model.mechanisms.get(effect)
        if mechanism is None or cause not in names_in(mechanism) & model.mechanisms.keys():
            raise UnknownVariable(
                f"{model.in_words} has no edge `{cause} -> {effect}`; give edges from a variable "
                "to one whose equation reads it"
            )


def _reached(held: SCM, start: str, edges: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return what the treatment reaches along the edges, if no feedback loop is among it."""
    along = nx.DiGraph(edges)
    along.add_node(start)
    found = {start, *nx.descendants(along, start)}
    for loop in components(reading(held.mechanisms)):
        if len(loop) > 1 and not found.isdisjoint(loop):
            raise Unsupported(
                f"the paths lead into the feedback loop of `{', '.join(loop)}`, where an effect "
                "runs along all edges at once; ask for `unit_effects`, or hold one of these"
            )
    return tuple(name for name in held.variables if name in found)


def _with_paths(
    held: SCM, treatment: Hold, reached: tuple[str, ...], edges: Iterable[tuple[str, str]]
) -> SCM:
    """Return the control beside a copy of what is reached, which reads the copy along edges."""
    taken = {*held.variables, *held.exogenous, *held.parameters}
    names = {name: new_name(taken, f"{name}_path") for name in reached}
    copies: dict[str, sp.Basic] = {}
    for name in reached:
        causes = {cause for cause, effect in edges if effect == name and cause in names}
        swap = {symbol(other): symbol(names[other]) for other in {name, *causes}}
        copies[names[name]] = held.mechanisms[name].xreplace(swap)
    domains = {names[k]: pair for k, pair in held.domains.items() if k in names}
    both = held.replace(
        mechanisms={**held.mechanisms, **copies}, domains={**held.domains, **domains}
    )
    return both.do(Hold(names[treatment.name], treatment.value))
