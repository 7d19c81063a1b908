"""A second opinion on what a system does in the long run, which shares no solver with the first.

The equations are read off a `System` as SymPy expressions. From there on everything is SymPy
(exact Jacobian, conservation laws, first integrals) and SciPy (LSODA): none of the machine code,
solvers and searches of physcm. Every function takes a claim and returns an `Opinion`: whether the
claim holds, and the numbers that say so.
"""

from benchmarks.second_opinion.adaptation import adapts
from benchmarks.second_opinion.flow import Floats, Flow, Opinion
from benchmarks.second_opinion.motion import (
    breaks_off,
    chaotic,
    conserves,
    drifts,
    first_integral,
    grows,
    repeats,
)
from benchmarks.second_opinion.refused import noisy, switches
from benchmarks.second_opinion.rest import attracts, continuum, repels, rests, several

__all__ = [
    "Floats",
    "Flow",
    "Opinion",
    "adapts",
    "attracts",
    "breaks_off",
    "chaotic",
    "conserves",
    "continuum",
    "drifts",
    "first_integral",
    "grows",
    "noisy",
    "repeats",
    "repels",
    "rests",
    "several",
    "switches",
]
