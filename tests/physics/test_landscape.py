"""Symmetries of data as flat directions of the loss."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv.algebra import gl, so
from keras_lconv.physics import flat_directions


def samples(num=100, size=3, seed=0):
    return np.random.default_rng(seed).normal(size=(num, size))


def squared_length(x):
    return np.sum(x**2, axis=1, keepdims=True)


def sum_of_squares(hidden, kernel=None):
    """`|x W|^2`, with orthonormal rows of the kernel by default: it is then |x|^2."""
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(hidden, activation=ops.square, use_bias=False),
            keras.layers.Dense(1, use_bias=False, trainable=False),
        ]
    )
    if kernel is None:
        kernel = np.linalg.qr(samples(hidden, 3, seed=1))[0].T
    model.set_weights([kernel, np.ones((hidden, 1))])
    return model


@pytest.mark.parametrize("hidden", [3, 4, 5])
def test_zero_modes_of_a_perfect_fit(hidden):
    """`W W^T = 1` is 6 equations for `3 hidden` weights; so(3) is among what is left."""
    x = samples()
    data = (x, squared_length(x))
    found = flat_directions(sum_of_squares(hidden), "mse", data, so(3))
    assert found.zero_modes == 3 * hidden - 6
    assert len(found) == 3
    assert np.max(np.abs(found.curvatures)) < 1e-6
    # Among all linear maps the same three are found.
    among_all = flat_directions(sum_of_squares(hidden), "mse", data, gl(3))
    assert len(among_all) == 3
    overlap = found.directions @ among_all.directions.T
    assert np.allclose(np.linalg.svd(overlap)[1], 1, atol=1e-4)


def test_directions_lie_in_the_null_space_of_the_hessian():
    x = samples()
    model = sum_of_squares(3)
    found = flat_directions(model, "mse", (x, squared_length(x)), so(3))
    kernel = ops.convert_to_numpy(model.layers[0].kernel).astype("float64")
    # A motion along a direction keeps the residuals, to second order.
    for direction in found.directions:
        moved = kernel + 1e-3 * direction.reshape(kernel.shape)
        residuals = np.sum((x @ moved) ** 2, axis=1) - np.sum(x**2, axis=1)
        assert np.max(np.abs(residuals)) < 2e-5


@pytest.mark.parametrize("symmetric", [True, False])
def test_away_from_a_minimum(symmetric):
    """Slopes and curvatures are those of the loss along the orbit exp(t L)^T W."""
    x = samples(400)
    y = squared_length(x) if symmetric else x[:, :1] ** 2
    kernel = samples(3, 4, seed=3)
    model = sum_of_squares(4, kernel)
    matrices = samples(2, 9, seed=4).reshape(2, 3, 3)
    found = flat_directions(model, "mse", (x, y), matrices)

    def loss(weights):
        return np.mean((np.sum((x @ weights) ** 2, axis=1, keepdims=True) - y) ** 2)

    step = 1e-4
    largest = np.abs(found.eigenvalues).max()
    numerical = np.zeros(12)
    for number in range(12):
        change = 1e-6 * np.eye(12)[number].reshape(3, 4)
        numerical[number] = (loss(kernel + change) - loss(kernel - change)) / 2e-6
    scale = max(np.linalg.norm(numerical), largest)
    for matrix, slope, curvature in zip(
        matrices, found.slopes, found.curvatures, strict=True
    ):
        speed = np.linalg.norm(matrix.T @ kernel)
        after, before = (loss(expm(t * matrix).T @ kernel) for t in (step, -step))
        assert abs((after - before) / (2 * step * speed * scale) - slope) < 1e-4
        second = (after + before - 2 * loss(kernel)) / (step * speed) ** 2
        assert abs(second / largest - curvature) < 1e-3


def test_broken_symmetry_is_not_flat():
    x = samples()
    y = x[:, :1] ** 2 + 2 * x[:, 1:2] ** 2 + 3 * x[:, 2:] ** 2
    model = sum_of_squares(3, np.diag(np.sqrt([1.0, 2, 3])))
    found = flat_directions(model, "mse", (x, y), so(3))
    assert len(found) == 0
    # The rotations of the hidden units are still there: they are no symmetry of the data.
    assert found.zero_modes == 3
    half = x[:, :1] ** 2 + x[:, 1:2] ** 2 + 3 * x[:, 2:] ** 2
    model = sum_of_squares(3, np.diag(np.sqrt([1.0, 1, 3])))
    found = flat_directions(model, "mse", (x, half), so(3))
    assert len(found) == 1
    assert "flat directions from 3 generators: 1" in found.summary()
    assert len(found.plot().axes[0].lines) == 2


def test_errors():
    x = samples()
    data = (x, squared_length(x))
    convolution = keras.Sequential([keras.Input((3, 1)), keras.layers.Conv1D(1, 1)])
    frozen = sum_of_squares(3)
    frozen.layers[0].trainable = False
    large = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2000)])
    for message, model, generators in [
        ("first layer of `model` must be a built `Dense`", convolution, so(3)),
        ("first layer of `model` must be trainable", frozen, so(3)),
        ("at most 5000 weights", large, so(3)),
        ("matrices of shape `\\(k, 3, 3\\)`", sum_of_squares(3), so(2)),
    ]:
        with pytest.raises(ValueError, match=message):
            flat_directions(model, "mse", data, generators)
    with pytest.raises(TypeError, match="`model` must be a Keras model"):
        flat_directions(so(3), "mse", data, so(3))
    with pytest.raises(ValueError, match="`tolerance` must be a positive number"):
        flat_directions(sum_of_squares(3), "mse", data, so(3), tolerance=0)
