"""Interventions: what can be done to a model, as values that every kind of model understands.

`Hold` is the perfect intervention do(X = x) (Mooij, Janzing & Schölkopf, UAI 2013): the
mechanism of X is replaced by the value x, its noise and initial value are gone, and every
other mechanism is untouched and reads x. The others act on a mechanism and leave it in place
(`Shift`, `ScaleNoise`, `SetParameter`), put another in its place (`Replace`), or change a state
once (`Impulse`).

An intervention is for ever, or acts `during` a window [t0, t1), or, inside `When`, from the
instant on at which a condition is met. Several are done in the order given, each to what the
earlier ones have left: of two that set the same thing the later wins, while both act. A
triggered one is done anew whenever it is triggered, so that of two triggered ones the one
triggered last wins.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from physcm.mechanism.errors import InvalidValue

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Window: TypeAlias = tuple[Any, Any]
DIRECTIONS = ("up", "down", "both")
_NUMBERS = (int, float)


@dataclass(frozen=True)
class Hold:
    """Hold a variable: its mechanism is replaced by a value.

    Attributes:
        name: the variable.
        value: a number, an expression in time and other variables, a distribution (one draw
            per sample), or a sequence with one number per sample. A sampled trajectory becomes
            an expression by `sampled`.
        during: (t0, t1), numbers or expressions in parameters; for ever unless given. At t1
            the variable is released where it was held.

    >>> Hold("S", 1.5)
    Hold('S', 1.5)
    """

    name: str
    value: Any
    during: Window | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return _written(self, self.name, self.value)


@dataclass(frozen=True)
class Shift:
    """Add a constant force to the drift of a state, or an offset to an explicit mechanism X = h.

    A held variable has no mechanism to add to, and does not move.

    Attributes:
        name: the variable.
        amount: like the value of a `Hold`.
        during: as in `Hold`.

    >>> Shift("x", "2*sin(t)", during=(0, 5))
    Shift('x', '2*sin(t)', during=(0, 5))
    """

    name: str
    amount: Any
    during: Window | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return _written(self, self.name, self.amount)


@dataclass(frozen=True)
class ScaleNoise:
    """Multiply diffusion coefficients of a state, or the noise in a mechanism, by a factor.

    Attributes:
        name: the state, or the variable of a causal model.
        factor: like the value of a `Hold`; 0 turns the noise off.
        during: as in `Hold`.

    >>> ScaleNoise("x", 0)
    ScaleNoise('x', 0)
    """

    name: str
    factor: Any
    during: Window | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return _written(self, self.name, self.factor)


@dataclass(frozen=True)
class Replace:
    """Replace the drift of a state, or the mechanism X = h of a variable, by an expression.

    Attributes:
        name: the variable.
        mechanism: the new drift, beside which a state's noise stays; or the new h, which in a
            causal model without time may read `natural(X)`, the value by the old mechanism.
        during: as in `Hold`.

    >>> Replace("x", "-2*x")
    Replace('x', '-2*x')
    """

    name: str
    mechanism: Any
    during: Window | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return _written(self, self.name, self.mechanism)


@dataclass(frozen=True, init=False)
class SetParameter:
    """Change parameters: every mechanism stays and reads the new values.

    Initial values and parameters that are computed from a changed one follow it. A parameter
    that is itself computed and is set here keeps the value set.

    Attributes:
        values: the new value of each parameter, like the value of a `Hold`.
        during: as in `Hold`. (A parameter called `during` is set by `SetParameter({...})`.)

    >>> SetParameter(k=2.0)
    SetParameter(k=2.0)
    """

    values: Mapping[str, Any]
    during: Window | None

    def __init__(
        self,
        values: Mapping[str, Any] = MappingProxyType({}),
        /,
        *,
        during: Window | None = None,
        **more: Any,
    ) -> None:
        object.__setattr__(self, "values", MappingProxyType({**values, **more}))
        object.__setattr__(self, "during", during)

    def __repr__(self) -> str:
        window = "" if self.during is None else f", during={self.during!r}"
        return f"SetParameter({', '.join(f'{k}={v!r}' for k, v in self.values.items())}{window})"


@dataclass(frozen=True)
class Impulse:
    """Add an amount to a state, once.

    Attributes:
        name: the state.
        amount: like the value of a `Hold`; an expression reads the values just before.
        at: when, a number or an expression in parameters; not given inside `When`.

    >>> Impulse("x", "-x/2", at=3)
    Impulse('x', '-x/2', at=3)
    """

    name: str
    amount: Any
    at: Any = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        at = "" if self.at is None else f", at={self.at!r}"
        return f"Impulse({self.name!r}, {self.amount!r}{at})"


@dataclass(frozen=True)
class When:
    """Intervene at the instant at which a condition is met.

    Attributes:
        condition: an expression that is watched for crossing zero, or a comparison, which
            stands for the difference of its sides: `x > 2` is met as x - 2 crosses zero.
            A combination of comparisons (`x > 2 and y < 1`) is met as it turns true.
        intervention: what is done; a window `during` counts from that instant.
        direction: "up" for crossing from below (a condition turning true), "down" from above
            (turning false), or "both".
        rearm: unless given it happens once. A number h >= 0: it can happen again after the
            quantity has gone back by more than h (hysteresis); a condition: after that held.

    >>> When("x > 2", Impulse("x", -1), rearm=0.5)
    When('x > 2', Impulse('x', -1), direction='up', rearm=0.5)
    """

    condition: Any
    intervention: Intervention | EdgeIntervention
    direction: str = field(default="up", kw_only=True)
    rearm: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the direction, and what is inside."""
        if self.direction not in DIRECTIONS:
            raise InvalidValue(
                f"When: direction is `{self.direction}`; use {', '.join(map(repr, DIRECTIONS))}"
            )
        inner = self.intervention
        if not isinstance(inner, Intervention | EdgeIntervention) or isinstance(inner, When):
            raise InvalidValue(f"When: `{inner!r}` cannot be triggered; give Hold(...) or the like")
        if isinstance(inner, Impulse) and inner.at is not None:
            raise InvalidValue(f"When: `{inner!r}` has a time of its own; leave out `at`")

    def __repr__(self) -> str:
        return (
            f"When({self.condition!r}, {self.intervention!r}, direction={self.direction!r}, "
            f"rearm={self.rearm!r})"
        )


