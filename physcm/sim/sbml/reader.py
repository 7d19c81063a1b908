"""From a file to libsbml's tree of elements, checked to be whole.

libsbml reads every level and version of SBML and keeps the line of each element, so that
an error can say where in the file it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libsbml

from physcm.mechanism.errors import InvalidFile
from physcm.sim.sbml.refusals import refuse_packages

_HARMLESS = frozenset({libsbml.MissingXMLEncoding, libsbml.MissingXMLDecl})


@dataclass(frozen=True)
class Source:
    """A file that libsbml has read.

    Attributes:
        path: the file.
        document: libsbml's document, which owns all elements.
    """

    path: str
    document: Any

    @property
    def model(self) -> Any:
        """The `<model>` element."""
        return self.document.getModel()

    def place(self, element: Any, what: str) -> str:
        """Return where something stands, to begin an error message with."""
        return f"{self.path}, line {element.getLine()}: {what}"


def read_source(path: str | Path) -> Source:
    """Return the contents of an SBML file.

    Raises:
        InvalidFile: if the file is absent, not XML or not SBML; the message has the line.
        Unsupported: if the file needs a package that changes the model's mathematics.
    """
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise InvalidFile(f"{path}: {error.strerror}; check the path") from None
    source = Source(str(path), libsbml.readSBMLFromFile(str(path)))
    if source.model is not None:
        refuse_packages(source)
    _raise_first_error(source)
    return source


def _raise_first_error(source: Source) -> None:
    document = source.document
    for error in map(document.getError, range(document.getNumErrors())):
        harmless = error.getErrorId() in _HARMLESS
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR and not harmless:
            raise InvalidFile(
                f"{source.path}, line {error.getLine()}: {_problem(error)}"
                f"{_quoted(source.path, error.getLine())}; correct the file there"
            )
    if source.model is None:
        raise InvalidFile(f"{source.path}: there is no <model>; add one inside <sbml>")


def _problem(error: Any) -> str:
    """Return libsbml's own words: the title of the error and what it says about this case."""
    lines = [line.strip().rstrip(".") for line in error.getMessage().splitlines()]
    details = [line for line in lines if line and not line.startswith("Reference")][1:]
    return ": ".join([error.getShortMessage(), *details[-1:]])


def _quoted(path: str, line: int) -> str:
    """Return the text of a line, in backticks, if there is any."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()[line - 1]
    except (OSError, IndexError):
        return ""
    return f" in `{text.strip()[:100]}`" if text.strip() else ""
