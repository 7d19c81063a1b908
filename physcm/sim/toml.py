"""Systems as TOML files, in and out without loss.

A file has the constructor's arguments as keys: `name`, `description`, `source`, `calculus`,
`held_together`, and the tables `[parameters]`, `[initial]`, `[drift]`, `[noise]`,
`[algebraic]`, `[bounds]`, `[held]`, `[reactions]`, `[events]`, `[jumps]`; `schedule` is a list
of tables such as `{Hold = {name = "x", value = 1, during = [0, 2]}}`. Expressions are strings;
a distribution is a table such as `{Normal = {mean = 0.0, sd = 1.0}}`; a noise that is shared
between states is a table `{source = "expression"}`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from physcm.mechanism.errors import InvalidFile, PhyscmError
from physcm.mechanism.expression import to_text as expression_text
from physcm.mechanism.parser import closest
from physcm.mechanism.values import from_plain, to_plain
from physcm.sim.plain import intervention_record, read_event, read_intervention, read_jump, record

if TYPE_CHECKING:
    from physcm.sim.system import System

_TEXTS = ("name", "description", "source", "calculus")
_TABLES = (
    "parameters", "initial", "drift", "noise", "algebraic", "bounds", "held", "reactions",
    "events", "jumps",
)  # fmt: skip
_LISTS = ("held_together", "reflected", "schedule")
_KEYS = (*_TEXTS, "held_together", "reflected", *_TABLES, "schedule")


def read_mapping(path: str | Path) -> dict[str, Any]:
    """Return the plain mapping in a TOML file.

    Raises:
        InvalidFile: if the file is absent, not text or not TOML; the message has the place.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidFile(f"{path}: {error.strerror}; check the path") from None
    except UnicodeDecodeError as error:
        raise InvalidFile(
            f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile(f"{path}: not valid TOML: {error}; correct the file there") from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the constructor arguments that a TOML file describes."""
    return constructor_arguments(read_mapping(path), str(path))


def constructor_arguments(mapping: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return constructor arguments from a plain mapping laid out as in a TOML file.

    Raises:
        InvalidFile: for unknown keys and entries of the wrong kind.

    >>> constructor_arguments({"drift": {"x": "-x"}, "initial": {"x": 1}}, "model")
    {'drift': {'x': '-x'}, 'initial': {'x': 1}}
    """
    arguments = dict(mapping)
    for key, value in arguments.items():
        if key not in _KEYS:
            raise InvalidFile(f"{place}: unknown key `{key}`; {closest(key, _KEYS)}")
        if key in _TABLES and not isinstance(value, Mapping):
            raise InvalidFile(f"{place}: `{key}` is `{value!r}`; write it as a table [{key}]")
        if key in _TEXTS and not isinstance(value, str):
            raise InvalidFile(f"{place}: `{key}` is `{value!r}`; write it as a string")
        if key in _LISTS and not isinstance(value, list | tuple):
            raise InvalidFile(f"{place}: `{key}` is `{value!r}`; write it as a list [...]")
    if "drift" not in arguments:
        raise InvalidFile(f"{place}: there is no table [drift]; add one with a line per state")
    for table in ("parameters", "initial"):
        if table in arguments:
            arguments[table] = {
                name: _from_plain(value, f"{place}: {table} `{name}`")
                for name, value in arguments[table].items()
            }
    if "noise" in arguments:
        arguments["noise"] = _noise(arguments["noise"])
    for table, read in (("events", read_event), ("jumps", read_jump)):
        if table in arguments:
            arguments[table] = {
                name: read(entry, f"{place}: {table} `{name}`")
                for name, entry in arguments[table].items()
            }
    if "schedule" in arguments:
        arguments["schedule"] = [
            read_intervention(entry, f"{place}: schedule, entry {i + 1}")
            for i, entry in enumerate(arguments["schedule"])
        ]
    return arguments


def _from_plain(value: Any, place: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    try:
        return from_plain(value)
    except PhyscmError as error:
        raise InvalidFile(f"{place}: {error}") from None


def _noise(table: Mapping[str, Any]) -> dict[Any, Any]:
    pairs: dict[Any, Any] = {}
    for state, entry in table.items():
        sources = entry if isinstance(entry, Mapping) else {state: entry}
        pairs |= {(state, source): g for source, g in sources.items()}
    return pairs


def to_text(system: System) -> str:
    """Return a system as TOML text."""
    taken = {*system.variables, *system.parameters}
    noise: dict[str, dict[str, str]] = {}
    for (state, source), g in system.noise.items():
        noise.setdefault(state, {})[source] = expression_text(g, taken)
    content: dict[str, Any] = {key: getattr(system, key) for key in _TEXTS}
    content["held_together"] = [list(group) for group in system.held_together]
    for table in ("parameters", "initial", "drift", "algebraic", "held"):
        content[table] = {k: to_plain(v, taken) for k, v in getattr(system, table).items()}
    content["noise"] = noise
    content["bounds"] = {name: list(pair) for name, pair in system.bounds.items()}
    content["reactions"] = {
        name: {k: to_plain(v, taken) for k, v in changes.items()}
        for name, changes in system.reactions.items()
    }
    content["events"] = {name: record(event, taken) for name, event in system.events.items()}
    content["jumps"] = {name: record(jump, taken) for name, jump in system.jumps.items()}
    content["reflected"] = list(system.reflected)
    content["schedule"] = [intervention_record(entry, taken) for entry in system.schedule]
    kept = {k: v for k, v in content.items() if v or k == "drift"}
    return tomli_w.dumps({k: kept[k] for k in _KEYS if k in kept})


def write(text: str, path: Path) -> None:
    """Write a file whole or not at all."""
    scratch = path.with_name(path.name + ".part")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise InvalidFile(f"{path}: {error.strerror}; choose another place") from None
