"""Calls and gradients on whichever backend runs, and slopes by finite differences."""

import contextlib

import keras
import numpy as np
import pytest

from tests.families import to_numpy

BACKEND = keras.config.backend()


def compilation(jit_compile):
    """A value of `jit_compile`: what is slow and tests only the backend is nightly."""
    is_slow = (BACKEND, jit_compile) in {("torch", True), ("jax", False)}
    return pytest.param(jit_compile, marks=[pytest.mark.nightly] if is_slow else [])


either_compilation = pytest.mark.parametrize(
    "jit_compile", [compilation(True), compilation(False)]
)


@contextlib.contextmanager
def float64():
    """Lets JAX compute in float64, as the other backends do by themselves."""
    if BACKEND == "jax":
        import jax

        with jax.enable_x64(True):
            yield
    else:
        yield


def run(function, *arrays):
    """`function(*arrays)`, in one compilation on JAX.

    JAX compiles each operation for each shape, which takes most of the time of a test that
    calls a layer once. That eager calls give the same is a test of its own. A layer is
    built first, since variables cannot be made while a function is traced.
    """
    if BACKEND != "jax":
        return function(*arrays)
    import jax

    if isinstance(function, keras.layers.Layer) and not function.built:
        function.build(arrays[0].shape)
    return jax.jit(lambda *tensors: function(*tensors))(*arrays)


def transformed(generators, f, t):
    """`exp(t L) f`, in one compilation on JAX."""
    return run(lambda f: generators.transform(f, t), f)


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
    if BACKEND == "jax":
        import jax

        # One compilation, for the gradients and for the values of the differences.
        both = jax.jit(jax.value_and_grad(function, tuple(range(len(arrays)))))
        exact = [np.asarray(v) for v in both(*map(jax.numpy.asarray, arrays))[1]]
        slopes = directional_derivatives(lambda *x: both(*x)[0], arrays, directions)
    else:
        exact = gradients(function, arrays)
        slopes = directional_derivatives(function, arrays, directions)
    for gradient, direction, slope in zip(exact, directions, slopes, strict=True):
        assert gradient.dtype == np.float64
        # Relative to the gradient's size, since a slope may nearly vanish by chance.
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction) + 1e-12
        error = abs(np.sum(gradient * direction) - slope)
        assert error <= tolerance * scale, (error / scale, slope)
        assert np.linalg.norm(gradient) > 0
