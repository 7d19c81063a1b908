"""`physcm zoo`: the models that ship."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

import sympy as sp

from physcm.cli.models import load_model
from physcm.cli.output import say, show_table
from physcm.mechanism.expression import to_text
from physcm.sim import System, zoo


def run(name: str | None, *, toml: bool) -> None:
    """List the zoo, or show one model."""
    if name is None:
        models = {name: zoo.load(name) for name in zoo.names()}
        show_table(
            ("name", "title", "states", "source"),
            [(n, s.name, len(s.states), short(s.source)) for n, s in models.items()],
        )
    elif toml:
        print(load_model(name).to_toml(), end="")
    else:
        _show(load_model(name))


def short(source: str) -> str:
    """Return the first reference of a source.

    >>> short("Lotka, Elements of Physical Biology (1925); Volterra, Nature 118 (1926).")
    'Lotka, Elements of Physical Biology (1925)'
    """
    first = re.match(r"[^;]*?\(\D*\d{4}\)|[^;]*", source)
    return first[0].strip() if first else source


def _show(system: System) -> None:
    say(system.name, "bold")
    _paragraph(system.description)
    _list("Equations", _equations(system))
    _list("Parameters", _values(system.parameters))
    _list("Initial values", _values(system.initial))
    if system.source:
        say("\nSource", "bold")
        _paragraph(system.source)


def _paragraph(text: str) -> None:
    for line in text.splitlines():
        print(textwrap.fill(line, 90))


def _list(title: str, lines: Iterator[str]) -> None:
    written = [f"  {line}" for line in lines]
    if written:
        say(f"\n{title}", "bold")
        print("\n".join(written))


def _equations(system: System) -> Iterator[str]:
    for name, f in system.drift.items():
        noise = [
            f" + ({to_text(g)}) dW({source})/dt"
            for (state, source), g in system.noise.items()
            if state == name
        ]
        yield f"d{name}/dt = {to_text(f)}{''.join(noise)}"
    yield from _values(system.derived)
    for event in system.events.values():
        new = ", ".join(f"{name} := {to_text(value)}" for name, value in event.assign.items())
        yield f"when {to_text(event.trigger)}: {new}"


def _values(values: Mapping[str, object]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{name} = {to_text(value) if isinstance(value, sp.Basic) else _number(value)}"


def _number(value: object) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
