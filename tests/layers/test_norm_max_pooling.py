"""The longest vector in a window."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv import NormMaxPooling
from keras_lconv import algebra as a
from tests.autodiff import gradients
from tests.families import relative_error, to_numpy
from tests.samples import random

MINKOWSKI = np.diag([1.0, 1.0, 1.0, -1.0])
BOOST = np.array([[[0.0, 1.0], [1.0, 0.0]]])


def longest(x, pool, step, padding, form):
    """Norm max pooling with loops."""
    sizes = x.shape[1:3]
    if padding == "same":
        counts = [-(-n // step) for n in sizes]
        pairs = zip(counts, sizes, strict=True)
        before = [max((c - 1) * step + pool - n, 0) // 2 for c, n in pairs]
    else:
        counts, before = [(n - pool) // step + 1 for n in sizes], [0, 0]
    output = np.zeros((len(x), *counts, *x.shape[3:]), x.dtype)
    for b, i, j, c in itertools.product(*map(range, (len(x), *counts, x.shape[-1]))):
        best = -np.inf
        for di, dj in itertools.product(range(pool), repeat=2):
            row, column = i * step - before[0] + di, j * step - before[1] + dj
            if 0 <= row < sizes[0] and 0 <= column < sizes[1]:
                vector = x[b, row, column, :, c]
                if vector @ form @ vector > best:
                    best, output[b, i, j, :, c] = vector @ form @ vector, vector
    return output


@pytest.mark.parametrize(
    ("pool", "step", "padding"), [(2, 2, "valid"), (3, 1, "same"), (3, 2, "same")]
)
@pytest.mark.parametrize("kind", ["rotations", "lorentz"])
def test_norm_max_keeps_the_longest_vector(pool, step, padding, kind):
    algebra, form = (a.so(3), np.eye(3)) if kind == "rotations" else (a.so(3, 1), MINKOWSKI)
    x = random((2, 5, 6, len(form), 2))
    # Many are time-like, with a negative form: no reason to take nothing instead.
    x[..., -1, :] *= 3
    layer = NormMaxPooling(algebra, pool_size=pool, strides=step, padding=padding)
    expected = longest(x, pool, step, padding, form)
    assert np.array_equal(to_numpy(layer(x)), expected)
    assert layer.compute_output_shape(x.shape) == expected.shape
    first = NormMaxPooling(
        algebra, pool_size=pool, strides=step, padding=padding, data_format="channels_first"
    )
    moved = to_numpy(first(np.moveaxis(x, -1, 1)))
    assert np.array_equal(np.moveaxis(moved, 1, -1), expected)


def test_norm_max_of_one_component_is_max_pooling_of_sizes():
    """so(1), without generators but the zero: the entry of the largest size."""
    x = random((2, 6, 1, 3))
    layer = NormMaxPooling(np.zeros((1, 1, 1)), pool_size=3)
    expected = keras.layers.MaxPooling1D(3)(np.abs(x[:, :, 0]))
    assert relative_error(np.abs(to_numpy(layer(x)))[:, :, 0], expected) < 1e-6


def test_a_window_of_one_position_keeps_all():
    f = random((2, 4, 4, 3, 2))
    assert np.array_equal(to_numpy(NormMaxPooling(a.so(3), pool_size=1)(f)), f)


def test_norm_max_commutes_with_the_group():
    """Turned vectors are kept where vectors were kept, turned."""
    layer, x = NormMaxPooling(a.so(3, 1), pool_size=2), random((2, 4, 4, 4, 3))
    turn = expm(0.3 * np.tensordot(random(6, 1), a.so(3, 1).basis, 1)).astype("float32")
    moved_then = to_numpy(layer(np.einsum("ij,bxyjc->bxyic", turn, x)))
    then_moved = np.einsum("ij,bxyjc->bxyic", turn, to_numpy(layer(x)))
    assert relative_error(moved_then, then_moved) < 1e-5
    assert relative_error(moved_then, to_numpy(layer(x))) > 0.1


def test_norm_max_gives_its_gradient_to_one_vector():
    layer = NormMaxPooling(a.so(3), pool_size=2)
    ties = np.ones((1, 2, 2, 3, 1), "float32")
    layer(ties)
    (slope,) = gradients(lambda f: ops.sum(layer(f)), [ties])
    assert np.array_equal(slope[0, 0, 0, :, 0], np.ones(3))
    assert np.sum(slope) == 3
    (slope,) = gradients(lambda f: ops.sum(layer(f)), [0 * ties])
    assert np.all(np.isfinite(slope))
