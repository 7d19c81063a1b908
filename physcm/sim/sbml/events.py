"""The events of an SBML file, as they stand there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp

from physcm.mechanism.errors import InvalidFile, UnknownVariable
from physcm.mechanism.parser import closest
from physcm.sim.sbml.declarations import Declared
from physcm.sim.sbml.mathml import to_condition, to_sympy
from physcm.sim.sbml.reader import Source
from physcm.sim.transitions import Event


def events(source: Source, declared: Declared, ruled: set[str]) -> dict[str, Event]:
    """Return the events of a file by their identifiers, or by number where they have none.

    Args:
        source: the file.
        declared: what it declares.
        ruled: the variables with an assignment rule, to which no event may assign.

    Raises:
        UnknownVariable, InvalidFile: for an assignment to what cannot take a value.
    """
    found: dict[str, Event] = {}
    for number, element in enumerate(source.model.getListOfEvents(), start=1):
        name = element.getIdAttribute() or f"event_{number}"
        reader = _Reader(source, declared, ruled, element, name)
        if element.getTrigger() is not None and element.getTrigger().isSetMath():
            found[name] = reader.event()
    return found


@dataclass(frozen=True)
class _Reader:
    """One event element on its way."""

    source: Source
    declared: Declared
    ruled: set[str]
    element: Any
    name: str

    def event(self) -> Event:
        element, level = self.element, self.source.model.getLevel()
        trigger, delay, priority = element.getTrigger(), element.getDelay(), element.getPriority()
        return Event(
            trigger=self._condition(trigger),
            assign=dict(self._assignments()),
            delay=self._formula(delay, "delay") if _has_math(delay) else sp.S.Zero,
            priority=self._formula(priority, "priority") if _has_math(priority) else None,
            persistent=level < 3 or trigger.getPersistent(),
            initially=level < 3 or trigger.getInitialValue(),
            at_trigger=element.getUseValuesFromTriggerTime(),
        )

    def _formula(self, part: Any, what: str) -> Any:
        place = self.source.place(part, f"{what} of event `{self.name}`")
        return to_sympy(part.getMath(), self.declared.scope(place))

    def _condition(self, trigger: Any) -> sp.Basic:
        place = self.source.place(trigger, f"trigger of event `{self.name}`")
        return to_condition(trigger.getMath(), self.declared.scope(place))

    def _assignments(self) -> Iterator[tuple[str, sp.Expr]]:
        for assignment in self.element.getListOfEventAssignments():
            identifier = assignment.getVariable()
            name = self.declared.names.get(identifier, "")
            place = self.source.place(assignment, f"event `{self.name}`")
            if name not in self.declared.quantities:
                raise UnknownVariable(
                    f"{place} assigns to `{identifier}`, which is no variable; "
                    f"{closest(identifier, list(self.declared.names))}"
                )
            if name in self.ruled:
                raise InvalidFile(
                    f"{place} assigns to `{identifier}`, which has an assignment rule; remove one"
                )
            if assignment.isSetMath():
                yield name, self._formula(assignment, f"new value of `{identifier}`")


def _has_math(part: Any) -> bool:
    return part is not None and part.isSetMath()
