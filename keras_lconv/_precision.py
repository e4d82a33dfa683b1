"""The dtype that long computations run in."""

import math
from typing import Any

import keras
from keras import ops


def working_dtype(tensor: Any) -> str:
    """The dtype of `tensor`, but float32 for half precision.

    For what half precision would round away, or let overflow: long series and squares.
    """
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def sample_means(values: Any) -> Any:
    """The mean of each sample, `(batch,)`, in the precision of `values`.

    The mean of Keras on PyTorch has the precision of float32, for float64 too.
    """
    axes = tuple(range(1, len(values.shape)))
    return ops.sum(values, axis=axes) / math.prod(values.shape[1:]) if axes else values
