"""`physcm abstract`: the causal model of a system's equilibria."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from physcm.abstraction import (
    CausalConstraintsModel,
    causal_ordering,
    equilibrium_model,
    structural_stability,
)
from physcm.abstraction.equations import without_natural_label
from physcm.cli.files import written_whole
from physcm.cli.interventions import read_interventions
from physcm.cli.models import load_model
from physcm.cli.output import say, working
from physcm.mechanism import PhyscmError
from physcm.mechanism.interventions import label
from physcm.sim import System


def run(model: str, do: Sequence[str], out: Path | None, *, stability: bool) -> None:
    """Print the causal model of a system's equilibria, its graph and its causal ordering."""
    original = load_model(model)
    interventions = read_interventions(do, original)
    system = original.do(*interventions)
    with working("deriving the causal model"):
        causal = equilibrium_model(system)
    scm = causal.scm if isinstance(causal, CausalConstraintsModel) else causal
    say(f"{system.name}, {label(interventions)}" if do else system.name, "bold")
    if isinstance(causal, CausalConstraintsModel):
        _section("Constraints (causal constraints model)", str(causal))
    _section("Structural equations", str(scm))
    for name in without_natural_label(system):
        say(f"Note: the equation labelled `{name}` determines not `{name}` but another variable.")
    _section("Graph", "\n".join(str(scm.graph())[len("MixedGraph(") : -1].split(", ")))
    _section("Causal ordering", _ordering(system))
    if stability:
        with working("looking at its stability"):
            report = structural_stability(system)
        _section("Stability", str(report))
    if out is not None:
        with written_whole(out) as scratch:
            scratch.write_text(scm.to_json(), encoding="utf-8")
        say(f"wrote {out}")


def _section(title: str, text: str) -> None:
    say()
    say(title, "bold")
    say(text)


def _ordering(system: System) -> str:
    try:
        return str(causal_ordering(system))
    except PhyscmError as error:
        return f"none: {error}"
