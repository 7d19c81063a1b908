"""Graphs of causal models, with cycles and hidden causes, and what they claim."""

from physcm.scm.graph.acyclification import acyclification
from physcm.scm.graph.adjustment import adjustment_sets, is_adjustment_set
from physcm.scm.graph.components import components
from physcm.scm.graph.identification import Estimand, identify
from physcm.scm.graph.mixed import MixedGraph
from physcm.scm.graph.moralization import moralize
from physcm.scm.graph.plot import plot_graph
from physcm.scm.graph.projection import latent_projection
from physcm.scm.graph.separation import d_separated, sigma_separated
from physcm.scm.graph.separations import Separation, separations

__all__ = [
    "Estimand",
    "MixedGraph",
    "Separation",
    "acyclification",
    "adjustment_sets",
    "components",
    "d_separated",
    "identify",
    "is_adjustment_set",
    "latent_projection",
    "moralize",
    "plot_graph",
    "separations",
    "sigma_separated",
]
