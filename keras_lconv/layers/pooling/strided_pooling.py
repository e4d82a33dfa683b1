"""Pooling to every n-th position, or to the averages of blocks."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import GeneratorsLike, Tensor
from keras_lconv._validation import for_each_axis, one_of, positive_ints
from keras_lconv.generators import Generators
from keras_lconv.generators.coarsening import coarsened
from keras_lconv.layers.pooling.coarse_pooling import CoarsePooling

REDUCTIONS = ("subsample", "average")


@keras.saving.register_keras_serializable(package="keras_lconv")
class StridedPooling(CoarsePooling):
    """Every n-th position along each axis, or the averages of blocks: `y = P f`.

    The next layer needs generators on the coarse positions, `induced_generators()`. Shifts
    by multiples of the strides become shifts by the quotients. Vector fields become the
    same fields in the coordinates of the coarse grid; for averages of blocks this needs
    affine fields and blocks that fill the grid. They act like the fine ones on images that
    are smooth on the scale of the strides. Other generators become the matrices that fit
    best, `L'_i = P L_i P^+`.

    **Equivariance.** If `P L_i = L'_i P`, then `P exp(t L) f = exp(t L') P f`. `defect` is
    the relative error of this, `|P L - L' P| / |P L|`. It is zero for shifts by multiples
    of the strides. It takes all inputs into account, including details that the coarse grid
    cannot represent. So for vector fields it is of order one, although the pooling of
    images that are smooth on the scale of the strides is nearly equivariant.

    Args:
        generators: As in `LConv`; square ones. Only `induced_generators`, `defect` and the
            loss depend on them.
        strides: One number, or one for each spatial axis.
        reduction: `"subsample"` keeps the first position of each block. `"average"` takes
            the mean of each block; at the border, of the positions that exist.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        defect_weight: Weight of the loss `defect^2`, for learned generators.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)`; with `data_format="channels_first"`
        `(batch, channels, *spatial)`; or `(batch, d)`. With a mask, masked positions count
        as zero; the output has no mask.

    Output shape:
        The same, with spatial sizes divided by the strides and rounded up.

    Attributes:
        generators: The generators on the fine positions, a Keras layer.
        matrix: `P`, an array `(d', d)`.
        defect: The intertwining defect.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or generators are not square or do not
            fit the input.

    Example:
    ```python
    import keras
    from keras_lconv import LConv, StridedPooling

    pool = StridedPooling("rotation", strides=2, reduction="average")
    inputs = keras.Input((28, 28, 1))
    x = LConv(8, pool.generators, activation="relu")(inputs)
    x = pool(x)
    outputs = LConv(8, pool.induced_generators())(x)  # rotation of 14 x 14 images
    assert outputs.shape == (None, 14, 14, 8)
    ```
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        strides: int | Sequence[int] = 2,
        reduction: str = "subsample",
        rank: int | None = None,
        defect_weight: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        self.strides = positive_ints("strides", strides)
        self.reduction = one_of("reduction", reduction, REDUCTIONS)
        super().__init__(
            generators,
            rank=rank,
            defect_weight=defect_weight,
            data_format=data_format,
            **kwargs,
        )

    def _steps(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The strides along each axis."""
        return for_each_axis("strides", self.strides, len(shape))

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        pairs = zip(shape, self._steps(shape), strict=True)
        return tuple(math.ceil(n / step) for n, step in pairs)

    def _pool(self, f: Tensor) -> Tensor:
        shape = self.generators.require_built("call")
        f = ops.reshape(f, (-1, *shape, f.shape[-1]))
        steps = self._steps(shape)
        if self.reduction == "subsample":
            f = f[(slice(None), *(slice(None, None, step) for step in steps))]
        else:
            for axis, step in enumerate(steps, start=1):
                f = _block_means(f, axis, step)
        return ops.reshape(f, (-1, math.prod(f.shape[1:-1]), f.shape[-1]))

    def _matrix_on(self, shape: tuple[int, ...]) -> np.ndarray:
        return functools.reduce(np.kron, self._axis_matrices(shape))

    def _axis_matrices(self, shape: tuple[int, ...]) -> list[np.ndarray]:
        """`P` along each axis, `(n', n)`."""
        pairs = zip(shape, self._steps(shape), strict=True)
        return [_axis_matrix(n, step, self.reduction) for n, step in pairs]

    def _induced(self, trainable: bool) -> Generators | None:
        shape = self.generators.require_built("induced_generators")
        found = coarsened(
            self.generators,
            self._steps(shape),
            self._axis_matrices(shape),
            averaged=self.reduction == "average",
        )
        if found is None:
            return None
        config = {**found.get_config(), "trainable": trainable}
        del config["name"]
        return type(found).from_config({**config, "dtype": self.dtype_policy})

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "strides": list(self.strides),
            "reduction": self.reduction,
        }


def _block_means(f: Tensor, axis: int, step: int) -> Tensor:
    """Means of blocks along an axis. The last block may have fewer positions."""
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
