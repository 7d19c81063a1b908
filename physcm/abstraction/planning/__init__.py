"""Planning in the causal model, and the check of a plan in the simulated system."""

from physcm.abstraction.planning.action import Action
from physcm.abstraction.planning.check import Check, check
from physcm.abstraction.planning.plan import plan
from physcm.abstraction.planning.plans import Plan, Plans, Unmet
from physcm.abstraction.planning.transit import Breach

__all__ = ["Action", "Breach", "Check", "Plan", "Plans", "Unmet", "check", "plan"]
