"""Unique solvability: do some equations determine their variables, whatever all others are?

A model is uniquely solvable with respect to L if, for almost every value of the exogenous
variables and all values of the endogenous ones outside of L, the equations of L have exactly
one solution; it is simple if that is so for every L (Bongers, Forré, Peters & Mooij, Annals of
Statistics 2021, definitions 3.3 and 8.1).

Where the solution has a closed form, what must not vanish in it decides: an expression of
exogenous variables with densities vanishes almost nowhere or everywhere, one of endogenous
variables is searched for zeros. Otherwise bounds on the slopes of the equations may prove that
there is exactly one solution. Otherwise the equations are solved at many points, and one
without exactly one solution decides; that all have one is no proof, and said to be none.
Explicit mechanisms count as defined everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.distributions import Distribution
from physcm.mechanism.distributions.exact import atoms
from physcm.mechanism.enclosure import Range
from physcm.mechanism.expression import names_in, to_text
from physcm.mechanism.magnitude import size_of_terms
from physcm.mechanism.values import Value, draw
from physcm.scm.block import Block
from physcm.scm.closed_form import closed_form
from physcm.scm.constants import constants_in
from physcm.scm.contraction import one_solution
from physcm.scm.monotone import is_monotone
from physcm.scm.slopes import EVERYTHING, range_of
from physcm.scm.solve import blocks, solve
from physcm.scm.status import SolutionStatus
from physcm.scm.structure import generic, repeated
from physcm.scm.subsets import connected_subsets, reading
from physcm.scm.verdict import Verdict
from physcm.scm.ways import solve_block

if TYPE_CHECKING:
    from physcm.scm.scm import SCM

_POINTS = 200
_NEGLIGIBLE = 1e-12
_CORNERS = (sp.Piecewise, sp.Max, sp.Min, sp.Abs, sp.sign, sp.floor, sp.ceiling, sp.Mod)
_WORDS = {
    SolutionStatus.NONE: "no solution",
    SolutionStatus.SEVERAL: "several solutions",
    SolutionStatus.CONTINUUM: "infinitely many solutions",
    SolutionStatus.NOT_FOUND: "no solution that was found",
}


def unique_solvability(scm: SCM, names: Sequence[str]) -> Verdict:
    """Say whether a model is uniquely solvable with respect to some variables."""
    parts = blocks({name: scm.mechanisms[name] for name in names}, scm.domains, scm.guesses)
    decided = _by_proof(scm, names, parts)
    return _by_points(scm, names, parts) if decided is None else decided


def simplicity(scm: SCM) -> Verdict:
    """Say whether a model is uniquely solvable with respect to every set of variables."""
    proved, doubted = True, None
    for subset in connected_subsets(reading(scm.mechanisms)):
        verdict = unique_solvability(scm, subset)
        if not verdict:
            return verdict
        if not verdict.proved:
            proved, doubted = False, doubted or verdict
    if doubted is not None:
        return Verdict(
            True, False, f"of {', '.join(doubted.names)} {doubted.reason}", scm.variables
        )
    return Verdict(True, proved, "every feedback loop has exactly one solution", scm.variables)


def _by_proof(scm: SCM, names: Sequence[str], parts: Iterable[Block]) -> Verdict | None:
    """Decide by closed forms and by bounds, or return None."""
    values = {**scm.exogenous, **scm.parameters}
    solved: dict[sp.Symbol, sp.Expr] = {}
    divisors: list[str] = []
    bounded: dict[str, str] = {}
    for part in parts:
        own = _with(part, solved)
        form = closed_form(own)
        if form is None or form.ranges or np.isfinite([*part.lower, *part.upper]).any():
            ground = _bound(scm, own)
            if ground is None:
                return None
            bounded |= dict.fromkeys(part.unknowns, ground)
            continue
        solved |= form.solution
        for pivot in form.pivots:
            known = constants_in(pivot, values)
            decided = (
                _never_vanishes(scm, names, known) if names_in(known).isdisjoint(bounded) else None
            )
            if decided is None or not decided:
                return decided
            divisors.append(to_text(known))
    return Verdict(True, True, _ground(divisors, bounded.values()), tuple(names))


def _bound(scm: SCM, part: Block) -> str | None:
    """Return a bound that gives the equations exactly one solution, or None."""
    values = {**scm.exogenous, **scm.parameters}
    own = replace(
        part,
        residuals=tuple(constants_in(r, values) for r in part.residuals),
        explicit=tuple(h if h is None else constants_in(h, values) for h in part.explicit),
    )
    if np.isinf([*own.lower, *own.upper]).all() and is_monotone(own.residuals[0], own.unknowns):
        return f"the equation of {own.unknowns[0]} is a monotone polynomial in it"
    ranges = {
        name: range_of(values[name]) if name in values else scm.domains.get(name, EVERYTHING)
        for name in own.known
    }
    return one_solution(own, {name: Range.of(*ends) for name, ends in ranges.items()})


def _ground(divisors: Iterable[str], bounds: Iterable[str]) -> str:
    listed = ", ".join(dict.fromkeys(divisors))
    parts = [f"the solution divides by {listed}, which is not zero"] if listed else []
    return "; ".join([*parts, *dict.fromkeys(bounds)]) or "each equation gives its variable"


def _with(part: Block, solved: Mapping[sp.Symbol, sp.Expr]) -> Block:
    return replace(
        part,
        residuals=tuple(r.xreplace(solved) for r in part.residuals),
        explicit=tuple(h if h is None else h.xreplace(solved) for h in part.explicit),
    )


def _never_vanishes(scm: SCM, names: Sequence[str], pivot: sp.Expr) -> Verdict | None:
    """Decide whether a pivot is not zero, almost surely and for all values outside."""
    if pivot.is_number or pivot.is_nonzero:
        if pivot != 0:
            return Verdict(True, True, "", tuple(names))
        return Verdict(False, True, "its equations are singular", tuple(names))
    pivot = sp.factor(pivot)
    values = {**scm.exogenous, **scm.parameters}
    read = names_in(pivot)
    outside = sorted(read & scm.mechanisms.keys())
    if outside:
        return _zero_of(scm, names, pivot, outside)
    if all(_has_density(values[name]) for name in read) and _is_generic(scm, pivot):
        return Verdict(True, True, "", tuple(names))
    return None


def _has_density(value: Value) -> bool:
    return isinstance(value, Distribution) and atoms(value) is None


def _is_generic(scm: SCM, pivot: sp.Expr) -> bool:
    """Say whether an expression is analytic and not zero everywhere, hence almost nowhere."""
    if pivot.has(*_CORNERS):
        return False
    value, size = _evaluated([pivot, size_of_terms(pivot)], _points(scm))
    return bool((np.abs(value) > _NEGLIGIBLE * size).any())


def _zero_of(scm: SCM, names: Sequence[str], pivot: sp.Expr, outside: list[str]) -> Verdict | None:
    """Return the verdict for a pivot that is zero at some values outside, None if none is found."""
    points = _points(scm)
    for name in outside:
        domain = scm.domains.get(name, (-np.inf, np.inf))
        block = Block((name,), (pivot,), (None,), (domain,), (np.nan,))
        p = np.array([points[other] for other in block.known]).reshape(len(block.known), _POINTS)
        answer = solve_block(block, p)
        if answer.column.size:
            at = dict(zip(block.known, p[:, answer.column[0]].tolist(), strict=True))
            at[name] = float(answer.x[0, 0])
            reason = f"{to_text(pivot)} vanishes at {_written(at)}"
            return Verdict(False, True, reason, tuple(names), at)
    return None


def _by_points(scm: SCM, names: Sequence[str], parts: Sequence[Block]) -> Verdict:
    """Decide by solving at many points."""
    points = _points(scm)
    read = {name for part in parts for name in part.known} - set(names)
    values = {**scm.exogenous, **scm.parameters}
    fixed = {name for name, value in values.items() if isinstance(value, float)}
    status = solve(parts, {name: points[name] for name in read}, _POINTS).status
    worst = [np.flatnonzero(status == one) for one in _WORDS]
    for one, places in zip(_WORDS, worst, strict=True):
        if places.size:
            at = {name: float(points[name][places[0]]) for name in sorted(read - fixed)}
            where = f" at {_written(at)}" if at else ""
            proved = one is not SolutionStatus.NOT_FOUND
            reason = f"the equations have {_WORDS[one]}{where}"
            return Verdict(False, proved, reason, tuple(names), at)
    return Verdict(
        True, False, f"the equations have one solution at {_POINTS} random points", tuple(names)
    )


def _points(scm: SCM) -> dict[str, Floats]:
    """Return draws of what is random and generic values of all variables, among them 0 and 1."""
    values = repeated({**scm.exogenous, **scm.parameters}, _POINTS)
    points = draw(values, np.arange(_POINTS), seed=0)
    for place, (name, row) in enumerate(generic(scm.variables, scm.domains, _POINTS).items()):
        low, high = scm.domains.get(name, (-np.inf, np.inf))
        row[:1] = np.clip(1.0, low, high)
        row[1 + place :: len(scm.variables) + 7] = np.clip(0.0, low, high)
        points[name] = row
    return points


def _evaluated(expressions: Sequence[sp.Expr], points: Mapping[str, Floats]) -> Floats:
    p = np.array(list(points.values())).reshape(len(points), _POINTS)
    return Program.over((), tuple(points), {}, expressions).vector(0.0, np.empty((0, _POINTS)), p)


def _written(at: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.6g}" for name, value in at.items())
