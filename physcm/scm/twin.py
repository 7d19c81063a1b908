"""The twin model: a world and a second one that shares its exogenous variables.

Every variable X has a twin `X_twin`, with the same equation over the twins; exogenous variables
and parameters, and with them everything random, are common to both. Holding a variable in one
world and looking at the other answers counterfactual questions (Balke & Pearl, AAAI 1994;
Bongers, Forré, Peters & Mooij, Annals of Statistics 2021, definition 4.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from physcm.mechanism.expression import symbol
from physcm.scm.intervene import new_name

if TYPE_CHECKING:
    from physcm.scm.scm import SCM


def twin(model: SCM) -> SCM:
    """Return the model beside its twin.

    Raises:
        InvalidValue: if a name such as `x_twin` is taken.
    """
    taken = {*model.variables, *model.exogenous, *model.parameters}
    names = {name: new_name(taken, f"{name}_twin") for name in model.variables}
    renamed = {symbol(name): symbol(other) for name, other in names.items()}
    return model.replace(
        mechanisms={
            **model.mechanisms,
            **{names[name]: m.xreplace(renamed) for name, m in model.mechanisms.items()},
        },
        domains={**model.domains, **{names[name]: d for name, d in model.domains.items()}},
        guesses={**model.guesses, **{names[name]: g for name, g in model.guesses.items()}},
    )
