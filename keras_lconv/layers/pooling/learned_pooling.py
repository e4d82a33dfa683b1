"""Pooling by learned weighted averages of positions."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._ops import mean, working_dtype
from keras_lconv._typing import (
    DTypeLike,
    GeneratorsLike,
    Initializer,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import positive_ints
from keras_lconv.layers.pooling.coarse_pooling import CoarsePooling, relative_square

# The part of the weight of a learned row that starts on its own run of positions.
OWN_WEIGHT = 0.9
# Relative to the mean square of a row. It keeps the projection onto the rows of a learned
# matrix finite when two rows become equal.
RIDGE = 1e-6


@keras.saving.register_keras_serializable(package="keras_lconv")
class LearnedPooling(CoarsePooling):
    """Learned weighted averages of positions: `y = P f` with `P = softmax(logits)`.

    Rows of `P` are positive and sum to one. Constants stay constant, results stay in the
    range of the input, and a row cannot vanish. The next layer needs generators on the new
    positions: the matrices that fit best, `L'_i = P L_i P^+`, are `induced_generators()`.

    **Equivariance.** If `P L_i = L'_i P`, then `P exp(t L) f = exp(t L') P f`. `defect` is
    the relative error of this, `|P L - L' P| / |P L|`, and `defect_weight` makes it small.

    Args:
        generators: As in `LConv`; square ones. Only `induced_generators`, `defect` and the
            loss depend on them.
        output_dim: Number `d'` of learned rows, or the spatial shape of the output.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        defect_weight: Weight of the loss `defect^2`.
        initializer: Initializer of `logits`. By default each row starts with 90% of its
            weight on one of `d'` runs of consecutive positions.
        regularizer: Regularizer of `logits`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)`; with `data_format="channels_first"`
        `(batch, channels, *spatial)`; or `(batch, d)`. With a mask, masked positions count
        as zero; the output has no mask.

    Output shape:
        `(batch, *output_dim, channels)`, or with the channels first; `(batch, d')` for
        `(batch, d)`.

    Attributes:
        generators: The generators on the fine positions, a Keras layer.
        logits: The weights, of shape `(d', d)`.
        matrix: The current `P`, an array `(d', d)`.
        defect: The intertwining defect.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or generators are not square or do not
            fit the input.

    Example:
    ```python
    import numpy as np
    from keras_lconv import LearnedPooling

    pool = LearnedPooling("translation", output_dim=(3, 3), defect_weight=0.1)
    assert tuple(pool(np.ones((2, 6, 6, 4))).shape) == (2, 3, 3, 4)
    assert np.allclose(pool.matrix.sum(axis=1), 1)
    ```
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        output_dim: int | Sequence[int],
        rank: int | None = None,
        defect_weight: float = 0.0,
        initializer: Initializer = None,
        regularizer: Regularizer = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        self.output_dim = positive_ints("output_dim", output_dim)
        super().__init__(
            generators,
            rank=rank,
            defect_weight=defect_weight,
            data_format=data_format,
            **kwargs,
        )
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)

    @property
    def _defect_is_learned(self) -> bool:
        return True

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        size = math.prod(shape)
        if math.prod(self.output_dim) > size:
            raise ValueError(
                f"`output_dim` of {self._owner} must be at most the {size} positions of "
                f"the input. Received: output_dim={self.output_dim}"
            )
        return self.output_dim

    def _build(self, feature_shape: Shape) -> None:
        shape = self.generators.require_built("build")
        rows = math.prod(self._output_spatial_shape(shape))
        self.logits = self.add_weight(
            name="logits",
            shape=(rows, math.prod(shape)),
            initializer=self.initializer or _runs,
            regularizer=self.regularizer,
        )

    def _pool(self, f: Tensor) -> Tensor:
        weights = ops.cast(ops.softmax(self.logits, axis=-1), f.dtype)
        return ops.einsum("pd,bdc->bpc", weights, f)

    def _matrix_on(self, shape: tuple[int, ...]) -> np.ndarray:
        logits = ops.convert_to_numpy(self.logits).astype("float64")
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def _squared_defect(self) -> Tensor:
        # In at least float32, because equations are solved.
        generators = self.generators.to_dense()
        dtype = working_dtype(generators)
        generators = ops.cast(generators, dtype)
        weights = ops.softmax(ops.cast(self.logits, dtype), axis=-1)
        moved = ops.einsum("pd,kde->kpe", weights, generators)
        gram = ops.einsum("pd,qd->pq", weights, weights)
        unit = ops.convert_to_tensor(np.eye(gram.shape[0]), dtype=dtype)
        ridge = RIDGE * mean(ops.diagonal(gram)) * unit
        # `P^+ P = P^T (P P^T)^-1 P` projects onto the rows of `P`.
        solved = ops.solve(gram + ridge, weights)
        kept = ops.einsum("kpd,qd->kpq", moved, weights)
        return relative_square(moved - ops.einsum("kpq,qe->kpe", kept, solved), moved)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "output_dim": list(self.output_dim),
            "initializer": self.initializer
            and keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
        }


def _runs(shape: tuple[int, int], dtype: DTypeLike = None) -> Tensor:
    """Logits of rows that sit on runs of consecutive positions."""
    rows, columns = shape
    own = np.arange(columns) * rows // columns == np.arange(rows)[:, None]
    odds = OWN_WEIGHT / (1 - OWN_WEIGHT) * max(rows - 1, 1)
    return ops.convert_to_tensor(own * math.log(odds), dtype=dtype)
