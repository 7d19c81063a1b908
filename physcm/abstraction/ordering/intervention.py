"""Interventions that name the equation: do(f : X = x) puts X = x in the place of f.

It is feasible, generically, iff the remaining equations and variables have a perfect matching
(Mooij, Bipartite Graphical Causal Models, UAI 2026), and that is so iff X is among the effects of
f: an alternating path from f to X exchanges partners until f's is free and X has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from physcm.mechanism.declarations import require_within
from physcm.mechanism.errors import Infeasible, InvalidValue, NotUnique, UnknownVariable
from physcm.mechanism.expression import held_symbol
from physcm.mechanism.parser import closest
from physcm.mechanism.values import Value, as_value

if TYPE_CHECKING:
    from physcm.abstraction.ordering.causal_ordering import CausalOrdering


def intervened(
    ordering: CausalOrdering, equations: Sequence[str], holds: Mapping[str, Any]
) -> CausalOrdering:
    """Return the ordering in which equations are replaced by holds, in their order."""
    if not holds:
        raise InvalidValue('no variable is held; give one, as in do("f1", D=2)')
    if not equations:
        equations = [_own_equation(ordering, name) for name in holds]
    if len(equations) != len(holds) or len({*equations}) < len(equations):
        raise InvalidValue(
            f"`{', '.join(equations)}` is replaced by `{', '.join(holds)}`; name as many different "
            "equations as variables"
        )
    after = ordering
    for equation, (name, raw) in zip(equations, holds.items(), strict=True):
        after = after.replaced(equation, name, _checked(after, equation, name, raw))
    if not after.is_determined:
        done = ", ".join(f"{f} : {name}" for f, name in zip(equations, holds, strict=True))
        raise Infeasible(
            f"do(`{done}`) leaves the equations {after.decomposition}; "
            f"{_remedy(ordering, equations, holds)}"
        )
    return after


def choices(ordering: CausalOrdering, name: str) -> tuple[str, ...]:
    """Return the equations that X = x can take the place of.

    >>> from physcm.abstraction.ordering.causal_ordering import causal_ordering
    >>> tub = {"f1": ["O"], "f2": ["O", "P"], "f3": ["P", "D"]}
    >>> choices(causal_ordering(tub), "P")
    ('f1', 'f2')
    """
    return tuple(f for f in ordering.labels if ordering.replaced(f, name, 1.0).is_determined)


def _checked(ordering: CausalOrdering, equation: str, name: str, raw: Any) -> Value:
    """Return the value of a hold, if equation and variable can be named in one."""
    if name not in ordering.variables:
        raise UnknownVariable(f"`{name}` is no variable; {closest(name, ordering.variables)}")
    if not isinstance(equation, str):
        raise InvalidValue(f"`{equation!r}` is no label of an equation; give its text")
    if equation not in ordering.labels:
        remedy = closest(equation, ordering.labels)
        if equation in ordering.equations:
            remedy = "it holds the total of the initial state; change that instead"
        raise UnknownVariable(f"`{equation}` is no equation that can be replaced; {remedy}")
    value = as_value(raw, (), held_symbol(name).name)
    if ordering.reduced:
        everything = (-math.inf, math.inf)
        require_within(ordering.reduced.source.bounds.get(name, everything), name, value)
    return value


def _own_equation(ordering: CausalOrdering, name: str) -> str:
    """Return the equation of X's own drift or definition, where it is X's to determine.

    An equation that was left out may stand for those from which it follows. Through derived
    variables, which are names for what they are defined as, X may determine it without occurring
    in it. In a group, such as of position and velocity, X has all equations.
    """
    if name not in ordering.variables:
        raise UnknownVariable(f"`{name}` is no variable; {closest(name, ordering.variables)}")
    own: tuple[str, ...] = ()
    if ordering.reduced:
        source = ordering.reduced.source
        own = source.own_equations(name)
        plain = name in source.defined_by.values()
        labeled = ordering if plain else type(ordering).of(source.written_out())
        for equation in own:
            if name in _determines(labeled, equation):
                return equation
    found = " or ".join(f"`do({f!r}, {name}=...)`" for f in choices(ordering, name))
    why = f"its own, `{own[0]}`, determines another variable" if own else "none is its own"
    raise NotUnique(
        f"do(`{name}`) does not say which equation it replaces: of the equations at equilibrium "
        f"{why}; choose {found or 'another variable, since no equation can be replaced by it'}"
    )


def _determines(ordering: CausalOrdering, equation: str) -> set[str]:
    """Return the variables of an equation's cluster, or of those that it may stand for."""
    reduced = ordering.reduced
    labels = {equation}
    if reduced and equation in reduced.left_out:
        state = reduced.source.state_of.get(equation)
        labels = {*reduced.left_out[equation]}
        labels |= {label for label, law in reduced.laws.items() if state in law.states}
    return {v for c in ordering.clusters if labels & {*c.equations} for v in c.variables}


def _remedy(ordering: CausalOrdering, equations: Sequence[str], holds: Mapping[str, Any]) -> str:
    if len(holds) > 1:
        return "replace other equations"
    (name,) = holds
    found = ", ".join(f"`{f}`" for f in choices(ordering, name))
    return f"to hold `{name}`, replace {found}" if found else f"`{name}` cannot be held"
