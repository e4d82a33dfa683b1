"""The only module that knows which backend runs."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import Function


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

        # A tensor that `grad` traces outside of `jit` has a value, that of the primal.
        return isinstance(jax.lax.stop_gradient(tensor), jax.core.Tracer)
    if backend == "torch":
        import torch

        return isinstance(tensor, torch.Tensor) and (
            tensor.device.type == "meta" or torch.compiler.is_compiling()
        )
    return False


def outside_of_graphs() -> contextlib.AbstractContextManager[Any]:
    """A scope in which tensors with values are computed, even while a graph is traced."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.init_scope()
    if backend == "jax":
        import jax

        return jax.ensure_compile_time_eval()
    return contextlib.nullcontext()


def concrete_value(tensor: Any) -> np.ndarray | None:
    """Returns the values of `tensor` in NumPy, or `None` while a graph is traced."""
    if is_traced(tensor):
        return None
    return ops.convert_to_numpy(ops.stop_gradient(tensor))


def loses_nan_in_maxima() -> bool:
    """Whether a maximum may ignore NaN, as in TensorFlow compiled by XLA for the CPU."""
    return keras.config.backend() == "tensorflow"


def take(x: Any, indices: Any, axis: int) -> Any:
    """Entries along an axis at a vector of indices, none of them negative.

    On PyTorch Keras' `take` calls `ravel`, which exporters to ONNX and OpenVINO do not
    support.
    """
    if keras.config.backend() != "torch":
        return ops.take(x, indices, axis=axis)
    import torch

    x = ops.convert_to_tensor(x)
    index = ops.convert_to_tensor(indices, dtype="int64")
    return torch.index_select(x, axis, index.to(x.device))


def segment_sum(rows: Any, segments: np.ndarray, num: int) -> Any:
    """The sums `(num, p)` of rows `(n, p)` with the same number.

    On PyTorch Keras' `segment_sum` computes in float32 even for float64, and its export
    fixes the size of the batch.
    """
    if keras.config.backend() != "torch":
        return ops.segment_sum(rows, segments, num_segments=num)
    import torch

    index = torch.as_tensor(segments, dtype=torch.int64, device=rows.device)
    # PyTorch's ONNX exporter gets `index_add` wrong if numbers repeat.
    index = index.reshape(-1, *[1] * (rows.ndim - 1)).expand_as(rows)
    return rows.new_zeros((num, *rows.shape[1:])).scatter_add(0, index, rows)


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
            numbers = np.arange(times, dtype="int32")
            return ops.scan(lambda state, i: (body(i, *state), None), state, numbers)[0]
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


def jacobian(function: Function) -> Callable[[Any], tuple[Any, Any]]:
    """Values and input derivatives of a function of batches, sample by sample.

    Args:
        function: Maps tensors `(batch, *inputs)` to `(batch, m)`. Samples do not mix.

    Returns:
        A function that maps `x` to the values `(batch, m)` and the derivatives
        `(batch, m, *inputs)`, compiled where the backend compiles.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @compiled
        def by_tape(x: Any) -> tuple[Any, Any]:
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(x)
                values = function(x)
                # Samples do not mix, so the gradient of the sum holds those of all samples.
                sums = tf.reduce_sum(values, axis=0)
            # A loop in the graph, which does not grow with the number of outputs.
            rows = tape.jacobian(
                sums,
                x,
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
                experimental_use_pfor=False,
            )
            return values, ops.moveaxis(rows, 0, 1)

        return by_tape
    if backend == "jax":
        import jax

        @compiled
        def by_pullback(x: Any) -> tuple[Any, Any]:
            values, pullback = jax.vjp(function, x)
            # One row of the identity for each output, the same for all samples.
            rows = jax.numpy.eye(values.shape[1], dtype=values.dtype)[:, None]
            rows = jax.numpy.broadcast_to(rows, (values.shape[1], *values.shape))
            (derivatives,) = jax.vmap(pullback)(rows)
            return values, jax.numpy.moveaxis(derivatives, 0, 1)

        return by_pullback
    import torch

    def by_autograd(x: Any) -> tuple[Any, Any]:
        x = x.detach().requires_grad_(True)
        with torch.enable_grad():
            values = function(x)
            rows = [_torch_gradient(values[:, n].sum(), x) for n in range(values.shape[1])]
        return values.detach(), torch.stack(rows, dim=1)

    return by_autograd


def vjp(function: Function, x: Any) -> tuple[Any, Function]:
    """The value of a function at `x`, and its transposed derivative there.

    Args:
        function: Maps a tensor to a tensor.
        x: The point of the derivative `J`.

    Returns:
        `function(x)`, and the linear map from a cotangent `u` of the shape of this value to
        `J^T u`, of the shape of `x`.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            value = function(x)
        zero = tf.UnconnectedGradients.ZERO
        return value, lambda u: tape.gradient(
            value, x, output_gradients=u, unconnected_gradients=zero
        )
    if backend == "jax":
        import jax

        value, pullback = jax.vjp(function, x)
    else:
        import torch

        value, pullback = torch.func.vjp(function, x)[:2]
    return value, lambda u: pullback(u)[0]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors, compiled where the backend compiles."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def hessian(function: Function) -> Callable[[Any], tuple[Any, Any]]:
    """First and second derivatives of a scalar function of a vector.

    Args:
        function: Maps a tensor `(n,)` to a tensor `()`.

    Returns:
        A function that maps a tensor `(n,)` to the gradient `(n,)` and the matrix of
        second derivatives `(n, n)`.
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def by_tapes(x: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    value = function(x)
                gradient = inner.gradient(value, x)
            zero = tf.UnconnectedGradients.ZERO
            return gradient, outer.jacobian(gradient, x, unconnected_gradients=zero)

        return compiled(by_tapes)
    if backend == "jax":
        import jax

        return compiled(lambda x: (jax.grad(function)(x), jax.hessian(function)(x)))
    import torch

    def by_autograd(x: Any) -> tuple[Any, Any]:
        x = x.detach().requires_grad_(True)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(function(x), x, create_graph=True)
            rows = [_torch_gradient(each, x) for each in gradient]
        return gradient.detach(), torch.stack(rows)

    return by_autograd


def _torch_gradient(value: Any, x: Any) -> Any:
    """The gradient of a scalar by `x`, zero if it does not depend on `x`."""
    import torch

    if not value.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad(value, x, retain_graph=True, allow_unused=True)
    return torch.zeros_like(x) if gradient is None else gradient
