"""How long does it take to follow the equilibria of n coupled genes, and how does that grow?

Question: what does `continuation` cost for a chain of n genes, each switching on the next and the
last one switching on the first (bistable, with Hopf points once the chain is long), and for a ring
in which each represses the next (oscillates)? Beside it stands what it replaces: `equilibria` at as
many values as the branches have points, of which one value is timed. Folds, Hopf points and what
lies between two values are not seen there at all. Compile time is apart: it is paid once for a
model, and kept on disk.

Run: python -m benchmarks.continuation

Last result (AMD EPYC, two cores with other work): twenty genes take 3 to 6 s, forty 3 to 13 s, and
`equilibria` at as many values would take 3 to 6 min for twenty.

    model  states  first s  again s  points  equilibria s  special points
    chain       5      5.5      1.2     214            81  1 fold
    chain      10      3.0      1.7     238            73  1 Hopf, 1 fold
    chain      20      3.1      3.4     268           165  2 Hopf, 1 fold
    chain      40      6.9      8.7     310           689  5 Hopf, 1 fold
    ring        5      3.3      2.2     112            44  1 Hopf
    ring       10      4.4      3.5     241            71  1 pitchfork, 1 Hopf
    ring       20      6.2      5.9     271           378  1 pitchfork, 3 Hopf
    ring       40     12.7      2.7     275           305  1 pitchfork, 7 Hopf
"""

from __future__ import annotations

import time
from collections import Counter

from benchmarks.timing import machine
from physcm.mechanism import SetParameter
from physcm.sim import System, continuation, equilibria

SIZES = (5, 10, 20, 40)
AMOUNT = (0, float("inf"))


def chain(n: int) -> System:
    """Each gene is switched on by the one before, the first one by the last."""
    drift = {"x0": f"k + 4*x{n - 1}**4/(1 + x{n - 1}**4) - x0"}
    drift |= {
        f"x{i}": f"2*x{i - 1}**2/(1 + x{i - 1}**2) + 0.1*x{i - 1} - x{i}" for i in range(1, n)
    }
    return genes(drift)


def ring(n: int) -> System:
    """Each gene is switched off by the one before."""
    return genes({f"x{i}": f"k/(1 + x{(i - 1) % n}**3) - x{i}" for i in range(n)})


def genes(drift: dict[str, str]) -> System:
    """Return a system of genes, not quite alike at the start."""
    initial = {name: 0.1 + 0.01 * i for i, name in enumerate(drift)}
    return System(drift, parameters={"k": 1}, initial=initial, bounds=dict.fromkeys(drift, AMOUNT))


def measured(system: System, between: tuple[float, float]) -> tuple[float, float, int, float, str]:
    """Return the times of a first and a second continuation, and what they replace and find."""
    times = []
    for _ in range(2):
        begin = time.perf_counter()
        found = continuation(system, "k", between)
        times.append(time.perf_counter() - begin)
    points = sum(branch.sizes["point"] for branch in found.branches)
    begin = time.perf_counter()
    equilibria(system.do(SetParameter(k=sum(between) / 2)))
    replaced = points * (time.perf_counter() - begin)
    counts = Counter(point.kind for point in found.points)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"
    return times[0], times[1], points, replaced, kinds


def main() -> None:
    print(machine())
    print("model  states  first s  again s  points  equilibria s  special points")
    for make, between in ((chain, (0.01, 2)), (ring, (0.1, 20))):
        for n in SIZES:
            first, again, points, replaced, kinds = measured(make(n), between)
            print(
                f"{make.__name__:5}{n:8}{first:9.1f}{again:9.1f}{points:8}{replaced:14.0f}  {kinds}"
            )


if __name__ == "__main__":
    main()
