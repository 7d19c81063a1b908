"""`Abstraction`: two models, and the maps of states and interventions between them.

Whatever may be asked of it is a method, and each a function with a file of its own (Rubenstein et
al., UAI 2017; Beckers & Halpern, AAAI 2019; Beckers, Eberhardt & Halpern, UAI 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import sympy as sp

from physcm.abstraction.compare import variables_of
from physcm.abstraction.constraints import CausalConstraintsModel
from physcm.abstraction.family import families_of
from physcm.abstraction.likewise import likewise
from physcm.abstraction.population.samples import High, Low
from physcm.abstraction.reporting.report import Report
from physcm.abstraction.search import search
from physcm.abstraction.square import STARTS, TOLERANCE, require_models, walk
from physcm.abstraction.tau import Given, Tau
from physcm.abstraction.transformation.composition import (
    Bound,
    bound,
    composed_omega,
    composed_tau,
)
from physcm.abstraction.transformation.criterion import Criterion, criterion
from physcm.abstraction.transformation.errors import PAIRS, Drawn, Errors, errors
from physcm.abstraction.transformation.exactness import Exactness, exactness
from physcm.abstraction.transformation.from_tau import FromTau
from physcm.abstraction.transformation.laws import SAMPLES
from physcm.abstraction.transformation.omega import (
    FROM_TAU,
    GivenOmega,
    Image,
    Omega,
    Undefined,
    listed_omega,
)
from physcm.abstraction.transformation.omega_search import OmegaSearch, search_omega
from physcm.abstraction.transformation.order import OmegaCheck, check_order
from physcm.abstraction.transformation.perturbation import DRAWS, Perturbations, perturb
from physcm.mechanism.declarations import Interval
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import names_in
from physcm.mechanism.interventions import (
    Family,
    Intervention,
    Interventions,
    SetParameter,
    each_of,
    is_permanent,
    label,
)
from physcm.scm import SCM, LinearSCM
from physcm.scm.constants import constants_in
from physcm.sim import System


@dataclass(frozen=True)
class Abstraction:
    """A causal model that claims to stand for another model, by maps of states and interventions.

    Attributes:
        low: a system, of which the long run counts (of reactions, that of their rate equation; one
            by one they are jumps, see `System`), or a structural model.
        high: the causal model.
        tau: variables of the causal model as expressions in those below, or a function that
            takes values by name, each (samples,), to values by name; unless told each variable
            that both name is itself.
        omega: takes interventions below to interventions above, or to `Undefined`: a function, a
            list of pairs (or a mapping), or "from tau", by which do(X = x) is do(Y = y) if tau
            sends what agrees with x onto all that agrees with y (Beckers & Halpern, AAAI 2019), and
            parameters that both models have are set in both, `FromTau(values=...)` for finite
            ranges; unless told, what is done below is done above, to all members of a group held
            together, and a new drift gives a new equation (see `physcm.abstraction.likewise`).

    >>> tanks = System({"x": "1 - x", "y": "x - y"}, initial={"x": 0, "y": 0})
    >>> whole = SCM({"total": "2"})
    >>> report = Abstraction(tanks, whole, tau={"total": "x + y"}).commutes([])
    >>> report.all_agree, report.ok  # observations agree, and nothing was done
    (True, False)
    """

    low: Low
    high: High
    tau: Given | None = None
    omega: GivenOmega | FromTau | None = None

    def __post_init__(self) -> None:
        """Refuse sides that are no models of their kind."""
        require_models(self.low, self.high)

    def commutes(
        self,
        interventions: Family,
        *,
        n: int | None = None,
        seed: int = 0,
        tolerance: float = TOLERANCE,
        starts: int = STARTS,
        step: float | None = None,
        progress: bool = False,
    ) -> Report:
        """Walk the square both ways for every intervention; see `commutes`."""
        return walk(
            self, families_of(interventions), n=n, seed=seed, tolerance=tolerance, starts=starts,
            step=step, progress=progress,
        )  # fmt: skip

    def search(self, count: int = 100, *, most: int = 2, seed: int = 0, **options: Any) -> Report:
        """Return a report on those of `count` interventions under which the models disagree most.

        They are random, `most` of them at once, of all kinds that both models can perform, by
        omega, and such as lie near the worst of these; see `physcm.abstraction.search`.

        Args:
            count: how many interventions to try.
            most: the largest number of them at once.
            seed: of the interventions and of all draws.
            options: as `commutes` takes them.

        >>> prey = System({"x": "x*(1 - x - y)", "y": "1 - 2*y"}, initial={"x": 1, "y": 0})
        >>> found = Abstraction(prey, SCM({"x": "1 - y", "y": "1/2"})).search(16, most=1)
        >>> found.rows[0].agree, found.rows[1].agree  # where y is above 1 the prey dies out
        (True, False)
        """
        return search(self, count, most=most, seed=seed, **options)

    def image(self, do: Intervention | Sequence[Intervention]) -> Image:
        """Return what interventions below are above by omega, or why they are nothing.

        >>> from physcm.mechanism import Hold
        >>> lipids = SCM({"LDL": "1", "HDL": "1"})
        >>> total = SCM({"total": "2"})
        >>> sums = Abstraction(lipids, total, {"total": "LDL + HDL"}, "from tau")
        >>> sums.image([Hold("LDL", 1), Hold("HDL", 2)]), sums.image(Hold("LDL", 1))
        ((Hold('total', 3.0),), ())
        """
        (family,) = each_of([do])
        image = self._omega(family)
        return image if isinstance(image, Undefined) else each_of([image])[0]

    def check_omega(self, below: Family, above: Family = ()) -> OmegaCheck:
        """Say whether omega preserves the order of interventions, and reaches those above.

        Args:
            below: interventions; doing nothing is always among them.
            above: interventions that have to be reached.

        Returns:
            True if all is well; else it names pairs whose order is broken, and what is not reached.
        """
        return check_order(self.image, families_of(below), each_of(above))

    def find_omega(
        self, below: Family, above: Family, *, n: int = SAMPLES, seed: int = 0
    ) -> OmegaSearch:
        """Look for an omega, from some interventions to others, by which tau is exact.

        Args:
            below: interventions.
            above: those that may stand for them; doing nothing is always among them.
            n: number of samples, where laws are compared by samples.
            seed: of all draws.

        Returns:
            True if there is one that preserves the order; its `.omega` is what `Abstraction` takes.
        """
        return search_omega(self, below, above, n=n, seed=seed)

    def is_exact(
        self, interventions: Family, *, n: int | None = None, seed: int = 0,
        step: float | None = None, perturb: bool = True, above: Family = (),
    ) -> Exactness:  # fmt: skip
        """Say whether, under each intervention, tau of the law below is the law above.

        By algebra for linear models with normal noise and linear tau, else by samples.

        Args:
            interventions: at least one; doing nothing is always among them.
            n: number of samples, as `commutes` takes it.
            seed: of all draws.
            step: of a system with noise.
            perturb: whether variables that tau drops are moved as well, as `dropped` does: without
                that the answer is about the interventions given and no others.
            above: interventions that omega has to reach.

        Returns:
            True if all agree and tau drops nothing that matters; else it names what fails, and
            pairs of interventions that are one above and differ.

        >>> from physcm.mechanism import Hold, Normal
        >>> lipids = SCM({"LDL": "e", "HDL": "1", "risk": "LDL - HDL"}, {"e": Normal(2, 1)})
        >>> coarse = SCM({"total": "e + 1", "risk": "total - 2"}, {"e": Normal(2, 1)})
        >>> maps = {"total": "LDL + HDL", "risk": "risk"}
        >>> study = Abstraction(lipids, coarse, maps, "from tau")
        >>> pair = [[Hold("LDL", 2), Hold("HDL", 1)], [Hold("LDL", 1), Hold("HDL", 2)]]
        >>> found = study.is_exact(pair, perturb=False)
        >>> bool(found), str(found.collisions[0])
        (False, 'do(LDL = 2, HDL = 1) and do(LDL = 1, HDL = 2) are both do(total = 3) above, but ...
        """
        return exactness(
            self, interventions, n=n, seed=seed, step=step, perturbed=perturb, above=above
        )

    def dropped(
        self, names: Sequence[str] | None = None, *, n: int = DRAWS, seed: int = 0,
        step: float | None = None,
    ) -> Perturbations:  # fmt: skip
        """Move variables below with tau's image of the interventions fixed, and see what moves.

        Args:
            names: the variables to move; all unless told.
            n: number of samples.
            seed: of all draws.
            step: of a system with noise.

        Returns:
            What tau drops although it matters, with the size of its effect.

        >>> from physcm.mechanism import Normal
        >>> chain = SCM({"a": "e", "b": "2*a"}, {"e": Normal(0, 1)})
        >>> found = Abstraction(chain, SCM({"b": "e"}, {"e": Normal(0, 2)})).dropped()
        >>> found.relevant[0].variable, found.relevant[0].output
        ('a', 'b')
        """
        return perturb(self, names=names, n=n, seed=seed, step=step)

    def errors(
        self, interventions: Family | Drawn, *, weights: Sequence[float] | None = None,
        draws: int = 100, n: int = PAIRS, seed: int = 0, step: float | None = None,
        confidence: float = 0.95,
    ) -> Errors:  # fmt: skip
        """Measure the 2-Wasserstein error per intervention, its maximum and its average.

        Args:
            interventions: a family, or a distribution: a function of a NumPy generator that
                returns interventions.
            weights: how likely each of a family is; all the same unless told.
            draws: how many interventions to draw from a distribution.
            n: number of samples, where laws are not known in closed form.
            seed: of all draws.
            step: of a system with noise.
            confidence: of the intervals.

        Raises:
            InvalidValue: for an intervention without an image.
        """
        return errors(
            self, interventions, weights=weights, draws=draws, n=n, seed=seed, step=step,
            confidence=confidence,
        )  # fmt: skip

    def then(self, other: Abstraction) -> Abstraction:
        """Return the abstraction from below this one to above another, tau2 after tau1.

        Exact ones compose to an exact one (Rubenstein et al., UAI 2017).

        Raises:
            InvalidValue: if the other does not begin at this one's causal model.

        >>> a, b, c = SCM({"x": "1", "y": "3"}), SCM({"s": "4"}), SCM({"m": "2"})
        >>> both = Abstraction(a, b, {"s": "x + y"}).then(Abstraction(b, c, {"m": "s/2"}))
        >>> both.tau
        {'m': x/2 + y/2}
        """
        tau, omega = composed_tau(self, other), composed_omega(self, other)
        return Abstraction(self.low, other.high, tau, omega)

    def error_bound(
        self, other: Abstraction, interventions: Family, *, lipschitz: float | None = None,
        n: int = PAIRS, seed: int = 0,
    ) -> Bound:  # fmt: skip
        """Bound the error of `self.then(other)`: e(i) <= L e1(i) + e2(omega1(i)).

        Args:
            other: the second abstraction.
            interventions: below this one.
            lipschitz: L, of the other's tau; known where that is linear.
            n: number of samples, where laws are not known in closed form.
            seed: of all draws.
        """
        return bound(self, other, interventions, lipschitz=lipschitz, n=n, seed=seed)

    def linear_criterion(self) -> Criterion:
        """Say whether a linear tau is exact for all block interventions, by one equation.

        Returns:
            The answer with S in T (I - W)^-1 = (I - M)^-1 S.

        Raises:
            Unsupported: for what is not linear with normal noise, and for blocks that overlap.

        >>> from physcm.mechanism import Normal
        >>> fine = SCM({"w": "e", "v": "f", "z": "w + v"}, {"e": Normal(0, 1), "f": Normal(0, 1)})
        >>> coarse = SCM({"W": "g", "z": "W"}, {"g": Normal(0, 2**0.5)})
        >>> bool(Abstraction(fine, coarse, {"W": "w + v", "z": "z"}).linear_criterion())
        True
        """
        return criterion(self)

    @property
    def is_constructive(self) -> bool:
        """Whether no two variables above read one below (Beckers & Halpern, AAAI 2019)."""
        reads = [names_in(e) & {*self.low.variables} for e in self.map.expressions]
        return bool(reads) and sum(map(len, reads)) == len(frozenset().union(*reads))

    @cached_property
    def written_out(self) -> tuple[sp.Expr, ...]:
        """Tau's expressions, with the numbers that are parameters below written in."""
        values = {} if isinstance(self.low, LinearSCM) else self.low.parameters
        return tuple(constants_in(expression, values) for expression in self.map.expressions)

    @property
    def domains(self) -> Mapping[str, Interval]:
        """The intervals that variables below stay in, where they are not all real numbers."""
        if isinstance(self.low, LinearSCM):
            return {}
        return self.low.bounds if isinstance(self.low, System) else self.low.domains

    @cached_property
    def map(self) -> Tau:
        """The map of states, read."""
        below = [*self.low.variables]
        below += () if isinstance(self.low, LinearSCM) else self.low.parameters
        return Tau.given(self.tau, below, variables_of(self.causal_model))

    @cached_property
    def causal_model(self) -> SCM | CausalConstraintsModel:
        """The model above, as one that is solved."""
        return self.high.to_scm() if isinstance(self.high, LinearSCM) else self.high

    @cached_property
    def _omega(self) -> Omega:
        if self.omega is None:
            return self._likewise
        if isinstance(self.omega, FromTau) or self.omega == FROM_TAU:
            rule = self.omega if isinstance(self.omega, FromTau) else FromTau()
            return partial(rule.image, tau=replace(self.map, expressions=self.written_out),
                           below=self.low.variables, domains=self.domains,
                           alike=self._alike)  # fmt: skip
        return self.omega if callable(self.omega) else listed_omega(self.omega)

    def defined_image(self, do: Interventions) -> Interventions:
        """Return what interventions below are above.

        Raises:
            InvalidValue: if they are nothing, with the reason.
        """
        image = self.image(do)
        if isinstance(image, Undefined):
            raise InvalidValue(
                f"{label(do)} is {image}; leave it out, or give an omega that says what it is"
            )
        return image

    @property
    def _alike(self) -> frozenset[str]:
        """The parameters that both models have and tau does not read."""
        if not self.map.expressions:
            return frozenset()
        read = frozenset().union(*map(names_in, self.map.expressions))
        return self._parameters_below & self._names_above - read

    @property
    def _parameters_below(self) -> frozenset[str]:
        return frozenset(() if isinstance(self.low, LinearSCM) else self.low.parameters)

    @property
    def _names_above(self) -> frozenset[str]:
        """All that can be acted on in the causal model."""
        model = self.causal_model
        scm = model if isinstance(model, SCM) else model.scm
        return frozenset((*scm.variables, *scm.exogenous, *scm.parameters))

    def _likewise(self, do: Interventions) -> Image:
        above = self.causal_model
        if isinstance(above, CausalConstraintsModel):
            return do
        known_below = {*self.low.variables} | self._parameters_below
        for one in filter(is_permanent, do):
            for name in one.values if isinstance(one, SetParameter) else (one.name,):
                if name in known_below and name not in self._names_above:
                    return Undefined(f"the causal model has no `{name}`")
        if not isinstance(self.low, System):
            return do
        return likewise(self.low, above, do)
