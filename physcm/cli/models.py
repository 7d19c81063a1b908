"""MODEL on the command line: a zoo name with sizes, a TOML file or an SBML file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from physcm.mechanism import InvalidFile, InvalidValue, PhyscmError
from physcm.sim import System, zoo

_READERS: dict[str, Callable[[Path], System]] = {
    ".toml": System.from_toml,
    ".xml": System.from_sbml,
    ".sbml": System.from_sbml,
}


def load_model(text: str) -> System:
    """Return the system that MODEL names.

    Raises:
        UnknownVariable: for a name that is not in the zoo; the message has the closest ones.
        InvalidValue: for a size that is no whole number, or that the model does not have.
        InvalidFile: for a file that is absent or cannot be read; the message has its path.

    >>> load_model("coupled_oscillators:masses=2").states
    ('Q1', 'Q2', 'P1', 'P2')
    """
    path = Path(text)
    if text.partition(":")[0] in zoo.names():
        return _from_zoo(text)
    if path.suffix.lower() in _READERS or path.name != text or path.exists():
        return _from_file(path)
    return zoo.load(text.partition(":")[0])


def file_stem(text: str) -> str:
    """Return the name of the files that a report on MODEL is written to, less the suffix.

    >>> file_stem("models/tank.toml"), file_stem("coupled_oscillators:masses=2")
    ('tank', 'coupled_oscillators_masses_2')
    """
    path = Path(text)
    name = path.stem if path.suffix.lower() in _READERS else path.name
    return re.sub(r"[^\w.-]+", "_", name)


def _from_zoo(text: str) -> System:
    name, colon, sizes = text.partition(":")
    given: dict[str, int] = {}
    for part in sizes.split(",") if colon else ():
        size, _, number = (word.strip() for word in part.partition("="))
        if not size or not re.fullmatch(r"[0-9]{1,9}", number):
            raise InvalidValue(
                f"`{part}` in `{text}` is no size; write {name}:size=number, with a whole number"
            )
        if size in given:
            raise InvalidValue(f"`{text}` gives the size `{size}` twice; keep one")
        given[size] = int(number)
    return zoo.load(name, **given)


def _from_file(path: Path) -> System:
    if not path.exists():
        raise InvalidFile(f"{path}: there is no such file; check the path")
    reader = _READERS.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise InvalidFile(f"{path}: no model file; give a .toml, .xml or .sbml file")
    try:
        system = reader(path)
    except PhyscmError as error:
        if str(error).startswith(str(path)):
            raise
        raise InvalidFile(f"{path}: {error}") from None
    return system if system.name else system.replace(name=path.stem)
