"""What is observed of a dataset: times, noise, missing and hidden values, resolution, units."""

from physcm.sim.observation.censor import Censor
from physcm.sim.observation.hide import Hide
from physcm.sim.observation.interpolated import InterpolatedTimes
from physcm.sim.observation.irregular import IrregularTimes
from physcm.sim.observation.missing import MissingBlocks, MissingCompletelyAtRandom
from physcm.sim.observation.missing_by_value import MissingByValue
from physcm.sim.observation.noise import AdditiveNoise, MultiplicativeNoise
from physcm.sim.observation.observe import observe, replay, unstandardize
from physcm.sim.observation.quantize import Quantize
from physcm.sim.observation.standardization import Standardization
from physcm.sim.observation.standardize import Standardize, Unstandardize
from physcm.sim.observation.step import Step
from physcm.sim.observation.steps import steps_from
from physcm.sim.observation.subsample import Subsample

__all__ = [
    "AdditiveNoise",
    "Censor",
    "Hide",
    "InterpolatedTimes",
    "IrregularTimes",
    "MissingBlocks",
    "MissingByValue",
    "MissingCompletelyAtRandom",
    "MultiplicativeNoise",
    "Quantize",
    "Standardization",
    "Standardize",
    "Step",
    "Subsample",
    "Unstandardize",
    "observe",
    "replay",
    "steps_from",
    "unstandardize",
]
