"""From the laws of an SBML file to the drift of each state.

A species with n units of substance in a volume V that reactions change by n' per time has

    S' = n'                     where its symbol S is the amount n,
    S' = (n' - S V') / V        where S is the concentration n / V,

with n' the sum over the reactions of stoichiometry times conversion factor times flux. A
growing compartment dilutes what it holds. V' comes from the rate rule of the compartment,
or by the chain rule from its assignment rule. A rate rule about a species is about its
symbol as it stands: nothing is diluted there (SBML Level 3 Version 2, section 4.11.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sympy as sp

from physcm.mechanism.errors import CyclicDefinition
from physcm.mechanism.expression import TIME, derivative, symbol
from physcm.sim.sbml.declarations import Declared, Species
from physcm.sim.sbml.laws import Laws
from physcm.sim.sbml.mathml import rate_symbol


class Dynamics:
    """The rates of change of all variables of a file, each worked out when asked for.

    Attributes:
        states: the names of the variables that evolve: those with a rate rule, those that
            events assign to, and species without an assignment rule.
    """

    def __init__(self, declared: Declared, laws: Laws) -> None:
        """Set up the rates of change."""
        self.states = [
            name
            for name, quantity in declared.quantities.items()
            if name in laws.rates
            or name in laws.jumping
            or (isinstance(quantity, Species) and name not in laws.assignments)
        ]
        self._declared, self._laws = declared, laws
        self._stated = {**laws.fluxes, **laws.assignments}
        self._asked = {rate_symbol(name): name for name in (*declared.quantities, *self._stated)}
        self._definitions: dict[str, sp.Expr] = {}
        self._rates: dict[str, sp.Expr] = {}
        self._open: list[str] = []

    @property
    def drift(self) -> dict[str, sp.Expr]:
        """The drift of each state."""
        return {name: self.rate(name) for name in self.states}

    @property
    def definitions(self) -> dict[str, sp.Expr]:
        """The definition of each flux and each variable with an assignment rule."""
        return {name: self.definition(name) for name in self._stated}

    @property
    def changes(self) -> dict[str, dict[str, sp.Expr]]:
        """What one firing of each reaction adds to each state."""
        species = {s.name: s for s in self._declared.species}
        return {
            reaction: {name: self._change(species[name], number) for name, number in own.items()}
            for reaction, own in self._laws.stoichiometry.items()
        }

    def definition(self, name: str) -> sp.Expr:
        """Return the definition of a flux or assigned variable, without `rateOf`."""
        if name not in self._definitions:
            with self._working_on(name):
                self._definitions[name] = self.without_rates(self._stated[name])
        return self._definitions[name]

    def rate(self, name: str) -> sp.Expr:
        """Return the rate of change of a variable; 0 for what is constant.

        Raises:
            CyclicDefinition: if it is defined in terms of itself.
        """
        if name not in self._rates:
            with self._working_on(f"rateOf({name})"):
                self._rates[name] = self._worked_out(name)
        return self._rates[name]

    def without_rates(self, expression: sp.Expr) -> sp.Expr:
        """Return an expression with each `rateOf(x)` replaced by what it is."""
        asked = sorted(expression.free_symbols & self._asked.keys(), key=str)
        return expression.xreplace({mark: self.rate(self._asked[mark]) for mark in asked})

    def _worked_out(self, name: str) -> sp.Expr:
        if name in self._laws.rates:
            return self.without_rates(self._laws.rates[name])
        if name in self._stated:
            return self._along_time(self.definition(name))
        quantity = self._declared.quantities[name]
        if isinstance(quantity, Species):
            return self._species_rate(quantity)
        return sp.S.Zero

    def _along_time(self, expression: sp.Expr) -> sp.Expr:
        """Differentiate with respect to time, by the chain rule."""
        terms = [derivative(expression, TIME)]
        for read in sorted(expression.free_symbols - {TIME}, key=str):
            slope = derivative(expression, read)
            if slope != 0:
                terms.append(slope * self.rate(read.name))
        return sp.Add(*terms)

    def _species_rate(self, species: Species) -> sp.Expr:
        production = self.without_rates(species.factor * sp.Add(*self._terms(species.name)))
        if species.is_amount:
            return production
        dilution = symbol(species.name) * self.rate(species.volume.name)
        return (production - dilution) / species.volume

    def _terms(self, name: str) -> Iterator[sp.Expr]:
        """Yield stoichiometry times flux of each reaction that changes a species."""
        for reaction, numbers in self._laws.stoichiometry.items():
            if name in numbers:
                yield numbers[name] * symbol(reaction)

    def _change(self, species: Species, number: sp.Expr) -> sp.Expr:
        amount = self.without_rates(number * species.factor)
        return amount if species.is_amount else amount / species.volume

    @contextmanager
    def _working_on(self, name: str) -> Iterator[None]:
        if name in self._open:
            circle = ", ".join(f"`{other}`" for other in self._open[self._open.index(name) :])
            raise CyclicDefinition(
                f"{circle} are defined in terms of each other; "
                "change a rule so that the circle is broken"
            )
        self._open.append(name)
        yield
        self._open.pop()
