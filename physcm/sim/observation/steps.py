"""All steps there are, and how each is written in a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from physcm.mechanism.distributions import as_distribution, from_dict, to_dict
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.parser import closest
from physcm.sim.observation.censor import Censor
from physcm.sim.observation.hide import Hide
from physcm.sim.observation.interpolated import InterpolatedTimes
from physcm.sim.observation.irregular import IrregularTimes
from physcm.sim.observation.missing import MissingBlocks, MissingCompletelyAtRandom
from physcm.sim.observation.missing_by_value import MissingByValue
from physcm.sim.observation.noise import AdditiveNoise, MultiplicativeNoise
from physcm.sim.observation.quantize import Quantize
from physcm.sim.observation.record import read
from physcm.sim.observation.standardization import Standardization
from physcm.sim.observation.standardize import Standardize, Unstandardize
from physcm.sim.observation.step import Step
from physcm.sim.observation.subsample import Subsample

_KINDS: dict[str, type[Step]] = {
    kind.__name__: kind
    for kind in (
        Subsample, IrregularTimes, InterpolatedTimes,
        AdditiveNoise, MultiplicativeNoise,
        MissingCompletelyAtRandom, MissingBlocks, MissingByValue,
        Hide, Quantize, Censor, Standardize, Unstandardize,
    )
}  # fmt: skip


def to_entry(step: Step, seed: int) -> dict[str, Any]:
    """Return a step as plain dictionaries, lists and numbers.

    Raises:
        InvalidValue: for something that is no step, and for a distribution without a form in
            files.

    >>> to_entry(Quantize(0.5), seed=1)
    {'step': 'Quantize', 'seed': 1, 'arguments': {'step': 0.5, 'variables': None}}
    """
    kind = type(step).__name__
    if _KINDS.get(kind) is not type(step):
        raise InvalidValue(f"`{step!r}` is no step of observe; use one of {', '.join(_KINDS)}")
    arguments = {field.name: _plain(getattr(step, field.name)) for field in fields(step)}  # type: ignore[arg-type]
    return {"step": kind, "seed": seed, "arguments": arguments}


def from_entry(entry: Mapping[str, Any]) -> tuple[Step, int]:
    """Return the step and the seed that `to_entry` wrote.

    >>> from_entry({"step": "Hide", "seed": 1, "arguments": {"names": ["x"]}})
    (Hide(names=('x',)), 1)
    """
    kind = entry.get("step", "")
    if kind not in _KINDS:
        raise InvalidValue(f"`{kind}` is no step of observe; {closest(kind, _KINDS)}")
    arguments = {name: _from_plain(value) for name, value in entry["arguments"].items()}
    step = Hide(*arguments["names"]) if kind == "Hide" else _KINDS[kind](**arguments)
    return step, entry["seed"]


def steps_from(record: str) -> tuple[Step, ...]:
    """Return the steps in a record, the attribute `observation` of an observed dataset.

    Raises:
        InvalidValue: for text that is no record.

    >>> from physcm.sim import System, observe, simulate
    >>> run = simulate(System({"x": "1"}, initial={"x": 0}), [0, 1, 2])
    >>> steps_from(observe(run, Quantize(0.5), Hide("x")).attrs["observation"])
    (Quantize(step=0.5, variables=None), Hide(names=('x',)))
    """
    return tuple(from_entry(entry)[0] for entry in read(record)["steps"])


def _plain(value: Any) -> Any:
    if isinstance(value, Standardization):
        return {"standardization": value.to_dict()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    distribution = as_distribution(value)
    if distribution is not None:
        return {"distribution": to_dict(distribution)}
    return value.item() if hasattr(value, "item") else value


def _from_plain(value: Any) -> Any:
    if isinstance(value, dict) and "standardization" in value:
        return Standardization(**value["standardization"])
    return from_dict(value["distribution"]) if isinstance(value, dict) else value
