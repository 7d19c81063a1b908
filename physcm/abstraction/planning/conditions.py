"""Conditions, and by how much they are met.

A condition `left <= right` has the margin right - left, which is negative where it is broken. Of
several all have to be met. Whether a bound itself is excluded, as by `<`, makes no difference to
what can be computed, and none is made.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
import xarray as xr
from numpy.typing import ArrayLike

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue
from physcm.mechanism.expression import names_in, to_text
from physcm.mechanism.parser import parse

Values: TypeAlias = "Mapping[str, ArrayLike] | xr.Dataset"
_ORDERS = (sp.Lt, sp.Le, sp.Gt, sp.Ge)
_WORDS = {
    r"(^|\band )((?:(?!\band\b).)+?) between (.+?) and ((?:(?!\band\b).)+)": r"\1\3 <= \2 <= \4",
    r" below ": " < ",
    r" above ": " > ",
}


@dataclass(frozen=True)
class Conditions:
    """Inequalities of which all have to be met.

    Attributes:
        parts: the inequalities.

    >>> target = Conditions.read("2 <= P <= 3 and C < 1", {"P", "C"}, "target")
    >>> print(target)
    C < 1 and P <= 3 and P >= 2
    >>> target.margins({"P": 2.5, "C": [0, 4]}).tolist()
    [[1.0, -3.0], [0.5, 0.5], [0.5, 0.5]]
    """

    parts: tuple[sp.Rel, ...]

    @classmethod
    def read(cls, text: Any, names: Collection[str], place: str) -> Conditions:
        """Return the conditions of a text such as `2 <= P <= 3 and C < 1`.

        `P between 2 and 3, C below 1` says the same.

        Raises:
            InvalidValue: for what is no inequality, or is true or false whatever happens.
            ParseError, UnknownVariable: for a text that cannot be read.
        """
        read = parse(_in_signs(text) if isinstance(text, str) else text, names, place)
        parts = read.args if isinstance(read, sp.And) else (read,)
        for part in parts:
            if part in (sp.true, sp.false):
                always = "always" if part == sp.true else "never"
                raise InvalidValue(f"{place}: `{text}` is {always} true; give one that depends")
            if not isinstance(part, _ORDERS):
                raise InvalidValue(
                    f"{place}: `{to_text(part)}` is no inequality; write for example "
                    "`2 <= P <= 3 and C < 1`"
                )
        numbers_right = (part.reversed if part.lhs.is_number else part for part in parts)
        return cls(tuple(sorted(numbers_right, key=to_text)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names that the conditions read."""
        return tuple(sorted(frozenset().union(*map(names_in, self.parts))))

    def margins(self, values: Values) -> Floats:
        """Return by how much each condition is met, (conditions, *shape of the values)."""
        left, right = self.sides(values)
        signs = np.array([1.0 if part.lhs == part.gts else -1.0 for part in self.parts])
        return signs.reshape(-1, *[1] * (left.ndim - 1)) * (left - right)

    def sides(self, values: Values) -> tuple[Floats, Floats]:
        """Return the left and the right side of each condition, shaped like the margins."""
        read = [values[name] for name in self.names]
        if isinstance(values, xr.Dataset):  # parameters have fewer dimensions than variables
            read = [*xr.broadcast(*(values[name] for name in self.names))]
        rows = np.array(np.broadcast_arrays(*(np.asarray(value, float) for value in read)))
        flat = rows.reshape(len(self.names), -1)
        found = self._program.vector(0.0, np.empty((0, flat.shape[1])), flat)
        left, right = found.reshape(2, len(self.parts), *rows.shape[1:])
        return left, right

    def sizes(self, values: Values) -> Floats:
        """Return the size of each condition: the larger of its sides, 1 where that is 0 or NaN."""
        size = np.maximum(*np.abs(self.sides(values)))
        return np.where(np.isfinite(size) & (size > 0), size, 1.0)

    def texts(self) -> tuple[str, ...]:
        """Return the conditions as they are printed."""
        return tuple(map(to_text, self.parts))

    def __str__(self) -> str:
        return " and ".join(self.texts())

    @cached_property
    def _program(self) -> Program:
        sides = (*(part.lhs for part in self.parts), *(part.rhs for part in self.parts))
        return Program.over((), self.names, {}, sides)


def _in_signs(text: str) -> str:
    """Return a text with signs in place of words, and `and` in place of commas.

    >>> _in_signs("P between 2 and 3, max(C, D) below 1")
    '(2 <= P <= 3) and (max(C, D) < 1)'
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        parts = [*parts, ""] if letter == "," and depth == 0 else [*parts[:-1], parts[-1] + letter]
    for words, signs in _WORDS.items():
        parts = [re.sub(words, signs, part) for part in parts]
    return parts[0] if len(parts) == 1 else " and ".join(f"({part.strip()})" for part in parts)