@dataclass(frozen=True)
class CutEdge:
    """Remove an edge of a network: its effect receives nothing along it.

    Attributes:
        cause: the node that the edge starts at, by name or position.
        effect: the node that it ends at.
        during: as in `Hold`.

    >>> CutEdge("gene1", "gene7", during=(0, 5))
    CutEdge('gene1', 'gene7', during=(0, 5))
    """

    cause: int | str
    effect: int | str
    during: Window | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return _written(self, self.cause, self.effect)


@dataclass(frozen=True)
class RescaleEdge:
    """Multiply all that an edge of a network contributes by a factor.

    Attributes:
        cause: the node that the edge starts at, by name or position.
        effect: the node that it ends at.
        factor: a number; 0 cuts the edge.
        during: as in `Hold`.

    >>> RescaleEdge("gene1", "gene7", 0.5)
    RescaleEdge('gene1', 'gene7', 0.5)
    """

    cause: int | str
    effect: int | str
    factor: float
    during: Window | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return _written(self, self.cause, self.effect, self.factor)


Mode: TypeAlias = Hold | Shift | ScaleNoise | Replace | SetParameter
"""What changes mechanisms while it acts."""

Intervention: TypeAlias = Hold | Shift | ScaleNoise | Replace | SetParameter | Impulse | When

EdgeIntervention: TypeAlias = CutEdge | RescaleEdge
"""What only networks understand."""

Interventions: TypeAlias = tuple[Intervention, ...]
"""What is done together, as one intervention on several mechanisms."""

Family: TypeAlias = Intervention | Iterable[Intervention | Sequence[Intervention]]
"""A list whose entries are interventions, or lists of several at once."""


def is_permanent(intervention: Intervention | EdgeIntervention) -> TypeIs[Mode]:
    """Say whether an intervention acts at all times, so that it makes another model of the kind.

    >>> is_permanent(Hold("x", 1)), is_permanent(Hold("x", 1, during=(0, 2)))
    (True, False)
    """
    return isinstance(intervention, Mode) and intervention.during is None


def always(intervention: Mode) -> Mode:
    """Return an intervention without its window."""
    if isinstance(intervention, SetParameter):
        return SetParameter(intervention.values)
    return replace(intervention, during=None)


def listed(
    interventions: Iterable[Intervention | EdgeIntervention],
    holds: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Intervention | EdgeIntervention, ...]:
    """Return the interventions of one `do` in the order in which they are done.

    Raises:
        InvalidValue: for something that is no intervention, and for windows that are none.

    >>> listed([SetParameter(k=2)], {"x": 3})
    (SetParameter(k=2), Hold('x', 3))
    """
    given = (*interventions, *(Hold(name, value) for name, value in holds.items()))
    for intervention in given:
        if not isinstance(intervention, Intervention | EdgeIntervention):
            raise InvalidValue(
                f"`{intervention!r}` is not an intervention; use Hold(...), SetParameter(...), "
                "Shift(...), ScaleNoise(...), Replace(...), Impulse(...) or When(...)"
            )
        _check_times(intervention)
    return given


