"""What an SBML file declares: compartments, species, parameters and stoichiometries.

Each is a quantity with a name and perhaps a value at the start. The symbol of a species
stands for its concentration, or for its amount where the file says so (hasOnlySubstanceUnits)
or the compartment is a point (spatialDimensions = 0).

Names are the file's identifiers. The local parameter k of reaction r is called `r_k`, and a
name that physcm keeps for itself, such as `t`, gets an underscore behind it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from physcm.mechanism.errors import InvalidFile, UnknownVariable
from physcm.mechanism.expression import RESERVED, exact, symbol
from physcm.mechanism.parser import closest
from physcm.sim.sbml.mathml import Scope
from physcm.sim.sbml.reader import Source


@dataclass(frozen=True)
class Quantity:
    """Something that has a value.

    Attributes:
        name: what it is called.
        kind: compartment, species, parameter or stoichiometry.
        place: file, line and kind, to begin error messages with.
        start: its value at the start as its attributes give it, if they do.
        attribute: the attribute that would give it.
    """

    name: str
    kind: str
    place: str
    start: sp.Expr | None
    attribute: str


@dataclass(frozen=True)
class Species(Quantity):
    """A chemical species.

    Attributes:
        volume: the symbol of its compartment.
        is_amount: whether its symbol is an amount, else a concentration.
        by_reactions: whether reactions change it.
        factor: turns a reaction's extent into an amount of the species.
    """

    volume: sp.Symbol
    is_amount: bool
    by_reactions: bool
    factor: sp.Expr


@dataclass(frozen=True)
class Declared:
    """All that a file declares.

    Attributes:
        names: what each identifier of the file is called.
        quantities: by name, species first.
        functions: function definitions, libsbml elements by identifier.
        local: what the local parameters of each reaction are called.
    """

    names: Mapping[str, str]
    quantities: Mapping[str, Quantity]
    functions: Mapping[str, Any]
    local: Mapping[str, Mapping[str, str]]

    @property
    def species(self) -> list[Species]:
        """The species among the quantities."""
        return [q for q in self.quantities.values() if isinstance(q, Species)]

    @cached_property
    def symbols(self) -> Mapping[str, sp.Symbol]:
        """The symbol of each identifier."""
        return {identifier: symbol(name) for identifier, name in self.names.items()}

    def scope(self, place: str, reaction: str = "") -> Scope:
        """Return what names mean at a place; inside a reaction, its own parameters come first."""
        own = {k: symbol(name) for k, name in self.local.get(reaction, {}).items()}
        return Scope({**self.symbols, **own} if own else self.symbols, self.functions, place)


def declare(source: Source) -> Declared:
    """Return what a file declares.

    Raises:
        InvalidFile: for an identifier that two elements share.
        UnknownVariable: for a species in a compartment that does not exist.
    """
    names = _names(source)
    local = _local_names(source, set(names.values()))
    quantities = [
        *(_species(source, s, names) for s in source.model.getListOfSpecies()),
        *_compartments(source, names),
        *_parameters(source, names, local),
        *(_stoichiometry(source, s, names) for s in stoichiometries(source.model)),
    ]
    functions = {f.getId(): f for f in source.model.getListOfFunctionDefinitions()}
    return Declared(names, {q.name: q for q in quantities}, functions, local)


def stoichiometries(model: Any) -> Iterator[Any]:
    """Yield the species references that have an identifier of their own, as Level 3 allows."""
    for reaction in model.getListOfReactions() if model.getLevel() > 2 else ():
        for reference in (*reaction.getListOfReactants(), *reaction.getListOfProducts()):
            if reference.getIdAttribute():
                yield reference


def _names(source: Source) -> dict[str, str]:
    model = source.model
    named = [
        *model.getListOfSpecies(),
        *model.getListOfCompartments(),
        *model.getListOfParameters(),
        *stoichiometries(model),
        *model.getListOfReactions(),
    ]
    seen: set[str] = set()
    for element in (*named, *model.getListOfFunctionDefinitions()):
        identifier = element.getIdAttribute()
        if identifier in seen:
            place = source.place(element, f"the identifier `{identifier}`")
            raise InvalidFile(f"{place} is already taken; give one of the two another")
        seen.add(identifier)
    names: dict[str, str] = {}
    for element in named:
        identifier = element.getIdAttribute()
        reserved = identifier in RESERVED
        names[identifier] = _free(f"{identifier}_", seen | RESERVED) if reserved else identifier
    return names


def _local_names(source: Source, taken: set[str]) -> dict[str, dict[str, str]]:
    taken, names = taken | RESERVED, {}
    for reaction in source.model.getListOfReactions():
        own = {}
        for parameter in local_parameters(reaction):
            name = _free(f"{reaction.getId()}_{parameter.getId()}", taken)
            own[parameter.getId()] = name
            taken.add(name)
        names[reaction.getId()] = own
    return names


def local_parameters(reaction: Any) -> list[Any]:
    """Return the parameters that only a reaction's own kinetic law can read."""
    law = reaction.getKineticLaw()
    if law is None:
        return []
    return [*law.getListOfLocalParameters()] or [*law.getListOfParameters()]


