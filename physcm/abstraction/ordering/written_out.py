"""What mechanisms depend on once derived variables are written out, without writing them out.

    df/dx = sum of df/dv dv/dx over the names v in f

Amounts, concentrations and rates of reactions are derived variables, and what they read may cancel:
with the rate r = V k S, a concentration S with S' = -r/V does not depend on the volume V. The sum
is taken in exact arithmetic modulo a large prime (see `physcm.sim.modular`), so that it vanishes
where the derivative does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from physcm.abstraction.ordering.reduction import Reduced
from physcm.mechanism.expression import derivative, names_in, symbol
from physcm.sim.modular import PRIME, Values

Slopes = dict[str, dict[str, int]]
"""For each mechanism the derivatives that do not vanish, by what is not derived."""


@dataclass(frozen=True)
class Mechanisms:
    """The mechanisms of a system: definitions of derived variables, and drifts.

    Attributes:
        definitions: of derived variables, and of states that never move, as where they start;
            each after those that its definition reads.
        drifts: of the other states, as written.
        reduced: the same without factors that do not vanish.
        known: inputs that are numbers.
    """

    definitions: Mapping[str, sp.Expr]
    drifts: Mapping[str, sp.Expr]
    reduced: Mapping[str, sp.Expr]
    known: Mapping[sp.Symbol, sp.Expr]

    @classmethod
    def of(cls, reduced: Reduced) -> Mechanisms:
        """Return the mechanisms of which equations are what is left at rest."""
        source = reduced.source
        drifts = {x: source.residuals[f] for f, x in source.state_of.items()}
        moving = {x: f for x, f in drifts.items() if f != 0}
        still = {x: source.starts[x] for x in drifts if x not in moving}
        labels = {x: f for f, x in source.state_of.items()}
        divided = {x: reduced.residuals.get(labels[x], f) for x, f in moving.items()}
        return cls({**still, **source.definitions}, moving, divided, source.known)

    def slopes(self, value: Callable[[sp.Expr], int]) -> Slopes:
        """Return the derivatives, where expressions have the values that are given."""
        found: Slopes = {}
        for name, f in {**self.definitions, **self.reduced}.items():
            total: dict[str, int] = {}
            for v in names_in(f):
                outer = value(derivative(f, symbol(v)))
                for x, inner in found[v].items() if v in self.definitions else ((v, 1),):
                    total[x] = (total.get(x, 0) + outer * inner) % PRIME
            found[name] = {x: slope for x, slope in total.items() if slope}
        return found

    def generic_slopes(self) -> Slopes:
        """Return the derivatives at a generic point, at the values of inputs that are known.

        >>> V, k, S, r = map(symbol, "VkSr")
        >>> drift = {"S": -r / V}
        >>> slopes = Mechanisms({"r": V * k * S}, drift, drift, {}).generic_slopes()
        >>> sorted(slopes["r"]), sorted(slopes["S"])
        (['S', 'V', 'k'], ['S', 'k'])
        """
        return self.slopes(self._generic)

    def conserved(self, slopes: Slopes) -> frozenset[str]:
        """Return the derived variables that keep their value whatever moves, such as totals.

        Args:
            slopes: at a generic point.
        """
        rates = {x: self._generic(f) for x, f in self.drifts.items()}
        return frozenset(
            name
            for name in self.definitions
            if sum(slopes[name].get(x, 0) * rate for x, rate in rates.items()) % PRIME == 0
        )

    @cached_property
    def _generic(self) -> Callable[[sp.Expr], int]:
        """Values of expressions at a generic point."""
        values = Values(1, 1, ())

        def value(expression: sp.Expr) -> int:
            return int(values.of(expression.xreplace(self.known)))

        for name, definition in self.definitions.items():
            values.known[symbol(name)] = value(definition)
        return value

    def answering(self, name: str) -> set[str]:
        """Return what reads a derived variable, through others too, with itself."""
        found = {name}
        for other, f in {**self.definitions, **self.drifts}.items():
            if not found.isdisjoint(names_in(f) & self.definitions.keys()):
                found.add(other)
        return found
