"""The mathematics that an SBML file states: rules, initial assignments and reactions.

An element without a formula, which Level 3 Version 2 permits, states nothing and is passed
over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from physcm.mechanism.errors import InvalidFile, UnknownVariable, Unsupported
from physcm.mechanism.expression import exact, symbol
from physcm.mechanism.parser import closest
from physcm.sim.sbml.declarations import Declared, Species
from physcm.sim.sbml.events import events
from physcm.sim.sbml.mathml import to_sympy
from physcm.sim.sbml.reader import Source
from physcm.sim.transitions import Event


@dataclass(frozen=True)
class Laws:
    """Formulas by the name of the variable that they are about.

    Attributes:
        rates: rate rules, dx/dt = ...
        assignments: assignment rules, x = ... at all times.
        starts: initial assignments, x = ... at the start.
        fluxes: the speed of each reaction, its kinetic law.
        stoichiometry: how much of each species one firing of a reaction makes, less what it
            uses up; a species that only takes part is left out.
        events: what happens at once, by name.
    """

    rates: Mapping[str, sp.Expr]
    assignments: Mapping[str, sp.Expr]
    starts: Mapping[str, sp.Expr]
    fluxes: Mapping[str, sp.Expr]
    stoichiometry: Mapping[str, Mapping[str, sp.Expr]]
    events: Mapping[str, Event]

    @property
    def jumping(self) -> set[str]:
        """The variables that events assign to."""
        return {name for event in self.events.values() for name in event.assign}


def state_laws(source: Source, declared: Declared) -> Laws:
    """Return the laws of a file, as SymPy.

    Raises:
        UnknownVariable: for a law about, or reading, something that is not defined.
        InvalidFile: for a variable with two laws that contradict each other.
        Unsupported: for a reaction that changes a species at a speed that is not given.
    """
    rates: dict[str, sp.Expr] = {}
    assignments: dict[str, sp.Expr] = {}
    for rule in source.model.getListOfRules():
        kind = "rate rule" if rule.isRate() else "assignment rule"
        name, formula = _about(source, declared, rule, rule.getVariable(), kind)
        if name in rates or name in assignments:
            place = source.place(rule, f"{kind} of `{rule.getVariable()}`")
            raise InvalidFile(f"{place} is its second rule; keep one of them")
        if formula is not None:
            (rates if rule.isRate() else assignments)[name] = formula
    starts = {}
    for start in source.model.getListOfInitialAssignments():
        kind = "initial assignment"
        name, formula = _about(source, declared, start, start.getSymbol(), kind)
        if formula is not None:
            starts[name] = formula
    fluxes, stoichiometry = _reactions(source, declared, {*rates, *assignments})
    happenings = events(source, declared, {*assignments})
    return Laws(rates, assignments, starts, fluxes, stoichiometry, happenings)


def _about(
    source: Source, declared: Declared, element: Any, identifier: str, kind: str
) -> tuple[str, sp.Expr | None]:
    place = source.place(element, f"{kind} of `{identifier}`")
    name = declared.names.get(identifier, "")
    if name not in declared.quantities:
        variables = [i for i, n in declared.names.items() if n in declared.quantities]
        raise UnknownVariable(
            f"{place}: there is no such variable; {closest(identifier, variables)}"
        )
    if not element.isSetMath():
        return name, None
    return name, to_sympy(element.getMath(), declared.scope(place))


def _reactions(
    source: Source, declared: Declared, ruled: set[str]
) -> tuple[dict[str, sp.Expr], dict[str, dict[str, sp.Expr]]]:
    fluxes: dict[str, sp.Expr] = {}
    stoichiometry: dict[str, dict[str, sp.Expr]] = {}
    for reaction in source.model.getListOfReactions():
        name = declared.names[reaction.getId()]
        changes = list(_changes(source, declared, reaction, ruled))
        flux = _flux(source, declared, reaction)
        if flux is not None:
            fluxes[name], stoichiometry[name] = flux, _net(changes)
        elif changes:
            place = source.place(reaction, f"reaction `{reaction.getId()}`")
            raise Unsupported(
                f"{place} changes `{changes[0][0]}` but has no kinetic law; add a <kineticLaw> "
                "(models for flux balance analysis have no dynamics to simulate)"
            )
    return fluxes, stoichiometry


def _net(changes: Iterable[tuple[str, sp.Expr]]) -> dict[str, sp.Expr]:
    """Return the sum for each species that stands on both sides, or twice, and is not 0."""
    terms: dict[str, list[sp.Expr]] = {}
    for species, change in changes:
        terms.setdefault(species, []).append(change)
    sums = {species: sp.Add(*parts) for species, parts in terms.items()}
    return {species: total for species, total in sums.items() if total != 0}


def _flux(source: Source, declared: Declared, reaction: Any) -> sp.Expr | None:
    """Return the kinetic law; one that is there but empty lets nothing happen."""
    law = reaction.getKineticLaw()
    if law is None:
        return None
    if not law.isSetMath():
        return sp.S.Zero
    place = source.place(law, f"kinetic law of reaction `{reaction.getId()}`")
    return to_sympy(law.getMath(), declared.scope(place, reaction.getId()))


def _changes(
    source: Source, declared: Declared, reaction: Any, ruled: set[str]
) -> Iterator[tuple[str, sp.Expr]]:
    """Yield the species that a reaction changes, with signed stoichiometries."""
    sides = ((-1, reaction.getListOfReactants()), (1, reaction.getListOfProducts()))
    for sign, references in sides:
        for reference in references:
            identifier = reference.getSpecies()
            place = source.place(reference, f"reaction `{reaction.getId()}`")
            species = declared.quantities.get(declared.names.get(identifier, ""))
            if not isinstance(species, Species):
                raise UnknownVariable(
                    f"{place} changes `{identifier}`, which is no species of the model; "
                    f"{closest(identifier, [s.name for s in declared.species])}"
                )
            if not species.by_reactions:
                continue
            if species.name in ruled:
                raise InvalidFile(
                    f"{place} changes `{identifier}`, which has a rule as well; remove the "
                    'rule, or set boundaryCondition="true"'
                )
            yield species.name, sign * _stoichiometry(source, declared, reference, place)


def _stoichiometry(source: Source, declared: Declared, reference: Any, place: str) -> sp.Expr:
    identifier = reference.getIdAttribute()
    if source.model.getLevel() > 2 and identifier:
        return symbol(declared.names[identifier])
    if reference.isSetStoichiometryMath() and reference.getStoichiometryMath().isSetMath():
        formula = reference.getStoichiometryMath().getMath()
        return to_sympy(formula, declared.scope(f"{place}, stoichiometry"))
    if source.model.getLevel() > 2 and not reference.isSetStoichiometry():
        raise InvalidFile(
            f"{place}: no stoichiometry of `{reference.getSpecies()}` is given; "
            'add stoichiometry="1"'
        )
    number = exact(reference.getStoichiometry())
    return number / reference.getDenominator() if source.model.getLevel() == 1 else number
