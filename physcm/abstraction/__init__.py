"""Maps between dynamics and structure, and the check that the square commutes."""

from physcm.abstraction.commutes import Abstraction, commutes
from physcm.abstraction.constraints import CausalConstraintsModel, Constraint
from physcm.abstraction.equilibrate import equilibrate, equilibrium_model
from physcm.abstraction.family import hold_each, random_interventions
from physcm.abstraction.reporting.report import Report, Row
from physcm.abstraction.statics import comparative_statics

__all__ = [
    "Abstraction",
    "CausalConstraintsModel",
    "Constraint",
    "Report",
    "Row",
    "commutes",
    "comparative_statics",
    "equilibrate",
    "equilibrium_model",
    "hold_each",
    "random_interventions",
]
