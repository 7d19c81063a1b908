"""Tempering: from draws of the noise to draws that evidence speaks for, step by step.

Where evidence is informative, hardly any draw from the prior p(z) has a weight g(z) worth
speaking of. A sequential Monte Carlo sampler goes through the laws

    p(z) g(z)^beta,   beta from 0 to 1,

each step as far as the effective sample size stays at half of the draws; draws are then
resampled by their weights and moved by Metropolis steps that keep the law. The noise is
written through standard normal z, and a move is

    z' = m + sqrt(1 - r^2) (z - m) + r xi,   xi from N(0, S),

with m, S the weighted mean and covariance of all draws of the unit: it would keep N(m, S). If
a draw leads to several solutions one of them is chosen, which the weight allows for. Draws that
are equal count as one; those that moved are still somewhat alike, so that means of them may be
half as wrong again as their effective sample size says.

References: Del Moral, Doucet & Jasra, Journal of the Royal Statistical Society B 68, 2006;
Rudolf & Sprungk, Foundations of Computational Mathematics 18, 2018 (the moves).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from physcm.mechanism.codegen import Floats
from physcm.mechanism.linearization import Flags
from physcm.mechanism.randomness import uniforms
from physcm.scm.block import Ints
from physcm.scm.seen import SeenModel

_STEPS = 200
_STRIDES = (1.0, 0.7, 0.5, 0.3, 0.2)
_LAST_ROUNDS = 3
_FEWEST = 0.25
_HALVINGS = 50
_FLOOR = 1e-20


@dataclass(frozen=True)
class Draws:
    """Draws of the noise of each unit.

    Attributes:
        z: the noise that is drawn, (units, draws, noise), in standard normal form.
        level: log g of each, (units, draws).
        values: the values that come of it, (units, draws) each.
        reached: the units whose draws follow the law that the evidence speaks for.
    """

    z: Floats
    level: Floats
    values: Mapping[str, Floats]
    reached: Flags

    def where(self, better: Flags, other: Draws) -> Draws:
        """Return others in some places (units, draws)."""
        return Draws(
            np.where(better[..., np.newaxis], other.z, self.z),
            np.where(better, other.level, self.level),
            {k: np.where(better, other.values[k], row) for k, row in self.values.items()},
            self.reached,
        )

    def taken(self, place: Ints) -> Draws:
        """Return the draws at some places (units, draws)."""
        return Draws(
            np.take_along_axis(self.z, place[..., np.newaxis], axis=1),
            np.take_along_axis(self.level, place, axis=1),
            {k: np.take_along_axis(row, place, axis=1) for k, row in self.values.items()},
            self.reached,
        )


def tempered(problem: SeenModel, n: int, seed: int) -> Draws:
    """Return n draws of the noise of each unit, given what was seen of it.

    Draws of a unit do not depend on other units.
    """
    sampler = _Sampler(problem, n, seed)
    draws = sampler.first()
    beta = np.zeros(len(draws.level))
    possible = np.isfinite(draws.level).any(axis=1)
    for step in range(_STEPS):
        active = possible & (beta < 1)
        if not active.any():
            break
        gain = np.where(active, _next(draws.level, 1 - beta), 0.0)
        weight = _normalized(draws.level, gain)
        # Where few draws have any weight, all that follow would be kin of these.
        possible &= 1 / (weight**2).sum(axis=1) >= _FEWEST * n
        active &= possible
        place = sampler.resampled(weight, step)
        identity = np.broadcast_to(np.arange(n), place.shape)
        mean, spread = _moments(draws.z, weight)
        beta = beta + gain
        draws = draws.taken(np.where(active[:, np.newaxis], place, identity))
        for turn in range(_LAST_ROUNDS):
            moving = active & ((turn == 0) | (beta >= 1))
            if moving.any():
                draws = sampler.moved(draws, beta, mean, spread, moving, f"{step}.{turn}")
    return Draws(draws.z, draws.level, draws.values, possible & (beta >= 1))


@dataclass(frozen=True)
class _Sampler:
    problem: SeenModel
    n: int
    seed: int

    def first(self) -> Draws:
        """Return draws from the prior."""
        z = np.stack([ndtri(self._uniforms(name)) for name in self.problem.latent], axis=-1)
        return self._at(z, "0")

    def moved(
        self, draws: Draws, beta: Floats, mean: Floats, spread: Floats, moving: Flags, label: str
    ) -> Draws:
        """Move draws by Metropolis steps of all strides that keep the law of some units."""
        power = beta[:, np.newaxis]
        for stride in _STRIDES:
            own = f"{label}.{stride}"
            xi = np.stack(
                [ndtri(self._uniforms(f"{name} moved {own}")) for name in self.problem.latent],
                axis=-1,
            )
            kept = np.sqrt(1 - stride**2) * (draws.z - mean)
            new = self._at(mean + kept + stride * xi @ spread.transpose(0, 2, 1), own)
            with np.errstate(invalid="ignore"):
                gain = power * new.level - power * draws.level
                gain = gain + _surplus(new.z, mean, spread) - _surplus(draws.z, mean, spread)
                accepted = np.log(self._uniforms(f"accepted {own}")) < gain
            draws = draws.where(accepted & moving[:, np.newaxis], new)
        return draws

    def resampled(self, weight: Floats, step: int) -> Ints:
        """Return places (units, draws), each as often as its weight says (systematically)."""
        offset = self._uniforms(f"resampled {step}")[:, :1]
        marks = (np.arange(self.n) + offset) / self.n
        sums = np.cumsum(weight, axis=1)
        sums /= sums[:, -1:]
        rows = [np.searchsorted(*pair) for pair in zip(sums, marks, strict=True)]
        return np.asarray(np.minimum(rows, self.n - 1), dtype=np.int64)

    def _at(self, z: Floats, label: str) -> Draws:
        """Solve the equations at draws."""
        shape = z.shape[:2]
        rows = ndtr(z).reshape(-1, z.shape[2]).T
        u = np.clip(rows, np.finfo(float).tiny, 1 - np.finfo(float).epsneg)
        columns = self.problem.at(dict(zip(self.problem.latent, u, strict=True)), self.n)
        found, given, weight = self.problem.weighed(columns)
        chosen = np.floor(self._uniforms(f"solution {label}").ravel() * found.count)
        place = np.searchsorted(found.sample, np.arange(columns.unit.size)) + chosen.astype(int)
        solved = found.count > 0
        level = np.full(columns.unit.size, -np.inf)
        level[solved] = weight[place[solved]] + np.log(found.count[solved])
        level[~np.isfinite(level)] = -np.inf
        values = {}
        for name, row in given.items():
            spread = np.full(columns.unit.size, np.nan)
            spread[solved] = row[place[solved]]
            values[name] = spread.reshape(shape)
        return Draws(z, level.reshape(shape), values, np.zeros(shape[0], bool))

    def _uniforms(self, source: str) -> Floats:
        return uniforms(self.seed, source, np.arange(self.n), self.problem.numbers[:, np.newaxis])


def _next(level: Floats, most: Floats) -> Floats:
    """Return by how much beta grows: so far that half of the effective sample size is left."""
    low, high = np.zeros(len(level)), most
    half = level.shape[1] / 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        good = 1 / (_normalized(level, middle) ** 2).sum(axis=1) >= half
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    whole = 1 / (_normalized(level, most) ** 2).sum(axis=1) >= half
    # Where most draws have no weight at all no step is small enough; the smallest is taken.
    return np.where(whole, most, np.maximum(low, np.minimum(high, most)))


def _normalized(level: Floats, power: Floats) -> Floats:
    """Return g^power, with the sum 1 over the draws of each unit."""
    largest = level.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        weight = np.where(np.isfinite(level), np.exp(power[:, np.newaxis] * (level - largest)), 0.0)
    total = weight.sum(axis=1, keepdims=True)
    return np.where(total > 0, weight / np.where(total > 0, total, 1.0), 1 / level.shape[1])


def _moments(z: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return weighted means (units, 1, noise) and roots of covariances, (units, noise, noise)."""
    mean = (weight[..., np.newaxis] * z).sum(axis=1, keepdims=True)
    gap = (z - mean) * np.sqrt(weight)[..., np.newaxis]
    covariance = gap.transpose(0, 2, 1) @ gap
    # Few effective draws tell variances, and not what goes with what.
    doubt = z.shape[2] / (z.shape[2] + 1 / (weight**2).sum(axis=1))[:, np.newaxis, np.newaxis]
    alone = np.eye(z.shape[2]) * (covariance + _FLOOR)
    return mean, np.linalg.cholesky((1 - doubt) * covariance + doubt * alone)


def _surplus(z: Floats, mean: Floats, spread: Floats) -> Floats:
    """Return log N(z; 0, 1) - log N(z; m, S), constants aside."""
    scaled = np.linalg.solve(spread, (z - mean).transpose(0, 2, 1))
    return np.asarray(((scaled**2).sum(axis=1) - (z**2).sum(axis=2)) / 2)
