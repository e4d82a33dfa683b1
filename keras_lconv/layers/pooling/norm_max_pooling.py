"""The longest vector in each window."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import FormLike, GeneratorsLike, Shape, Tensor
from keras_lconv._validation import for_each_axis, one_of, positive_ints, spatial_shape
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.layers.fibre_layer import FibreLayer

PADDINGS = ("valid", "same")

# Windows along an axis: size, step, number, and how far they reach over the border.
Window: TypeAlias = tuple[int, int, int, tuple[int, int]]


@keras.saving.register_keras_serializable(package="keras_lconv")
class NormMaxPooling(FibreLayer):
    """Keeps the vector with the largest invariant form in each window.

    At each position of a feature map there are vectors (fibres), on which the generators
    act as `n x n` matrices. Their invariant form `q = v^T M v` is that of `FibreNorm`. Each
    window keeps, for each channel, the whole vector with the largest `q`, and the first one
    if several are equal. If `M` is indefinite, `q` counts with its sign: for the Lorentz
    group, the default keeps the most space-like vector.

    **Equivariance.** The layer commutes exactly with `exp(t L)` on the fibres, which does
    not change any `q`. Like every pooling with windows, it commutes with steps of `strides`
    positions on the grid, away from the border.

    Args:
        generators: Matrices `(k, n, n)`, a `LieAlgebra`, `MatrixGenerators`, or learned
            generators, as in `LConv`; or a `keras_lconv.algebra.MatrixGroup`, or a
            `Representation` of one.
        pool_size: Size of the window, one number or one for each spatial axis.
        strides: Steps from window to window; by default `pool_size`.
        padding: `"valid"`, or `"same"` for windows that reach beyond the border, where
            there are no vectors.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        form: `M`, a symmetric invariant matrix `(n, n)`, or `"nearest"`: the invariant form
            that is nearest to the identity. By default the only invariant form; if there
            are several, there is an error.
        tolerance: Threshold for invariance, as for `keras_lconv.algebra.invariant_forms`.
        defect_weight: Weight of the loss `defect^2`, for learned generators. Their form is
            then a weight without any other gradient, because the layer only chooses the
            largest vector.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, n, channels)` with at least one spatial axis, all of defined
        size; `(batch, channels, *spatial, n)` with `data_format="channels_first"`. With a
        mask, masked positions count as zero.

    Output shape:
        The same with the spatial shape of Keras' pooling layers.

    Attributes:
        generators: The generators, a Keras layer.
        form: `M`, an array.
        defect: `|L^T M + M L| / (2 |L| |M|)`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, there is no invariant form, or more
            than one and no choice, or no spatial axis.

    Example:
    ```python
    import numpy as np
    from keras_lconv import NormMaxPooling
    from keras_lconv.algebra import so

    velocities = np.random.default_rng(0).normal(size=(2, 8, 8, 3, 5))
    kept = NormMaxPooling(so(3), pool_size=2)(velocities)
    assert tuple(kept.shape) == (2, 4, 4, 3, 5)
    ```

    Reference:
        M. Weiler, G. Cesa, "General E(2)-equivariant steerable CNNs", NeurIPS 2019: norm
        max pooling.
    """

    def __init__(
        self,
        generators: GeneratorsLike | MatrixGroup | Representation,
        *,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        rank: int | None = None,
        form: FormLike = None,
        tolerance: float | None = None,
        defect_weight: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            generators,
            rank=rank,
            form=form,
            tolerance=tolerance,
            defect_weight=defect_weight,
            data_format=data_format,
            **kwargs,
        )
        self.pool_size = positive_ints("pool_size", pool_size)
        self.strides = positive_ints(
            "strides", self.pool_size if strides is None else strides
        )
        self.padding = one_of("padding", padding, PADDINGS)

    def _build(self, feature_shape: Shape) -> None:
        self._windows(feature_shape)
        super()._build(feature_shape)

    def _windows(self, feature_shape: Shape) -> list[Window]:
        """Size, step, number of windows and padding along each spatial axis."""
        owner = self._owner
        shape = spatial_shape(feature_shape, owner)[:-1]
        if not shape:
            raise ValueError(
                f"{owner} needs a spatial axis besides the fibre axis. Received: an input "
                f"of shape {tuple(feature_shape)}, channels last"
            )
        found = []
        sizes = for_each_axis("pool_size", self.pool_size, len(shape))
        steps = for_each_axis("strides", self.strides, len(shape))
        for length, size, step in zip(shape, sizes, steps, strict=True):
            if self.padding == "same":
                count = math.ceil(length / step)
                missing = max((count - 1) * step + size - length, 0)
            else:
                count = (length - size) // step + 1
                missing = 0
            if count < 1:
                raise ValueError(
                    f"The window of {owner} must fit into the input. "
                    f"Received: pool_size={self.pool_size} for the spatial shape {shape}"
                )
            found.append((size, step, count, (missing // 2, missing - missing // 2)))
        return found

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        windows = self._windows(feature_shape)
        counts = [count for _, _, count, _ in windows]
        return (feature_shape[0], *counts, *feature_shape[-2:])

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        return largest_vectors(f, self._square(f), self._windows(tuple(f.shape)))

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """`None`: windows have no mask."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "pool_size": list(self.pool_size),
            "strides": list(self.strides),
            "padding": self.padding,
        }


def largest_vectors(f: Tensor, square: Tensor, windows: list[Window]) -> Tensor:
    """The vector with the largest square in each window, the first one if several are
    equal.

    Args:
        f: Vectors, `(batch, *spatial, n, channels)`.
        square: Their squares, `(batch, *spatial, channels)`.
        windows: The windows along each spatial axis.
    """
    padding = [(0, 0), *(pad for *_, pad in windows), (0, 0)]
    # NaN is kept, whatever a backend takes for the largest. Positions outside of the grid
    # are never the largest. Infinity times zero would be NaN in exported models.
    most = float(np.finfo(keras.backend.standardize_dtype(square.dtype)).max)
    square = ops.where(ops.isnan(square), most, square)
    square = ops.pad(square, padding, constant_values=-most)
    vectors = ops.pad(f, [*padding, (0, 0)])
    slices = [
        (
            slice(None),
            *(
                slice(start, start + (count - 1) * step + 1, step)
                for start, (_, step, count, _) in zip(offset, windows, strict=True)
            ),
        )
        for offset in itertools.product(*(range(size) for size, *_ in windows))
    ]
    # Exporters to ONNX do not support an `argmax` of floats.
    first, *others = slices
    kept, largest = vectors[first], square[first]
    for cut in others:
        is_larger = square[cut] > largest
        kept = ops.where(ops.expand_dims(is_larger, -2), vectors[cut], kept)
        largest = ops.where(is_larger, square[cut], largest)
    return kept
