"""Generators on graphs."""

from typing import Any

import numpy as np

from keras_lconv._validation import (
    MOST_STEPS,
    finite_array,
    one_of,
    positive_int,
    positive_number,
)
from keras_lconv.generators.families.neighbor import NeighborGenerators

KINDS = ("adjacency", "laplacian", "normalized", "renormalized")


def graph(adjacency: Any, kind: str = "adjacency", **kwargs: Any) -> NeighborGenerators:
    """The matrix of a graph as a fixed generator.

    A graph convolution is an L-conv with this generator: `f W_0 + (L f) W_1`. The matrix is
    stored by neighbours. Memory and time are the number of nodes times the largest number
    of neighbours.

    Args:
        adjacency: Array or SciPy sparse matrix `(d, d)` with the weights of the edges,
            from the column's node to the row's.
        kind: `"adjacency"`: `A` itself. `"laplacian"`: `D - A` with the degrees
            `D = diag(sum_j A_ij)`. `"normalized"`: `D^-1/2 A D^-1/2`, where nodes without
            edges stay zero. `"renormalized"`: the same for `A + 1`, as in Kipf and Welling.
        **kwargs: `name`, `dtype`, `trainable` (`False` by default).

    Returns:
        One fixed generator.

    Raises:
        TypeError: If `adjacency` is not a matrix of real numbers.
        ValueError: If it is not square or not finite, `kind` is unknown, or degrees are
            negative and `kind` needs their roots.

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
    if kind == "laplacian":
        from scipy.sparse import diags_array

        matrix = (diags_array(_degrees(matrix)) - matrix).tocsr()
    elif kind == "normalized":
        matrix = _normalized(matrix)
    elif kind == "renormalized":
        matrix = _normalized(matrix + _identity(matrix))
    return _generators([matrix], **kwargs)


def chebyshev_graph(
    adjacency: Any, degree: int, largest_eigenvalue: float = 2.0, **kwargs: Any
) -> NeighborGenerators:
    """Chebyshev polynomials `T_1, ..., T_K` of the Laplacian of a graph, fixed generators.

    The polynomials are those of `M = 2 N / lambda - 1`, where `N = 1 - D^-1/2 A D^-1/2` is
    the normalized Laplacian and `lambda` its largest eigenvalue: `T_1 = M` and
    `T_(n+1) = 2 M T_n - T_(n-1)`. `T_0 = 1` is the self-interaction of a layer. `T_n`
    couples nodes that are up to `n` edges apart, and the neighbours up to `degree` edges
    away are stored.

    Args:
        adjacency: Array or SciPy sparse matrix `(d, d)` with the weights of the edges,
            from the column's node to the row's.
        degree: The highest degree `K`, which is the number of generators.
        largest_eigenvalue: `lambda`. The default 2 is a bound for all graphs whose weights
            are symmetric and not negative.
        **kwargs: `name`, `dtype`, `trainable` (`False` by default).

    Returns:
        `degree` fixed generators, which commute with each other.

    Raises:
        TypeError: If `adjacency` is not a matrix of real numbers, or `degree` is not an
            integer.
        ValueError: If `adjacency` is not square or not finite, degrees of nodes are
            negative, or `degree` or `largest_eigenvalue` is not positive.

    Example:
    ```python
    import numpy as np
    from keras_lconv import LConv
    from keras_lconv.generators import chebyshev_graph

    ring = np.roll(np.eye(6), 1, axis=0) + np.roll(np.eye(6), -1, axis=0)
    layer = LConv(8, chebyshev_graph(ring, degree=2))
    assert tuple(layer(np.ones((2, 6, 3))).shape) == (2, 6, 8)
    ```

    Reference:
        M. Defferrard, X. Bresson, P. Vandergheynst, "Convolutional neural networks on
        graphs with fast localized spectral filtering", NIPS 2016.
    """
    degree = positive_int("degree", degree, most=MOST_STEPS)
    scale = 2 / positive_number("largest_eigenvalue", largest_eigenvalue)
    matrix = _checked(adjacency)
    before = _identity(matrix)
    shifted = (scale - 1) * before - scale * _normalized(matrix)
    polynomials = [shifted]
    while len(polynomials) < degree:
        before, last = polynomials[-1], 2 * shifted @ polynomials[-1] - before
        polynomials.append(last)
    return _generators(polynomials, **kwargs)


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


def _degrees(matrix: Any) -> np.ndarray:
    return np.asarray(matrix.sum(axis=1)).ravel()


def _identity(matrix: Any) -> Any:
    from scipy.sparse import eye_array

    return eye_array(matrix.shape[0], format="csr")


def _normalized(matrix: Any) -> Any:
    """`D^-1/2 A D^-1/2`."""
    from scipy.sparse import diags_array

    degrees = _degrees(matrix)
    if np.any(degrees < 0):
        raise ValueError(
            "The degrees of `adjacency`, the sums of its rows, must not be negative if it "
            f"is normalized. Received: a smallest degree of {degrees.min()}"
        )
    with np.errstate(divide="ignore"):
        roots = np.where(degrees > 0, degrees**-0.5, 0.0)
    return (diags_array(roots) @ matrix @ diags_array(roots)).tocsr()


def _generators(matrices: list[Any], **kwargs: Any) -> NeighborGenerators:
    """The matrices as fixed generators, with one table of neighbours."""
    pattern = sum(abs(matrix) for matrix in matrices).tocsr()
    pattern.sum_duplicates()
    pattern.eliminate_zeros()
    size = pattern.shape[0]
    counts = np.diff(pattern.indptr)
    width = max(int(counts.max()), 1)
    # Row by row, padded with -1 and 0.
    filled = np.arange(width) < counts[:, None]
    neighbors = np.full((size, width), -1)
    neighbors[filled] = pattern.indices
    values = np.zeros((size, width, len(matrices)))
    rows, columns = np.repeat(np.arange(size), counts), pattern.indices
    # Without any edge SciPy does not return an array.
    for number, matrix in enumerate(matrices if len(rows) else []):
        values[filled, number] = matrix.tocsr()[rows, columns]
    kwargs.setdefault("trainable", False)
    return NeighborGenerators(len(matrices), neighbors, values=values, **kwargs)