def _free(name: str, taken: set[str] | frozenset[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _compartments(source: Source, names: Mapping[str, str]) -> Iterator[Quantity]:
    for c in source.model.getListOfCompartments():
        place = source.place(c, f"compartment `{c.getId()}`")
        size = _given(c.getSize()) if c.isSetSize() else None
        yield Quantity(names[c.getId()], "compartment", place, size, "size")


def _species(source: Source, s: Any, names: Mapping[str, str]) -> Species:
    place = source.place(s, f"species `{s.getId()}`")
    compartment = source.model.getCompartment(s.getCompartment())
    if compartment is None:
        known = [c.getId() for c in source.model.getListOfCompartments()]
        raise UnknownVariable(
            f"{place} is in compartment `{s.getCompartment()}`, which the model does not "
            f"define; {closest(s.getCompartment(), known)}"
        )
    volume = symbol(names[compartment.getId()])
    is_amount = s.getHasOnlySubstanceUnits() or _is_point(compartment)
    factor = s.getConversionFactor() or source.model.getConversionFactor()
    if factor and factor not in names:
        raise UnknownVariable(
            f"{place} has the conversion factor `{factor}`, which the model does not define; "
            f"{closest(factor, names)}"
        )
    return Species(
        name=names[s.getId()],
        kind="species",
        place=place,
        start=_species_start(s, is_amount, volume),
        attribute="initialAmount",
        volume=volume,
        is_amount=is_amount,
        by_reactions=not (s.getBoundaryCondition() or s.getConstant()),
        factor=symbol(names[factor]) if factor else sp.S.One,
    )


def _species_start(s: Any, is_amount: bool, volume: sp.Symbol) -> sp.Expr | None:
    if s.isSetInitialAmount():
        amount = _given(s.getInitialAmount())
        return amount if is_amount else amount / volume
    if s.isSetInitialConcentration():
        density = _given(s.getInitialConcentration())
        return density * volume if is_amount else density
    return None


def _parameters(
    source: Source, names: Mapping[str, str], local: Mapping[str, Mapping[str, str]]
) -> Iterator[Quantity]:
    named = [(names[p.getId()], p, "") for p in source.model.getListOfParameters()]
    for reaction in source.model.getListOfReactions():
        own, whose = local[reaction.getId()], f" of reaction `{reaction.getId()}`"
        named += [(own[p.getId()], p, whose) for p in local_parameters(reaction)]
    for name, p, whose in named:
        place = source.place(p, f"parameter `{p.getId()}`{whose}")
        start = _given(p.getValue()) if p.isSetValue() else None
        yield Quantity(name, "parameter", place, start, "value")


def _stoichiometry(source: Source, reference: Any, names: Mapping[str, str]) -> Quantity:
    identifier = reference.getIdAttribute()
    place = source.place(reference, f"stoichiometry `{identifier}`")
    start = _given(reference.getStoichiometry()) if reference.isSetStoichiometry() else None
    return Quantity(names[identifier], "stoichiometry", place, start, "stoichiometry")


def _is_point(compartment: Any) -> bool:
    given = compartment.isSetSpatialDimensions()
    return bool(given and compartment.getSpatialDimensionsAsDouble() == 0)


def _given(value: float) -> sp.Expr:
    return sp.nan if math.isnan(value) else exact(value)
