"""Maps between dynamics and structure, and the check that the square commutes."""

from physcm.abstraction.abstraction import Abstraction
from physcm.abstraction.answer import Answer
from physcm.abstraction.commutes import commutes
from physcm.abstraction.constraints import (
    CausalConstraintsModel,
    Constraint,
    constraints_model,
)
from physcm.abstraction.equilibrate import equilibrate, equilibrium_model
from physcm.abstraction.existence import Existence, scm_exists
from physcm.abstraction.family import hold_each
from physcm.abstraction.laws import LawChange
from physcm.abstraction.ordering import (
    CausalOrdering,
    InputEffects,
    causal_ordering,
    input_effects,
)
from physcm.abstraction.planning import Action, Check, Plan, Plans, plan
from physcm.abstraction.random_family import random_interventions
from physcm.abstraction.reporting.report import Report, Row
from physcm.abstraction.stability import Stability, StabilityReport, structural_stability
from physcm.abstraction.statics import comparative_statics
from physcm.abstraction.transformation.from_tau import FromTau
from physcm.abstraction.transformation.omega import Undefined

__all__ = [
    "Abstraction",
    "Action",
    "Answer",
    "CausalConstraintsModel",
    "CausalOrdering",
    "Check",
    "Constraint",
    "Existence",
    "FromTau",
    "InputEffects",
    "LawChange",
    "Plan",
    "Plans",
    "Report",
    "Row",
    "Stability",
    "StabilityReport",
    "Undefined",
    "causal_ordering",
    "commutes",
    "comparative_statics",
    "constraints_model",
    "equilibrate",
    "equilibrium_model",
    "hold_each",
    "input_effects",
    "plan",
    "random_interventions",
    "scm_exists",
    "structural_stability",
]
