"""What a swept number does to the long run: between which values it has how many answers.

A causal model of equilibria answers with the stable equilibrium. The answer is one number where
there is exactly one, it depends on the past where there are several, and there is none where the
flow oscillates or diverges. It changes its kind at special points only, so that one look between
each two of them tells all.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from physcm.sim.long_run import long_run

if TYPE_CHECKING:
    from physcm.sim.bifurcation.found import Continuation, SpecialPoint

_SAME = 1e-9
_FATES = {
    "settled": "comes to rest",
    "periodic": "repeats a cycle",
    "diverged": "grows without bound",
    "still_moving": "keeps moving",
    "broken_off": "breaks off",
}
_COUNTS = {0: "no stable equilibrium", 1: "one stable equilibrium"}


@dataclass(frozen=True)
class Interval:
    """Values between which the long run stays of one kind.

    Attributes:
        name: what is swept.
        low: the least value.
        high: the largest value.
        stable: how many stable equilibria there are.
        unstable: how many others.
        fate: what the flow from the system's own start does in the middle, where no equilibrium
            is stable: periodic, diverged, still_moving, broken_off (see `settle`); else "".
    """

    name: str
    low: float
    high: float
    stable: int
    unstable: int
    fate: str = ""

    def __str__(self) -> str:
        count = _COUNTS.get(self.stable, f"{self.stable} stable equilibria")
        others = f", {self.unstable} unstable" if self.unstable else ""
        fate = f"; from its start the system {_FATES[self.fate]}" if self.fate else ""
        return f"{self.low:.6g} < {self.name} < {self.high:.6g}: {count}{others}{fate}"


@dataclass(frozen=True)
class Switch:
    """A value at which a stable equilibrium changes its kind.

    Attributes:
        name: what is swept.
        value: its value.
        cause: the special point that is behind it.
        before: the interval below the value.
        after: the interval above it.
    """

    name: str
    value: float
    cause: SpecialPoint
    before: Interval
    after: Interval

    @property
    def effect(self) -> str:
        """What it does to the stable equilibrium, in a sentence."""
        left = min(self.before.stable, self.after.stable)
        match self.cause.kind:
            case "fold":
                elsewhere = "the state jumps to another one" if left else "none is left"
                return f"a stable equilibrium ends where it meets an unstable one; {elsewhere}"
            case "Hopf":
                return _HOPF[self.cause.criticality]
            case "transcritical":
                return "two equilibria cross and exchange their stability"
            case "pitchfork":
                return _PITCHFORK[self.cause.criticality]
            case "line":
                return "equilibria fill a line, from one of which to the other the state can move"
            case "kink":
                return _at_a_kink(self.before.stable, self.after.stable)
            case "bound":
                return f"a stable equilibrium ends where {self.cause.what} can go no further"
            case "unbounded":
                return "a stable equilibrium grows beyond every size"
        return "a stable equilibrium is followed no further"

    def __str__(self) -> str:
        return f"{self.name} = {self.value:.8g}, {self.cause.kind}: {self.effect}"


_HOPF = {
    "supercritical": "an equilibrium loses its stability to a small cycle around it",
    "subcritical": "an equilibrium loses its stability, and the state leaves its neighborhood",
    "degenerate": "an equilibrium loses its stability by growing oscillations",
    "": "an equilibrium loses its stability by growing oscillations",
}

_PITCHFORK = {
    "supercritical": "an equilibrium loses its stability to a symmetric pair of stable ones",
    "subcritical": "an equilibrium loses its stability where it meets a symmetric pair of "
    "unstable ones, and the state leaves its neighborhood",
    "": "an equilibrium loses its stability to a symmetric pair, or a pair ends in it",
}


def _at_a_kink(before: int, after: int) -> str:
    if before == after:
        return "the stable equilibrium goes on with another slope"
    return "a stable equilibrium ends or loses its stability where a case is decided"


def intervals(found: Continuation) -> tuple[Interval, ...]:
    """Return the intervals, those that nothing stable tells apart in one."""
    sweep = found.sweep
    borders = [sweep.low, *(point.value for point in _concerning(found)), sweep.high]
    span = sweep.high - sweep.low
    pairs = [(a, b) for a, b in pairwise(sorted(borders)) if b - a > _SAME * span]
    return tuple(_interval(found, a, b) for a, b in pairs)


def switches(found: Continuation) -> tuple[Switch, ...]:
    """Return what happens to stable equilibria, in order of the value."""
    slack = _SAME * (found.sweep.high - found.sweep.low)
    out: list[Switch] = []
    for point in _concerning(found):
        known = any(s.cause.kind == point.kind and abs(s.value - point.value) <= slack for s in out)
        below = [i for i in found.intervals if i.high <= point.value + slack]
        above = [i for i in found.intervals if i.low >= point.value - slack]
        if below and above and not known:
            out.append(Switch(found.name, point.value, point, below[-1], above[0]))
    return tuple(out)


def _concerning(found: Continuation) -> list[SpecialPoint]:
    return [point for point in found.points if point.concerns_stable]


def _interval(found: Continuation, low: float, high: float) -> Interval:
    """Look at what there is in the middle of an interval."""
    middle = (low + high) / 2
    stability = found.at(middle).stability.values
    stable = int((stability == "stable").sum())
    fate = ""
    if not stable:
        sweep = found.sweep
        fate = long_run(sweep.equations, *sweep.at(middle)).status.name.lower()
    return Interval(found.name, low, high, stable, len(stability) - stable, fate)
