"""tau: the variables of the high model, read off the values of the low one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import sympy as sp

from physcm.mechanism.codegen import Floats, Program
from physcm.mechanism.errors import InvalidValue, UnknownVariable
from physcm.mechanism.expression import names_in, symbol
from physcm.mechanism.parser import Expression, closest, parse

Values: TypeAlias = Mapping[str, Floats]
Given: TypeAlias = Mapping[str, Expression] | Callable[[Values], Mapping[str, Floats]]


@dataclass(frozen=True)
class Tau:
    """A map of states.

    Attributes:
        names: the variables of the high model that it gives.
        expressions: what each is, in variables and parameters of the low model; empty for a
            function.
        function: takes values by name, each (samples,), to values by name.

    >>> total = Tau.given({"total": "x + y"}, ["x", "y"], ["total"])
    >>> total.of({"x": np.array([1.0, 2.0]), "y": np.array([3.0, 3.0])}).tolist()
    [[4.0, 5.0]]
    """

    names: tuple[str, ...]
    expressions: tuple[sp.Expr, ...] = ()
    function: Callable[[Values], Mapping[str, Floats]] | None = None

    @classmethod
    def given(cls, raw: Given | None, below: Sequence[str], above: Sequence[str]) -> Tau:
        """Return what was given, unless nothing was each variable that both models name.

        Args:
            raw: expressions by variable above, a function, or nothing.
            below: the variables and parameters of the low model.
            above: the variables of the high model.

        Raises:
            UnknownVariable: for a name that a model does not have.
            InvalidValue: if nothing is given and the models have no name in common.
        """
        if callable(raw):
            return cls(tuple(above), function=raw)
        if raw is None:
            shared = tuple(name for name in below if name in {*above})
            if not shared:
                raise InvalidValue(
                    "the two models name no variable in common; say by `tau` how the variables "
                    f"above ({', '.join(above)}) come from those below ({', '.join(below)})"
                )
            return cls(shared, tuple(map(symbol, shared)))
        if not isinstance(raw, Mapping):
            raise InvalidValue(
                f"tau is `{raw!r}`; give expressions by variable above, such as "
                "{'total': 'x + y'}, or a function of values"
            )
        for name in raw.keys() - set(above):
            raise UnknownVariable(
                f"tau: the causal model has no variable `{name}`; {closest(name, above)}"
            )
        texts = {name: parse(text, {*below}, f"tau of `{name}`") for name, text in raw.items()}
        return cls(tuple(texts), tuple(texts.values()))

    def of(self, values: Values) -> Floats:
        """Return the variables above, (variables, samples), of values below.

        Raises:
            InvalidValue: for a function that does not return one number per variable and sample.
        """
        if self.function is None:
            read = sorted(frozenset().union(*map(names_in, self.expressions)))
            program = Program.over(read, (), {}, self.expressions)
            points = np.array([values[name] for name in read])
            if read:
                return program.vector(0.0, points, np.empty((0, points.shape[1])))
            size = len(next(iter(values.values())))
            return np.repeat([[float(e)] for e in self.expressions], size, axis=1)
        found = self.function(values)
        wanted = np.shape(next(iter(values.values())))
        rows = {name: np.asarray(found.get(name, ()), dtype=float) for name in self.names}
        for name, row in rows.items():
            if row.shape != wanted:
                raise InvalidValue(
                    f"tau gives `{name}` the shape {row.shape}; return one number per sample for "
                    f"every variable above, the shape {wanted}"
                )
        return np.array(list(rows.values()))
