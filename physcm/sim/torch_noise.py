"""The noise of steps as PyTorch draws it on its device: that of `step_normals`, to rounding.

A generator that is a function of the counter needs no other arithmetic than PyTorch has for
64-bit integers, whose products wrap around; a shift to the right repeats the sign, and is masked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from physcm.mechanism.randomness import MULTIPLIERS, ROUNDS, WEYL, key

_WORD = 0xFFFFFFFF


class StepNormals:
    """Standard normal draws of some sources for the steps of some samples.

    The draws of an even step and of the one after it come from the same block, and are kept until
    those of other steps are asked for.

    >>> StepNormals(0, ["k"], torch.arange(2)).of(6).ravel()
    tensor([-0.7049, -0.3917], dtype=torch.float64)
    """

    def __init__(self, seed: int, sources: Sequence[str], samples: Tensor) -> None:
        """Take the seed, the names of the sources and the numbers of the samples, (samples,)."""
        keys = [key(seed, source) for source in sources]
        self._keys = [
            torch.tensor(words, dtype=torch.int64, device=samples.device)
            for words in ([k & _WORD for k in keys], [k >> 32 for k in keys])
        ]
        self._samples = samples[:, None]
        self._pair = -1
        self._draws: tuple[Tensor, Tensor]

    def of(self, step: int) -> Tensor:
        """Return the draws of a step, (samples, sources)."""
        if self._pair != step >> 1:
            self._pair, self._draws = step >> 1, self._of_pair(step >> 1)
        return self._draws[step & 1]

    def _of_pair(self, pair: int) -> tuple[Tensor, Tensor]:
        a, b, c, d = self._philox(pair)
        radius, angle = (-2 * _uniform(a, b).log()).sqrt(), 2 * math.pi * _uniform(c, d)
        return radius * angle.cos(), radius * angle.sin()

    def _philox(self, pair: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the block of four 32-bit words that `randomness.philox` makes."""
        c0, c1 = self._samples & _WORD, self._samples >> 32 & _WORD
        c2, c3 = torch.full_like(c0, pair & _WORD), torch.full_like(c0, pair >> 32)
        k0, k1 = self._keys
        for _ in range(ROUNDS):
            a, b = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
            c0, c1, c2, c3 = _high(b) ^ c1 ^ k0, b & _WORD, _high(a) ^ c3 ^ k1, a & _WORD
            k0, k1 = k0 + WEYL[0] & _WORD, k1 + WEYL[1] & _WORD
        return c0, c1, c2, c3


def _high(product: Tensor) -> Tensor:
    """Return the upper of the two words of a product."""
    return product >> 32 & _WORD


def _uniform(low: Tensor, high: Tensor) -> Tensor:
    """Return the odd multiple of 2^-53 that two words make."""
    return (high << 21 | low >> 11 | 1).to(torch.float64) * 2.0**-53
