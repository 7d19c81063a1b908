"""Does data agree with a graph? Its claimed independences are tested, and its dependences.

A graph with sigma- or d-separations claims independences. Each is tested; those that the data
reject, after Holm's correction over all claims, are false claims. Each pair that the graph
connects should be dependent (unless effects cancel): those where a test, corrected over all
connections, finds nothing are missed dependences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import xarray as xr

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.parser import closest
from physcm.scm.graph import MixedGraph, Separation
from physcm.scm.graph.separations import questions
from physcm.scm.independence.partial_correlation import PartialCorrelation
from physcm.scm.independence.report import SeparationReport, report


class IndependenceTest(Protocol):
    """What tests whether x (n,) and y (n,) are independent given z (n, k)."""

    @property
    def smallest(self) -> float:
        """The smallest p-value that the test can give."""

    def p_value(self, x: Floats, y: Floats, z: Floats, rng: np.random.Generator) -> float:
        """Return the p-value."""


def test_separations(
    graph: MixedGraph,
    dataset: xr.Dataset,
    *,
    test: IndependenceTest | None = None,
    alpha: float = 0.05,
    sigma: bool = True,
    largest_given: int | None = None,
    seed: int = 0,
) -> SeparationReport:
    """Return a report on the independences and dependences that a graph claims of data.

    Args:
        graph: its nodes are variables of the dataset.
        dataset: one independent sample per place along the dimension `sample`.
        test: PartialCorrelation(), without it; or Kernel() or Neighbors(), which see dependence
            of any form and take longer.
        alpha: the chance of any false claim when all claims are true.
        sigma: the sigma-separations, or else the d-separations.
        largest_given: the largest number of variables conditioned on; see `separations`.
        seed: of what the test draws.

    Raises:
        UnknownVariable: if a node is no variable of the dataset.
        InvalidValue: for a variable with other dimensions, with missing or infinite values or
            without variation, for too few samples, for alpha outside of (0, 1), or for a test
            that cannot reject at this alpha.

    >>> from physcm.mechanism import Normal
    >>> from physcm.scm import SCM
    >>> noise = {"e": Normal(0, 1), "u": Normal(0, 1), "v": Normal(0, 1)}
    >>> chain = SCM({"x": "e", "y": "x + u", "z": "y + v"}, noise)
    >>> print(test_separations(chain.graph(), chain.sample(500)))
    1 independence claimed, 0 of them false; 5 dependences, 0 of them missed
    >>> print(test_separations(MixedGraph([("x", "y")], nodes=["z"]), chain.sample(500)))
    4 independences claimed, 3 of them false; 2 dependences, 0 of them missed
      false: z ⊥ x, p = ...
      false: z ⊥ y, p = ...
      false: z ⊥ y | x, p = ...
    """
    if not 0 < alpha < 1:
        raise InvalidValue(f"alpha is `{alpha}`; give a number between 0 and 1")
    asked = list(questions(graph, sigma=sigma, largest_given=largest_given))
    test = PartialCorrelation() if test is None else test
    most = max((sum(q.separated == claim for q in asked) for claim in (True, False)), default=0)
    if most * test.smallest > alpha:
        raise InvalidValue(
            f"p-values of at least `{test.smallest:g}` can reject nothing among {most} questions "
            f"at alpha {alpha:g}; take more permutations, or lower `largest_given`"
        )
    columns = _columns(graph, dataset, asked)
    rng = np.random.default_rng(seed)
    p_values = [
        test.p_value(columns[q.x], columns[q.y], _stacked(columns, q.given), rng) for q in asked
    ]
    return report(asked, np.array(p_values), alpha)


test_separations.__test__ = False  # type: ignore[attr-defined]  # pytest, this is no test


def _columns(
    graph: MixedGraph, dataset: xr.Dataset, asked: Sequence[Separation]
) -> dict[str, Floats]:
    columns = {name: _column(dataset, name) for name in graph.nodes}
    needed = 4 + max((len(question.given) for question in asked), default=0)
    if asked and dataset.sizes["sample"] < needed:
        raise InvalidValue(
            f"there are `{dataset.sizes['sample']}` samples, and the tests need {needed}; give more"
        )
    return columns


def _column(dataset: xr.Dataset, name: str) -> Floats:
    if name not in dataset.data_vars:
        known = [str(known) for known in dataset.data_vars]
        raise UnknownVariable(f"`{name}` is no variable of the dataset; {closest(name, known)}")
    if dataset[name].dims != ("sample",):
        raise InvalidValue(
            f"`{name}` has the dimensions `{dataset[name].dims}`; give one value per `sample`"
        )
    values = dataset[name].values.astype(float)
    missing = int((~np.isfinite(values)).sum())
    if missing:
        raise InvalidValue(
            f"`{name}` is missing or infinite in `{missing}` samples; decide what they mean, "
            'for example dataset.dropna("sample")'
        )
    if values.size and np.ptp(values) == 0:
        raise InvalidValue(
            f"`{name}` is `{values[0]:g}` in all samples, and no test can say what it depends on; "
            "take the subgraph without it"
        )
    return np.asarray(values)


def _stacked(columns: dict[str, Floats], names: Sequence[str]) -> Floats:
    if not names:
        return np.empty((len(next(iter(columns.values()))), 0))
    return np.column_stack([columns[name] for name in names])
