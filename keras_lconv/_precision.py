"""The dtype that long computations run in."""

from typing import Any

import keras


def working_dtype(tensor: Any) -> str:
    """The dtype of `tensor`, but float32 for half precision.

    For what half precision would round away, or let overflow: long series and squares.
    """
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return "float32" if dtype in ("float16", "bfloat16") else dtype
