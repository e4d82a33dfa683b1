"""The inputs of layers on points, as tensors with channels last."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_lconv._layout import masked, to_channels_last, to_floats
from keras_lconv._ops import working_dtype
from keras_lconv._typing import Tensor
from keras_lconv.layers.points.arguments import PointShape


class Points(NamedTuple):
    """Points, with zeros where there is none.

    Args:
        features: Tensor `(batch, n, ..., channels)`, in the dtype of the computation.
        positions: Tensor `(batch, n, v)`, in at least float32.
        exist: Which points there are, `(batch, n)`.
        table: Neighbours `(batch, n, k)`, or `None`.
        of_pairs: Numbers of pairs, `(batch, n, n, e)`, or `(batch, n, k, e)` with a table,
            or `None`.
    """

    features: Tensor
    positions: Tensor
    exist: Tensor
    table: Tensor | None
    of_pairs: Tensor | None


def points_of(
    inputs: Any, sizes: PointShape, mask: Any, data_format: str, dtype: str
) -> Points:
    """The inputs of a layer.

    Args:
        inputs: A list of two to four.
        sizes: The sizes of these inputs.
        mask: Whether each point counts, `(batch, n)`, or `None`.
        data_format: The data format of the inputs.
        dtype: The dtype of the computation.
    """
    features = ops.cast(to_floats(inputs[0], dtype), dtype)
    wide = working_dtype(features)

    def numbers(given: Any) -> Tensor:
        return to_channels_last(ops.cast(to_floats(given, wide), wide), data_format)

    positions = masked(numbers(inputs[1]), mask)
    every = ops.ones_like(positions[..., :1], dtype="bool")
    return Points(
        masked(to_channels_last(features, data_format), mask),
        positions,
        masked(every, mask)[..., 0],
        _checked_table(inputs[2]) if sizes.has_table else None,
        numbers(inputs[-1]) if sizes.of_edge else None,
    )


def _checked_table(table: Tensor) -> Tensor:
    """Refuses a table of neighbours of other than integers, which would be cut off.

    Raises:
        TypeError: If it is one.
    """
    kind = keras.backend.standardize_dtype(table.dtype)
    if not keras.backend.is_int_dtype(kind):
        raise TypeError(
            "The table of neighbours must be of integers, the numbers of points: "
            "`keras.Input((n, k), dtype='int32')` in a functional model. "
            f"Received: a table of dtype {kind}"
        )
    return table
