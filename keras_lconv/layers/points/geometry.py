"""Pairs of points: which count, and how far apart they are.

Tensors have the axes `(batch, n, k, ...)`, for `k` neighbours of each of `n` points, or
`(batch, n, ...)` before neighbours are gathered.
"""

from typing import NamedTuple

import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._layout import masked
from keras_lconv._ops import largest, maximum
from keras_lconv._typing import Tensor

# Larger than the square of any distance, in float32.
FAR = 1e30
# The number of functions that resolve distances up to a radius. Bonds of molecules stretch
# by hundredths of a radius of 5 angstrom, so 8 would be coarse.
BUMPS = 16


class Edges(NamedTuple):
    """Neighbours `j` of points `i`.

    Args:
        places: Their numbers among the points of all samples, integers `(batch, n, k)`, or
            `None` if all points of a sample are neighbours of all, in their order.
        counts: Whether each neighbour exists, `(batch, n, k)`.
        numbers: Numbers of each pair, `(batch, n, k, e)`, or `None`.
    """

    places: Tensor | None
    counts: Tensor
    numbers: Tensor | None = None

    def gather(self, values: Tensor) -> Tensor:
        """Values of neighbours, from values `(batch, n, ...)` at points.

        Returns:
            Tensor `(batch, n, k, ...)`, or `(batch, 1, n, ...)` if all are neighbours.
        """
        if self.places is None:
            return ops.expand_dims(values, 1)
        rest = tuple(values.shape[2:])
        flat = ops.reshape(values, (-1, *rest))
        found = take(flat, ops.reshape(self.places, (-1,)), axis=0)
        return ops.reshape(found, (*ops.shape(self.places), *rest))

    def with_numbers(self, numbers: Tensor) -> "Edges":
        """The same edges with numbers `(batch, n, k, e)`, zero where there is no edge."""
        return self._replace(numbers=masked(numbers, self.counts))

    def among(self, values: Tensor) -> Tensor:
        """Values of pairs of neighbours, from values `(batch, n, n, e)` of all pairs.

        Returns:
            Tensor `(batch, n, k, e)`.
        """
        if self.places is None:
            return values
        batch, number = ops.shape(values)[0], ops.shape(values)[1]
        own = ops.reshape(ops.arange(batch * number, dtype="int32"), (batch, number, 1))
        pairs = self.places + own * number - own // number * number
        flat = ops.reshape(values, (1, -1, values.shape[-1]))
        return self._replace(places=pairs).gather(flat)


def all_pairs(counts: Tensor) -> Edges:
    """Every other point as a neighbour.

    Args:
        counts: Which points there are, `(batch, n)`.
    """
    # jax2onnx requires both ends.
    numbers = ops.arange(0, ops.shape(counts)[1], dtype="int32")
    others = ops.expand_dims(numbers, 0) != ops.expand_dims(numbers, 1)
    return Edges(None, ops.expand_dims(counts, 1) & ops.expand_dims(others, 0))


def nearest(positions: Tensor, forms: np.ndarray, counts: Tensor, number: int) -> Edges:
    """The points with the smallest invariants of their differences.

    Args:
        positions: Tensor `(batch, n, v)`.
        forms: Symmetric forms `(s, v, v)`. The sum of their absolute values is compared.
        counts: Which points there are, `(batch, n)`.
        number: The number of neighbours.
    """
    pairs = all_pairs(counts)
    x = ops.stop_gradient(positions)
    between = ops.expand_dims(x, 1) - ops.expand_dims(x, 2)
    sizes = ops.sum(ops.abs(squares(between, forms)), axis=-1)
    far = ops.where(pairs.counts, sizes, ops.full_like(sizes, FAR))
    values, indices = ops.top_k(-far, number)
    # NaN stays among the neighbours.
    places = _places(indices, ops.shape(counts)[1])
    return Edges(places, ops.logical_not(values <= -FAR))


