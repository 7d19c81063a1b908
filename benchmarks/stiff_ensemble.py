"""How fast are ensembles of stiff equations, beside libroadrunner and SciPy's LSODA?

Question: what does one sample cost, on one core, at equal achieved error, over 1,000 draws of the
parameters and 100 saved times, for

- Robertson's reaction, t = 10^-3 to 10^5,
- van der Pol's equation with mu about 1000, t to 2000,
- the MAPK cascade of Huang and Ferrell (BioModels 9), t to 150?

What is timed is the solver alone, without the dataset around it. The error is the largest over
variables and saved times, relative to the largest value of the variable, at the median of some
samples, against LSODA at a tolerance of 1e-12. Each engine runs at several tolerances; times are
interpolated between them at equal errors. LSODA runs in a loop over samples with generated
Python functions and the exact Jacobian, libroadrunner (CVODE, compiled by LLVM) with
`resetAll`, new parameters and `simulate`. The plot goes to benchmarks/results/stiff_ensemble.png.

Run: python -m benchmarks.stiff_ensemble [FOLDER OF SBML FILES]
(default: ../shared/data/biomodels beside the checkout; needs the extra `dev`)

Last result (two cores of a cloud machine, AMD EPYC, Python 3.11, no other work, one core):
libroadrunner takes 18 to 121 times as long at equal error, LSODA in a loop 69 to 262 times.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import libsbml
import numpy as np
import roadrunner
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.timing import best, machine, table
from physcm.sim import System
from physcm.sim.engine import integrate
from physcm.sim.fused.ensemble import follow
from physcm.sim.fused.numba_engine import Numba

SAMPLES, PEER_SAMPLES, LSODA_SAMPLES = 1000, 100, 8
TOLERANCES = 10.0 ** -np.arange(2, 11)
ERRORS = (1e-3, 1e-4, 1e-6, 1e-8)
Floats = NDArray[np.float64]


@dataclass
class Case:
    """A system, the same as SBML, the states' names there, and what is drawn."""

    system: System
    sbml: str
    names: list[str]
    times: Floats
    atol: float


def by_rules(system: System) -> str:
    """Return SBML in which each state is a parameter with a rate rule."""
    document = libsbml.SBMLDocument(3, 1)
    model = document.createModel()
    for name, value in {**system.parameters, **system.initial}.items():
        parameter = model.createParameter()
        parameter.setId(name)
        parameter.setValue(float(value))
        parameter.setConstant(name in system.parameters)
    for name, drift in system.drift.items():
        rule = model.createRateRule()
        rule.setVariable(name)
        rule.setMath(libsbml.parseL3Formula(str(drift).replace("**", "^")))
    return str(libsbml.writeSBMLToString(document))


def promoted(path: Path) -> str:
    """Return SBML in which the parameters of reactions stand for the whole model."""
    document = libsbml.readSBML(str(path))
    options = libsbml.ConversionProperties()
    options.addOption("promoteLocalParameters", True)
    document.convert(options)
    return str(libsbml.writeSBMLToString(document))


def spread(system: System, names: list[str], width: float) -> System:
    """Return the system with parameters drawn around their values."""
    random = np.random.default_rng(0)
    drawn = {
        name: float(system.parameters[name]) * np.exp(width * random.normal(size=SAMPLES))
        for name in names
    }
    return system.replace(parameters={**system.parameters, **drawn})


def cases(folder: Path) -> dict[str, Case]:
    """Return the three cases."""
    robertson = System(
        {"A": "-k1*A + k3*B*C", "B": "k1*A - k3*B*C - k2*B**2", "C": "k2*B**2"},
        parameters={"k1": 0.04, "k2": 3e7, "k3": 1e4},
        initial={"A": 1, "B": 0, "C": 0},
        name="Robertson",
    )
    van_der_pol = System(
        {"x": "y", "y": "mu*(1 - x**2)*y - x"},
        parameters={"mu": 1000},
        initial={"x": 2, "y": 0},
        name="van der Pol",
    )
    path = folder / "BIOMD0000000009.xml"
    mapk = System.from_sbml(path)
    rates = [name for name in mapk.parameters if name.startswith("r")]
    log_times = np.r_[0, np.logspace(-3, 5, 100)]
    return {
        "Robertson": Case(
            spread(robertson, ["k1", "k2", "k3"], 0.5), by_rules(robertson), ["A", "B", "C"],
            log_times, 1e-6,
        ),
        "van der Pol, mu = 1000": Case(
            spread(van_der_pol, ["mu"], 0.1), by_rules(van_der_pol), ["x", "y"],
            np.linspace(0, 2000, 101), 1e-3,
        ),
        "Huang-Ferrell MAPK": Case(
            spread(mapk, rates, 0.3), promoted(path), [f"[{s}]" for s in mapk.states],
            np.linspace(0, 150, 101), 1e-5,
        ),
    }  # fmt: skip


