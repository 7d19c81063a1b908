"""The answer of a constraints model in closed form: the state of rest as a function of the start.

Under one intervention the active constraints are equations, one strongly connected component after
the other. A component is solved by exact algebra where it is linear. Of polynomials, products of
unknowns are cancelled against each other as far as they can, and unknowns are eliminated in turn,
those of lowest degree first; of a quadratic, or of a product, each root is a candidate. The
candidate in which the simulated system comes to rest is the answer, so that what is printed has
been seen.

    do(S = s):   C = k1 s n/(k1 s + km1 + k2),   n = C(0) + E(0)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import sympy as sp

from physcm.abstraction.signs import Signs
from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import NoEquilibrium, NotSolvable
from physcm.mechanism.expression import exact, initial_symbol, substitute, symbol, to_text
from physcm.scm import SCM
from physcm.scm.block import Block
from physcm.scm.closed_form import closed_form
from physcm.sim import FirstIntegral, System, conservation_laws
from physcm.sim.conservation import known_parameters
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import long_run
from physcm.sim.status import LimitStatus

_NEAR = 1e-5
_HIGHEST_DEGREE, _LARGEST_BLOCK, _LONGEST = 2, 4, 100
_MOST_CURVED = 3
Forms = dict[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class Answer:
    """A state of rest in closed form.

    Attributes:
        solution: each variable by parameters, held values and initial values.
        conditions: what has to hold for the variables to be within their bounds.

    >>> print(Answer({"x": symbol("k") - 1}, (sp.Ge(symbol("k"), 1),)))
    x = k - 1
    if k >= 1
    """

    solution: Mapping[str, sp.Expr]
    conditions: tuple[sp.Basic, ...]

    def __str__(self) -> str:
        lines = [f"{name} = {to_text(value)}" for name, value in self.solution.items()]
        return "\n".join([*lines, *(f"if {to_text(c)}" for c in self.conditions)])


def answer(system: System, equations: SCM, curved: Sequence[FirstIntegral] = ()) -> Answer:
    """Return where a system rests, in closed form.

    Args:
        system: under what is done to it.
        equations: its active constraints, of which nonlinear laws are no part.
        curved: its nonlinear laws, which hold for the numbers that its parameters are.

    Raises:
        NoEquilibrium: if the system does not come to rest.
        NotSolvable: if no closed form is found.
    """
    x0, p = system.draw(np.array([0]), 0)
    limit = long_run(EquilibriumEquations(system), x0[:, 0], p[:, 0])
    if limit.status is not LimitStatus.SETTLED:
        raise NoEquilibrium(
            f"{system.in_words} does not come to rest from its initial state (by t = "
            f"{limit.time:.3g} it has `{limit.status.name.lower()}`); change what is done to "
            "it, or the initial state"
        )
    forms = closed_forms(system, equations, limit.state, limit.scale, curved)
    if forms is None:
        raise NotSolvable(
            f"the constraints of {system.in_words} have no closed form that was found; solve them "
            f"for numbers, `{equations.variables[0]}` and the others, by `solve`"
        )
    solution = {name: _readable(system, forms[symbol(name)]) for name in system.variables}
    return Answer(solution, _conditions(system, solution))


def closed_forms(
    system: System, equations: SCM, state: Floats, scale: Floats,
    curved: Sequence[FirstIntegral] = (), sample: int = 0, seed: int = 0,
) -> Forms | None:  # fmt: skip
    """Return the closed form of all variables at one equilibrium, None if none is found.

    Args:
        system: the system.
        equations: its equilibrium equations.
        state: the equilibrium, (states,).
        scale: the size of each state, (states,).
        curved: nonlinear laws.
        sample: whose parameters and initial values the equilibrium belongs to.
        seed: of their draw.
    """
    x0, p = system.draw(np.array([sample]), seed)
    names = (*system.parameters, *(f"{name}(0)" for name in system.states))
    size = np.maximum(np.abs(state), _NEAR * scale)
    for forms in chain(_candidates(equations.blocks, {}), _on_curved(system, curved)):
        written = tuple(forms[symbol(name)] for name in system.states)
        program = Program.over((), names, {}, written)
        values = program.vector(0.0, np.empty((0, 1)), np.concatenate([p, x0]))[:, 0]
        if (np.abs(values - state) <= _NEAR * size).all():
            return forms
    return None


def _candidates(blocks: Sequence[Block], known: Forms) -> Iterator[Forms]:
    """Yield solutions of blocks, each after those that it reads."""
    if not blocks:
        yield known
        return
    first, *rest = blocks
    residuals = tuple(r.xreplace(known) for r in first.residuals)
    explicit = tuple(h if h is None else h.xreplace(known) for h in first.explicit)
    for forms in _roots(replace(first, residuals=residuals, explicit=explicit)):
        yield from _candidates(rest, known | forms)


def _roots(block: Block) -> Iterator[Forms]:
    """Yield solutions of a component: the one that algebra proves, or what elimination leads to."""
    form = closed_form(block)
    if form is not None:
        yield form.solution
    elif len(block.unknowns) <= _LARGEST_BLOCK:
        residuals = [sp.numer(sp.together(r)) for r in block.residuals]
        unknowns = [symbol(name) for name in block.unknowns]
        if all(r.is_polynomial(*unknowns) for r in residuals):
            yield from _eliminated(residuals, unknowns)


def _eliminated(residuals: Sequence[sp.Expr], unknowns: Sequence[sp.Symbol]) -> Iterator[Forms]:
    """Yield roots of polynomials, solving in turn for what stands in lowest degree."""
    if not unknowns:
        yield {}
        return
    residuals = _combined(residuals, unknowns)
    ways = [
        (sp.degree(r, x), sum(r.has(y) for y in unknowns), sp.count_ops(r), i, j)
        for i, r in enumerate(residuals)
        for j, x in enumerate(unknowns)
        if r.has(x)
    ]
    if not ways or min(ways)[0] > _HIGHEST_DEGREE or min(ways)[2] > _LONGEST:
        return
    *_, i, j = min(ways)
    x, others = unknowns[j], [y for y in unknowns if y != unknowns[j]]
    rest = [r for k, r in enumerate(residuals) if k != i]
    for factor, _ in sp.factor_list(residuals[i])[1]:
        for root in sp.roots(factor, x) if factor.has(x) else ():
            left = [sp.numer(sp.together(r.xreplace({x: root}))) for r in rest]
            if all(r.is_polynomial(*others) for r in left):
                for forms in _eliminated(left, others):
                    yield {x: root.xreplace(forms), **forms}


def _combined(residuals: Sequence[sp.Expr], unknowns: Sequence[sp.Symbol]) -> list[sp.Expr]:
    """Return combinations in which products of unknowns cancel as far as they can.

    Each product counts as an unknown of its own, to be eliminated before single ones are.
    """
    terms = [dict(sp.Poly(r, *unknowns).terms()) for r in residuals]
    order = sorted({powers for row in terms for powers in row}, key=lambda p: (-sum(p), p))
    matrix = sp.Matrix([[row.get(powers, 0) for powers in order] for row in terms])
    reduced, _ = matrix.rref(simplify=True)
    monomials = sp.Matrix([sp.prod(x**e for x, e in zip(unknowns, p, strict=True)) for p in order])
    return [sp.numer(sp.together(e)) for e in reduced * monomials]


def _on_curved(system: System, curved: Sequence[FirstIntegral]) -> Iterator[Forms]:
    """Yield solutions of all equations beside nonlinear laws, of small polynomial systems.

    No equation is left out, as a linear law lets us do: where the gradient of a law vanishes it
    tells less than the equation that it would replace.
    """
    if not curved or len(system.states) > _MOST_CURVED:
        return
    states = [symbol(name) for name in system.states]
    at_start = {x: initial_symbol(x.name) for x in states}
    known = known_parameters(system)
    drift = (substitute(f, system.derived, system.derived) for f in system.drift.values())
    equations = [sp.numer(sp.together(f.xreplace(known))) for f in drift]
    laws = [law.expression - law.expression.xreplace(at_start) for law in curved]
    if all(e.is_polynomial(*states) for e in equations):
        for found in sp.solve([*equations, *laws], states, dict=True):
            derived = {symbol(k): f.xreplace(known | found) for k, f in system.derived.items()}
            yield found | derived


def _readable(system: System, form: sp.Expr) -> sp.Expr:
    """Return the shorter of two ways of writing, in which conserved totals stay together."""
    apart, together = {}, {}
    for law in conservation_laws(system):
        (first, weight), *others = law.coefficients
        total = sp.Dummy(str(law), real=True)
        rest = sp.Add(*(sp.Rational(str(c)) * initial_symbol(x) for x, c in others))
        apart[initial_symbol(first)] = (total - rest) / sp.Rational(str(weight))
        together[total] = sp.Rational(str(weight)) * initial_symbol(first) + rest
    whole = sp.factor(form.xreplace(apart))
    return min(whole, sp.expand(whole), key=sp.count_ops).xreplace(together)


def _conditions(system: System, solution: Mapping[str, sp.Expr]) -> tuple[sp.Basic, ...]:
    """Return what the bounds ask for and what the signs of parameters do not grant."""
    signs = Signs.of(system)
    found: dict[sp.Expr, type[sp.Rel]] = {}
    for name, (low, high) in system.bounds.items():
        for end, sign in ((low, 1), (high, -1)):
            if np.isfinite(end):
                excess = sign * (solution[name] - exact(end))
                open_part, divides = signs.open_part(excess)
                if not open_part.is_number:
                    found[open_part] = sp.Gt if divides else found.get(open_part, sp.Ge)
    return tuple(relation(excess, 0) for excess, relation in found.items())
