"""Partial correlation: independence of what a linear regression on z leaves of x and of y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from physcm.mechanism.codegen import Floats


@dataclass(frozen=True)
class PartialCorrelation:
    """Student's test of the partial correlation r of x and y given z.

    t = r sqrt((n - k - 2) / (1 - r^2)) has Student's law with n - k - 2 degrees of freedom for
    Gaussian data, k being the number of variables in z (Fisher 1924). It sees linear dependence
    alone.
    """

    smallest = 0.0
    """The smallest p-value that the test can give."""

    def p_value(self, x: Floats, y: Floats, z: Floats, rng: np.random.Generator) -> float:
        """Return the p-value for x (n,) and y (n,) given z (n, k); nothing is drawn.

        >>> rng = np.random.default_rng(0)
        >>> x, e = rng.normal(size=(2, 100))
        >>> PartialCorrelation().p_value(x, x + e, np.empty((100, 0)), rng) < 1e-6
        True
        """
        left = _residual(np.column_stack([x, y]), z)
        freedom = len(x) - z.shape[1] - 2
        r = float(left[:, 0] @ left[:, 1] / np.linalg.norm(left[:, 0]) / np.linalg.norm(left[:, 1]))
        t = abs(r) * np.sqrt(freedom) / np.sqrt(max(1 - r**2, np.finfo(float).tiny))
        return float(2 * scipy.stats.t.sf(t, freedom))


def _residual(columns: Floats, z: Floats) -> Floats:
    regressors = np.column_stack([np.ones(len(z)), z])
    slopes = np.linalg.lstsq(regressors, columns, rcond=None)[0]
    return np.asarray(columns - regressors @ slopes)
