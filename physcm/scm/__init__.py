"""Structural causal models: cyclic, with none, one or many solutions per sample."""

from physcm.scm.graph import (
    MixedGraph,
    Separation,
    acyclification,
    d_separated,
    latent_projection,
    moralize,
    separations,
    sigma_separated,
)
from physcm.scm.linear_scm import LinearSCM
from physcm.scm.scm import SCM
from physcm.scm.status import SolutionStatus
from physcm.scm.verdict import Verdict

__all__ = [
    "SCM",
    "LinearSCM",
    "MixedGraph",
    "Separation",
    "SolutionStatus",
    "Verdict",
    "acyclification",
    "d_separated",
    "latent_projection",
    "moralize",
    "separations",
    "sigma_separated",
]
