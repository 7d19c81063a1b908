"""`read_sbml`: an SBML file as the constructor arguments of `System`.

- A species, and whatever has a rate rule, is a state. A species that nothing changes has
  drift 0, so that it can be held by name like any other.
- A reaction is a derived variable that holds its kinetic law, and the drift of a species is
  linear in these symbols. What one firing of it adds to each state is kept in `reactions`.
- What has an assignment rule is a derived variable too, as are `amount(S)` and
  `concentration(S)` of each species S.
- All else is a parameter. An initial assignment becomes an expression, so that everything
  computed from a parameter follows when that parameter is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sympy as sp

from physcm.mechanism.errors import (
    CyclicDefinition,
    InvalidFile,
    InvalidValue,
    MissingInitialValue,
)
from physcm.mechanism.expression import (
    TIME,
    initial_symbol,
    names_in,
    ordered,
    substitute,
    symbol,
    with_plain_cases,
)
from physcm.sim.sbml.declarations import Declared, Species, declare
from physcm.sim.sbml.dynamics import Dynamics
from physcm.sim.sbml.laws import Laws, state_laws
from physcm.sim.sbml.reader import Source, read_source
from physcm.sim.sbml.refusals import refuse_unsupported
from physcm.sim.transitions import Event


def read_sbml(path: str | Path) -> dict[str, Any]:
    """Return the constructor arguments of `System` that an SBML file describes.

    Reads SBML of all levels: compartments, species, parameters, reactions, rate and
    assignment rules, initial assignments, function definitions and events. Units, constraints and
    packages such as layout are passed over, since they do not change a trajectory.

    Raises:
        InvalidFile: for a file that is not well-formed SBML, with its line.
        UnknownVariable: for a name that the file does not define.
        MissingInitialValue: for a value that is needed and not given.
        Unsupported: for delays, algebraic rules, fast reactions and required packages.
        CyclicDefinition: for rules or values defined in terms of each other.
    """
    source = read_source(path)
    refuse_unsupported(source)
    declared = declare(source)
    try:
        laws = state_laws(source, declared)
        return _Assembly(source, declared, laws, Dynamics(declared, laws)).arguments()
    except RecursionError:
        raise InvalidFile(f"{path}: a formula is nested too deeply; split it up") from None
    except CyclicDefinition as error:
        raise CyclicDefinition(f"{path}: {error}") from None


@dataclass(frozen=True)
class _Assembly:
    source: Source
    declared: Declared
    laws: Laws
    dynamics: Dynamics

    def arguments(self) -> dict[str, Any]:
        drift, definitions = self.dynamics.drift, self.dynamics.definitions
        starts = self._starts(definitions)
        self._require(starts, drift, definitions)
        given = {name: value for name, value in starts.items() if value is not None}
        initial = {name: given[name] for name in self.dynamics.states if name in given}
        constants = {name: value for name, value in given.items() if name not in initial}
        parameters = {name: value for name, value in constants.items() if _is_finite(value)}
        unread = {name: value for name, value in constants.items() if name not in parameters}
        algebraic = unread | definitions
        known = {*initial, *parameters, *algebraic}
        model = self.source.model
        return {
            "drift": {name: drift[name] for name in initial},
            "parameters": parameters,
            "initial": initial,
            "algebraic": algebraic | self._amounts_and_concentrations(known),
            "reactions": self.dynamics.changes,
            "events": {name: self._event(event) for name, event in self.laws.events.items()},
            "bounds": {name: (0.0, float("inf")) for name in self._not_negative(known, initial)},
            "name": model.getName() or model.getId() or Path(self.source.path).stem,
            "source": Path(self.source.path).name,
        }

    def _event(self, event: Event) -> Event:
        """Return an event without `rateOf`, and with the concentrations that it changes.

        A compartment that jumps from V to V' keeps the amounts in it: a concentration, or the
        one that the event assigns, becomes S V / V' (SBML Level 3 Version 2, section 4.11.5).
        """
        plain = self.dynamics.without_rates
        assign = {name: plain(value) for name, value in event.assign.items()}
        new = {symbol(name): value for name, value in assign.items()}
        definitions = self.dynamics.definitions
        for species in self.declared.species:
            volume = substitute(species.volume, definitions, list(definitions))
            if not species.is_amount and volume.free_symbols & new.keys():
                density = new.get(symbol(species.name), symbol(species.name))
                assign[species.name] = density * species.volume / volume.xreplace(new)
        return replace(
            event,
            trigger=plain(event.trigger),
            assign={k: v for k, v in assign.items() if k not in definitions},
            delay=plain(event.delay),
            priority=event.priority if event.priority is None else plain(event.priority),
        )

    def _starts(self, definitions: Mapping[str, sp.Expr]) -> dict[str, sp.Expr | None]:
        """Return the values at the start: initial assignments before attributes.

        Assigned variables are written out and time is 0, so that parameters and the values
        `X(0)` of states alone are left.
        """
        stated: dict[str, sp.Expr | None] = {}
        for name, quantity in self.declared.quantities.items():
            start = self.laws.starts.get(name, quantity.start)
            if name not in definitions:
                stated[name] = start and self.dynamics.without_rates(start)
        at_start = self._at_start(filter(None, stated.values()), definitions)
        starts = {
            name: start and with_plain_cases(start.xreplace(at_start))
            for name, start in stated.items()
        }
        values = {at_start.get(symbol(k), symbol(k)).name: v for k, v in starts.items() if v}
        ordered(values, "values at the start of")
        return starts

    def _at_start(
        self, starts: Iterable[sp.Expr], definitions: Mapping[str, sp.Expr]
    ) -> dict[sp.Symbol, sp.Expr]:
        """Return what stands for time, the states and the assigned variables that are read."""
        at_start: dict[sp.Symbol, sp.Expr] = {TIME: sp.S.Zero}
        at_start |= {symbol(name): initial_symbol(name) for name in self.dynamics.states}
        order = ordered(definitions, "assigned variables")
        read = {name for start in starts for name in names_in(start)}
        for name in reversed(order):
            read |= names_in(definitions[name]) if name in read else set()
        for name in order:
            if name in read:
                at_start[symbol(name)] = definitions[name].xreplace(at_start)
        return at_start

    def _require(
        self,
        starts: Mapping[str, sp.Expr | None],
        drift: Mapping[str, sp.Expr],
        definitions: Mapping[str, sp.Expr],
    ) -> None:
        """Refuse values that are not given, or not finite, if anything depends on them."""
        formulas = [*drift.values(), *definitions.values(), *filter(None, starts.values())]
        for event in self.laws.events.values():
            formulas += [event.trigger, event.delay, *event.assign.values()]
        needed = {name.removesuffix("(0)") for e in formulas for name in names_in(e)}
        needed |= {name for name, rate in drift.items() if rate != 0}
        for name, value in starts.items():
            quantity = self.declared.quantities[name]
            if name not in needed or (value is not None and _is_finite(value)):
                continue
            if value in (None, sp.nan):
                raise MissingInitialValue(
                    f"{quantity.place} has no value, and the model needs one; "
                    f'add {quantity.attribute}="..." or an initial assignment'
                )
            raise InvalidValue(
                f"{quantity.place} is `{value}`, and the model computes with it; "
                "give a finite number"
            )

    def _amounts_and_concentrations(self, known: set[str]) -> dict[str, sp.Expr]:
        both: dict[str, sp.Expr] = {}
        for species in self.declared.species:
            itself, volume = symbol(species.name), species.volume
            amount = itself if species.is_amount else itself * volume
            density = itself / volume if species.is_amount else itself
            both[f"amount({species.name})"] = amount
            both[f"concentration({species.name})"] = density
        return {name: e for name, e in both.items() if names_in(e) <= known}

    def _not_negative(self, known: set[str], initial: Mapping[str, sp.Expr]) -> list[str]:
        """Return the variables that a negative value makes no sense for.

        Species that start negative stand for something else, such as a voltage.
        """
        return [
            name
            for name, quantity in self.declared.quantities.items()
            if name in known
            and (isinstance(quantity, Species) or quantity.kind == "compartment")
            and not initial.get(name, sp.S.Zero).is_negative
        ]


def _is_finite(value: sp.Expr) -> bool:
    return not value.has(sp.nan, sp.oo, -sp.oo, sp.zoo)
