"""Where the long run changes its kind: branches of equilibria, their special points, basins."""

from physcm.sim.bifurcation.basins import Basins, basins
from physcm.sim.bifurcation.continuation import continuation
from physcm.sim.bifurcation.found import Continuation, SpecialPoint
from physcm.sim.bifurcation.hysteresis import Hysteresis, Jump, hysteresis
from physcm.sim.bifurcation.verdict import Interval, Switch

__all__ = [
    "Basins",
    "Continuation",
    "Hysteresis",
    "Interval",
    "Jump",
    "SpecialPoint",
    "Switch",
    "basins",
    "continuation",
    "hysteresis",
]
