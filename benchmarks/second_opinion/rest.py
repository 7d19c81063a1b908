"""Claims about rest: what attracts, what repels, and how many equilibria there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.second_opinion.flow import Floats, Flow, Opinion, apart, fastest, patient, size

SAME = 1e-4
DOUBLINGS = 8
SLOW_TIMES = 5000


@patient
def rests(flow: Flow, start: Floats, claimed: Floats) -> Opinion:
    """A run from the start ends at a claimed state, which is an equilibrium that attracts."""
    x = flow.equilibrium(claimed)
    if x is None:
        return Opinion(False, "no equilibrium near the claimed one")
    leading = flow.eigenvalues(x).real.max(initial=-np.inf)
    apart = _ends_at(flow, start, x, leading)
    text = f"largest Re λ = {leading:.3g}; LSODA ends there to {apart:.0e}"
    return Opinion(leading < 0 and apart < SAME, text)


def _ends_at(flow: Flow, start: Floats, x: Floats, leading: float) -> float:
    """Return how far from an equilibrium, relative, runs of doubled length end at the least."""
    time, apart, seen = 20 / abs(leading), np.inf, np.abs(start)
    for _ in range(DOUBLINGS):
        run = flow.run(start, time)
        start, seen = run.y[:, -1], np.maximum(seen, np.abs(run.y).max(axis=1))
        apart = float((np.abs(start - x) / size(np.maximum(np.abs(x), 1e-2 * seen))).max())
        if apart < SAME or not run.success:
            break
        time *= 2
    return apart


@patient
def attracts(flow: Flow, claimed: Floats) -> Opinion:
    """A claimed state is an equilibrium that attracts a run begun near it."""
    x = flow.equilibrium(claimed)
    if x is None:
        return Opinion(False, "no equilibrium near the claimed one")
    scale = size(x)
    basis = flow.free(scale)
    beside = x + 1e-3 * scale * (basis @ (basis.T @ np.ones(len(x))))
    leading = flow.eigenvalues(x).real.max(initial=-np.inf)
    patience = SLOW_TIMES * fastest(flow, x)
    if leading < 0 and 20 / -leading > patience:
        return _comes_nearer(flow, beside, x, leading, patience)
    found = rests(flow, beside, x)
    return Opinion(found.holds, f"an equilibrium attracts: {found.text}")


def _comes_nearer(flow: Flow, start: Floats, x: Floats, leading: float, time: float) -> Opinion:
    """Of an equilibrium that attracts too slowly for a run to end there."""
    run = flow.run(start, time)
    gaps = (np.abs(run.y - x[:, np.newaxis]) / size(x)[:, np.newaxis]).max(axis=0)
    early, late = gaps[run.t < time / 5].max(), gaps[run.t > time * 4 / 5].max()
    text = f"an equilibrium attracts: largest Re λ = {leading:.3g}; LSODA comes nearer"
    return Opinion(bool(late < 0.95 * early), f"{text}, from {early:.2g} to {late:.2g}")


@patient
def several(flow: Flow, claimed: Sequence[Floats]) -> Opinion:
    """At least two of the claimed states are equilibria apart that attract runs begun near them."""
    found: list[Floats] = []
    for near in claimed:
        if all(apart(near, other) > SAME for other in found) and attracts(flow, near).holds:
            found.append(near)
        if len(found) == 2:
            gap = apart(*found)
            rates = [flow.eigenvalues(x).real.max(initial=-np.inf) for x in found]
            text = f"two roots {gap:.2g} apart, largest Re λ {rates[0]:.3g} and {rates[1]:.3g}"
            return Opinion(True, f"{text}; each attracts a run of LSODA")
    return Opinion(False, f"{len(found)} equilibria that attract")


@patient
def continuum(flow: Flow, near: Floats) -> Opinion:
    """Beside an equilibrium lies another one with the same conserved totals."""
    x = flow.equilibrium(near)
    if x is None:
        return Opinion(False, "no equilibrium found")
    scale = np.maximum(np.abs(x), 1e-2 * np.abs(x).max(initial=0.0)) + 1e-12
    basis = flow.free(scale)
    _, sizes, rows = np.linalg.svd(basis.T @ flow.scaled_jacobian(x, scale) @ basis)
    flat = int((sizes <= 1e-9 * sizes.max(initial=1e-300)).sum())
    other = flow.equilibrium(x + 0.01 * scale * (basis @ rows[-1]))
    apart = 0.0 if other is None else float((np.abs(other - x) / scale).max())
    text = (
        f"exact Jacobian: kernel of dimension {flat} beside {len(flow.laws)} exact linear laws; "
        f"another root {apart:.1g} away"
    )
    return Opinion(flat > 0 and apart > 1e-3, text)


@patient
def repels(flow: Flow, claimed: Sequence[Floats]) -> Opinion:
    """All claimed states are equilibria, each with an eigenvalue to the right."""
    found = [flow.equilibrium(x) for x in claimed]
    if any(x is None for x in found):
        return Opinion(False, "a claimed equilibrium is none")
    leading = [flow.eigenvalues(x).real.max() for x in found if x is not None]
    listed = ", ".join(f"{value:.3g}" for value in leading[:3])
    return Opinion(min(leading) > 0, f"exact Jacobian: largest Re λ = {listed} > 0")
