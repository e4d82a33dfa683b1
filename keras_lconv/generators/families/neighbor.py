"""Generators that couple each position to a few others."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_lconv._backend import segment_sum, take
from keras_lconv._memory import require_memory
from keras_lconv._typing import (
    Constraint,
    Initializer,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import (
    MOST_GENERATORS,
    finite_array,
    positive_int,
)
from keras_lconv.generators.base import Generators
from keras_lconv.generators.contraction import (
    ORDERS,
    contract,
    contraction_cost,
    contractions,
    cost,
    result_bytes,
)
from keras_lconv.generators.cost import BYTES, Cost, precombined_cost
from keras_lconv.generators.dense_form import ROUNDING
from keras_lconv.generators.exponential import linear_combination
from keras_lconv.generators.families.factored import INITIAL_NORM
from keras_lconv.generators.families.shift import shift
from keras_lconv.generators.neighbor_table import checked_table, table_as_shifts


@keras.saving.register_keras_serializable(package="keras_lconv")
class NeighborGenerators(Generators):
    """Generators with a few entries in each row: `(L_i f)(x) = sum_m w_xmi f(x_m)`.

    `x_1, ..., x_n` are the neighbours of the position `x` in a given table, and `w` the
    learned weights. All other entries are zero. So a generator has `n d` numbers and needs
    `n d` multiply-adds, where a full matrix has `d^2`. On grids, derivatives by differences
    are of this kind, because they involve neighbours only.

    Args:
        num: Number `k` of generators.
        neighbors: Integer table `(d, n)`: the neighbours of each position, in C order of
            the grid, -1 for none. See `grid_neighbors`.
        values: Given weights `(d, n, k)`, fixed or as initial values of learned ones. By
            default they are random and small, so a layer starts near a mix of channels.
        initializer: Initializer of the weights, instead of the default.
        regularizer: Regularizer of the weights.
        constraint: Constraint on the weights.
        **kwargs: `trainable`, `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)` or `(batch, d)`, with `d = prod(spatial)`.

    Output shape:
        `(batch, *spatial, k, channels)`.

    Raises:
        TypeError: If `num` or the table does not consist of integers, or `values` are not
            an array of real numbers.
        ValueError: If `num` is not positive, the table has another shape or an entry that
            is not a position, or `values` or the input do not fit it.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import NeighborGenerators, grid_neighbors

    generators = NeighborGenerators(2, grid_neighbors((8, 8)))
    assert tuple(generators(np.ones((4, 8, 8, 3))).shape) == (4, 8, 8, 2, 3)
    assert tuple(generators.coefficients.shape) == (64, 9, 2)
    ```
    """

    def __init__(
        self,
        num: int,
        neighbors: ArrayLike,
        *,
        values: ArrayLike | None = None,
        initializer: Initializer = None,
        regularizer: Regularizer = None,
        constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(positive_int("num", num, most=MOST_GENERATORS), **kwargs)
        self.neighbors = checked_table(neighbors)
        expected = (*self.neighbors.shape, self.num_generators)
        self._given = None if values is None else finite_array("values", values)
        if self._given is not None and self._given.shape != expected:
            raise ValueError(
                f"`values` must have shape `(d, n, k)` = {expected}. "
                f"Received: shape {self._given.shape}"
            )
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)

    def build(self, input_shape: Shape) -> None:
        """Creates `coefficients`, of shape `(d, n, k)`."""
        super().build(input_shape)
        shape = self.require_built("build")
        size = len(self.neighbors)
        if math.prod(shape) != size:
            raise ValueError(
                f"The table of neighbours of {self.name!r} is for {size} positions. "
                f"Received: an input of spatial shape {shape}, which has "
                f"{math.prod(shape)}"
            )
        self._shifts = table_as_shifts(self.neighbors, shape)
        self.coefficients = self.add_weight(
            name="coefficients",
            shape=(*self.neighbors.shape, self.num_generators),
            initializer=self._initializer(),
            regularizer=self.regularizer,
            constraint=self.constraint,
            trainable=self.is_learned,
        )

    def _initializer(self) -> keras.initializers.Initializer:
        if self._given is not None:
            values = self._given
            return lambda shape, dtype=None: ops.convert_to_tensor(values, dtype=dtype)
        if self.initializer is not None:
            return self.initializer
        # This is the norm of a sparse matrix of normal numbers: A. Bandeira, R. van Handel,
        # Ann. Probab. 44 (2016).
        size, num_neighbors = self.neighbors.shape
        spread = 2 * math.sqrt(num_neighbors) + 2 * math.sqrt(math.log(max(size, 2)))
        return keras.initializers.RandomNormal(stddev=INITIAL_NORM / spread)

    # ----------------------------------------------------------------- apply

    def apply(self, f: Tensor) -> Tensor:
        """All Lie derivatives `L_i f`, of shape `(batch, d, k, channels)`."""
        return self.apply_weights(ops.cast(self.coefficients, f.dtype), f)

    def apply_weights(self, weights: Tensor, f: Tensor) -> Tensor:
        """Applies operators with any weights on these neighbours to flat features.

        Args:
            weights: Tensor `(d, n, l)`, in place of `coefficients`.
            f: Tensor `(batch, d, channels)`.

        Returns:
            Tensor `(batch, d, l, channels)`.
        """
        size, num_neighbors = self.neighbors.shape
        channels = f.shape[-1]
        # With positions first, neighbours are whole rows, and one matrix product for each
        # position remains.
        rows = ops.reshape(ops.transpose(f, (1, 0, 2)), (size, -1))
        around = ops.stack([self.neighbor(rows, m) for m in range(num_neighbors)], axis=1)
        found = ops.einsum("dnl,dnp->dlp", weights, around)
        found = ops.reshape(found, (size, weights.shape[-1], -1, channels))
        return ops.transpose(found, (2, 0, 1, 3))

    def neighbor(self, rows: Tensor, number: int) -> Tensor:
        """The rows of the neighbours in one column of the table.

        Args:
            rows: Tensor `(d, p)`, a row for each position.
            number: The column of the table.

        Returns:
            Tensor `(d, p)`, zero where there is no neighbour.
        """
        shape = self.require_built("neighbor")
        if self._shifts is not None:
            offset, boundary = self._shifts[number]
            grid = ops.reshape(rows, (1, *shape, rows.shape[-1] or -1))
            return ops.reshape(shift(grid, offset, boundary), (math.prod(shape), -1))
        positions = self.neighbors[:, number]
        found = take(rows, np.maximum(positions, 0), axis=0)
        if np.all(positions >= 0):
            return found
        return ops.where((positions >= 0)[:, None], found, ops.zeros_like(found))

    def combine(self, z: Tensor) -> Tensor:
        """The sum `sum_i L_i z_i`, of shape `(batch, d, channels)`."""
        weights = ops.cast(self.coefficients, z.dtype)
        size, num_neighbors = self.neighbors.shape
        k, channels = z.shape[-2:]
        rows = ops.reshape(ops.transpose(z, (1, 2, 0, 3)), (size, -1))
        total = 0.0
        for m in range(num_neighbors):
            around = ops.reshape(self.neighbor(rows, m), (size, k, -1))
            total = total + ops.einsum("dk,dkp->dp", weights[:, m], around)
        return ops.transpose(ops.reshape(total, (size, -1, channels)), (1, 0, 2))

    # ---------------------------------------------------------------- bounds

    @property
    def is_antisymmetric(self) -> bool:
        """Whether weights are fixed, and opposite from `x` to `y` and back."""
        if self.is_learned or self._given is None:
            return False
        rows, numbers = np.nonzero(self.neighbors >= 0)
        columns, size = self.neighbors[rows, numbers], len(self.neighbors)
        pairs = np.concatenate([rows * size + columns, columns * size + rows])
        distinct, places = np.unique(pairs, return_inverse=True)
        one_way, other_way = (
            _segment_sum(self._given[rows, numbers], half, len(distinct))
            for half in np.split(places, 2)
        )
        largest = np.max(np.abs(one_way), initial=0.0)
        return bool(np.all(np.abs(one_way + other_way) <= ROUNDING * largest))

    def initial_norm_bounds(self) -> np.ndarray:
        """Bounds of the spectral norms at the start of training, of shape `(k,)`."""
        if self._given is not None:
            return self._norm_bounds(self._given, np, _segment_sum)
        if self.initializer is None:
            return np.full(self.num_generators, INITIAL_NORM)
        return super().initial_norm_bounds()

    def norm_bounds(self) -> Tensor:
        """Upper bounds `sqrt(|L|_1 |L|_inf)` of the spectral norms, a tensor `(k,)`."""
        weights = ops.convert_to_tensor(self.coefficients)
        return self._norm_bounds(weights, ops, segment_sum)

    def _norm_bounds(self, weights: Any, xp: Any, segment_sum: Any) -> Any:
        """The bounds for weights `(d, n, k)`; with NumPy for `xp`, of arrays."""
        sizes = xp.where(self.neighbors[..., None] >= 0, xp.abs(weights), 0.0)
        entries = xp.reshape(sizes, (-1, self.num_generators))
        positions = np.maximum(self.neighbors, 0).reshape(-1)
        columns = segment_sum(entries, positions, len(self.neighbors))
        rows = xp.sum(sizes, axis=1)
        return xp.sqrt(xp.max(rows, axis=0) * xp.max(columns, axis=0))

    def matrices(self) -> np.ndarray:
        """Fixed generators as matrices in NumPy, `(k, d, d)`, from the given values."""
        if self.is_learned or self._given is None:
            return super().matrices()
        size = len(self.neighbors)
        require_memory(
            f"`matrices` of {self.name!r} on {size} positions",
            self.num_generators * size**2,
            "`apply` and `transform` of these generators need no matrices",
        )
        matrices = np.zeros((size * size, self.num_generators))
        rows, numbers = np.nonzero(self.neighbors >= 0)
        entries = rows * size + self.neighbors[rows, numbers]
        np.add.at(matrices, entries, self._given[rows, numbers])
        return matrices.T.reshape(-1, size, size)

    # ----------------------------------------------------------- persistence

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "num": self.num_generators,
            "neighbors": self.neighbors.tolist(),
            "values": None if self._given is None else self._given.tolist(),
            "initializer": self.initializer
            and keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }


@contractions.register
def _contractions(generators: NeighborGenerators) -> tuple[str, ...]:
    # Each position has its own kernel `sum_i w_xmi W_i`, and one product with all its
    # neighbours.
    return (*ORDERS, "precombined")


@contract.register
def _contract(
    generators: NeighborGenerators, f: Tensor, kernel: Tensor, order: str
) -> Tensor:
    if order != "precombined":
        return contract.dispatch(object)(generators, f, kernel, order)
    weights = ops.cast(generators.coefficients, f.dtype)
    size, num_neighbors = generators.neighbors.shape
    channels, filters = kernel.shape[1:]
    rows = ops.reshape(ops.transpose(f, (1, 0, 2)), (size, -1))
    around = [generators.neighbor(rows, m) for m in range(num_neighbors)]
    around = [ops.reshape(found, (size, -1, channels)) for found in around]
    local = ops.einsum("dnk,kcf->dncf", weights, kernel)
    local = ops.reshape(local, (size, num_neighbors * channels, filters))
    output = ops.einsum("dbp,dpf->dbf", ops.concatenate(around, axis=-1), local)
    return ops.transpose(output, (1, 0, 2))


@contraction_cost.register
def _contraction_cost(
    generators: NeighborGenerators, order: str, channels: int, filters: int
) -> Cost:
    if order != "precombined":
        return contraction_cost.dispatch(object)(generators, order, channels, filters)
    size, num_neighbors = generators.neighbors.shape
    entries = size * num_neighbors * channels * filters
    gathered = size * (num_neighbors * channels + filters)
    return precombined_cost(entries, generators.num_generators, gathered)


@cost.register
def _cost(generators: NeighborGenerators, channels: int, operation: str = "apply") -> Cost:
    # `apply` gathers the neighbours once, `combine` once for each of the `k` terms. Both
    # work with positions first, and transpose their results.
    k, entries = generators.num_generators, generators.neighbors.size
    gathered = entries * channels * (k if operation == "combine" else 1)
    results = result_bytes(generators, channels, operation)
    return Cost(entries * k * channels, 2 * results + BYTES * gathered)


@linear_combination.register
def _linear_combination(
    generators: NeighborGenerators, t: Tensor
) -> Callable[[Tensor], Tensor]:
    if len(t.shape) == 2:
        return linear_combination.dispatch(object)(generators, t)
    # All samples share one sparse matrix.
    weights = ops.cast(generators.coefficients, t.dtype)
    weights = ops.einsum("dnk,k->dn", weights, t)[..., None]
    return lambda f: generators.apply_weights(weights, f)[:, :, 0]


def _segment_sum(entries: np.ndarray, segments: np.ndarray, num: int) -> np.ndarray:
    """`segment_sum` for arrays."""
    return np.stack([np.bincount(segments, column, num) for column in entries.T], axis=-1)
