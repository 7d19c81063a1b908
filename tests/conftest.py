"""Settings and fixtures that all tests share."""

import os
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from physcm.scm import MixedGraph

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # pytest-xdist already fills the cores

settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the repository; skips where the tests run away from it."""
    if not (ROOT / "physcm").is_dir():
        pytest.skip("the tests run away from the checkout, against an installed physcm")
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real models, `../shared/data` unless PHYSCM_SHARED_DATA names another."""
    folder = Path(os.environ.get("PHYSCM_SHARED_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; PHYSCM_SHARED_DATA can name another folder")
    return folder


@pytest.fixture
def enzyme_at_rest() -> Callable[..., dict[str, float]]:
    """The closed form of the enzyme's equilibrium (Blom, Bongers & Mooij, UAI 2019).

    For k0, k1, km1, k2, k3 = 1, 2, 0.5, 1.5, 0.7 and the total n = 1.5 of enzyme and complex.
    """

    def closed_form(**held: float) -> dict[str, float]:
        k0, k1, m, k2, k3, n = 1, 2, 0.5, 1.5, 0.7, 1.5
        if "S" in held:
            c = k1 * held["S"] * n / (k1 * held["S"] + m + k2)
            return {"S": held["S"], "C": c, "E": n - c, "P": k2 * c / k3}
        e = held.get("E", n - k0 / k2)
        p = held.get("P", k0 / k3)
        return {"S": (k0 + m * k0 / k2) / (k1 * e), "C": k0 / k2, "E": e, "P": p}

    return closed_form


@pytest.fixture(scope="session")
def random_graph() -> Callable[..., MixedGraph]:
    """Draw a mixed graph, sparse or dense, with self-loops; half of them have two planted loops.

    A planted loop runs through some nodes in a circle, so that there are components of several
    nodes, which other edges link.
    """

    def draw(rng: np.random.Generator, most: int = 8, *, acyclic: bool = False) -> MixedGraph:
        size = int(rng.integers(2, most + 1))
        names = [f"v{i}" for i in rng.permutation(size)]
        density = rng.uniform(0, 3 / size)
        pairs = [(a, b) for a in range(size) for b in range(size) if not acyclic or a < b]
        directed = [(names[a], names[b]) for a, b in pairs if rng.random() < density]
        shared = [(a, b) for a, b in combinations(names, 2) if rng.random() < density / 2]
        if not acyclic and rng.random() < 0.5:
            start, middle, stop = sorted(rng.integers(0, size + 1, 3))
            for circle in (names[start:middle], names[middle:stop]):
                directed += zip(circle, circle[1:] + circle[:1], strict=True)
        return MixedGraph(directed, shared, names)

    return draw
