"""Linear structural causal models, cyclic or not, where every question has a closed form.

    X = B X + G E + c,        X = (I - B)^-1 (G E + c)

with coefficients B, loadings G of independent noise E, and constants c. The model is uniquely
solvable with respect to L iff I - B_LL is invertible, and simple iff every principal minor of
I - B is non-zero (Bongers, Forré, Peters & Mooij, Annals of Statistics 2021; Hyttinen,
Eberhardt & Hoyer, JMLR 13, 2012).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import networkx as nx
import numpy as np
import sympy as sp
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.declarations import require_mapping
from physcm.mechanism.distributions import Distribution, as_distribution
from physcm.mechanism.distributions.exact import variance
from physcm.mechanism.errors import InvalidValue, NotSolvable
from physcm.mechanism.expression import exact, symbol
from physcm.mechanism.interventions import Intervention, listed
from physcm.mechanism.values import finite
from physcm.scm import gaussian, linear_do, validation
from physcm.scm.graph import MixedGraph
from physcm.scm.matrices import Rows, as_rows, is_singular, labelled, matrix, require_known
from physcm.scm.scm import SCM
from physcm.scm.subsets import connected_subsets, selected
from physcm.scm.verdict import Verdict


@dataclass(frozen=True, init=False, eq=False)
class LinearSCM:
    """A linear structural causal model.

    Args:
        coefficients: B as equations, {"y": {"x": 2}} for y = 2 x, one entry per variable (an
            empty one for a variable without causes); or a DataArray over `cause` and `effect`.
        noise: the distribution of each exogenous variable; without `loadings`, by the variable
            that it is added to, whose noise is then called `e_x` for a variable `x`.
        loadings: G as equations, {"x": {"e": 1}, "y": {"e": 0.5}} for noise that x and y share;
            or a DataArray over `cause` and `effect`.
        constants: c by variable; 0 where there is none.
        name: what the model is called.

    Attributes:
        coefficients: B, over `cause` and `effect`.
        loadings: G, over `cause` (the noise) and `effect`.
        constants: c, over `effect`.
        noise: the distribution of each exogenous variable.

    Raises:
        UnknownVariable: for a cause, or noise, that is not declared.
        InvalidValue: for numbers that are not finite, and names that are none.

    >>> from physcm.mechanism import Normal
    >>> loop = LinearSCM(
    ...     {"x": {"y": 0.5}, "y": {"x": -0.8}}, {"x": Normal(0, 1), "y": Normal(0, 1)}
    ... )
    >>> loop.covariance().round(6).values.tolist()
    [[0.637755, -0.153061], [-0.153061, 0.836735]]
    """

    coefficients: xr.DataArray
    loadings: xr.DataArray
    constants: xr.DataArray
    noise: Mapping[str, Distribution]
    name: str

    def __init__(
        self,
        coefficients: Rows | xr.DataArray,
        noise: Mapping[str, Any] = MappingProxyType({}),
        loadings: Rows | xr.DataArray | None = None,
        constants: Mapping[str, float] = MappingProxyType({}),
        name: str = "",
    ) -> None:
        rows = as_rows(coefficients, "coefficients")
        require_mapping("noise", noise)
        require_mapping("constants", constants)
        if loadings is None:
            require_known(noise, rows, "noise")
            loadings = {effect: {f"e_{effect}": 1.0} for effect in noise}
            noise = {f"e_{effect}": one for effect, one in noise.items()}
        sources = {name: _as_noise(name, one) for name, one in noise.items()}
        weights = as_rows(loadings, "loadings")
        require_known(weights, rows, "loadings")
        require_known(constants, rows, "constants")
        sides = [finite(constants.get(effect, 0), f"constant of `{effect}`") for effect in rows]
        validation.check(dict.fromkeys(rows, 0), dict.fromkeys(sources, 0.0), {}, {}, {})
        tables = {
            "coefficients": matrix(rows, list(rows), list(rows), "coefficient"),
            "loadings": matrix(weights, list(sources), list(rows), "loading"),
            "constants": xr.DataArray(sides, {"effect": list(rows)}, "effect"),
        }
        for key, table in tables.items():
            object.__setattr__(self, key, table)
        object.__setattr__(self, "noise", MappingProxyType(sources))
        object.__setattr__(self, "name", name)

    @classmethod
    def from_scm(cls, scm: SCM) -> LinearSCM:
        """Return an SCM whose equations are linear, with numbers as coefficients, as a LinearSCM.

        Random parameters that are added are noise as well. Domains are left behind.

        Raises:
            Unsupported: for an equation that is not linear.

        >>> print(LinearSCM.from_scm(SCM({"x": "k*x + 1", "y": "x/2"}, {}, {"k": 0.5})))
        x = 0.5*x + 1
        y = 0.5*x
        """
        return linear_do.from_scm(cls, scm)

    @property
    def variables(self) -> tuple[str, ...]:
        """The endogenous variables."""
        return tuple(self.coefficients["effect"].values.tolist())

    @property
    def in_words(self) -> str:
        """How messages name the model."""
        return f"the model `{self.name}`" if self.name else "the model"

    def to_scm(self) -> SCM:
        """Return the same model as an `SCM`, with the same draws."""
        rows = linear_do.rows_of(self)
        mechanisms = {
            name: sp.Add(*(exact(a) * symbol(cause) for cause, a in row.terms.items()))
            + exact(row.constant)
            for name, row in rows.items()
        }
        return SCM(mechanisms, self.noise, name=self.name)

    def graph(self) -> MixedGraph:
        """Return the causal graph; x = x + y, but not x = x/2 + y, makes a self-cycle at x."""
        return self.to_scm().graph()

    def do(self, *interventions: Intervention, **holds: Any) -> LinearSCM:
        """Return the model under interventions, which have to leave it linear.

        `Hold`, `Shift` and `Replace` take numbers, distributions and linear expressions;
        `ScaleNoise` a number; `SetParameter` changes the distribution of noise.

        Raises:
            UnknownVariable: for a name that the model does not define.
            InvalidValue: for interventions that need time.
            Unsupported: for what is not linear.

        >>> pair = LinearSCM({"x": {}, "y": {"x": 2}})
        >>> pair.do(x=3).mean().values.tolist()
        [3.0, 6.0]
        """
        model = self
        for intervention in listed(interventions, holds):
            model = linear_do.intervene(model, intervention)
        return model

    def sample(self, n: int, seed: int = 0) -> xr.Dataset:
        """Return samples, as `SCM.sample` does with the same draws.

        Raises:
            NotSolvable: if I - B is singular.
        """
        data = SCM({"x": 0}, self.noise).sample(n, seed)
        drawn = np.array([data[name].values for name in self.noise]).reshape(-1, n)
        values = self._map @ drawn + self._offset[:, np.newaxis]
        columns = {name: ("sample", row) for name, row in zip(self.variables, values, strict=True)}
        attrs = {**data.attrs, "title": self.name, "scm": str(self)}
        noise = {name: data[name] for name in self.noise}
        return xr.Dataset({**columns, **noise, "status": data.status}, attrs=attrs)

    def solution(self) -> xr.DataArray:
        """Return (I - B)^-1 G, the solution as a linear function of the noise.

        Returns:
            Over `cause` (the noise) and `effect`; X is this times E, plus the mean at E = 0.

        Raises:
            NotSolvable: if I - B is singular.
        """
        return labelled(self._map, list(self.noise), list(self.variables))

    def mean(self) -> xr.DataArray:
        """Return the mean of every variable, over `variable`.

        Raises:
            NotSolvable: if I - B is singular.
        """
        noise = np.array([one.mean for one in self.noise.values()])
        return xr.DataArray(
            self._map @ noise + self._offset, {"variable": list(self.variables)}, "variable"
        )

    def covariance(self) -> xr.DataArray:
        """Return the covariances (I - B)^-1 G V G^T (I - B)^-T, over `variable` and `other`.

        Raises:
            NotSolvable: if I - B is singular.
            Unsupported: for noise without a known variance.
        """
        spread = np.array([variance(one) for one in self.noise.values()])
        names = list(self.variables)
        return xr.DataArray(
            (self._map * spread) @ self._map.T, {"variable": names, "other": names},
            ("variable", "other"),
        )  # fmt: skip

    def total_effects(self) -> xr.DataArray:
        """Return what raising each held variable by 1 does to every other.

        The effect of j on the rest R is (I - B_RR)^-1 B_Rj: what d/dx of E[X | do(X_j = x)] is.

        Returns:
            Over `cause` and `effect`; 1 on the diagonal, NaN for a cause whose holding leaves
            a model that is not uniquely solvable.

        >>> chain = LinearSCM({"x": {}, "y": {"x": 2}, "z": {"x": 1, "y": 3}})
        >>> float(chain.total_effects().sel(cause="x", effect="z"))
        7.0
        """
        effects = np.eye(len(self.variables))
        for j in range(len(effects)):
            rest = np.delete(np.arange(len(effects)), j)
            own = self._b[np.ix_(rest, rest)]
            if is_singular(own):
                effects[rest, j] = np.nan
            else:
                effects[rest, j] = np.linalg.solve(np.eye(rest.size) - own, self._b[rest, j])
        return labelled(effects, list(self.variables), list(self.variables))

    def marginalize(self, names: str | Iterable[str]) -> LinearSCM:
        """Return the model of the other variables, with some written out.

        B' = B_OO + B_OL (I - B_LL)^-1 B_LO for O the others, and likewise G and c.

        Raises:
            UnknownVariable: for a name that is no variable.
            NotSolvable: if the model is not uniquely solvable with respect to the names.

        >>> chain = LinearSCM({"x": {}, "y": {"x": 2}, "z": {"x": 1, "y": 3}})
        >>> print(chain.marginalize("y"))
        x = 0
        z = 7*x
        """
        gone = selected(self.variables, names, self.in_words)
        verdict = self.is_uniquely_solvable(gone)
        if not verdict:
            raise NotSolvable(
                f"`{', '.join(gone)}` cannot be written out of {self.in_words}: {verdict.reason}; "
                "marginalize other variables with them, or keep them"
            )
        kept = [name for name in self.variables if name not in gone]
        o, l = ([self.variables.index(name) for name in part] for part in (kept, gone))
        out = self._b[np.ix_(o, l)] @ np.linalg.inv(np.eye(len(l)) - self._b[np.ix_(l, l)])
        b = self._b[np.ix_(o, o)] + out @ self._b[np.ix_(l, o)]
        c = self.constants.values[o] + out @ self.constants.values[l]
        return LinearSCM(
            labelled(b, kept, kept),
            self.noise,
            labelled(self._g[o] + out @ self._g[l], list(self.noise), kept),
            dict(zip(kept, c, strict=True)),
            self.name,
        )

    def is_uniquely_solvable(self, names: str | Iterable[str] | None = None) -> Verdict:
        """Say whether I - B_LL is invertible; L is all variables unless told.

        >>> print(LinearSCM({"x": {"y": 1}, "y": {"x": 1}}).is_uniquely_solvable())
        no: I - B is singular for x, y
        """
        chosen = self.variables if names is None else selected(self.variables, names, self.in_words)
        place = [self.variables.index(name) for name in chosen]
        singular = is_singular(self._b[np.ix_(place, place)])
        word = "singular" if singular else "invertible"
        return Verdict(not singular, True, f"I - B is {word} for {', '.join(chosen)}", chosen)

    def is_simple(self) -> Verdict:
        """Say whether all principal minors of I - B are non-zero.

        Raises:
            Unsupported: for a strongly connected component of more than 12 variables.
        """
        graph = nx.DiGraph()
        graph.add_nodes_from(self.variables)
        graph.add_edges_from(
            (self.variables[j], self.variables[i]) for i, j in np.argwhere(self._b)
        )
        for subset in connected_subsets(graph):
            verdict = self.is_uniquely_solvable(subset)
            if not verdict:
                return verdict
        return Verdict(True, True, "every principal minor of I - B is non-zero", self.variables)

    def counterfactual(
        self, evidence: Mapping[str, Any] | xr.Dataset, *interventions: Intervention, **holds: Any
    ) -> xr.Dataset:
        """Return the normal law of what would have been, for normal noise in closed form.

        Args:
            evidence: the observed variables: a number each, or one per unit.
            interventions: what would have been done.
            holds: `Hold`s by keyword.

        Returns:
            `mean` over `sample` (the units) and `variable`, and `covariance` over `variable`
            and `other`, the same for all units. Noise that an intervention changes is drawn anew.

        Raises:
            Unsupported: for noise that is not normal; `to_scm().counterfactual` takes any.
            NotSolvable: for evidence that the model cannot give, and singular models.
            UnknownVariable: for evidence on a name that is no variable.

        >>> from physcm.mechanism import Normal
        >>> market = LinearSCM(
        ...     {"D": {"P": -1.5}, "S": {"P": 0.5}, "P": {"P": 1, "D": 1, "S": -1}},
        ...     {"D": Normal(3, 1), "S": Normal(0, 1)},
        ... )
        >>> would = market.counterfactual({"S": 2, "P": 1}, S=5)
        >>> float(would["mean"].sel(variable="P")[0])
        -1.0
        """
        return gaussian.counterfactual(self, self.do(*interventions, **holds), evidence)

    def __str__(self) -> str:
        return str(self.to_scm())

    @cached_property
    def _b(self) -> Floats:
        """B as (effect, cause)."""
        return np.asarray(self.coefficients.transpose("effect", "cause").values, dtype=float)

    @cached_property
    def _g(self) -> Floats:
        """G as (effect, noise)."""
        return np.asarray(self.loadings.transpose("effect", "cause").values, dtype=float)

    @cached_property
    def _inverse(self) -> Floats:
        verdict = self.is_uniquely_solvable()
        if not verdict:
            raise NotSolvable(
                f"{self.in_words} is not uniquely solvable: {verdict.reason}; "
                "use to_scm().sample, which says what each sample has"
            )
        return np.asarray(np.linalg.inv(np.eye(len(self.variables)) - self._b))

    @cached_property
    def _map(self) -> Floats:
        return np.asarray(self._inverse @ self._g)

    @cached_property
    def _offset(self) -> Floats:
        return np.asarray(self._inverse @ self.constants.values)


def _as_noise(name: str, raw: Any) -> Distribution:
    distribution = as_distribution(raw)
    if distribution is None:
        raise InvalidValue(
            f"the noise `{name}` is `{raw}`; give a distribution such as Normal(0, 1)"
        )
    return distribution
