"""Causal ordering: what equations determine what, and what that says of cause and effect."""

from physcm.abstraction.ordering.bipartite import BipartiteGraph
from physcm.abstraction.ordering.causal_ordering import CausalOrdering, causal_ordering
from physcm.abstraction.ordering.clusters import Cluster
from physcm.abstraction.ordering.decomposition import Decomposition, decompose
from physcm.abstraction.ordering.input_effects import InputEffects, input_effects
from physcm.abstraction.ordering.plot import plot_bipartite

__all__ = [
    "BipartiteGraph",
    "CausalOrdering",
    "Cluster",
    "Decomposition",
    "InputEffects",
    "causal_ordering",
    "decompose",
    "input_effects",
    "plot_bipartite",
]
