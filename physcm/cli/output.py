"""What commands print: tables with colors on a terminal, plain text where output is piped.

Results go to stdout. Progress goes to stderr, and only if someone watches.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import rich
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell = str | int | float


def say(text: str = "", style: str = "") -> None:
    """Print text as it stands, in a style where there is color."""
    console = Console()
    if console.is_terminal:
        console.print(Text(text, style))
    else:
        print(text)


def show_table(
    head: Sequence[str], rows: Sequence[Sequence[Cell]], styles: Sequence[str] = ()
) -> None:
    """Print a table; no cell is ever cut short.

    Args:
        head: the column titles.
        rows: the cells; numbers are written with six digits and set to the right.
        styles: the style of each row on a terminal.
    """
    right = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(head))]
    texts = [[_written(cell) for cell in row] for row in rows]
    console = Console()
    if not console.is_terminal:
        print(_plain([list(head), *texts], right))
        return
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for title, numeric in zip(head, right, strict=True):
        table.add_column(Text(title), justify="right" if numeric else "left", overflow="fold")
    for i, row in enumerate(texts):
        table.add_row(*map(Text, row), style=styles[i] if styles else "")
    console.print(table)


def number(value: float) -> str:
    """Return a number with six digits, a dash where there is none.

    >>> number(2 / 3), number(math.nan)
    ('0.666667', '-')
    """
    return "-" if math.isnan(value) else f"{value:.6g}"


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun.

    >>> counted(1, "sample"), counted(2, "equilibrium", "equilibria")
    ('1 sample', '2 equilibria')
    """
    return f"{count} {one if count == 1 else many or one + 's'}"


def is_watched() -> bool:
    """Say whether stderr is a terminal, and send progress bars there."""
    rich.reconfigure(stderr=True)
    return sys.stderr.isatty()


def working(what: str) -> AbstractContextManager[Any]:
    """Show on a terminal that something is under way."""
    return rich.get_console().status(Text(what)) if is_watched() else nullcontext()


def _written(cell: Cell) -> str:
    return number(cell) if isinstance(cell, float) else str(cell)


def _plain(cells: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if numeric else text.ljust(width)
            for text, width, numeric in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
