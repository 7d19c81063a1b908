"""Structural causal models: cyclic, with none, one or many solutions per sample."""

from physcm.scm.certificate import Certificate
from physcm.scm.effects import average_effects, path_effects, unit_effects
from physcm.scm.graph import (
    Estimand,
    MixedGraph,
    Separation,
    acyclification,
    adjustment_sets,
    d_separated,
    identify,
    is_adjustment_set,
    latent_projection,
    moralize,
    plot_graph,
    separations,
    sigma_separated,
)
from physcm.scm.linear_scm import LinearSCM
from physcm.scm.plot_branches import branches, plot_branches
from physcm.scm.scm import SCM
from physcm.scm.status import SolutionStatus
from physcm.scm.verdict import Verdict

__all__ = [
    "SCM",
    "Certificate",
    "Estimand",
    "LinearSCM",
    "MixedGraph",
    "Separation",
    "SolutionStatus",
    "Verdict",
    "acyclification",
    "adjustment_sets",
    "average_effects",
    "branches",
    "d_separated",
    "identify",
    "is_adjustment_set",
    "latent_projection",
    "moralize",
    "path_effects",
    "plot_branches",
    "plot_graph",
    "separations",
    "sigma_separated",
    "unit_effects",
]
