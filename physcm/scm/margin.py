"""Writing variables out of a model, and feedback loops out of its equations.

*Marginalizing* L puts the solution of the equations of L, as a function of all else, in the
place of L in every other equation. *Acyclifying* gives every variable of a strongly connected
component the solution of the component, as a function of what stands outside of it: the result
has no cycles and entails the same distribution. Both need unique solvability, with respect to L
and to every component (Bongers, Forré, Peters & Mooij, Annals of Statistics 2021, definitions
5.3 and A.14); exogenous variables and parameters stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sympy as sp

from physcm.mechanism.errors import InvalidValue, NotSolvable, Unsupported
from physcm.mechanism.expression import symbol, with_plain_cases
from physcm.scm.block import Block
from physcm.scm.closed_form import closed_form
from physcm.scm.solvability import unique_solvability
from physcm.scm.solve import blocks

if TYPE_CHECKING:
    from physcm.scm.scm import SCM


def marginalize(model: SCM, gone: Sequence[str]) -> SCM:
    """Return the model of the variables that are left.

    The domains of variables that are gone restrict nothing any more.

    Raises:
        NotSolvable: if the model is not uniquely solvable with respect to what is to go.
        Unsupported: if the solution has no closed form.
        InvalidValue: if nothing would be left, or a value that stays reads what goes.
    """
    if len(gone) == len(model.variables):
        raise InvalidValue(f"`{', '.join(gone)}` are all variables; keep at least one")
    _require_solvable(model, gone)
    own = {name: model.mechanisms[name] for name in gone}
    solution: dict[sp.Symbol, sp.Expr] = {}
    for block in blocks(own, model.domains, model.guesses):
        solution |= _solution(block, solution)
    kept = {
        name: _written(mechanism, solution)
        for name, mechanism in model.mechanisms.items()
        if name not in gone
    }
    return _with_mechanisms(model, kept)


def acyclify(model: SCM) -> SCM:
    """Return the model without feedback loops that has the same solutions.

    Raises:
        NotSolvable: if the model is not uniquely solvable with respect to a component.
        Unsupported: if the solution of a component has no closed form.
    """
    mechanisms = dict(model.mechanisms)
    for block in model.blocks:
        if len(block.unknowns) == 1 and block.explicit[0] is not None:
            continue
        _require_solvable(model, block.unknowns)
        found = _solution(block, {})
        mechanisms |= {name: found[symbol(name)] for name in block.unknowns}
    return _with_mechanisms(model, mechanisms)


def _solution(block: Block, solved: dict[sp.Symbol, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    """Return the unknowns of a block in closed form, with earlier ones written out."""
    form = closed_form(block)
    if form is None:
        equations = "; ".join(f"0 = {r}" for r in block.residuals[:3])
        raise Unsupported(
            f"the equations of `{', '.join(block.unknowns)}` have no closed form that is found "
            f"({equations}); keep these variables, or use sample and solve, which need none"
        )
    return {x: with_plain_cases(h.xreplace(solved)) for x, h in form.solution.items()}


def _written(mechanism: sp.Basic, solution: dict[sp.Symbol, sp.Expr]) -> sp.Basic:
    if isinstance(mechanism, sp.Eq):
        sides = (with_plain_cases(side.xreplace(solution)) for side in mechanism.args)
        return sp.Eq(*sides, evaluate=False)
    return with_plain_cases(mechanism.xreplace(solution))


def _require_solvable(model: SCM, names: Sequence[str]) -> None:
    verdict = unique_solvability(model, names)
    if not verdict:
        raise NotSolvable(
            f"{model.in_words} is not uniquely solvable with respect to `{', '.join(names)}`: "
            f"{verdict.reason}; keep these variables, or narrow `domains` to where they are"
        )


def _with_mechanisms(model: SCM, mechanisms: dict[str, sp.Basic]) -> SCM:
    return model.replace(
        mechanisms=mechanisms,
        domains={k: v for k, v in model.domains.items() if k in mechanisms},
        guesses={k: v for k, v in model.guesses.items() if k in mechanisms},
    )
