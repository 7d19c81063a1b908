"""Dynamics: systems of labelled differential mechanisms, simulated over time."""

from physcm.sim.conservation import ConservationLaw, conservation_laws
from physcm.sim.engine import Scipy
from physcm.sim.equilibria import equilibria
from physcm.sim.settle import settle
from physcm.sim.simulate import simulate
from physcm.sim.system import System
from physcm.sim.transitions import Event, Jump

__all__ = [
    "ConservationLaw",
    "Event",
    "Jump",
    "Scipy",
    "System",
    "conservation_laws",
    "equilibria",
    "settle",
    "simulate",
]
