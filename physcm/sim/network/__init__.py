"""Networks: thousands of nodes of one form, coupled along the edges of a graph."""

from physcm.mechanism.interventions import CutEdge, RescaleEdge
from physcm.sim.network.build import from_network
from physcm.sim.network.network import Network
from physcm.sim.network.simulate import simulate_network

__all__ = ["CutEdge", "Network", "RescaleEdge", "from_network", "simulate_network"]
