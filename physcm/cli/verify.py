"""`physcm verify`: does the square commute?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from physcm.abstraction import Abstraction, Report, commutes, equilibrium_model, hold_each
from physcm.abstraction.reporting.report import COLUMNS
from physcm.cli.files import check_folder, written_whole
from physcm.cli.interventions import Interventions, read_interventions
from physcm.cli.models import file_stem, load_model
from physcm.cli.output import is_watched, say, show_table, working
from physcm.mechanism import Hold, InvalidValue, Unsupported
from physcm.sim import System
from physcm.sim.settle import require_autonomous


def run(
    model: str, do: Sequence[str], out: Path | None, *, n: int, seed: int, tolerance: float,
    search: int = 0,
) -> int:  # fmt: skip
    """Verify a model, print and write the report; return the exit status."""
    system = load_model(model)
    tried = [_steady(text, system) for text in do]
    if tried and search:
        raise InvalidValue(
            f"--search {search} makes up interventions; give it, or some by --do, not both"
        )
    if not 0 < tolerance < 1:
        raise InvalidValue(f"--tolerance is `{tolerance}`; give a number between 0 and 1")
    if out is not None:
        check_folder(out)
    try:
        require_autonomous(system)
    except Unsupported as error:
        say(f"No equilibrium SCM exists: {error}", "red")
        return 1
    if search:
        report = _searched(system, search, n=n, seed=seed, tolerance=tolerance)
    else:
        report = verified(system, tried, n=n, seed=seed, tolerance=tolerance)
    show(report)
    if out is not None:
        say(f"wrote {write(report, out, file_stem(model))}")
    return 0 if report.ok else 1


def verified(
    system: System, tried: Sequence[Interventions] = (), *, n: int = 1, seed: int = 0,
    tolerance: float = 1e-5,
) -> Report:  # fmt: skip
    """Return the report on a system, unless told under holds of each variable in turn."""
    with working("deriving the causal model"):
        model = equilibrium_model(system)
        family: Sequence[Hold | Interventions] = tried or hold_each(system, seed=seed)
    return commutes(
        system, model, family, n=n, seed=seed, tolerance=tolerance, progress=is_watched()
    )


def _searched(system: System, search: int, *, n: int, seed: int, tolerance: float) -> Report:
    with working(f"searching among {search} interventions"):
        square = Abstraction(system, equilibrium_model(system))
        return square.search(search, n=n, seed=seed, tolerance=tolerance)


def show(report: Report) -> None:
    """Print a report: as text, or with colors on a terminal."""
    if not sys.stdout.isatty():
        print(report)
        return
    say(report.low.name, "bold")
    say(report.verdict, "bold green" if report.ok else "bold red")
    show_table(
        COLUMNS,
        [row.cells for row in report.rows],
        ["" if row.agree else "red" for row in report.rows],
    )
    say("\n".join(report.remarks))


def write(report: Report, folder: Path, stem: str) -> str:
    """Write a report as a page, a picture, a table and text; return what was written.

    Raises:
        InvalidFile, OSError: if the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = ["simulated", "predicted", "difference", "agree"]
    with written_whole(folder / f"{stem}.csv") as scratch:
        report.table[numbers].to_dataframe().dropna(how="all").to_csv(scratch)
    with written_whole(folder / f"{stem}.png") as scratch:
        report.plot().savefig(scratch)
    with written_whole(folder / f"{stem}.txt") as scratch:
        scratch.write_text(f"{report}\n", encoding="utf-8")
    report.to_html(folder / f"{stem}.html")
    return f"{folder / stem}.html, .png, .csv and .txt"


def _steady(text: str, system: System) -> Interventions:
    """Return the interventions of one `--do`, which must leave the system a chance to rest."""
    interventions = read_interventions([text], system)
    if system.is_autonomous and not system.do(*interventions).is_autonomous:
        raise InvalidValue(
            f'--do "{text}": a value that changes with `t` leaves no state of rest to compare; '
            "look at it with `physcm simulate`, or hold the variable at a constant"
        )
    return interventions
