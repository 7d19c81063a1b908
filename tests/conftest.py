"""Settings and fixtures that all tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

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
