"""Reaction systems one firing at a time: the direct method of Gillespie."""

from physcm.sim.gillespie.run import gillespie, histories

__all__ = ["gillespie", "histories"]
