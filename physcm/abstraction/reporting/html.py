"""Small pieces of HTML for pages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from html import escape


def table(head: Iterable[str], body: Iterable[str], numbers: Iterable[str] = ()) -> str:
    """Return a table; the columns of `numbers` are set to the right."""
    right = set(numbers)
    cells = "".join(
        f'<th scope="col"{" class=number" * (text in right)}>{escape(text)}</th>' for text in head
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>\n" + "\n".join(body) + "</tbody></table>"


def cell(text: str, kind: str = "") -> str:
    """Return a cell of a kind."""
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>"


def prose(text: str) -> str:
    """Return text as HTML, what stands in backticks as code.

    >>> prose("`x` < 1")
    '<code>x</code> &lt; 1'
    """
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def count(number: int, noun: str) -> str:
    """Return a number of things.

    >>> count(1, "run"), count(2000, "run")
    ('1 run', '2,000 runs')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def number(value: float) -> str:
    """Return a number, or that there is none."""
    return "none" if math.isnan(value) else f"{value:.8g}"


def difference(value: float) -> str:
    """Return a difference, or a dash."""
    return "-" if math.isnan(value) else f"{value:.1e}"


def tone(good: bool) -> str:
    """Return the class of what agrees or does not."""
    return "agree" if good else "differ"


def mark(good: bool) -> str:
    """Return the mark of what agrees or does not."""
    return "\N{CHECK MARK}" if good else "\N{MULTIPLICATION X}"
