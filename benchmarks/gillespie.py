"""How fast are stochastic reaction systems, beside libroadrunner?

Question: how long do 10,000 runs of each stochastic case of the SBML Test Suite take, saved at
the times of the case, by physcm (machine code for 16 samples at once, all cores) and by
libroadrunner (its gillespie integrator, one run after the other)? Compilation is timed apart,
as the time of the first run of one sample. libroadrunner runs fewer samples and is scaled up.

Run: python -m benchmarks.gillespie [FOLDER OF CASES]
(default: ../shared/data/sbml-stochastic beside the checkout; needs the extra `dev`)

Last result (two cores of a cloud machine, AMD EPYC with AVX-512, Python 3.11, while other work
ran beside it): 57 times libroadrunner in the median over 21 cases, 8 times at least (cases 30
and 35 with few firings, 32 and 33 with events; the others 27 to 104 times). The first run of a
process takes 0.6 s more (loading the kernel), a new system 0.03 s; with an empty cache 2.5 s.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import roadrunner

from benchmarks.timing import best, machine
from physcm.sim import System, simulate

RUNS, PEER_RUNS = 10_000, 300


def saved_times(case: Path) -> np.ndarray:
    """Return the times that a case asks for."""
    lines = (case / "settings.txt").read_text(encoding="utf-8").splitlines()
    given = {key.strip(): value for key, _, value in (line.partition(":") for line in lines)}
    return np.linspace(0, float(given["duration"]), int(given["steps"]) + 1)


def ours(model: Path, times: np.ndarray) -> tuple[float, float]:
    """Return the seconds of all runs, and of the first run of one."""
    system = System.from_sbml(model)

    def run(n: int) -> None:
        simulate(system, times, n=n, engine="gillespie")

    _, first = best(lambda: run(1), repeats=1)
    return best(lambda: run(RUNS))[1], first


def theirs(model: Path, times: np.ndarray) -> float:
    """Return the seconds of all runs by libroadrunner."""
    runner = roadrunner.RoadRunner(str(model))
    runner.setIntegrator("gillespie")
    runner.integrator.seed = 1
    runner.integrator.variable_step_size = False

    def run() -> None:
        for _ in range(PEER_RUNS):
            runner.reset()
            runner.simulate(times[0], times[-1], times.size)

    return best(run)[1] * RUNS / PEER_RUNS


def main() -> None:
    """Print a line per case and the ratios."""
    roadrunner.Logger.disableLogging()
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "sbml-stochastic"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    print(machine())
    print(f"case   first/s  {RUNS} runs/s  roadrunner/s  ratio")
    ratios = []
    for case in sorted(path for path in folder.iterdir() if path.is_dir()):
        times = saved_times(case)
        seconds, first = ours(case / "model.xml", times)
        peer = theirs(case / "model.xml", times)
        ratios.append(peer / seconds)
        print(
            f"{case.name}  {first:7.2f}  {seconds:12.3f}  {peer:12.2f}  {ratios[-1]:5.1f}",
            flush=True,
        )
    print(f"ratio: {min(ratios):.1f} at least, {np.median(ratios):.1f} median")


if __name__ == "__main__":
    main()
