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
from physcm.scm.scm import SCM
from physcm.scm.status import SolutionStatus

__all__ = [
    "SCM",
    "MixedGraph",
    "Separation",
    "SolutionStatus",
    "acyclification",
    "d_separated",
    "latent_projection",
    "moralize",
    "separations",
    "sigma_separated",
]
