"""The zoo: models with known answers, each with its source."""

from physcm.sim.zoo.catalog import load, names, scene
from physcm.sim.zoo.scenes import Scene

__all__ = ["Scene", "load", "names", "scene"]
