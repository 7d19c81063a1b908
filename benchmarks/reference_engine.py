"""How fast is the reference engine on real models, beside libroadrunner?

Question: what does one simulation of a BioModels file cost once the model is loaded, and what
the loading, in physcm (Python callables generated from SymPy, LSODA with the exact Jacobian)
and in libroadrunner (LLVM, CVODE)? This engine is the reference for correctness; the fast one has
benchmarks of its own. The two trajectories are compared, too.

Run: python -m benchmarks.reference_engine [FOLDER OF SBML FILES]
(default: ../shared/data/biomodels beside the checkout; needs the extra `dev`)

Last result (two cores of a cloud machine, Python 3.11): loading takes 0.3 times as long as in
libroadrunner and running 14 times (medians over 16 models, t = 100, rtol 1e-8); trajectories
differ by at most 9e-6 of each variable's size, at most 6e-7 but for the cell cycle.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import roadrunner

from benchmarks.timing import best
from physcm.sim import System, simulate

END, POINTS, RTOL = 100.0, 101, 1e-8


def row(path: Path) -> tuple[float, float, float, float, float]:
    """Load and simulate one file both ways: four times and the largest relative difference."""
    t = np.linspace(0, END, POINTS)
    system, load = best(lambda: System.from_sbml(path), 1)
    run, ours = best(lambda: simulate(system, t, rtol=RTOL, engine="scipy"), repeats=3)
    runner, peer_load = best(lambda: roadrunner.RoadRunner(str(path)), 1)
    runner.integrator.relative_tolerance = RTOL
    species = runner.model.getFloatingSpeciesIds()

    def simulate_peer() -> Any:
        runner.reset()
        return runner.simulate(0, END, POINTS, selections=[f"[{s}]" for s in species])

    peer, theirs = best(simulate_peer, repeats=3)
    values = np.stack([run[f"concentration({s})"].values[0] for s in species], axis=1)
    size = np.abs(peer).max(axis=0) + 1e-300
    return load, ours, peer_load, theirs, float((np.abs(values - peer) / size).max())


def main() -> None:
    """Print a line per model and the median ratios."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "biomodels"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    rows = []
    print("model            load/s  simulate/ms  roadrunner: load/s  simulate/ms  difference")
    for path in sorted(folder.glob("*.xml")):
        load, ours, peer_load, theirs, gap = row(path)
        rows.append((load / peer_load, ours / theirs))
        print(
            f"{path.stem}  {load:6.2f}  {1e3 * ours:11.1f}  {peer_load:18.2f}  "
            f"{1e3 * theirs:11.1f}  {gap:10.1e}"
        )
    load_ratio, run_ratio = np.median(rows, axis=0)
    print(f"median ratio physcm/libroadrunner: loading {load_ratio:.1f}, running {run_ratio:.1f}")


if __name__ == "__main__":
    main()
