"""Is there exactly one solution in a box? From a model and a box to a certificate."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from physcm.mechanism.declarations import Interval
from physcm.mechanism.enclosure import Range
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import names_in, substitute, symbol
from physcm.mechanism.values import Value
from physcm.scm.block import Block
from physcm.scm.certificate import Box, Certificate
from physcm.scm.constants import constants_in
from physcm.scm.graph import components
from physcm.scm.krawczyk import Limits, Search
from physcm.scm.slopes import range_of
from physcm.scm.solve import residual
from physcm.scm.subsets import reading

if TYPE_CHECKING:
    from physcm.scm.scm import SCM

_MANY = 4


def certify(
    model: SCM, box: Mapping[str, Interval], given: Mapping[str, Value], effort: int
) -> Certificate:
    """Return a proof of how many solutions the equations of some variables have in a box."""
    values = {**model.exogenous, **model.parameters, **given}
    written = _written(model, box)
    order = list(written)

    def plain(expression: sp.Expr) -> sp.Expr:
        return constants_in(substitute(expression, written, order), values)

    block = Block(
        tuple(box),
        tuple(plain(residual(name, model.mechanisms[name])) for name in box),
        (None,) * len(box),
        tuple(box.values()),
        (np.nan,) * len(box),
    )
    limits = tuple(
        Limits(plain(symbol(name)), *model.domains[name]) for name in order if name in model.domains
    )
    read = {*block.known}.union(*(names_in(limit.expression) for limit in limits)) - box.keys()
    known = {symbol(name): Range.of(*range_of(values[name])) for name in sorted(read)}
    search = Search(block, known, limits)
    return _answer(search, search.run(effort), effort)


def _written(model: SCM, box: Mapping[str, Interval]) -> dict[str, sp.Expr]:
    """Return mechanisms of what boxed equations read beside the box, each after what it reads."""
    found: dict[str, sp.Expr] = {}
    waiting = [model.mechanisms[name] for name in box]
    while waiting:
        for name in sorted(names_in(waiting.pop()) & model.mechanisms.keys() - box.keys()):
            mechanism = model.mechanisms[name]
            if isinstance(mechanism, sp.Eq):
                raise InvalidValue(
                    f"`{name}` is given by an equation and not in the box; give an interval for it"
                )
            if name not in found:
                found[name] = mechanism
                waiting.append(mechanism)
    order = components(reading(found))
    for names in order:
        if len(names) > 1 or names[0] in names_in(found[names[0]]):
            raise InvalidValue(
                f"`{', '.join(names)}` form a loop without a variable in the box; give an interval "
                "for one of them"
            )
    return {name: found[name] for (name,) in order}


def _answer(search: Search, left: Range, effort: int) -> Certificate:
    """Say what a search proves."""
    roots = [root for _, root in search.proved]
    sides = [search.inside(root) for root in roots]
    within = [root for root, (inside, _) in zip(roots, sides, strict=True) if inside[0]]
    border = [
        root for root, (inside, out) in zip(roots, sides, strict=True) if not inside[0] | out[0]
    ]
    solutions = tuple(_named(search.block, root) for root in _distinct(within))
    doubts = [*border, *([left] if left.low.size else [])]
    if doubts or len(solutions) < len(within):
        where = _in_words(_named(search.block, (doubts or within)[0]))
        if border:
            reason = f"a solution lies on the border of the box, at {where}; take a larger box"
        elif left.low.size and np.isnan(search.residuals(left).low[:, 0]).any():
            reason = f"the equations may jump, or be undefined, at {where}"
        elif search.looked_at >= effort:
            reason = f"{search.looked_at} boxes were not enough; {where} may hold some"
        else:
            reason = f"several solutions, or none, may lie at {where}"
        return Certificate(None, reason + _remedy(search), solutions)
    return Certificate(len(solutions), _ground(search, solutions), solutions)


def _ground(search: Search, solutions: tuple[Box, ...]) -> str:
    looked = f"{search.looked_at} boxes" if search.looked_at > 1 else "the box"
    if not solutions:
        return f"interval bounds on {looked} exclude any"
    places = " and ".join(map(_in_words, solutions)) if len(solutions) < _MANY else "each of them"
    proof = f"Krawczyk's operator maps a box about {places} into itself"
    return proof + (f", bounds on {looked} exclude others" if search.looked_at > 1 else "")


def _distinct(roots: list[Range]) -> list[Range]:
    """Return intervals that hold one root each, but those that may hold the same as another."""
    doubled = {
        k
        for (_, a), (k, b) in combinations(enumerate(roots), 2)
        if ((a.low <= b.high) & (b.low <= a.high)).all()
    }
    kept = [root for k, root in enumerate(roots) if k not in doubled]
    return sorted(kept, key=lambda root: root.low[:, 0].tolist())


def _remedy(search: Search) -> str:
    for name, one in search.known.items():
        if not np.isfinite([one.low, one.high]).all():
            return f"; `{name}` can be any number: give it in `exogenous`"
    wide = [name for name, one in search.known.items() if one.low < one.high]
    return f"; narrower intervals of `{wide[0]}` may be decided" if wide else ""


def _named(block: Block, x: Range) -> Box:
    rows = zip(block.unknowns, x.low[:, 0].tolist(), x.high[:, 0].tolist(), strict=True)
    return {name: (low, high) for name, low, high in rows}


def _in_words(box: Box) -> str:
    return ", ".join(
        f"{name} = {low:.6g}"
        if f"{low:.6g}" == f"{high:.6g}"
        else f"{name} in [{low:.6g}, {high:.6g}]"
        for name, (low, high) in box.items()
    )