def from_table(table: Tensor, counts: Tensor) -> Edges:
    """Given neighbours.

    Args:
        table: Integers `(batch, n, k)`. A number that is not that of a point means no
        neighbour.
        counts: Which points there are, `(batch, n)`.
    """
    table = ops.cast(table, "int32")
    is_point = ops.logical_and(table >= 0, table < ops.shape(counts)[1])
    found = Edges(_places(ops.where(is_point, table, 0), ops.shape(counts)[1]), is_point)
    return Edges(found.places, ops.logical_and(is_point, found.gather(counts)))


def _places(indices: Tensor, number: int | Tensor) -> Tensor:
    """Numbers among `number` points of each sample as numbers among all points."""
    batch = ops.shape(indices)[0]
    first = ops.reshape(ops.arange(batch, dtype="int32") * number, (-1, 1, 1))
    return ops.cast(indices, "int32") + first


def squares(vectors: Tensor, forms: np.ndarray) -> Tensor:
    """The values `(..., s)` of quadratic forms `(s, v, v)` of vectors `(..., v)`."""
    if len(forms) == 1 and np.allclose(forms, np.eye(forms.shape[1]), rtol=0, atol=1e-14):
        return ops.sum(vectors * vectors, axis=-1, keepdims=True)
    matrices = ops.convert_to_tensor(forms, dtype=vectors.dtype)
    products = ops.einsum("...v,svw->...sw", vectors, matrices)
    return ops.sum(products * ops.expand_dims(vectors, -2), axis=-1)


def in_units(vectors: Tensor, values: Tensor) -> Tensor:
    """Vectors `v / (1 + sum q^2)^(1/4)`, even if the squares of `q` overflow.

    Args:
        vectors: Tensor `(..., v)`.
        values: The values `(..., s)` of their invariants `q`.
    """
    if not values.shape[-1]:
        return vectors
    # The result does not depend on the scale, so the scale needs no gradient.
    scale = 1 + ops.relu(largest(ops.abs(values), -1, keepdims=True) - 1)
    scale = ops.stop_gradient(scale)
    squares = ops.sum((values / scale) ** 2, axis=-1, keepdims=True)
    return vectors / ops.sqrt(scale * ops.sqrt((1 / scale) ** 2 + squares))


def compressed(values: Tensor) -> Tensor:
    """`sign(q) log(1 + |q|)`: invariants of any size, on a scale of order one."""
    return ops.sign(values) * ops.log1p(ops.abs(values))


def bumps(square: Tensor, radius: float) -> Tensor:
    """Gaussians of the square of a distance, around squares of equally spaced distances.

    They are smooth functions of positions, even if two points meet. Few of them differ from
    zero at once, so each is higher than one: their mean square is about one, and small
    changes of distances count.

    Returns:
        Tensor `(..., BUMPS)`.
    """
    edges = (np.arange(BUMPS + 1) / BUMPS) ** 2
    centres = ops.convert_to_tensor(edges[:-1], dtype=square.dtype)
    widths = ops.convert_to_tensor(np.diff(edges), dtype=square.dtype)
    share = ops.expand_dims(square, -1) / radius**2
    return BUMPS**0.5 * ops.exp(-(((share - centres) / widths) ** 2))


def cutoff(square: Tensor, radius: float) -> Tensor:
    """`(1 - (r / R)^2)^3`, and 0 from the radius on. It has two continuous derivatives."""
    return ops.relu(1 - square / radius**2) ** 3


def aggregated(aggregation: str, weights: Tensor, scores: Tensor) -> Tensor:
    """Weights of messages `(batch, n, k)`, for a sum, an average or attention.

    Args:
        aggregation: `"sum"`, `"average"` or `"attention"`.
        weights: The weights of edges, from 0 to 1, `(batch, n, k)`.
        scores: The scores of attention, `(batch, n, k, 1)`.
    """
    if aggregation == "average":
        return weights / maximum(ops.sum(weights, axis=-1, keepdims=True), 1.0)
    if aggregation == "attention":
        scores = scores[..., 0]
        # A common divisor only prevents overflow.
        top = ops.stop_gradient(ops.relu(largest(scores, -1, keepdims=True)))
        shares = weights * ops.exp(scores - top)
        return shares / (ops.exp(-top) + ops.sum(shares, axis=-1, keepdims=True))
    return weights
