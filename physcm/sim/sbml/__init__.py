"""SBML, the Systems Biology Markup Language: files in, constructor arguments of `System` out."""

from physcm.sim.sbml.model import read_sbml

__all__ = ["read_sbml"]
