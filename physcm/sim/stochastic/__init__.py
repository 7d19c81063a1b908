"""Stochastic differential equations: noise on a grid, schemes, and runs with sudden changes."""

from physcm.sim.stochastic.schemes import SCHEMES, scheme_for
from physcm.sim.stochastic.structure import NoiseStructure, noise_structure

__all__ = ["SCHEMES", "NoiseStructure", "noise_structure", "scheme_for"]