def fast(case: Case, count: int, rtol: float) -> Floats:
    """Return the states (states, samples, times) by the stiff method of physcm."""
    x0, p = case.system.draw(np.arange(SAMPLES), 0)
    x0, p = x0[:, :count], p[:, :count]
    out = np.empty((*x0.shape, len(case.times)))
    atol = np.full(len(x0), case.atol * rtol)
    follow(case.system, case.times, x0, p, rtol, atol, Numba("rodas5p", threads=1), out)
    return out


def lsoda(case: Case, count: int, rtol: float) -> Floats:
    """Return the same by LSODA, one sample after the other."""
    x0, p = case.system.draw(np.arange(SAMPLES), 0)
    atol = np.full(len(x0), case.atol * rtol)
    runs = [
        integrate(case.system, case.times, x0[:, k], p[:, k], rtol, atol).states
        for k in range(count)
    ]
    return np.stack(runs, axis=1)


class Roadrunner:
    """A model in libroadrunner."""

    def __init__(self, case: Case) -> None:
        self.case, self.runner = case, roadrunner.RoadRunner(case.sbml)
        _, p = case.system.draw(np.arange(SAMPLES), 0)
        rows = dict(zip(case.system.parameters, p, strict=True))
        self.drawn = {name: row for name, row in rows.items() if np.ptp(row) > 0}
        self.runner.integrator.maximum_num_steps = 1_000_000

    def states(self, count: int, rtol: float) -> Floats:
        """Return the states (states, samples, times)."""
        integrator = self.runner.integrator
        integrator.relative_tolerance = rtol
        integrator.absolute_tolerance = self.case.atol * rtol
        runs = []
        for k in range(count):
            self.runner.resetAll()
            for name, values in self.drawn.items():
                self.runner[name] = values[k]
            self.runner.timeCourseSelections = self.case.names
            try:
                runs.append(np.array(self.runner.simulate(times=self.case.times)))
            except RuntimeError:  # CVODE gives some samples up
                runs.append(np.full((len(self.case.times), len(self.case.names)), np.inf))
        return np.stack(runs).transpose(2, 0, 1)


def curve(run: Callable[[int, float], Floats], count: int, exact: Floats) -> tuple[Floats, Floats]:
    """Return errors and microseconds per sample at all tolerances."""
    errors, costs = [], []
    size = np.abs(exact).max(axis=(1, 2), keepdims=True)
    for rtol in TOLERANCES:
        run(1, rtol)
        found, seconds = best(lambda rtol=rtol: run(count, rtol), 1 if count < 10 else 3)
        few = min(exact.shape[1], count)
        gaps = np.abs(found[:, :few] - exact[:, :few]) / size
        errors.append(np.median(gaps.max(axis=(0, 2))))
        costs.append(1e6 * seconds / count)
    return np.array(errors), np.array(costs)


def cost(errors: Floats, costs: Floats, wanted: float) -> float:
    """Return the cost at an error, between the tolerances that were run."""
    order = np.argsort(errors)
    if not errors.min() <= wanted:
        return float("nan")
    at = np.interp(np.log(wanted), np.log(errors[order]), np.log(costs[order]))
    return float(np.exp(at))


def draw(panel: Axes, title: str, curves: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Draw work against precision."""
    for name, (errors, costs) in curves.items():
        panel.loglog(errors, costs, "o-", label=name, markersize=3)
    panel.set_title(title)
    panel.set_xlabel("median error")
    panel.set_ylabel("µs per sample")
    panel.invert_xaxis()
    panel.legend(frameon=False, fontsize=8)


def main() -> None:
    """Print a table for each case and error, and draw what lies between."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "biomodels"
    chosen = cases(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
    print(machine())
    figure = Figure(figsize=(12, 4), layout="constrained")
    for panel, (title, case) in zip(figure.subplots(1, 3), chosen.items(), strict=True):
        exact = lsoda(case, LSODA_SAMPLES, 1e-12)
        own = curve(partial(fast, case), SAMPLES, exact)
        peers = {
            "libroadrunner": curve(Roadrunner(case).states, PEER_SAMPLES, exact),
            "LSODA in a loop": curve(partial(lsoda, case), LSODA_SAMPLES, exact),
        }
        for wanted in ERRORS:
            costs = {name: cost(*found, wanted) for name, found in peers.items()}
            table(f"{title}, error {wanted:.0e}", cost(*own, wanted), costs, "us per sample")
        draw(panel, title, {"physcm": own, **peers})
    figure.savefig(Path(__file__).parent / "results" / "stiff_ensemble.png", dpi=120)


if __name__ == "__main__":
    main()
