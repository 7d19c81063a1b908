"""`--do "x=1,k=2*k0"`: names with values, as interventions on a system.

A parameter is set, a variable is held. A value is a number or an expression: of other
variables, parameters and time for a variable, of other parameters for a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from physcm.mechanism import Hold, InvalidValue, PhyscmError, SetParameter, UnknownVariable
from physcm.mechanism.expression import TIME
from physcm.mechanism.parser import closest
from physcm.mechanism.values import as_value
from physcm.sim import System

Interventions = tuple[Hold | SetParameter, ...]


def read_interventions(texts: Iterable[str], system: System) -> Interventions:
    """Return what `--do` asks for, all of it at once.

    Raises:
        PhyscmError: of the kind that fits; the message begins with the part that is wrong.

    >>> tank = System({"h": "q - k*h"}, parameters={"q": 1, "k": 2}, initial={"h": 0})
    >>> read_interventions(["h=2*q", "k=3"], tank)
    (Hold('h', 2*q), SetParameter(k=3.0))
    """
    done: dict[str, Hold | SetParameter] = {}
    for text in texts:
        for part in _parts(text):
            name, intervention = _read(part, system)
            if name in done:
                raise InvalidValue(f'--do "{text}": `{name}` is given twice; keep one value')
            done[name] = intervention
    interventions = tuple(done.values())
    _try(interventions, system, ",".join(texts))
    return interventions


def _parts(text: str) -> Iterator[str]:
    """Yield the parts between commas that stand outside of parentheses.

    >>> list(_parts("x=max(1, y), k=2"))
    ['x=max(1, y)', 'k=2']
    """
    depth, start = 0, 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth <= 0:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()


def _read(part: str, system: System) -> tuple[str, Hold | SetParameter]:
    """Return the name and the intervention of one `name=value`."""
    name, _, value = (word.strip() for word in part.partition("="))
    if not name or not value:
        raise InvalidValue(f'--do "{part}": not of the form name=value; write for example "x=1"')
    place = f'--do "{part}"'
    if name in system.parameters:
        known = {*system.parameters, *(f"{state}(0)" for state in system.states)}
        return name, SetParameter({name: as_value(value, known - {name}, place)})
    known = {*system.variables, *system.parameters}
    if name not in system.variables and not name.startswith(("amount(", "concentration(")):
        raise UnknownVariable(
            f"{place}: no variable or parameter `{name}` in `{system.name}`; {closest(name, known)}"
        )
    return name, Hold(name, as_value(value, {*known, TIME.name} - {name}, place))


def _try(interventions: Interventions, system: System, text: str) -> None:
    """Find out at once whether the system admits them."""
    try:
        system.do(*interventions)
    except PhyscmError as error:
        raise InvalidValue(f'--do "{text}": {error}') from None
