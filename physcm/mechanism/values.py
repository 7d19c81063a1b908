"""Values: what a parameter, an initial value or a held variable may be given as.

A value is a number, an expression in other values, a distribution (one draw per sample, by
the name of what it is the value of), or a tuple with one number per sample. `draw` turns a
mapping of values into numbers for chosen samples; an expression is computed from what it
reads, so that everything computed from a value follows when that value is changed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from physcm.mechanism import draws
from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.distributions import Distribution, as_distribution, from_dict, to_dict
from physcm.mechanism.distributions.laws import law
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import ordered, to_text
from physcm.mechanism.lanes.pool import in_pieces
from physcm.mechanism.parser import parse
from physcm.mechanism.quantiles import MANY, plain

Value: TypeAlias = "float | sp.Expr | Distribution | tuple[float, ...]"


def as_value(raw: Any, names: Collection[str] | None, place: str) -> Value:
    """Return a value from what a user wrote.

    Args:
        raw: a number, a text or SymPy expression, a distribution, or one number per sample.
        names: the names that an expression may read; `None` allows any.
        place: what the value is for, to begin error messages with.

    Raises:
        InvalidValue: for NaN, infinity, or something that is no value.
        ParseError, UnknownVariable: for an expression that cannot be read.

    >>> as_value("2*k", {"k"}, "parameter `m`")
    2*k
    """
    distribution = as_distribution(raw)
    if distribution is not None:
        return distribution
    if hasattr(raw, "__array__"):  # arrays of any library, labelled ones among them
        array = np.asarray(raw)
        raw = array if array.ndim else array.item()
    if isinstance(raw, list | tuple | np.ndarray):
        return _per_sample(raw, place)
    expression = parse(raw, names, place)
    if expression.free_symbols:
        return expression
    return finite(expression, place)


def finite(raw: Any, place: str) -> float:
    """Return a finite float, or say where one is missing.

    >>> finite("nan", "parameter `k`")
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: parameter `k`: `nan` is not a finite number; give one
    """
    try:
        number = float(raw)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        shown = to_text(raw) if isinstance(raw, sp.Basic) else raw
        raise InvalidValue(f"{place}: `{shown}` is not a finite number; give one")
    return number


def _per_sample(raw: Any, place: str) -> tuple[float, ...]:
    array = np.asarray(raw, dtype=None if isinstance(raw, np.ndarray) else object)
    if array.ndim != 1 or array.size == 0:
        raise InvalidValue(
            f"{place}: an array of shape `{array.shape}`; give one number per sample, in one row"
        )
    if array.dtype.kind in "fiu" and np.isfinite(array).all():
        return tuple(array.astype(float).tolist())
    return tuple(finite(number, f"{place}, sample {i}") for i, number in enumerate(array))


def to_plain(value: Value | sp.Basic, taken: Collection[str] = ()) -> Any:
    """Return a value as a number, a text, a list or a mapping, as it stands in a file.

    Args:
        value: what is to stand there.
        taken: the names that the model gives, as in `to_text`.

    >>> to_plain(parse("2*k")), to_plain((1.0, 2.0))
    ('2*k', [1.0, 2.0])
    """
    if isinstance(value, sp.Basic):
        return to_text(value, taken)
    if isinstance(value, Distribution):
        return to_dict(value)
    return list(value) if isinstance(value, tuple) else value


def from_plain(raw: Any) -> Any:
    """Return what `as_value` reads from what `to_plain` wrote.

    >>> from_plain({"Normal": {"mean": 0, "sd": 1}})
    Normal(mean=0.0, sd=1.0)
    """
    return from_dict(raw) if isinstance(raw, Mapping) else raw


def draw(values: Mapping[str, Value], samples: NDArray[np.int64], seed: int) -> dict[str, Floats]:
    """Return each value as an array over the given samples.

    The draw for (seed, sample, name) depends on these three alone, so that other values,
    other samples and interventions elsewhere never move it.

    Raises:
        InvalidValue: if a value per sample has too few entries.
        CyclicDefinition: if expressions read each other in a circle.

    >>> draw({"k": 2.0, "m": parse("3*k")}, np.arange(2), seed=0)["m"].tolist()
    [6.0, 6.0]
    """
    drawn: dict[str, Floats] = {}
    expressions: dict[str, sp.Expr] = {}
    random: dict[str, Distribution] = {}
    for name, value in values.items():
        if isinstance(value, sp.Basic):
            expressions[name] = value
        elif isinstance(value, Distribution):
            random[name], drawn[name] = value, np.empty(samples.shape)
        elif isinstance(value, tuple):
            drawn[name] = _chosen(name, value, samples)
        else:
            drawn[name] = np.full(samples.shape, value)
    (_draw_many if samples.size >= MANY else _draw_few)(random, drawn, samples, seed)
    return drawn | _computed(expressions, drawn) if expressions else drawn


def _draw_few(
    random: Mapping[str, Distribution],
    rows: Mapping[str, Floats],
    samples: NDArray[np.int64],
    seed: int,
) -> None:
    """Write the draws of some distributions to rows, (samples) each."""
    for (name, distribution), u in zip(
        random.items(), draws.uniforms(seed, random, samples), strict=True
    ):
        rows[name][:] = distribution.quantile(u)


def _draw_many(
    random: Mapping[str, Distribution],
    rows: Mapping[str, Floats],
    samples: NDArray[np.int64],
    seed: int,
) -> None:
    """Do so by machine code, on all cores."""
    from physcm.mechanism.lanes.draws import Draws  # brings the compiler

    laws = {name: law(distribution) for name, distribution in random.items()}
    known = {name: own or (plain, ()) for name, own in laws.items()}
    drawn = Draws(known, [rows[name] for name in random], samples, seed)
    others = [name for name, own in laws.items() if own is None]

    def work(piece: slice) -> None:
        drawn(piece)
        for name in others:
            rows[name][piece] = random[name].quantile(rows[name][piece])

    in_pieces(work, samples.size)


def _chosen(name: str, value: tuple[float, ...], samples: NDArray[np.int64]) -> Floats:
    if samples.size and samples.max() >= len(value):
        raise InvalidValue(
            f"`{name}` has values for {len(value)} samples, but sample {samples.max()} is asked "
            f"for; give as many values as there are samples, or ask for n={len(value)}"
        )
    return np.array(value)[samples]


def _computed(expressions: Mapping[str, sp.Expr], given: Mapping[str, Floats]) -> dict[str, Floats]:
    order = ordered(expressions, "values")
    program = Program.over((), tuple(given), expressions, [expressions[name] for name in order])
    p = np.array(list(given.values())) if given else np.empty((0, 1))
    return dict(zip(order, program.vector(0.0, np.empty((0, p.shape[1])), p), strict=True))
