"""The only module that knows which backend runs."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


def is_traced(tensor: Any) -> bool:
    """Tells whether the values of `tensor` are unknown because a graph is traced."""
    if isinstance(tensor, keras.KerasTensor):
        return True
    tensor = ops.convert_to_tensor(tensor)
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.is_tensor(tensor) and not tf.executing_eagerly()
    if backend == "jax":
        import jax

        # What `grad` traces outside of `jit` has a value, that of the primal.
        return isinstance(jax.lax.stop_gradient(tensor), jax.core.Tracer)
    if backend == "torch":
        import torch

        return isinstance(tensor, torch.Tensor) and (
            tensor.device.type == "meta" or torch.compiler.is_compiling()
        )
    return False


def concrete_value(tensor: Any) -> np.ndarray | None:
    """Returns the values of `tensor` in NumPy, or `None` while a graph is traced."""
    if is_traced(tensor):
        return None
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def repeat(
    body: Callable[..., tuple[Any, ...]], state: tuple[Any, ...], times: int
) -> tuple[Any, ...]:
    """Applies `state = body(i, *state)` for `i < times`, with a reverse gradient.

    While a graph is traced the loop stays a loop, so that the graph does not grow with
    `times`. Each backend has one kind of loop that compiles and that has a reverse
    gradient: on TensorFlow the `while` with a known `maximum_iterations`, on JAX the
    `fori_loop` with a fixed count.
    """
    if times > 1 and is_traced(state[0]):
        if keras.config.backend() == "jax":
            return ops.fori_loop(0, times, lambda i, state: body(i, *state), state)
        if keras.config.backend() == "tensorflow":
            return ops.while_loop(
                lambda i, *_: i < times,
                lambda i, *state: (i + 1, *body(i, *state)),
                (0, *state),
                maximum_iterations=times,
            )[1:]
    for i in range(times):
        state = body(i, *state)
    return state
