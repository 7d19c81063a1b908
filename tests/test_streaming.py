"""Runs written to a store some samples at a time are those that the memory holds at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import xarray as xr

from physcm.cli.app import main
from physcm.mechanism import Hold, Impulse, InvalidValue, Normal, Uniform, Unsupported, When
from physcm.sim import Jump, System, simulate, streaming
from physcm.sim.status import RunStatus

TIMES = np.linspace(0, 2, 5)
DECAY = System(
    {"x": "-k*x", "y": "x - y"}, parameters={"k": Uniform(1, 2)}, initial={"x": 1, "y": 0}
)
NOISY = DECAY.replace(noise={"x": 0.5})
BIRTHS = System.from_reactions({"birth": ("b*X", {"X": 1})}, parameters={"b": 1}, initial={"X": 3})
ESCAPE = System({"x": "x**2"}, initial={"x": Uniform(0.4, 0.6)})
CASES: dict[str, tuple[System, dict[str, Any]]] = {
    "smooth": (DECAY.replace(algebraic={"z": "x + y"}), {}),
    "reference": (DECAY, {"engine": "scipy"}),
    "noise": (NOISY, {"step": 0.01}),
    "jumps": (DECAY.replace(jumps={"j": Jump(2, {"x": 1})}), {"step": 0.01}),
    "window": (DECAY.do(Hold("x", 0, during=(0.5, 1))), {}),
    "trigger": (DECAY.do(When("y > 0.4*k/2", Impulse("x", Normal(1, 0.1)))), {}),
    "trigger on the reference engine": (
        DECAY.do(When("y > 0.4*k/2", Impulse("x", Normal(1, 0.1)))),
        {"engine": "scipy"},
    ),
    "escape": (ESCAPE, {}),
    "reactions": (BIRTHS, {"engine": "gillespie"}),
}


@pytest.fixture(autouse=True)
def seven_samples_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_NUMBERS", 7 * 2 * TIMES.size)


@pytest.mark.parametrize("case", CASES)
def test_a_store_holds_what_the_memory_would(case: str, tmp_path: Path) -> None:
    system, options = CASES[case]
    whole = simulate(system, TIMES, n=30, seed=3, **options)
    stored = simulate(system, TIMES, n=30, seed=3, to=tmp_path / "run.zarr", **options)
    xr.testing.assert_identical(stored.load(), whole)


@pytest.mark.parametrize("change", [[], [Hold("x[a]", "k", during=(0.5, 1))]])
@pytest.mark.parametrize("noise", [{}, {"x": 0.1}])
def test_a_store_holds_a_network_as_well(
    change: list[Hold], noise: dict[str, float], tmp_path: Path
) -> None:
    network = System.from_network(
        {"x": "k*inputs - x"}, "x_cause", nx.path_graph(["a", "b", "c"]), noise=noise,
        parameters={"k": Uniform(0, 1)}, initial={"x": [1, 2, 3]},
    ).do(*change)  # fmt: skip
    options = {"step": 0.01} if noise else {}
    whole = simulate(network, TIMES, n=30, **options)
    stored = simulate(network, TIMES, n=30, to=tmp_path / "run.zarr", **options)
    xr.testing.assert_identical(stored.load(), whole)


def test_the_order_of_trouble_is_that_of_all_samples(tmp_path: Path) -> None:
    stored = simulate(ESCAPE, TIMES, n=30, to=tmp_path / "run.zarr")
    lost = np.flatnonzero(stored.status == RunStatus.DIVERGED)
    told = [int(line.split()[1].rstrip(":")) for line in stored.attrs["trouble"].splitlines()]
    assert told == lost[:10].tolist()


def test_a_run_that_breaks_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(streaming, "_append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(DECAY, TIMES, n=30, to=tmp_path / "run.zarr")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "run.zarr").mkdir()
    with pytest.raises(InvalidValue, match=r"run.zarr` exists; remove it"):
        simulate(DECAY, TIMES, to=tmp_path / "run.zarr")


def test_a_folder_in_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"absent/run.zarr` cannot be written \(No such file"):
        simulate(DECAY, TIMES, to=tmp_path / "absent" / "run.zarr")


def test_samples_that_share_their_steps_cannot_run_in_parts(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="samples share their steps on the torch engine"):
        simulate(DECAY, TIMES, engine="torch", to=tmp_path / "run.zarr")


def test_the_command_line_writes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    with pytest.raises(SystemExit, match="0"):
        main(["simulate", "basic_enzyme", "--until", "5", "--out", str(path)])
    assert xr.open_zarr(path, chunks=None).sizes["time"] > 1
