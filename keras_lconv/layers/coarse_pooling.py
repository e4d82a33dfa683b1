"""Pooling to fewer positions, and the generators that act there."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._validation import not_negative, one_of, positive_ints, spatial_shape
from keras_lconv.generators import (
    Generators,
    MatrixGenerators,
    ShiftGenerators,
    VectorFieldGenerators,
)
from keras_lconv.layers.base import GeneratorLayer

REDUCTIONS = ("subsample", "average")

# The part of its weight that a learned row starts with on its own run of positions.
OWN_WEIGHT = 0.9

# Relative to the mean square of a row: keeps the projection onto the rows of a learned
# matrix finite where two of them become equal.
RIDGE = 1e-6

# Relative to the largest velocity: beyond rounding, a field is of another kind.
FIELD_TOLERANCE = 1e-5


@keras.saving.register_keras_serializable(package="keras_lconv")
class CoarsePooling(GeneratorLayer):
    """Pooling to fewer positions, `y = P f`, with the generators that this induces there.

    `P` is a `d' x d` matrix on positions, from one of

    - `strides`: every n-th position along each axis, or the averages of blocks;
    - `clusters`: the average over the positions that have the same label;
    - `units`: learned, with positive rows that sum to one. Constants stay constant, results
      stay in the range of the input, and a row cannot vanish.

    The next layer needs generators on the coarse positions. Those that fit best, in the
    least squares sense `|P L_i - L'_i P|`, are `L'_i = P L_i P^+` with the pseudo-inverse:
    `induced_generators()`.

    **Equivariance.** If `P L_i = L'_i P`, then `P exp(t L) f = exp(t L') P f`: the layer is
    equivariant from the group on the fine positions to the one on the coarse ones. `defect`
    is the relative error of this, `|P L - L' P| / |P L|`, with norms over all generators.
    It is zero for shifts by multiples of the strides, and for a graph whose clusters have
    equal numbers of edges to one another. It counts all inputs, also those with details
    that the coarse grid cannot hold: for vector fields it is of order one, whereas images
    that are smooth on the scale of the strides are pooled equivariantly.

    Args:
        generators: As in `LConv`; square ones. Only `induced_generators`, `defect` and the
            loss depend on them.
        strides: One number, or one for each spatial axis.
        clusters: The label of each position, integers from 0, with the `d` positions in C
            order.
        units: Number `d'` of learned rows, or the spatial shape of the output.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        reduction: With `strides`: `"subsample"` keeps the first position of each block.
            `"average"` takes the mean of each block, of what is there at the border.
        defect_weight: Weight of the loss `defect^2`, for learned rows or generators.
        initializer: Initializer of `logits`, for learned rows. By default each row starts
            with 90% of its weight on one of `d'` runs of consecutive positions.
        regularizer: Regularizer of `logits`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)`; with `data_format="channels_first"`
        `(batch, channels, *spatial)`; or `(batch, d)`. Where a mask is given, masked
        positions count as zero; the output has no mask.

    Output shape:
        `(batch, *spatial', channels)`: spatial sizes are divided by the strides and rounded
        up, and are `(d',)` for clusters. `(batch, d')` for `(batch, d)`.

    Attributes:
        generators: The generators on the fine positions, a Keras layer.
        logits: For learned rows, `P = softmax(logits)`, of shape `(d', d)`.
        matrix: `P`, an array `(d', d)`.
        defect: The intertwining defect.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, not exactly one of `strides`,
            `clusters` and `units` is given, or generators are not square or do not fit
            the input.

    Example:
    ```python
    import numpy as np
    from keras_lconv import CoarsePooling
    from keras_lconv.generators import shifts

    pool = CoarsePooling(shifts([(2, 0), (0, 2)], "periodic"), strides=2)
    assert tuple(pool(np.ones((1, 8, 8, 3))).shape) == (1, 4, 4, 3)
    assert pool.induced_generators().offsets == ((1, 0), (0, 1))
    assert pool.defect < 1e-12
    ```
    """

    def __init__(
        self,
        generators: Any,
        strides: int | Sequence[int] | None = None,
        *,
        clusters: Any = None,
        units: int | Sequence[int] | None = None,
        rank: Any = None,
        reduction: str = "subsample",
        defect_weight: float = 0.0,
        initializer: Any = None,
        regularizer: Any = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(generators, rank, data_format=data_format, **kwargs)
        given = {"strides": strides, "clusters": clusters, "units": units}
        named = [name for name, value in given.items() if value is not None]
        if len(named) != 1:
            raise ValueError(
                "Exactly one of `strides`, `clusters` and `units` must be given. "
                f"Received: {named or 'none of them'}"
            )
        self.strides = None if strides is None else positive_ints("strides", strides)
        self.units = None if units is None else positive_ints("units", units)
        self.clusters = None if clusters is None else _labels(clusters)
        self.reduction = one_of("reduction", reduction, REDUCTIONS)
        if reduction == "average" and strides is None:
            raise ValueError(
                "`reduction` belongs to `strides`: clusters are averages, and learned rows "
                f"weighted ones. Received: reduction={reduction!r} with `{named[0]}`"
            )
        if not self.generators.is_square:
            raise ValueError(
                "`generators` must be square: they act on the positions of the input. "
                f"Received: {self.generators.name!r} that lead to another grid"
            )
        self.defect_weight = not_negative("defect_weight", defect_weight)
        if self.defect_weight and units is None and not self.generators.is_learned:
            raise ValueError(
                "`defect_weight` needs learned rows (`units`) or learned generators; with "
                "neither, the loss would be constant. "
                f"Received: defect_weight={defect_weight!r}"
            )
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)

    # ---------------------------------------------------------------- shapes

    def _build(self, owner: str, feature_shape: tuple) -> None:
        shape = spatial_shape(feature_shape, owner)
        coarse = self._coarse_shape(owner, shape)
        if self.units is None:
            return
        size = (math.prod(coarse), math.prod(shape))
        self.logits = self.add_weight(
            name="logits",
            shape=size,
            initializer=self.initializer or _runs,
            regularizer=self.regularizer,
        )

    def _coarse_shape(self, owner: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        size = math.prod(shape)
        if self.strides is not None:
            return tuple(
                math.ceil(n / step)
                for n, step in zip(shape, self._steps(owner, shape), strict=True)
            )
        if self.clusters is not None:
            if len(self.clusters) != size:
                raise ValueError(
                    f"`clusters` of {owner} has labels for {len(self.clusters)} positions. "
                    f"Received: an input of spatial shape {shape}, which has {size}"
                )
            return (int(self.clusters.max()) + 1,)
        assert self.units is not None
        if math.prod(self.units) > size:
            raise ValueError(
                f"`units` of {owner} must be no more than the {size} positions of the "
                f"input. Received: units={self.units}"
            )
        return self.units

    def _steps(self, owner: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The strides along each axis."""
        assert self.strides is not None
        if len(self.strides) not in (1, len(shape)):
            raise ValueError(
                f"`strides` of {owner} must be one number, or {len(shape)} for the spatial "
                f"shape {shape}. Received: strides={self.strides}"
            )
        return self.strides * (len(shape) // len(self.strides))

    def _feature_output_shape(self, feature_shape: tuple) -> tuple:
        shape = spatial_shape(feature_shape, self.name)
        coarse = self._coarse_shape(self.name, shape)
        return (feature_shape[0], *coarse, feature_shape[-1])

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None: a coarse position stands for masked and other ones."""
        return None

    # ------------------------------------------------------------------ call

    def _act(self, f: Any, mask: Any) -> Any:
        if self.defect_weight:
            self.add_loss(self.defect_weight * self._squared_defect())
        return self._pool(f if mask is None else f * mask)

    def _pool(self, f: Any) -> Any:
        """`P f` for `f` of shape `(batch, *spatial, channels)`."""
        shape, channels = tuple(f.shape[1:-1]), f.shape[-1]
        coarse = self._coarse_shape(self.name, shape)
        if self.strides is not None:
            steps = self._steps(self.name, shape)
            if self.reduction == "subsample":
                return f[(slice(None), *(slice(None, None, step) for step in steps))]
            for axis, step in enumerate(steps, start=1):
                f = _block_means(f, axis, step)
            return f
        flat = ops.reshape(f, (-1, math.prod(shape), channels))
        if self.clusters is not None:
            rows = ops.reshape(ops.transpose(flat, (1, 0, 2)), (math.prod(shape), -1))
            sums = ops.segment_sum(rows, self.clusters, num_segments=coarse[0])
            counts = np.bincount(self.clusters)[:, None]
            means = sums / ops.convert_to_tensor(counts, dtype=f.dtype)
            means = ops.reshape(means, (coarse[0], -1, channels))
            return ops.transpose(means, (1, 0, 2))
        weights = ops.cast(ops.softmax(self.logits, axis=-1), f.dtype)
        pooled = ops.einsum("pd,bdc->bpc", weights, flat)
        return ops.reshape(pooled, (-1, *coarse, channels))

    # ------------------------------------------------------------ intertwining

    @property
    def matrix(self) -> np.ndarray:
        """`P`, an array `(d', d)`; of learned rows, as they are now.

        Raises:
            ValueError: If the layer is not built yet.
        """
        shape = self._require_built("matrix")
        if self.strides is not None:
            kept = zip(shape, self._steps(self.name, shape), strict=True)
            factors = [_axis_matrix(n, step, self.reduction) for n, step in kept]
            return functools.reduce(np.kron, factors)
        if self.clusters is not None:
            labels = np.arange(self.clusters.max() + 1)
            members = (labels[:, None] == self.clusters).astype("float64")
            return members / members.sum(axis=1, keepdims=True)
        logits = ops.convert_to_numpy(self.logits).astype("float64")
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    @property
    def defect(self) -> float:
        """`|P L - L' P| / |P L|` with `L' = P L P^+`, over all generators, as they are now.

        It takes the generators as matrices, `k d^2` numbers, whatever family they are of.

        Raises:
            ValueError: If the layer is not built yet.
        """
        matrix, moved = self._pooled_generators("defect")
        rest = moved - moved @ np.linalg.pinv(matrix) @ matrix
        size = float(np.linalg.norm(moved))
        return float(np.linalg.norm(rest)) / size if size else 0.0

    def _pooled_generators(self, method: str) -> tuple[np.ndarray, np.ndarray]:
        """`P`, and all `P L_i`, `(k, d', d)`."""
        self._require_built(method)
        matrix = self.matrix
        generators = ops.convert_to_numpy(self.generators.to_dense()).astype("float64")
        return matrix, matrix @ generators

    def _squared_defect(self) -> Any:
        """The square of `defect` as a tensor, in float32, since it solves equations."""
        if self.units is None:
            weights = ops.convert_to_tensor(self.matrix, dtype="float32")
        else:
            weights = ops.softmax(ops.cast(self.logits, "float32"), axis=-1)
        generators = ops.cast(self.generators.to_dense(), "float32")
        moved = ops.einsum("pd,kde->kpe", weights, generators)
        gram = ops.einsum("pd,qd->pq", weights, weights)
        ridge = RIDGE * ops.mean(ops.diagonal(gram)) * ops.eye(gram.shape[0])
        # `P^+ P = P^T (P P^T)^-1 P` projects onto the rows of `P`.
        solved = ops.solve(gram + ridge, weights)
        kept = ops.einsum("kpd,qd->kpq", moved, weights)
        rest = moved - ops.einsum("kpq,qe->kpe", kept, solved)
        return ops.sum(rest**2) / (ops.sum(moved**2) + keras.config.epsilon())

    def induced_generators(self, trainable: bool = False) -> Generators:
        """The generators on the coarse positions, for the next layer.

        - Shifts by multiples of the strides are shifts by the quotients.
        - Vector fields, with strides, are the same fields in the coordinates of the coarse
          grid, where blocks are averaged only if these fill the grid and fields are affine.
          They act as the fine ones do on images that are smooth on the scale of the
          strides.
        - All else are matrices `P L_i P^+`, with `k d'^2` numbers.

        They have the values that generators and learned rows have now, and do not follow
        them in training. Generators made with `trainable=True` are learned on from there.

        Args:
            trainable: Whether the induced generators are learned. Shifts never are.

        Returns:
            An instance of `Generators`.

        Raises:
            ValueError: If the layer is not built yet.

        Example:
        ```python
        import keras
        from keras_lconv import CoarsePooling, LConv

        pool = CoarsePooling("rotation", strides=2, reduction="average")
        inputs = keras.Input((28, 28, 1))
        x = LConv(8, pool.generators, activation="relu")(inputs)
        x = pool(x)
        outputs = LConv(8, pool.induced_generators())(x)  # rotation of 14 x 14 images
        ```
        """
        shape = self._require_built("induced_generators")
        if self.strides is not None:
            steps = self._steps(self.name, shape)
            whole = all(n % step == 0 for n, step in zip(shape, steps, strict=True))
            found = _coarse_shifts(self.generators, steps, whole, self.reduction)
            if found is None:
                found = self._coarse_fields(steps, whole, trainable)
            if found is not None:
                return found
        matrix, moved = self._pooled_generators("induced_generators")
        return MatrixGenerators(
            moved @ np.linalg.pinv(matrix), trainable=trainable, dtype=self.dtype_policy
        )

    def _coarse_fields(
        self, steps: tuple[int, ...], whole: bool, trainable: bool
    ) -> Generators | None:
        """The vector fields in coarse coordinates, or `None` if these are not exact."""
        source = self.generators
        if not isinstance(source, VectorFieldGenerators):
            return None
        # The mean over a block is the value at its centre for affine fields only, and a
        # torus stays one only if blocks fill it.
        averaged = self.reduction == "average"
        if averaged and not (whole and source.field in ("linear", "affine")):
            return None
        if source.derivative == "fourier" and not whole:
            return None
        values = source.vector_fields().astype("float64")
        shape = values.shape[1:-1]
        for axis, (n, step) in enumerate(zip(shape, steps, strict=True), start=1):
            pooling = _axis_matrix(n, step, self.reduction)
            values = np.moveaxis(np.tensordot(pooling, values, (1, axis)), 0, axis)
        values = values / np.array(steps)
        kinds = {"linear": ("linear", "affine")}.get(source.field, (source.field,))
        for kind in kinds:
            found = VectorFieldGenerators.from_values(
                values, kind, source.derivative, trainable, dtype=self.dtype_policy
            )
            found.build((None, *values.shape[1:-1], 1))
            error = np.max(np.abs(found.vector_fields() - values))
            if error <= FIELD_TOLERANCE * np.max(np.abs(values)):
                break
        return found

    def _require_built(self, name: str) -> tuple[int, ...]:
        shape = self.generators.spatial_shape
        if not self.built or shape is None:
            raise ValueError(
                f"`{name}` needs the spatial shape, which {self.name!r} does not know yet. "
                "Call the layer on an input, or build it, first"
            )
        return shape

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "strides": self.strides and list(self.strides),
            "clusters": None if self.clusters is None else self.clusters.tolist(),
            "units": self.units and list(self.units),
            "reduction": self.reduction,
            "defect_weight": self.defect_weight,
            "initializer": self.initializer
            and keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }


def _coarse_shifts(
    generators: Generators, steps: tuple[int, ...], whole: bool, reduction: str
) -> Generators | None:
    """Shifts of the coarse grid, or `None` if these are not exact."""
    if not isinstance(generators, ShiftGenerators):
        return None
    offsets = np.array(generators.offsets)
    # Every n-th position is a grid of its own also where the last block is not full.
    fits = whole or (reduction == "subsample" and generators.boundary == "zero")
    if not fits or np.any(offsets % np.array(steps)):
        return None
    return ShiftGenerators(
        offsets // np.array(steps), generators.boundary, dtype=generators.dtype_policy
    )


def _block_means(f: Any, axis: int, step: int) -> Any:
    """Means of blocks along an axis, of what is there in the last one."""
    size = f.shape[axis]
    count = math.ceil(size / step)
    inner = math.prod(f.shape[axis + 1 :])
    lines = ops.reshape(f, (-1, size, inner))
    lines = ops.pad(lines, ((0, 0), (0, count * step - size), (0, 0)))
    sums = ops.sum(ops.reshape(lines, (-1, count, step, inner)), axis=2)
    members = np.full((count, 1), float(step))
    members[-1] = size - (count - 1) * step
    means = sums / ops.convert_to_tensor(members, dtype=f.dtype)
    return ops.reshape(means, (-1, *f.shape[1:axis], count, *f.shape[axis + 1 :]))


def _axis_matrix(size: int, step: int, reduction: str) -> np.ndarray:
    """`P` along one axis, `(n', n)`."""
    block = np.arange(size) // step
    first = np.arange(math.ceil(size / step))[:, None]
    if reduction == "subsample":
        return (np.arange(size) == first * step).astype("float64")
    members = (block == first).astype("float64")
    return members / members.sum(axis=1, keepdims=True)


def _runs(shape: tuple[int, int], dtype: Any = None) -> Any:
    """Logits of rows that sit on runs of consecutive positions."""
    rows, columns = shape
    own = np.arange(columns) * rows // columns == np.arange(rows)[:, None]
    odds = OWN_WEIGHT / (1 - OWN_WEIGHT) * max(rows - 1, 1)
    return ops.convert_to_tensor(own * math.log(odds), dtype=dtype)


def _labels(clusters: Any) -> np.ndarray:
    labels = np.asarray(clusters)
    if labels.size and not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(
            f"`clusters` must be integers. Received: an array of type {labels.dtype}"
        )
    labels = labels.ravel()
    if not len(labels) or labels.min() < 0 or np.any(np.bincount(labels) == 0):
        raise ValueError(
            "`clusters` must be the label of each position, where the labels are all "
            f"integers from 0 to the largest. Received: labels {np.unique(labels)}"
        )
    return labels.astype("int32")
