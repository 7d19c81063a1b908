"""Block-triangular matrices: what feeds what, without feeding back.

The eigenvalues of a matrix are those of the diagonal blocks of its strongly connected components,
where M_ij is an edge from j to i. The same holds of stability over time: a contracting system that
drives a contracting one contracts with it, at any rate below both, if the coupling is bounded
(Lohmiller & Slotine, Automatica 34, 1998, section 3.8).
"""

from __future__ import annotations

import numpy as np
import scipy
import sympy as sp
from numpy.typing import NDArray


def diagonal_blocks(matrix: sp.Matrix) -> list[NDArray[np.int64]]:
    """Return the rows of each strongly connected component of a square matrix.

    >>> [rows.tolist() for rows in diagonal_blocks(sp.Matrix([[1, 0, 0], [1, 0, 1], [0, 1, 1]]))]
    [[0], [1, 2]]
    """
    nonzero = np.array([[e != 0 for e in row] for row in matrix.tolist()])
    count, label = scipy.sparse.csgraph.connected_components(nonzero, connection="strong")
    blocks = [np.flatnonzero(label == k) for k in range(count)]
    return sorted(blocks, key=lambda rows: int(rows[0]))
