"""Arrays over some dimensions, laid out to meet arrays over more of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from numpy.typing import NDArray


def laid_out(
    values: NDArray[Any], own: Sequence[Hashable], dims: Sequence[Hashable]
) -> NDArray[Any]:
    """Return an array over the dimensions `own` so that it broadcasts against one over `dims`.

    >>> import numpy as np
    >>> laid_out(np.zeros((2, 5)), ("sample", "time"), ("time", "solution", "sample")).shape
    (5, 1, 2)
    """
    order = [own.index(dim) for dim in dims if dim in own]
    shape = [values.shape[own.index(dim)] if dim in own else 1 for dim in dims]
    return values.transpose(order).reshape(shape)
