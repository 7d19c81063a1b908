"""The shape of the package: who may import whom, and where things stand."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def test_imports_go_downwards_only(checkout: Path) -> None:
    code = (
        "from importlinter.cli import lint_imports_command as lint\n"
        "lint(['--no-cache', '--config', 'pyproject.toml'])"
    )
    result = run_python(code, cwd=checkout)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", ["sim", "abstraction", "scm"])
def test_link_at_the_root_points_into_the_package(checkout: Path, name: str) -> None:
    link = checkout / name
    if not link.is_symlink():
        pytest.skip("this checkout has no symbolic links")
    assert link.readlink() == Path("physcm", name)
    assert link.resolve() == checkout / "physcm" / name
    assert (link / "__init__.py").is_file()


@pytest.mark.parametrize("name", ["sim", "abstraction", "scm"])
def test_nothing_generic_can_be_imported(tmp_path: Path, name: str) -> None:
    """The links are no packages: from anywhere but the root their names mean nothing."""
    result = run_python(
        f"import importlib.util as u; raise SystemExit(u.find_spec({name!r}) is not None)",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("package", ["scm", "sim"])
def test_importing_leaves_out_what_it_may_not_need(tmp_path: Path, package: str) -> None:
    late = {"matplotlib", "libsbml", "sbmlmath", "numba", "torch", "zarr"}
    late |= {"scipy.integrate", "scipy.stats"} if package == "sim" else {"llvmlite"}
    code = f"import sys, physcm.{package}; print(*sorted({late!r} & sys.modules.keys()))"
    result = run_python(code, cwd=tmp_path)
    assert (result.returncode, result.stdout.split()) == (0, []), result.stderr


@pytest.mark.parametrize("noise", ["{}", "{'x': 0.1}"], ids=["ODE", "SDE"])
def test_a_run_loads_only_what_it_needs(tmp_path: Path, noise: str) -> None:
    late = {"matplotlib", "torch", "zarr", "scipy.integrate", "scipy.stats", "pint", "dask"}
    code = (
        "import sys\nfrom physcm.sim import System, simulate\n"
        f"system = System({{'x': '-x'}}, initial={{'x': 1}}, noise={noise})\n"
        f"simulate(system, [0, 1], n=2, step=0.5 if {noise} else None)['x'].mean('sample').values\n"
        f"print(*sorted({late!r} & sys.modules.keys()))"
    )
    result = run_python(code, cwd=tmp_path)
    assert (result.returncode, result.stdout.split()) == (0, []), result.stderr


def test_the_package_says_that_it_is_typed() -> None:
    spec = importlib.util.find_spec("physcm")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).with_name("py.typed").is_file()
