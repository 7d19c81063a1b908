"""A structural causal model with cycles: one labelled equation per variable.

    X_i = h_i(X, E)   explicit,   or   0 = r_i(X, E)   implicit, labelled i,

with exogenous variables E drawn independently and parameters that are constant. Solutions
need not exist, nor be unique, and may come and go under interventions; each sample says which
(Bongers, Forré, Peters & Mooij, Annals of Statistics 2021). `do` replaces equations by values
and returns a model again (Pearl, Causality, 2009, section 3.2.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import Any

import sympy as sp
import xarray as xr

from physcm.mechanism.declarations import Interval
from physcm.mechanism.expression import to_text
from physcm.mechanism.interventions import Intervention, listed
from physcm.mechanism.values import Value
from physcm.scm import files, sampling, validation
from physcm.scm.block import Block
from physcm.scm.certificate import Certificate
from physcm.scm.certify import certify
from physcm.scm.counterfactual import counterfactual
from physcm.scm.graph import MixedGraph
from physcm.scm.intervene import intervene
from physcm.scm.margin import acyclify, marginalize
from physcm.scm.solvability import simplicity, unique_solvability
from physcm.scm.solve import blocks, residual
from physcm.scm.structure import Structure
from physcm.scm.subsets import selected
from physcm.scm.twin import twin
from physcm.scm.verdict import Verdict


@dataclass(frozen=True, init=False)
class SCM:
    """A structural causal model, immutable and checked when made.

    Args:
        mechanisms: the equation of each variable: an expression h for X = h, or an equation
            `left == right` (text or SymPy) that is labelled by the variable. An expression
            that reads its own variable is an equation for it, a self-cycle. Python and PyTorch
            functions take part in expressions by `physcm.mechanism.opaque`.
        exogenous: the noise E: distributions, numbers, expressions in other values, or one
            number per sample.
        parameters: constants, written likewise.
        name: what the model is called in tables.
        domains: (lowest, highest) value of a variable; a root outside of it is no solution.
        guesses: values near which iteration looks first, where no formula gives all solutions.
        dynamics: the rates of change X' = f(X) of variables whose rest the equations describe,
            which tell stable solutions from others; see `physcm.scm.stability`.

    Raises:
        ParseError: for text that the safe parser does not accept.
        UnknownVariable: for a name that is not defined.
        CyclicDefinition: for values that read each other in a circle.
        InvalidValue: for values that are not finite, and for names given twice.

    >>> loop = SCM({"x": "y/2 + e", "y": "x/2 + 1"}, exogenous={"e": 2})
    >>> print(loop.do(y=4))
    x = e + 0.5*y
    y = do(y)
    >>> float(loop.sample(1).x[0]), float(loop.do(y=4).sample(1).x[0])
    (3.333333, 4.0)
    """

    mechanisms: Mapping[str, sp.Basic]
    exogenous: Mapping[str, Value]
    parameters: Mapping[str, Value]
    name: str
    domains: Mapping[str, Interval]
    guesses: Mapping[str, float]
    dynamics: Mapping[str, sp.Expr] | None

    def __init__(
        self,
        mechanisms: Mapping[str, Any],
        exogenous: Mapping[str, Any] = MappingProxyType({}),
        parameters: Mapping[str, Any] = MappingProxyType({}),
        name: str = "",
        *,
        domains: Mapping[str, Any] = MappingProxyType({}),
        guesses: Mapping[str, float] = MappingProxyType({}),
        dynamics: Mapping[str, Any] | None = None,
    ) -> None:
        checked = validation.check(mechanisms, exogenous, parameters, domains, guesses)
        for key, mapping in checked.items():
            object.__setattr__(self, key, MappingProxyType(mapping))
        object.__setattr__(self, "name", name)
        rates = None if dynamics is None else validation.rates(dynamics, checked)
        object.__setattr__(self, "dynamics", rates if rates is None else MappingProxyType(rates))

    def replace(self, **changes: Any) -> SCM:
        """Return a model with some constructor arguments changed.

        New mechanisms without `dynamics` of their own have none.
        """
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        if "mechanisms" in changes:
            kept["dynamics"] = None
        return SCM(**(kept | changes))

    @property
    def variables(self) -> tuple[str, ...]:
        """The endogenous variables."""
        return tuple(self.mechanisms)

    @cached_property
    def residuals(self) -> Mapping[str, sp.Expr]:
        """What each equation wants to vanish: X - h, or left - right.

        >>> SCM({"x": "a*x**2 == 3"}, parameters={"a": 1}).residuals["x"]
        a*x**2 - 3
        """
        return MappingProxyType({k: residual(k, m) for k, m in self.mechanisms.items()})

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The strongly connected components, each after those that it reads."""
        return blocks(self.mechanisms, self.domains, self.guesses)

    def do(self, *interventions: Intervention, **holds: Any) -> SCM:
        """Return the model under interventions, done in order; the keywords are `Hold`s.

        A held variable's equation becomes X = do(X), with the value as parameter `do(X)`; a
        value that is an expression becomes the equation itself. `physcm.scm.intervene` says
        what the other interventions do to an equation.

        Raises:
            UnknownVariable: for a name that the model does not define.
            Infeasible: for a held value outside of the variable's domain.
            InvalidValue: for a parameter that is held, and for interventions that need time.
            Unsupported: for a shift of what is given by an equation.

        >>> from physcm.mechanism import Replace, Shift
        >>> print(SCM({"x": "e"}, {"e": 2}).do(Replace("x", "natural(x)**2"), Shift("x", "e")))
        x = e**2 + e
        """
        model = self
        for intervention in listed(interventions, holds):
            model = intervene(model, intervention)
        return model

    def sample(
        self,
        n: int,
        seed: int = 0,
        *,
        near: Mapping[str, float] | None = None,
        stable: bool = False,
    ) -> xr.Dataset:
        """Return the solution of each of n samples, where there is exactly one.

        Args:
            n: the number of samples.
            seed: for the draws.
            near: values of variables; of several solutions the one nearest to them, by
                Euclid's distance, is returned, still with the status `several`.
            stable: of the solutions only those are looked at that are stable, by the dynamics
                from which the model came; a solution that is the only one left is returned,
                whatever the status.

        Returns:
            A dataset over `sample`: the variables, NaN unless the solution is unique or selected;
            exogenous variables and parameters; `status` (unique, none, several, continuum,
            not_found: see `SolutionStatus`). The attribute `solved_by` says how loops and equations
            were solved: all ways but a search tell all solutions there are.

        Raises:
            UnknownVariable: for a name in `near` that is no variable.
            InvalidValue: for a value in `near` that is not finite.
            Unsupported: for stable solutions of a model without dynamics.

        >>> bistable = SCM({"x": "x**2 == e"}, exogenous={"e": (4, 0, -1)})
        >>> bistable.sample(3).x.values.tolist(), bistable.sample(3).status.values.tolist()
        ([nan, 0.0, nan], [2, 0, 1])
        >>> bistable.sample(3, near={"x": 1}).x.values.tolist()
        [2.0, 0.0, nan]
        >>> bistable.sample(3).solved_by
        'x: roots of a polynomial'
        >>> well = SCM({"x": "x**3 - x == e"}, {"e": 0}, dynamics={"x": "x - x**3 + e"})
        >>> well.solve().stability.values.tolist()
        [['stable', 'unstable', 'stable']]
        >>> float(well.sample(1, near={"x": 0.4}, stable=True).x[0])
        1.0
        """
        return sampling.sample(self, n, seed, near or {}, stable=stable)

    def solve(
        self, exogenous: Mapping[str, Any] | None = None, *, n: int = 1, seed: int = 0
    ) -> xr.Dataset:
        """Return all solutions that can be found.

        Args:
            exogenous: a number, or one per sample, for exogenous variables; others are drawn.
            n: the number of samples, unless arrays tell it.
            seed: for the draws.

        Returns:
            A dataset with dimensions `sample` and `solution`: the variables over both, NaN
            where a sample has fewer solutions; over `sample` the exogenous variables, the
            parameters, `status` as in `sample`, and `count`, how many solutions were found. If the
            model came from dynamics, `stability` says of each solution whether it is stable,
            unstable, or marginal, where the linearization cannot tell.

        Raises:
            UnknownVariable: for a name that is no exogenous variable.
            InvalidValue: for values that are not finite, or arrays of different lengths.

        >>> found = SCM({"x": "x**2 == e"}, exogenous={"e": 0}).solve({"e": [4, 0, -1]})
        >>> found.x.values.tolist(), found["count"].values.tolist()
        ([[-2.0, 2.0], [0.0, nan], [nan, nan]], [2, 1, 0])
        """
        return sampling.solved(self, {} if exogenous is None else exogenous, n, seed)

    def counterfactual(
        self,
        evidence: Mapping[str, Any] | xr.Dataset,
        *interventions: Intervention,
        n: int = 1000,
        seed: int = 0,
        **holds: Any,
    ) -> xr.Dataset:
        """Return what would have been under interventions, for units of which something was seen.

        Noise that an intervention changes, and new noise, is drawn anew; all other noise is what
        the evidence speaks for, see `physcm.scm.abduction`. Without evidence the counterfactual
        is the intervention.

        Args:
            evidence: a number per variable that was seen, or one per unit; or a dataset, as from
                `sample`, with one row per unit. Random exogenous variables and parameters can be
                seen, too.
            interventions: what would have been done.
            n: how many settings of the noise to draw for a unit where the evidence leaves noise
                open; combinations of discrete noise are listed if they are not more.
            seed: for the draws.
            holds: `Hold`s by keyword. (Variables called `n` or `seed` are held by `Hold`.)

        Returns:
            Over `sample`, the units: the variables, NaN unless the solution is unique, exogenous
            variables and parameters, and `status` as in `sample`, which is `none` too where no
            noise fits the evidence. If several settings of the noise fit, or some are drawn, all
            these over `sample` and `draw`, with their `evidence_weight` w, which adds up to 1 for
            a unit, and the `effective_sample_size` 1 / sum w^2 of each unit.

        Warns:
            UserWarning: for units of which too few effective draws are left to be believed.

        Raises:
            UnknownVariable, InvalidValue, Infeasible: as `do`, and for evidence that makes none.
            Unsupported: for noise of your own distribution where its density is needed.

        >>> from physcm.mechanism import Bernoulli, SetParameter
        >>> rain = SCM({"wet": "max(rain, hose)"}, {"rain": Bernoulli(0.5), "hose": Bernoulli(0.2)})
        >>> had = rain.counterfactual({"wet": 1}, SetParameter(hose=0))
        >>> round(float((had.wet * had.evidence_weight).sum()), 4)
        0.8333
        """
        would = self.do(*interventions, **holds)
        return counterfactual(self, would, evidence, validation.count(n), seed)

    def graph(self) -> MixedGraph:
        """Return the causal graph: parents by meaning, self-cycles, shared exogenous variables.

        >>> SCM({"x": "e", "y": "x - x + e", "z": "x*y + z"}, exogenous={"e": 0}).graph()
        MixedGraph(x -> z, y -> z, z -> z, x <-> y)
        """
        return Structure(self.mechanisms, self.exogenous, self.parameters, self.domains).graph()

    def is_uniquely_solvable(self, names: str | Iterable[str] | None = None) -> Verdict:
        """Say whether the equations of some variables, or of all, determine these.

        That is, whether they have exactly one solution, for almost every value of the exogenous
        variables and all values of the other variables; see `physcm.scm.solvability`.

        Raises:
            UnknownVariable: for a name that is no variable.

        >>> print(SCM({"x": "y*x + 1", "y": "2"}).is_uniquely_solvable("x"))
        no: 1 - y vanishes at y = 1
        """
        chosen = self.variables if names is None else selected(self.variables, names, self.in_words)
        return unique_solvability(self, chosen)

    def is_simple(self) -> Verdict:
        """Say whether the model is uniquely solvable with respect to every set of variables.

        Simple models can be marginalized, twinned and intervened on at will, and stay simple
        (Bongers, Forré, Peters & Mooij 2021, proposition 8.2).

        Raises:
            Unsupported: for a strongly connected component of more than 12 variables.

        >>> print(SCM({"x": "2*y + 1", "y": "2*x + 1"}).is_simple())
        yes: every feedback loop has exactly one solution
        """
        return simplicity(self)

    def certify(
        self,
        box: Mapping[str, Interval],
        exogenous: Mapping[str, Any] | None = None,
        *,
        effort: int = 5000,
    ) -> Certificate:
        """Prove how many solutions there are in a box, by interval arithmetic.

        The equations are those of the variables in the box; of other variables, which have to
        follow from these by explicit mechanisms, only those that the equations read matter, and
        these have to lie in their domains. `physcm.scm.krawczyk` says how it is proved.

        Args:
            box: the lowest and the highest value of variables, in place of their domains.
            exogenous: a number, or several of which the lowest and the highest are the ends of
                an interval; what is random else is anywhere in its support. The count is proved
                for every value in the intervals.
            effort: after looking at so many boxes no more are cut.

        Raises:
            UnknownVariable: for a name that is no variable, or no exogenous variable.
            InvalidValue: for an end that is not finite, and for a box that leaves a feedback
                loop or an implicit equation undetermined.

        >>> circle = SCM({"x": "x**2 + y**2 == e", "y": "x**3"}, exogenous={"e": 1})
        >>> print(circle.certify({"x": (0, 1)}))
        exactly one solution: Krawczyk's operator maps a box about x = 0.826031 into itself, ...
        >>> circle.certify({"x": (-1, 1)}).count, circle.certify({"x": (2, 3)}).count
        (2, 0)
        >>> circle.certify({"x": (0.5, 1)}, exogenous={"e": (0.9, 1.1)}).solutions[0]["x"]
        (0.797, 0.855)
        """
        ends = validation.bounds(box, self.variables, self.in_words)
        given = sampling.given(self, {} if exogenous is None else exogenous)
        return certify(self, ends, given, validation.count(effort))

    def marginalize(self, names: str | Iterable[str]) -> SCM:
        """Return the model of the other variables, with some written out of it.

        Raises:
            UnknownVariable: for a name that is no variable.
            NotSolvable: if the model is not uniquely solvable with respect to the names.
            Unsupported: if the solution has no closed form.

        >>> print(SCM({"x": "z/2", "y": "x + z", "z": "y/4 + 1"}).marginalize("y"))
        x = 0.5*z
        z = 0.25*x + 0.25*z + 1
        """
        return marginalize(self, selected(self.variables, names, self.in_words))

    def acyclify(self) -> SCM:
        """Return the model with every feedback loop solved: same solutions, no cycles.

        Interventions on members of a loop mean something else afterwards.

        Raises:
            NotSolvable: if the model is not uniquely solvable with respect to a component.
            Unsupported: if the solution of a component has no closed form.

        >>> print(SCM({"x": "y/2 + e", "y": "x/2", "z": "x"}, {"e": 1}).acyclify())
        x = 4*e/3
        y = 2*e/3
        z = x
        """
        return acyclify(self)

    def twin(self) -> SCM:
        """Return the model beside a second world `x_twin` of every variable `x`.

        Both share all exogenous variables and parameters.

        Raises:
            InvalidValue: if a name such as `x_twin` is taken.

        >>> print(SCM({"x": "e", "y": "x + 1"}, {"e": 1}).twin().do(x_twin=5))
        x = e
        y = x + 1
        x_twin = do(x_twin)
        y_twin = x_twin + 1
        """
        return twin(self)

    @property
    def in_words(self) -> str:
        """How messages name the model: "the model", with its name if it has one."""
        return f"the model `{self.name}`" if self.name else "the model"

    def to_text(self) -> str:
        """Return the structural equations, one a line.

        >>> print(SCM({"x": "x**3 == y", "y": "2"}).to_text())
        0 = x**3 - y  (labelled x)
        y = 2
        """
        return self._text

    def to_latex(self) -> str:
        r"""Return the structural equations in LaTeX, those that are implicit with their label.

        >>> print(SCM({"x_1": "alpha*y/2", "y": "y**3 == x_1"}, {}, {"alpha": 1}).to_latex())
        \begin{align*}
        x_{1} &= \frac{\alpha y}{2} \\
        y^{3} &= x_{1} && (y)
        \end{align*}
        """
        return files.to_latex(self)

    def to_json(self) -> str:
        """Return the model as JSON, which `from_json` reads back to an equal model.

        Raises:
            InvalidValue: for a distribution of your own, which has no form in files.
        """
        return files.to_json(self)

    @classmethod
    def from_json(cls, text: str) -> SCM:
        """Return the model that `to_json` wrote; nothing in the text is evaluated.

        Raises:
            InvalidFile: for a text of another kind or version.
            ParseError, UnknownVariable, InvalidValue: as for a model that is made by hand.

        >>> model = SCM({"x": "x**3 + x == k*e"}, {"e": 2}, {"k": 0.1})
        >>> SCM.from_json(model.to_json()) == model
        True
        """
        return cls(**files.fields_of(text))

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        lines = (
            f"0 = {to_text(self.residuals[name])}  (labelled {name})"
            if isinstance(mechanism, sp.Eq)
            else f"{name} = {to_text(mechanism)}"
            for name, mechanism in self.mechanisms.items()
        )
        return "\n".join(lines)
