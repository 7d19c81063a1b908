"""Maps between dynamics and structure, and the check that the square commutes."""

from physcm.abstraction.commutes import Abstraction, commutes
from physcm.abstraction.constraints import CausalConstraintsModel, Constraint
from physcm.abstraction.equilibrate import equilibrate, equilibrium_model
from physcm.abstraction.family import hold_each, random_interventions
from physcm.abstraction.ordering import (
    CausalOrdering,
    InputEffects,
    causal_ordering,
    input_effects,
)
from physcm.abstraction.reporting.report import Report, Row
from physcm.abstraction.statics import comparative_statics

__all__ = [
    "Abstraction",
    "CausalConstraintsModel",
    "CausalOrdering",
    "Constraint",
    "InputEffects",
    "Report",
    "Row",
    "causal_ordering",
    "commutes",
    "comparative_statics",
    "equilibrate",
    "equilibrium_model",
    "hold_each",
    "input_effects",
    "random_interventions",
]
