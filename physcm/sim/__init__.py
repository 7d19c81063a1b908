"""Dynamics: systems of labelled differential mechanisms, simulated over time."""

from physcm.sim.bifurcation import (
    Basins,
    Continuation,
    Hysteresis,
    basins,
    continuation,
    hysteresis,
)
from physcm.sim.conservation import ConservationLaw, conservation_laws
from physcm.sim.differentiable import Differentiable, differentiable
from physcm.sim.engine import Scipy
from physcm.sim.equilibria import equilibria
from physcm.sim.fused.numba_engine import Numba
from physcm.sim.integrals import FirstIntegral, first_integrals
from physcm.sim.network import CutEdge, Network, RescaleEdge
from physcm.sim.observation import (
    AdditiveNoise,
    Censor,
    Hide,
    InterpolatedTimes,
    IrregularTimes,
    MissingBlocks,
    MissingByValue,
    MissingCompletelyAtRandom,
    MultiplicativeNoise,
    Quantize,
    Standardization,
    Standardize,
    Subsample,
    Unstandardize,
    observe,
    replay,
    steps_from,
    unstandardize,
)
from physcm.sim.settle import settle
from physcm.sim.simulate import simulate
from physcm.sim.steady_states import steady_states
from physcm.sim.system import System
from physcm.sim.torch_engine import Torch
from physcm.sim.transitions import Event, Jump

__all__ = [
    "AdditiveNoise",
    "Basins",
    "Censor",
    "ConservationLaw",
    "Continuation",
    "CutEdge",
    "Differentiable",
    "Event",
    "FirstIntegral",
    "Hide",
    "Hysteresis",
    "InterpolatedTimes",
    "IrregularTimes",
    "Jump",
    "MissingBlocks",
    "MissingByValue",
    "MissingCompletelyAtRandom",
    "MultiplicativeNoise",
    "Network",
    "Numba",
    "Quantize",
    "RescaleEdge",
    "Scipy",
    "Standardization",
    "Standardize",
    "Subsample",
    "System",
    "Torch",
    "Unstandardize",
    "basins",
    "conservation_laws",
    "continuation",
    "differentiable",
    "equilibria",
    "first_integrals",
    "hysteresis",
    "observe",
    "replay",
    "settle",
    "simulate",
    "steady_states",
    "steps_from",
    "unstandardize",
]
