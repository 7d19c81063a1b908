"""Every error that physcm raises on purpose, each named for what is wrong.

A message names the variable or file, quotes the offending value in backticks and
ends with what to do next.
"""

from __future__ import annotations


class PhyscmError(Exception):
    """Base class of all errors that physcm raises on purpose."""


class ParseError(PhyscmError):
    """An expression that the safe parser does not accept.

    Attributes:
        text: the expression as given.
        column: the column of the offence, counted from 1.
    """

    def __init__(self, text: str, column: int, problem: str, place: str = "") -> None:
        self.text = text
        self.column = column
        super().__init__(f"{place}{problem}, at column {column} of `{text}`")


class InvalidFile(PhyscmError):
    """A model file that cannot be read: malformed, or with entries of the wrong kind."""


class InvalidValue(PhyscmError):
    """A number, shape or option outside of what its place allows."""


class UnknownVariable(PhyscmError):
    """A name that the model does not define."""


class MissingInitialValue(PhyscmError):
    """A state without an initial value."""


class CyclicDefinition(PhyscmError):
    """Derived variables, parameters or initial values defined in terms of themselves."""


class Unsupported(PhyscmError):
    """A feature of a model or file that physcm does not handle; the message names it."""


class NotSolvable(PhyscmError):
    """Equations without any solution."""


class NotUnique(PhyscmError):
    """Equations with several solutions where one was asked for."""


class NotIdentifiable(PhyscmError):
    """An effect that observations alone do not determine, whatever the sample size."""


class NoEquilibrium(PhyscmError):
    """A system that does not come to rest: it oscillates, drifts on or diverges."""


class NotStable(PhyscmError):
    """A system whose only equilibria repel their neighbourhood."""


class NotConverged(PhyscmError):
    """A numerical method that ended without reaching its tolerance."""


class Infeasible(PhyscmError):
    """A value that its variable cannot take, or a hold that leaves equations without a variable."""


class NotCompiled(PhyscmError):
    """Generated code that the compiler of this machine refuses."""