def each_of(family: Family) -> list[Interventions]:
    """Return the entries of a family, each as a tuple of what is done together.

    >>> each_of([Hold("x", 1), [Hold("x", 1), Hold("y", 2)]])
    [(Hold('x', 1),), (Hold('x', 1), Hold('y', 2))]
    """
    entries = _together(family, "a list of interventions")
    return [_together(entry, "an intervention, or a list of several at once") for entry in entries]


def _together(given: object, wanted: str) -> tuple[Any, ...]:
    """Return one intervention or several as a tuple."""
    if isinstance(given, Intervention):
        return (given,)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise InvalidValue(f"`{given!r}` is not {wanted}; give for example [Hold('x', 1)]")
    return tuple(given)


def label(intervention: Intervention | Iterable[Intervention]) -> str:
    """Return interventions in the notation of the field.

    The mechanism of x, drift or structural equation, is f_x.

    >>> label([Hold("x", 1.0), SetParameter(k=0.25)])
    'do(x = 1), k = 0.25'
    >>> label(Hold("x", 1, during=(0, 2)))
    'do(x = 1) for t in [0, 2)'
    >>> label([])
    'nothing'
    """
    given = [intervention] if isinstance(intervention, Intervention) else list(intervention)
    if len(given) == 1:
        return _label(given[0]) or "nothing"
    held: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    for one in given:
        match one:
            case Hold(name, value, during=None):
                held[name] = value
            case SetParameter(values=values, during=None):
                changed |= values
            case _:
                return ", ".join(map(_label, given))
    parts = [_settings(changed)] if changed else []
    if held:
        parts.insert(0, f"do({_settings(held)})")
    return ", ".join(parts) or "nothing"


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join([f"{name} = {_short(value)}" for name, value in values.items()])


def _label(intervention: Intervention | EdgeIntervention) -> str:
    match intervention:
        case SetParameter(values=values):
            text = _settings(values)
        case Hold(name, value):
            text = f"do({name} = {_short(value)})"
        case Impulse(name, amount, at=at):
            return f"{name} += {_short(amount)}" + ("" if at is None else f" at t = {_short(at)}")
        case When(condition, inner):
            return f"when {condition}: {_label(inner)}"
        case Shift(name, amount):
            text = f"f_{name} += {_short(amount)}"
        case ScaleNoise(name, factor):
            text = f"noise of {name} times {_short(factor)}"
        case Replace(name, mechanism):
            text = f"f_{name} := {_short(mechanism)}"
        case CutEdge(cause, effect):
            text = f"{cause} -> {effect} cut"
        case RescaleEdge(cause, effect, factor):
            text = f"{cause} -> {effect} times {_short(factor)}"
    if intervention.during is None:
        return text
    begin, end = map(_short, intervention.during)
    return f"{text} for t in [{begin}, {end})"


def _check_times(intervention: Intervention | EdgeIntervention) -> None:
    if isinstance(intervention, When):
        _check_times(intervention.intervention)
    elif isinstance(intervention, Impulse):
        if _is_number(intervention.at) and not math.isfinite(intervention.at):
            raise InvalidValue(
                f"impulse on `{intervention.name}` at `{intervention.at}`; give a finite time"
            )
    elif intervention.during is not None:
        window = intervention.during
        if not isinstance(window, tuple | list) or len(window) != 2:
            raise InvalidValue(f"during is `{window!r}`; give the two ends of a window, (t0, t1)")
        if any(_is_number(end) and math.isnan(end) for end in window):
            raise InvalidValue(f"during is `{window!r}`; give two times")
        if all(map(_is_number, window)):
            require_window(*window)


def require_window(begin: float, end: float, what: str = "") -> None:
    """Refuse a window that ends before it begins.

    >>> require_window(2, 1)
    Traceback (most recent call last):
    physcm.mechanism.errors.InvalidValue: during is `(2, 1)`; the window must end after it begins
    """
    if not begin < end:
        raise InvalidValue(
            f"during is `({begin}, {end})`{what}; the window must end after it begins"
        )


def _is_number(value: Any) -> TypeIs[float]:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _written(intervention: Any, *content: Any) -> str:
    window = [] if intervention.during is None else [f"during={intervention.during!r}"]
    return f"{type(intervention).__name__}({', '.join([*map(repr, content), *window])})"


def _short(value: Any) -> str:
    # A number of NumPy takes longer to write itself than a float does.
    return f"{float(value):.6g}" if isinstance(value, _NUMBERS) else str(value)
