"""Settings and fixtures that all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("MPLBACKEND", "Agg")

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
