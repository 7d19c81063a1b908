"""What samples with the same draws tell of two models beside their laws.

Draws belong to sources by name. Where two models read the same sources, samples of the same draws
differ by what the models differ, without the chance in which other samples differ besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import wasserstein_distance

from physcm.abstraction.population.sets import Sets, draws_alike, sizes

_MOST = 0.5


@dataclass(frozen=True)
class Coupling:
    """How samples with the same draws differ.

    Attributes:
        distance: the largest Wasserstein distance of a variable, in standard deviations, or the
            share of samples with another number of values, whichever is larger.
        differing: how many samples differ, where most do not, and by far more do not than with
            draws of their own: the models share draws, and the others are no chance. Else 0.
        witness: the sample that differs most.
    """

    distance: float
    differing: int
    witness: int

    @classmethod
    def of(cls, below: Sets, shared: Sets, fresh: Sets) -> Coupling:
        """Compare samples below with those above of the same draws, and of other ones.

        >>> model = Sets(("x",), np.arange(4.0).reshape(1, 4, 1), np.full(4, "one solution"))
        >>> other = Sets(("x",), np.array([0.0, 1, 2, 9]).reshape(1, 4, 1), model.fates)
        >>> fresh = Sets(("x",), np.array([1.0, 2, 3, 0]).reshape(1, 4, 1), model.fates)
        >>> Coupling.of(model, other, fresh).differing, Coupling.of(model, fresh, fresh).differing
        (1, 0)
        """
        alike, by_chance = draws_alike(below, shared), draws_alike(below, fresh).mean()
        told = alike.mean() > max(_MOST, 2 * by_chance)
        x, y = below.alone, shared.alone
        gaps = (np.abs(x - y) / sizes(x)[:, np.newaxis]).max(axis=0)
        witness = int(np.where(alike, 0.0, np.nan_to_num(gaps, nan=np.inf)).argmax())
        return cls(_distance(below, shared), int((~alike).sum()) if told else 0, witness)


def _distance(first: Sets, second: Sets) -> float:
    found = [float((first.kinds != second.kinds).mean())]
    for rows in zip(first.points, second.points, strict=True):
        x, y = (row[np.isfinite(row)] for row in rows)
        if x.size and y.size:
            spread = float(np.std(np.concatenate([x, y])))
            found.append(float(wasserstein_distance(x, y)) / spread if spread else 0.0)
    return max(found)
