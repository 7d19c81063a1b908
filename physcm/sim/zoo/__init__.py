"""The zoo: models with known answers, each with its source."""

from physcm.sim.zoo.catalog import load, names

__all__ = ["load", "names"]
