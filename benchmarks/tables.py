"""Tables of models in docs/verdicts.md: what goes into them, and how they are put there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from physcm.sim import System, zoo

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "verdicts.md"
BIOMODELS = ROOT.parent / "shared" / "data" / "biomodels"


def models(kinds: Sequence[str], chosen: Sequence[str]) -> Iterator[tuple[str, str, System]]:
    """Yield the kind, name and system of each model."""
    for name in zoo.names() if "zoo" in kinds else ():
        if not chosen or name in chosen:
            yield "zoo", name, zoo.load(name)
    for path in sorted(BIOMODELS.glob("*.xml")) if "biomodels" in kinds else ():
        name = path.stem.removeprefix("BIOMD").lstrip("0")
        if not chosen or name in chosen:
            yield "biomodels", name, System.from_sbml(path)


def markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def written(page: str, kind: str, lines: Sequence[str]) -> str:
    """Return a page with the table of a kind, between its markers, replaced."""
    begin, end = f"<!-- {kind}: begin -->", f"<!-- {kind}: end -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return "\n".join([before + begin, *lines, end + after])
