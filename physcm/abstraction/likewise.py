"""What is done to a system, done to the model of its equilibria: omega unless told.

What is held below is held above, with all that is held together with it, and parameters take the
same values. What changes a drift, from f to g, changes the equation that it gives at rest and no
other: 0 = g(X) takes the place of 0 = f(X), labelled alike (Mooij, Janzing & Schölkopf, UAI 2013,
section 3). That is not what a shift of a structural equation X = h is, X = h + a.
"""

from __future__ import annotations

import sympy as sp

from physcm.abstraction.equations import structural_equation
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import names_in
from physcm.mechanism.interventions import (
    Hold,
    Intervention,
    Interventions,
    Replace,
    ScaleNoise,
    SetParameter,
    Shift,
    is_permanent,
)
from physcm.scm import SCM
from physcm.scm.constants import constants_in
from physcm.sim import System


def likewise(low: System, high: SCM, do: Interventions) -> Interventions:
    """Return interventions on a system as interventions on a causal model of its equilibria.

    Raises:
        InvalidValue: for what changes a drift, where the causal model does not have the system's
            rates for its dynamics, or the new drift reads what the model does not know.

    >>> from physcm.abstraction.equations import equilibrium_scm
    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> likewise(tank, equilibrium_scm(tank, ()), (Hold("h", 3), Shift("h", 1)))
    (Hold('h', 3),)
    >>> likewise(tank, equilibrium_scm(tank, ()), (Shift("h", 1),))
    (Replace('h', (q + 1)/k),)
    """
    done = low.do(*do)
    alike: list[Intervention] = []
    replaced: dict[str, Replace] = {}
    for one in do:
        if isinstance(one, Hold | SetParameter) or not is_permanent(one):
            alike.append(one)
        elif one.name not in done.held:
            replaced[one.name] = Replace(one.name, _equation(low, high, done, one))
    return (*alike, *replaced.values(), *_followers(low, high, done, do))


def _equation(low: System, high: SCM, done: System, one: Shift | ScaleNoise | Replace) -> sp.Basic:
    """Return what the changed drift of a variable says at rest, with new numbers written in."""
    name = one.name
    grouped = any(name in group for group in low.held_together)
    rates = None if grouped else high.dynamics
    if rates is None or rates.get(name, sp.S.Zero) != low.drift[name]:
        raise InvalidValue(
            f"`{one!r}` acts on a drift, and the equation of `{name}` above is not known to be "
            "what that says at rest; use Hold or SetParameter, or an Abstraction whose `omega` "
            "says what it becomes"
        )
    known = {*high.variables, *high.exogenous, *high.parameters}
    new = {k: v for k, v in done.parameters.items() if k not in known}
    found = structural_equation(done, name)
    if isinstance(found, sp.Eq):
        found = sp.Eq(constants_in(found.lhs, new), 0, evaluate=False)
    else:
        found = constants_in(found, new)
    if unknown := sorted(names_in(found) - known):
        raise InvalidValue(
            f"`{one!r}` makes `{name}` at rest depend on `{unknown[0]}`, which the causal model "
            "does not have; give a number, or an expression in what it has"
        )
    return found


def _followers(low: System, high: SCM, done: System, do: Interventions) -> list[Hold]:
    """Return holds of what is held together with what is held."""
    named = {one.name for one in do if isinstance(one, Hold)}
    followers = (done.held.keys() - low.held.keys() - named) & {*high.variables}
    return [
        Hold(name, done.parameters.get(f"do({name})", done.held[name]))
        for name in sorted(followers)
    ]
