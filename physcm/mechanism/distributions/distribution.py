"""A distribution is its quantile function, the inverse of its cumulative distribution function F.

    Q(u) = inf {x : u <= F(x)},    X = Q(U) has the distribution F for uniform U on (0, 1)

Together with the counter-based uniforms of `physcm.mechanism.randomness`, every draw is a
function of (seed, sample, source), and two distributions of one source are coupled: the same
U goes through both, so that an intervened sample differs from the observed one only by what
was changed (Devroye, "Non-Uniform Random Variate Generation", 1986, section II.2).

Distributions are immutable, equal by value, and have a form in plain dictionaries for files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from physcm.mechanism.randomness import Floats, natural, uniforms


class Distribution(ABC):
    """What a single random number is drawn from.

    A distribution of your own needs the three abstract methods; `sample` follows from them.
    """

    @abstractmethod
    def quantile(self, u: Floats) -> Floats:
        """Return the inverse cumulative distribution function.

        Args:
            u: probabilities in [0, 1], of any shape.

        Returns:
            The quantiles, in the shape of `u`.

        >>> from physcm.mechanism.distributions import Uniform
        >>> Uniform(low=0, high=10).quantile(np.array([0.25, 0.5])).tolist()
        [2.5, 5.0]
        """

    @property
    @abstractmethod
    def mean(self) -> float:
        """The expected value; NaN where there is none.

        >>> from physcm.mechanism.distributions import Gamma
        >>> Gamma(shape=3, rate=2).mean
        1.5
        """

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """The bounds that every draw lies between, themselves included.

        >>> from physcm.mechanism.distributions import Exponential
        >>> Exponential(rate=1).support
        (0.0, inf)
        """

    def sample(self, n: int, *, seed: int = 0, source: str = "draw") -> Floats:
        """Return draws for the samples 0 to n - 1, shape (n,).

        Args:
            n: the number of draws.
            seed: a non-negative integer; other seeds give independent draws.
            source: the name of what is drawn; other names give independent draws.

        Raises:
            InvalidValue: if `n` or the seed is not a non-negative integer.

        >>> from physcm.mechanism.distributions import Bernoulli
        >>> Bernoulli(0.5).sample(4, seed=1).tolist()
        [1.0, 1.0, 0.0, 1.0]
        """
        samples = np.arange(natural(n, "the number of draws"))
        return self.quantile(uniforms(seed, source, samples))
