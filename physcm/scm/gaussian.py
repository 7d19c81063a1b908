"""Counterfactuals of linear models with normal noise, in closed form.

With X = m + A (E - mu), E ~ N(mu, V) and X_O = o observed, abduction is conditioning,

    E | o ~ N(mu + K (o - m_O), V - K A_O V),    K = V A_O^T (A_O V A_O^T)^+,

and the intervened model X' = m' + A' (E - mu) carries this law over to X' (Pearl, Causality,
2009, section 7.1; Balke & Pearl 1995 for normal noise).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.distributions import Distribution, Normal
from physcm.mechanism.errors import NotSolvable, Unsupported
from physcm.scm.evidence import as_evidence, units

if TYPE_CHECKING:
    from physcm.scm.linear_scm import LinearSCM

_ROUNDING = 1e-9


def counterfactual(
    model: LinearSCM, would: LinearSCM, evidence: Mapping[str, Any] | xr.Dataset
) -> xr.Dataset:
    """Return mean and covariance under the noise that evidence on a model speaks for.

    Args:
        model: what was observed.
        would: the model under an intervention; noise of another law is drawn anew.
        evidence: a number per variable, or one per unit.
    """
    seen = as_evidence(evidence, model.variables, model.in_words)
    given = np.array(list(seen.values())).reshape(len(seen), units(seen))
    spread = np.diag([_deviation(name, one) ** 2 for name, one in model.noise.items()])
    a = model.solution().sel(effect=list(seen)).transpose("effect", "cause").values
    gap = given - model.mean().sel(variable=list(seen)).values[:, np.newaxis]
    gain, inside = _gain(spread, a)
    if (np.abs(gap - inside @ gap) > _ROUNDING * (1 + np.abs(gap).max(initial=0))).any():
        raise NotSolvable(
            f"{model.in_words} cannot give the evidence on `{', '.join(seen)}`: these obey a "
            "linear relation that the numbers break; check them, or leave one out"
        )
    left = np.eye(len(spread)) - gain @ a
    after = left @ spread @ left.T  # V - K A V, in the form that rounding keeps positive
    return _carried(would, model.noise, gain @ gap, after)


def _gain(spread: Floats, a: Floats) -> tuple[Floats, Floats]:
    """Return V A^T (A V A^T)^+, and the projection on what the model can give."""
    # By the square root of V, whose small singular values are not squared.
    root = a @ np.sqrt(spread)
    inverse = np.linalg.pinv(root, rcond=_ROUNDING)
    return np.asarray(np.sqrt(spread) @ inverse), np.asarray(root @ inverse)


def _carried(
    would: LinearSCM, noise: Mapping[str, Distribution], shift: Floats, after: Floats
) -> xr.Dataset:
    names, sources = list(would.variables), list(would.noise)
    kept = [i for i, name in enumerate(sources) if noise.get(name) == would.noise[name]]
    own = [list(noise).index(sources[i]) for i in kept]
    moved, law = np.zeros((len(sources), shift.shape[1])), np.zeros((len(sources),) * 2)
    np.fill_diagonal(law, [_deviation(name, one) ** 2 for name, one in would.noise.items()])
    moved[kept] = shift[own]
    law[np.ix_(kept, kept)] = after[np.ix_(own, own)]
    a = would.solution().transpose("effect", "cause").values
    mean = would.mean().values + (a @ moved).T
    return xr.Dataset(
        {
            "mean": (("sample", "variable"), mean),
            "covariance": (("variable", "other"), a @ law @ a.T),
        },
        {"sample": np.arange(len(mean)), "variable": names, "other": names},
    )


def _deviation(name: str, one: Distribution) -> float:
    if not isinstance(one, Normal):
        raise Unsupported(
            f"the noise `{name}` is `{one}`, and only normal noise gives a normal law; "
            "use to_scm().counterfactual"
        )
    return one.sd
