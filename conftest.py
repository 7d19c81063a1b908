"""What pytest must know about the checkout before it looks for tests and doctests."""

import contextlib
import importlib
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parent

# The links at the root show the package's files a second time.
collect_ignore = ["sim", "abstraction", "scm"]

# Their examples need the extra `torch`.
if not all(map(importlib.util.find_spec, ("torch", "torchdiffeq", "torchsde"))):
    collect_ignore += ["physcm/mechanism/codegen.py", "physcm/sim/differentiable.py"]
    collect_ignore += [str(file) for file in ROOT.glob("physcm/sim/torch_*.py")]


def pytest_collect_file(file_path: Path) -> None:
    """Import a module of physcm by its name before pytest imports it by its file.

    pytest's import mode `importlib` runs a file once more when its own package has loaded it
    already, and then every class of that module exists twice. A module that fails to import is
    left for pytest to report.
    """
    if file_path.suffix != ".py" or not file_path.is_relative_to(ROOT / "physcm"):
        return
    parts = file_path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(part for part in parts if part != "__init__")
    if not name.endswith("__main__"):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
