"""Solutions against an intervention: where they come, go, and how many there are.

For each value of what is intervened on, all solutions are marked, at the same noise; a point is
a solution, hollow if the model came from dynamics and it is not stable, and a shaded strip
says that there is none, or that none was found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.parser import closest
from physcm.mechanism.values import Value
from physcm.scm.scm import SCM
from physcm.scm.status import SolutionStatus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#0072b2"
_STRIPS = {
    SolutionStatus.NONE: ("none", "#d9d9d9"),
    SolutionStatus.CONTINUUM: ("continuum", "#f0e442"),
    SolutionStatus.NOT_FOUND: ("none found", "#efefef"),
}


def branches(
    scm: SCM, name: str, values: Iterable[float], *, seed: int = 0, **noise: float
) -> xr.Dataset:
    """Return all solutions under do(name = value), for each value and the same noise.

    Args:
        scm: the model.
        name: a variable, an exogenous variable or a parameter.
        values: what to set it to.
        seed: for the draw of the noise.
        noise: exogenous variables that are not drawn.

    Returns:
        As from `SCM.solve`, one value a sample; the coordinate `value` holds them.

    Raises:
        InvalidValue: for a name that the model does not have.

    >>> found = branches(SCM({"x": "x**2 == e"}, {"e": 0}), "e", [-1, 0, 4])
    >>> found["count"].values.tolist(), found.x.values[2].tolist()
    ([0, 1, 2], [-2.0, 2.0])
    """
    given = tuple(float(value) for value in values)
    names = (*scm.variables, *scm.exogenous, *scm.parameters)
    if name not in names:
        remedy = closest(name, names)
        raise InvalidValue(f"`{name}` is not defined in {scm.in_words}; {remedy}")
    drawn = scm.solve(noise, seed=seed)
    fixed = {
        kind: {key: _fixed(value, drawn[key], key in noise) for key, value in old.items()}
        for kind, old in {"exogenous": scm.exogenous, "parameters": scm.parameters}.items()
    }
    for own in fixed.values():
        own |= {name: given} if name in own else {}
    model = scm.replace(**fixed)
    if name in scm.mechanisms:
        model = model.do(**{name: list(given)})
    found = model.solve(n=len(given))
    return found.assign_coords(value=("sample", np.array(given)))


def plot_branches(
    scm: SCM, name: str, values: Iterable[float], *, seed: int = 0, **noise: float
) -> Figure:
    """Return a picture of all solutions against the value of an intervention.

    The arguments are those of `branches`. Every variable but the one set has axes of its own.

    >>> plot_branches(SCM({"x": "x**2 == e"}, {"e": 0}), "e", [-1, 0, 4]).get_axes()
    [<Axes: xlabel='e', ylabel='x'>]
    """
    from matplotlib.figure import Figure

    found = branches(scm, name, values, seed=seed, **noise)
    shown = [variable for variable in scm.variables if variable != name]
    figure = Figure(figsize=(4.5, 0.5 + 2 * len(shown)), layout="constrained")
    every = figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0]
    for axes, variable in zip(every, shown, strict=True):
        _strips(axes, found)
        _points(axes, found, variable)
        axes.set_ylabel(variable)
    every[-1].set_xlabel(f"do({name})" if name in scm.mechanisms else name)
    handles, labels = every[0].get_legend_handles_labels()
    if handles:
        every[0].legend(handles, labels, frameon=False, fontsize="small")
    return figure


def _fixed(value: Value, drawn: xr.DataArray, given: bool) -> Value:
    """Return a value that is the same for all samples, by the first where it is not."""
    varies = isinstance(value, Distribution | tuple)
    return float(drawn.values[0]) if varies or given else value


def _points(axes: Axes, found: xr.Dataset, variable: str) -> None:
    """Mark solutions, those that are known not to be stable with hollow marks."""
    x, y = np.broadcast_arrays(found.value.values[:, np.newaxis], found[variable].values)
    if "stability" not in found:
        axes.plot(x.ravel(), y.ravel(), ".", color=_INK, markersize=3)
        return
    stable = found.stability.values == "stable"
    for label, own, fill in (("stable", stable, _INK), ("not stable", ~stable, "white")):
        axes.plot(
            x[own], y[own], "o", color=_INK, markersize=2.5, markeredgewidth=0.6,
            markerfacecolor=fill, label=label,
        )  # fmt: skip


def _strips(axes: Axes, found: xr.Dataset) -> None:
    """Shade the values at which there is no point, each halfway to the next ones."""
    order = np.argsort(found.value.values)
    at, status = found.value.values[order], found.status.values[order]
    low, high = _ends(at)
    for one, (label, color) in _STRIPS.items():
        own = np.flatnonzero(status == one)
        for run in np.split(own, np.flatnonzero(np.diff(own) > 1) + 1) if own.size else []:
            axes.axvspan(low[run[0]], high[run[-1]], color=color, linewidth=0, label=label)
            label = "_" + label


def _ends(at: Floats) -> tuple[Floats, Floats]:
    middles = (at[1:] + at[:-1]) / 2
    return np.concatenate([at[:1], middles]), np.concatenate([middles, at[-1:]])
