"""Structural causal models: cyclic, with none, one or many solutions per sample."""

from physcm.scm.graph import MixedGraph
from physcm.scm.scm import SCM
from physcm.scm.status import SolutionStatus

__all__ = ["SCM", "MixedGraph", "SolutionStatus"]
