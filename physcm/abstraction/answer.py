"""The answer of a constraints model in closed form: the state of rest as a function of the start.

Under one intervention the active constraints are equations, one strongly connected component after
the other. A component is solved by exact algebra where it is linear. Of polynomials unknowns are
eliminated in turn, and each root is a candidate (`physcm.abstraction.elimination`). Small systems
are tried as a whole as well, with nonlinear laws (`physcm.abstraction.answer_on_levels`). The
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

from physcm.abstraction.answer_on_levels import answers_on_levels
from physcm.abstraction.elimination import Forms, eliminated
from physcm.abstraction.signs import Signs
from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NoEquilibrium, NotSolvable
from physcm.mechanism.expression import exact, initial_symbol, symbol, to_text
from physcm.scm import SCM
from physcm.scm.block import Block
from physcm.scm.closed_form import closed_form
from physcm.sim import FirstIntegral, System, conservation_laws
from physcm.sim.equilibrium import EquilibriumEquations
from physcm.sim.long_run import long_run
from physcm.sim.status import LimitStatus

_NEAR, _RESOLVED = 1e-5, 1e-3
_LARGEST_BLOCK, _LONGEST_CONDITION = 4, 30


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
        curved: its nonlinear laws.

    Raises:
        NoEquilibrium: if the system does not come to rest.
        NotSolvable: if no closed form is found.
    """
    x0, p = system.draw(np.array([0]), 0)
    limit = long_run(EquilibriumEquations(system), x0[:, 0], p[:, 0])
    if limit.status is not LimitStatus.SETTLED:
        raise NoEquilibrium(
            f"{system.in_words} does not come to rest from its initial state (it is "
            f"`{limit.status.name.lower().replace('_', ' ')}` at t = {limit.time:.3g}); change "
            "what is done to it, or the initial state"
        )
    forms = closed_forms(system, equations, limit.state, limit.scale, curved)
    if forms is None:
        raise NotSolvable(
            f"the constraints of {system.in_words} have no closed form that was found; solve them "
            f"for numbers, `{equations.variables[0]}` and the others, by `solve`"
        )
    signs = Signs.of(system)
    solution = {
        name: signs.written(signs.known(_readable(system, forms[symbol(name)])))
        for name in system.variables
    }
    return Answer(solution, _conditions(system, solution))


def closed_forms(
    system: System, equations: SCM, state: Floats, scale: Floats,
    curved: Sequence[FirstIntegral] | None = None, sample: int = 0, seed: int = 0,
) -> Forms | None:  # fmt: skip
    """Return the closed form of all variables at one equilibrium, None if none is found.

    Args:
        system: the system.
        equations: its equilibrium equations.
        state: the equilibrium, (states,).
        scale: the size of each state, (states,).
        curved: nonlinear laws; where given, small systems are tried as a whole, with them.
        sample: whose parameters and initial values the equilibrium belongs to.
        seed: of their draw.
    """
    x0, p = system.draw(np.array([sample]), seed)
    names = (*system.parameters, *(f"{name}(0)" for name in system.states))
    size = np.maximum(np.abs(state), _RESOLVED * scale)
    whole = () if curved is None else answers_on_levels(system, curved)
    candidates = chain(_candidates(equations.blocks, {}), whole)
    for forms in candidates:
        written = [forms[symbol(name)] for name in system.states]
        values = _values(written, dict(zip(names, [*p[:, 0], *x0[:, 0]], strict=True)))
        if (np.abs(values - state) <= _NEAR * size).all():
            return forms
    return None


def _values(forms: Sequence[sp.Expr], given: Mapping[str, float]) -> Floats:
    """Return real values of closed forms, NaN where there is none."""
    numbers = {symbol(name): sp.Float(value) for name, value in given.items()}
    values = [complex(form.xreplace(numbers).evalf()) for form in forms]
    return np.array([v.real if abs(v.imag) <= _NEAR * abs(v) else np.nan for v in values])


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
        powers = {x: _as_power(x, block.residuals) for x in map(symbol, block.unknowns)}
        residuals = [sp.numer(sp.together(r.xreplace(powers))) for r in block.residuals]
        unknowns = [power.as_base_exp()[0] for power in powers.values()]
        if all(r.is_polynomial(*unknowns) for r in residuals):
            for forms in eliminated(residuals, unknowns):
                if len(forms) == len(unknowns):
                    yield {x: power.xreplace(forms) for x, power in powers.items()}


def _as_power(x: sp.Symbol, residuals: Sequence[sp.Expr]) -> sp.Expr:
    """Return what has no roots in place of an unknown: y^q if its q-th roots occur, with y > 0.

    >>> x = symbol("x")
    >>> _as_power(x, [2 * sp.sqrt(3 * x) - 1, x]).exp
    2
    """
    roots = (p for r in residuals for p in r.atoms(sp.Pow) if p.exp.is_Rational and p.base.has(x))
    order = sp.ilcm(1, 1, *(p.exp.q for p in roots))
    return x if order == 1 else sp.Dummy(positive=True) ** order


def _readable(system: System, form: sp.Expr) -> sp.Expr:
    """Return the shortest of some ways of writing, two of which keep conserved totals together."""
    apart, together = {}, {}
    for law in conservation_laws(system):
        (first, weight), *others = law.coefficients
        total = sp.Dummy(str(law), real=True)
        rest = sp.Add(*(sp.Rational(str(c)) * initial_symbol(x) for x, c in others))
        apart[initial_symbol(first)] = (total - rest) / sp.Rational(str(weight))
        together[total] = sp.Rational(str(weight)) * initial_symbol(first) + rest
    whole = sp.factor(form.xreplace(apart))
    ways = [way.xreplace(together) for way in (whole, sp.expand(whole))]
    return min(*ways, sp.powsimp(sp.expand(form), deep=True), key=sp.count_ops)


def _conditions(system: System, solution: Mapping[str, sp.Expr]) -> tuple[sp.Basic, ...]:
    """Return what the bounds ask for and what the signs of parameters do not grant.

    What would be longer than the solution says no more than that the variable is within bounds.
    """
    signs = _with_lambert(Signs.of(system), solution)
    found: dict[sp.Expr, sp.Rel] = {}
    for name, (low, high) in system.bounds.items():
        for end, sign in ((low, 1), (high, -1)):
            if np.isfinite(end):
                excess = sign * (solution[name] - exact(end))
                positive = [part for part, told in found.items() if told.rel_op == ">"]
                for part, relation in signs.asked(excess, positive).items():
                    short = sp.count_ops(part) <= _LONGEST_CONDITION
                    inside = sp.Ge if sign > 0 else sp.Le
                    found[part] = relation(part, 0) if short else inside(symbol(name), exact(end))
    return tuple(dict.fromkeys(found.values()))


def _with_lambert(signs: Signs, solution: Mapping[str, sp.Expr]) -> Signs:
    """Return signs with those of Lambert's function: W(z) has that of z, W_-1(z) is negative."""
    dummies = dict(signs.dummies)
    for w in sp.Tuple(*solution.values()).atoms(sp.LambertW):
        if len(w.args) > 1 or signs.known(w.args[0]).is_nonpositive:
            dummies[w] = sp.Dummy(nonpositive=True)
    return Signs(dummies)
