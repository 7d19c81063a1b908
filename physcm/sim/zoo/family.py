"""Families: one file for a system of any size.

A TOML file with a table `[family]`, whose entries are the sizes and their defaults, is a
template. An entry whose key has a range,

    "P{1..masses}" = "k{i}*(Q{i+1} - Q{i}) - k{i-1}*(Q{i} - Q{i-1})"

stands for one entry per i = 1, ..., masses, both ends included; so does a group in
`held_together` whose first member has one. Elsewhere `{...}` stands for the whole number that
it computes from `i` and the sizes by `+ - * // %`, in keys and in values. In values

    sum{j=1..masses}(Q{j} - Q{i})

stands for the sum of what is in the parentheses over j = 1, ..., masses.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from physcm.mechanism.errors import InvalidFile, InvalidValue
from physcm.mechanism.parser import closest

Numbers = Mapping[str, int]

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"\{([^{}]*)\.\.([^{}]*)\}")
_SUM = re.compile(r"sum\{\s*([A-Za-z]\w*)\s*=([^{}]*)\.\.([^{}]*)\}\(")
_INDEX = "i"
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def expand(template: Mapping[str, Any], sizes: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the member of a family with the given sizes, laid out as a plain model file.

    A mapping without a table `family` is a family of one: it is returned as it is.

    Args:
        template: as read from TOML.
        sizes: the sizes that differ from their defaults.
        name: what the model is called in messages.

    Raises:
        InvalidValue: for a size that the family does not have, or that is no whole number
            from 1 on.
        InvalidFile: for braces that cannot be computed, and for entries that come out twice.

    >>> template = {"family": {"n": 2}, "drift": {"x{1..n}": "-{i}*x{i}"}}
    >>> expand(template, {"n": 3}, "decay")
    {'drift': {'x1': '-1*x1', 'x2': '-2*x2', 'x3': '-3*x3'}}
    """
    numbers = sizes_of(template.get("family", {}), sizes, name)
    if "family" not in template:
        return dict(template)
    model: dict[str, Any] = {key: value for key, value in template.items() if key != "family"}
    for key, value in model.items():
        if isinstance(value, Mapping):
            model[key] = _table(value, numbers, f"{name}: {key}")
        elif isinstance(value, list):
            model[key] = _groups(value, numbers, f"{name}: {key}")
    return model


def sizes_of(defaults: Mapping[str, int], given: Mapping[str, Any], name: str) -> dict[str, int]:
    """Return every size of a family, as given or by default.

    A seed may be any whole number from 0 on, every other size from 1 on.

    Raises:
        InvalidValue: for a size that the family does not have, or of the wrong kind.

    >>> sizes_of({"nodes": 5, "seed": 0}, {"nodes": 3}, "network")
    {'nodes': 3, 'seed': 0}
    """
    for size in given.keys() - defaults.keys():
        remedy = closest(size, defaults) if defaults else "load it without sizes"
        raise InvalidValue(f"`{name}` has no size `{size}`; {remedy}")
    return {
        size: _size(value, 0 if size == "seed" else 1, f"`{name}`: `{size}`")
        for size, value in {**defaults, **given}.items()
    }


def _size(value: Any, least: int, place: str) -> int:
    problem = f"{place} is `{value!r}`; give a whole number from {least} on"
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidValue(problem) from None
    if number < least or isinstance(value, bool):
        raise InvalidValue(problem)
    return number


def _table(table: Mapping[str, Any], numbers: Numbers, place: str) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key, value in table.items():
        for here in _instances(key, numbers, place):
            name = _fill(key, here, place)
            if name in entries:
                raise InvalidFile(f"{place}: `{key}` gives `{name}` a second time; keep one")
            entries[name] = _filled(value, here, f"{place} `{key}`")
    return entries


def _groups(groups: list[Any], numbers: Numbers, place: str) -> list[Any]:
    return [
        _filled(group, here, place)
        for group in groups
        for here in _instances(str(group[0]), numbers, place)
    ]


def _filled(value: Any, numbers: Numbers, place: str) -> Any:
    if isinstance(value, str):
        return _fill(value, numbers, place)
    if isinstance(value, Mapping):
        return {_fill(k, numbers, place): _filled(v, numbers, place) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(item, numbers, place) for item in value]
    return value


def _instances(text: str, numbers: Numbers, place: str) -> Iterator[Numbers]:
    """Yield the numbers that braces may read: once, or with each i of the range in `text`."""
    ranges = _RANGE.findall(text)
    if len(ranges) > 1:
        raise InvalidFile(f"{place}: `{text}` has {len(ranges)} ranges; write one")
    if not ranges:
        yield numbers
        return
    first, last = (_compute(end, numbers, place) for end in ranges[0])
    for index in range(first, last + 1):
        yield {**numbers, _INDEX: index}


def _fill(text: str, numbers: Numbers, place: str) -> str:
    text = _RANGE.sub(f"{{{_INDEX}}}", _summed(text, numbers, place))
    return _BRACES.sub(lambda braces: str(_compute(braces[1], numbers, place)), text)


def _summed(text: str, numbers: Numbers, place: str) -> str:
    """Return a text with its sums written out, the innermost of nested ones last."""
    while begin := _SUM.search(text):
        index, *ends = begin.groups()
        first, last = (_compute(end, numbers, place) for end in ends)
        end = _closing(text, begin.end(), place)
        body = text[begin.end() : end]
        terms = (_fill(body, {**numbers, index: j}, place) for j in range(first, last + 1))
        total = " + ".join(f"({term})" for term in terms) or "0"
        text = f"{text[: begin.start()]}({total}){text[end + 1 :]}"
    return text


def _closing(text: str, start: int, place: str) -> int:
    """Return where the parenthesis that was opened just before `start` is closed."""
    depth = 1
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at
    raise InvalidFile(f"{place}: the sum in `{text}` is not closed; add `)`")


def _compute(text: str, numbers: Numbers, place: str) -> int:
    """Return a whole number, not negative, from a text such as `masses + 1`."""
    try:
        value = _evaluate(ast.parse(text.strip(), mode="eval").body, numbers)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        known = ", ".join(f"`{name}`" for name in numbers)
        raise InvalidFile(
            f"{place}: cannot compute `{{{text}}}`; use whole numbers, + - * // % and {known}"
        ) from None
    if value < 0:
        raise InvalidFile(f"{place}: `{{{text}}}` is `{value}`; names are numbered from 0 on")
    return value


def _evaluate(node: ast.expr, numbers: Numbers) -> int:
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in numbers:
            return numbers[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand, numbers)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_evaluate(left, numbers), _evaluate(right, numbers))
    raise ValueError(ast.dump(node))
