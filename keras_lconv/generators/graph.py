"""Generators on graphs."""

from typing import Any

import numpy as np

from keras_lconv._validation import finite_array, one_of
from keras_lconv.generators.neighbor import NeighborGenerators

KINDS = ("adjacency", "laplacian", "normalized")


def graph(adjacency: Any, kind: str = "adjacency", **kwargs: Any) -> NeighborGenerators:
    """The matrix of a graph as a fixed generator.

    A graph convolution is an L-conv with it: `f W_0 + (L f) W_1`. It is stored by
    neighbours, and costs the number of nodes times the largest number of neighbours.

    Args:
        adjacency: Array or SciPy sparse matrix `(d, d)` with the weights of the edges,
            from the column's node to the row's.
        kind: `"adjacency"`: `A` itself. `"laplacian"`: `D - A` with the degrees
            `D = diag(sum_j A_ij)`. `"normalized"`: `D^-1/2 A D^-1/2`, where nodes without
            edges stay zero; the renormalised matrix of Kipf and Welling is that of
            `A + 1`.
        **kwargs: `name`, `dtype`, `trainable` (`False` by default).

    Returns:
        One fixed generator.

    Raises:
        TypeError: If `adjacency` is no matrix of real numbers.
        ValueError: If it is not square or not finite, `kind` is unknown, or degrees are
            negative where `kind` needs their roots.

    Example:
    ```python
    import numpy as np
    from keras_lconv import LConv
    from keras_lconv.generators import graph

    ring = np.roll(np.eye(6), 1, axis=0) + np.roll(np.eye(6), -1, axis=0)
    layer = LConv(8, graph(ring, "normalized"))
    assert tuple(layer(np.ones((2, 6, 3))).shape) == (2, 6, 8)
    ```

    Reference:
        T. Kipf, M. Welling, "Semi-supervised classification with graph convolutional
        networks", ICLR 2017.
    """
    one_of("kind", kind, KINDS)
    matrix = _checked(adjacency)
    degrees = np.asarray(matrix.sum(axis=1)).ravel()
    if kind == "laplacian":
        from scipy.sparse import diags_array

        matrix = (diags_array(degrees) - matrix).tocsr()
    elif kind == "normalized":
        matrix = _normalized(matrix, degrees)
    neighbors, values = _as_table(matrix)
    kwargs.setdefault("trainable", False)
    return NeighborGenerators(1, neighbors, values[..., None], **kwargs)


def _checked(adjacency: Any) -> Any:
    """The matrix in SciPy's CSR format."""
    from scipy.sparse import csr_array, issparse

    if not issparse(adjacency):
        adjacency = finite_array("adjacency", adjacency)
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise ValueError(
            f"`adjacency` must be a square matrix. Received: shape {tuple(adjacency.shape)}"
        )
    matrix = csr_array(adjacency)
    finite_array("adjacency", matrix.data)
    return matrix.astype("float64")


def _normalized(matrix: Any, degrees: np.ndarray) -> Any:
    from scipy.sparse import diags_array

    if np.any(degrees < 0):
        raise ValueError(
            "`kind='normalized'` needs degrees that are not negative. "
            f"Received: a smallest degree of {degrees.min()}"
        )
    with np.errstate(divide="ignore"):
        roots = np.where(degrees > 0, degrees**-0.5, 0.0)
    return (diags_array(roots) @ matrix @ diags_array(roots)).tocsr()


def _as_table(matrix: Any) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the entries, row by row, filled up with -1 and 0."""
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    size = matrix.shape[0]
    counts = np.diff(matrix.indptr)
    width = max(int(counts.max()), 1)
    filled = np.arange(width) < counts[:, None]
    neighbors = np.full((size, width), -1)
    values = np.zeros((size, width))
    neighbors[filled], values[filled] = matrix.indices, matrix.data
    return neighbors, values
