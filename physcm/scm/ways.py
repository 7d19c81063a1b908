"""The ways of solving a block, tried in turn until one answers.

1. one explicit mechanism: evaluate it;
2. linear in the unknowns: linear algebra, with a rank test;
3. regular by interval bounds, so that there is at most one solution: Newton's method;
4. with corners, or with products that are linear factor by factor: one block per case;
5. few unknowns left after elimination: one, rational: all real roots of a polynomial; one that
   stands once: a formula; one, otherwise: a scan for changes of sign, and Newton's method on the
   whole block from points about the solutions found;
6. Newton's method from many starts on the whole block; where that finds nothing, on the few
   unknowns left; intervals may prove then that there is none.

The answer names the ways that gave it. All but a search tell all solutions there are; a search
finds some, and that it finds none proves nothing. A way that only proposes candidates has them
polished and checked on the block itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from physcm.mechanism.codegen import Floats
from physcm.scm import formula, linear, polynomial, regular
from physcm.scm.absence import is_excluded
from physcm.scm.block import Answer, Block, Ints, certified
from physcm.scm.cases import cases
from physcm.scm.elimination import Reduced, reduced
from physcm.scm.explicit import evaluated, is_explicit
from physcm.scm.multistart import Problem, further, multistart
from physcm.scm.scan import scan


def solve_block(block: Block, p: Floats) -> Answer:
    """Return all solutions of a block that can be found.

    Args:
        block: the equations.
        p: the known values, (known, columns), finite.

    >>> import sympy as sp
    >>> x, a = sp.symbols("x a", real=True)
    >>> square = Block(("x",), (x**2 - a,), (None,), ((-np.inf, np.inf),), (1,))
    >>> solve_block(square, np.array([[4.0, -1.0]])).x.tolist()
    [[-2.0, 2.0]]
    """
    for way in (_explicit, linear.solve):
        answer = way(block, p)
        if answer is not None:
            return answer
    answer = regular.solve(block, p)
    rest = np.flatnonzero(~answer.solved())
    return _joined(p, answer, rest, _listed(block, p[:, rest])) if rest.size else answer


def _listed(block: Block, p: Floats) -> Answer:
    """List the solutions where any number is possible, and prove where there is none."""
    ways = (way(block, p) for way in (_by_cases, _by_elimination, _numeric))
    answer = next(answer for answer in ways if answer is not None)
    unfound = answer.unfound
    unfound[unfound] = ~is_excluded(block, p[:, unfound])
    return replace(answer, unfound=unfound)


def _explicit(block: Block, p: Floats) -> Answer | None:
    """Evaluate a single mechanism that does not read its own variable."""
    return Answer.one_each(*evaluated(block, p)).by("evaluation") if is_explicit(block) else None


def _by_cases(block: Block, p: Floats) -> Answer | None:
    """Solve one block per case; keep what solves the block as it is."""
    smooth = cases(block)
    if smooth is None:
        return None
    place = {name: row for row, name in enumerate(block.known)}
    answers = [solve_block(case, p[[place[name] for name in case.known]]) for case in smooth]
    endless = np.flatnonzero(np.any([answer.continuum for answer in answers], axis=0))
    x, column = _candidates(block, p[:, endless])
    found = [(answer.x, answer.column) for answer in answers] + [(x, endless[column])]
    points, columns = (np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True))
    order = np.argsort(columns, kind="stable")
    doubted = np.any([answer.unfound | answer.continuum for answer in answers], axis=0)
    ways = dict.fromkeys(way for answer in answers for way in answer.ways)
    answer = certified(block, points[:, order], columns[order], p).by("cases", *ways)
    return answer.open_where_empty(doubted)


def _by_elimination(block: Block, p: Floats) -> Answer | None:
    """Solve for few unknowns where all others can be written in terms of them."""
    small = reduced(block)
    if small is None:
        return None
    sound = small.is_sound(p)
    which, rest = np.flatnonzero(sound), np.flatnonzero(~sound)
    parts = [(rest, _numeric(block, p[:, rest]))] if rest.size else []
    if which.size:
        parts.append((which, _reduced(small, p[:, which])))
    return Answer.joined(p.shape[1], parts)


def _reduced(small: Reduced, p: Floats) -> Answer:
    block = small.block
    if not small.tears:
        found = np.empty((0, p.shape[1])), _all(p)
        return certified(block, *_completed(small, *found, p), p).by("substitution")
    if len(small.tears) == 1:
        coefficients = polynomial.numerator(small, p)
        if coefficients is not None:
            return _polynomial(small, coefficients, p)
        return _by_formula(small, p)
    answer = _numeric(block, p)
    empty = np.flatnonzero(~answer.solved())
    return _joined(p, answer, empty, _on_tears(small, p[:, empty])) if empty.size else answer


def _on_tears(small: Reduced, p: Floats) -> Answer:
    """Search for several unknowns."""
    block = small.block
    rows = [block.unknowns.index(name) for name in small.tears]
    box = block.lower[rows], block.upper[rows], np.array(block.guess)[rows]
    found = multistart(Problem(small.equations, *box, p))
    answer = certified(block, *_completed(small, *found, p), p)
    return answer.by("search").open_where_empty()


def _by_formula(small: Reduced, p: Floats) -> Answer:
    """Solve for one unknown by a formula where there is one, by a search elsewhere."""
    found = formula.solve(small.block, p)
    if found is None:
        return _on_a_line(small, p)
    answer, decided = found
    rest = np.flatnonzero(~decided)
    return _joined(p, answer, rest, _on_a_line(small, p[:, rest])) if rest.size else answer


def _on_a_line(small: Reduced, p: Floats) -> Answer:
    low, high = small.block.domains[small.block.unknowns.index(small.tears[0])]
    found = scan(small.equations, (low, high), p)
    answer = certified(small.block, *_completed(small, *found, p), p)
    if len(small.block.unknowns) > 1:
        more = certified(
            small.block, *further(_problem(small.block, p), answer.x, answer.column), p
        )
        answer = replace(more, continuum=answer.continuum | more.continuum)
    return answer.by("search on a line").open_where_empty()


def _polynomial(small: Reduced, coefficients: Floats, p: Floats) -> Answer:
    """Solve by the roots of a polynomial, which are all there are."""
    sound = polynomial.is_sound(coefficients)
    vanishing = ~coefficients.any(axis=0)
    roots, column = polynomial.real_roots(np.where(sound, coefficients, 0.0))
    answer = certified(small.block, *_completed(small, roots[np.newaxis], column, p), p)
    answer = answer.by("roots of a polynomial")
    doubted = np.flatnonzero(~sound & ~vanishing)
    if doubted.size:
        answer = _joined(p, answer, doubted, _numeric(small.block, p[:, doubted]))
    return replace(answer, continuum=answer.continuum | vanishing)


def _numeric(block: Block, p: Floats) -> Answer:
    """Search the whole block; a column without a solution stays open."""
    way = "search on a line" if len(block.unknowns) == 1 else "search"
    return certified(block, *_candidates(block, p), p).by(way).open_where_empty()


def _candidates(block: Block, p: Floats) -> tuple[Floats, Ints]:
    """Return points near solutions of a block, without reducing it."""
    if len(block.unknowns) == 1:
        return scan(block.equations, block.domains[0], p)
    return multistart(_problem(block, p))


def _problem(block: Block, p: Floats) -> Problem:
    return Problem(block.equations, block.lower, block.upper, np.array(block.guess), p)


def _completed(small: Reduced, x: Floats, column: Ints, p: Floats) -> tuple[Floats, Ints]:
    """Return all unknowns from the tears."""
    return small.completion.vector(0.0, x, p[:, column]), column


def _all(p: Floats) -> Ints:
    return np.arange(p.shape[1])


def _joined(p: Floats, answer: Answer, which: Ints, instead: Answer) -> Answer:
    """Return an answer with the answers for some columns put in their place."""
    columns = p.shape[1]
    others = np.setdiff1d(np.arange(columns), which)
    kept = np.isin(answer.column, others)
    place = np.searchsorted(others, answer.column[kept])
    marks = answer.continuum[others], answer.unfound[others]
    rest = Answer(answer.x[:, kept], place, *marks, answer.ways if others.size else ())
    return Answer.joined(columns, [(others, rest), (which, instead)])
