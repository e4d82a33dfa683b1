"""Gradients on whichever backend runs, and by finite differences."""

import contextlib

import keras
import numpy as np

from tests.families import to_numpy

BACKEND = keras.config.backend()


@contextlib.contextmanager
def float64():
    """Lets JAX compute in float64, as the other backends do by themselves."""
    if BACKEND == "jax":
        import jax

        with jax.enable_x64(True):
            yield
    else:
        yield


def gradients(function, arrays):
    """Gradients of a scalar function of tensors, as NumPy arrays."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(a) for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        return [to_numpy(v) for v in tape.gradient(value, tensors)]
    if BACKEND == "jax":
        import jax

        argnums = tuple(range(len(arrays)))
        gradient = jax.jit(jax.grad(function, argnums))
        values = gradient(*(jax.numpy.asarray(a) for a in arrays))
        return [np.asarray(v) for v in values]
    import torch

    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    function(*tensors).backward()
    return [t.grad.numpy() for t in tensors]


def directional_derivatives(function, arrays, directions, step=1e-5):
    """Central differences of `function` along one direction for each array."""
    if BACKEND == "jax":
        import jax

        # One compilation, where op by op there would be one for each.
        function = jax.jit(function)
    slopes = []
    for n, direction in enumerate(directions):
        values = []
        for sign in (1, -1):
            moved = list(arrays)
            moved[n] = arrays[n] + sign * step * direction
            tensors = [keras.ops.convert_to_tensor(a) for a in moved]
            values.append(float(to_numpy(function(*tensors))))
        slopes.append((values[0] - values[1]) / (2 * step))
    return slopes


def assert_gradients_match(function, arrays, tolerance=1e-6, seed=0):
    """Compares gradients with finite differences, in float64."""
    rng = np.random.default_rng(seed)
    directions = [rng.normal(size=a.shape) for a in arrays]
    exact = gradients(function, arrays)
    slopes = directional_derivatives(function, arrays, directions)
    for gradient, direction, slope in zip(exact, directions, slopes, strict=True):
        assert gradient.dtype == np.float64
        # Relative to the gradient's size, since a slope may nearly vanish by chance.
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction) + 1e-12
        error = abs(np.sum(gradient * direction) - slope)
        assert error <= tolerance * scale, (error / scale, slope)
        assert np.linalg.norm(gradient) > 0
