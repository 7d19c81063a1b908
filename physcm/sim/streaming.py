"""Runs that are larger than the memory: some samples at a time, into a zarr store."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from physcm.mechanism.errors import InvalidValue
from physcm.sim.options import tracked
from physcm.sim.trouble import MOST_TOLD

_NUMBERS = 2**22
"""How many numbers of the dataset are made at once: 32 MiB of them."""

Tolerances = float | Sequence[float] | None
Run = Callable[[NDArray[np.int64], Tolerances], xr.Dataset]


def streamed(
    run: Run, samples: NDArray[np.int64], atol: Tolerances, numbers: int,
    to: str | os.PathLike[str], progress: bool,
) -> xr.Dataset:  # fmt: skip
    """Run samples in parts, write them to a store, and open it.

    The store appears when it is complete; of a run that breaks off nothing stays.

    Args:
        run: returns the dataset of some samples at absolute tolerances. Those that the first
            part found for itself are those of all.
        samples: their numbers.
        atol: absolute tolerances.
        numbers: how many numbers a sample has in the dataset.
        to: the folder of the store.
        progress: show a progress bar.

    Raises:
        InvalidValue: if the folder exists, or cannot be made.
    """
    if not isinstance(to, str | os.PathLike):
        raise InvalidValue(f"to is `{to!r}`; give the name of a folder")
    path = Path(to)
    if path.exists():
        raise InvalidValue(f"`{to}` exists; remove it, or give another folder")
    try:
        scratch = Path(mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise InvalidValue(f"`{to}` cannot be written ({error.strerror}); give another") from None
    try:
        _write(run, samples, atol, numbers, scratch / "store", progress)
        (scratch / "store").rename(path)
    finally:
        shutil.rmtree(scratch)
    stored: xr.Dataset = xr.open_zarr(path, chunks=None)
    return stored


def _write(
    run: Run, samples: NDArray[np.int64], atol: Tolerances, numbers: int, store: Path,
    progress: bool,
) -> None:  # fmt: skip
    import zarr

    size = max(1, _NUMBERS // numbers)
    parts = [samples[low : low + size] for low in range(0, samples.size, size)]
    troubles: list[str] = []
    for part in tracked(parts, progress):
        data = run(part, atol)
        troubles += data.attrs.pop("trouble", "").splitlines()
        if part[0] == samples[0]:
            atol = json.loads(data.attrs["atol"]) if "atol" in data.attrs else atol
            _begin(data, store, size)
        else:
            _append(data, store)
    group = _group(store)
    if troubles:
        group.attrs["trouble"] = "\n".join(troubles[:MOST_TOLD])
    zarr.consolidate_metadata(group.store)


def _begin(data: xr.Dataset, store: Path, size: int) -> None:
    encoding = {
        name: {"chunks": (size, *(max(1, length) for length in column.shape[1:]))}
        for name, column in data.variables.items()
        if column.dims[:1] == ("sample",)
    }
    data.to_zarr(store, encoding=encoding, consolidated=False, zarr_format=2)


def _append(data: xr.Dataset, store: Path) -> None:
    """Append samples; of those before and those now, the ones with fewer instants get NaN."""
    group, over = _group(store), [k for k, v in data.variables.items() if "instant" in v.dims]
    if over:
        before, now = group[over[0]].shape[1], data.sizes["instant"]
        data = data.pad(instant=(0, max(0, before - now)))
        for name in over:
            samples, _, *rest = group[name].shape
            group[name].resize((samples, max(before, now), *rest))
    data.to_zarr(store, append_dim="sample", consolidated=False)


def _group(store: Path) -> Any:
    """Open a store, for changes."""
    import zarr

    return zarr.open_group(store)
