"""LieMaxPooling against Keras' max pooling and plain NumPy."""

import itertools
import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import LieMaxPooling
from keras_lconv import algebra as a
from keras_lconv import generators as g
from tests.autodiff import BACKEND, assert_gradients_match, float64, gradients
from tests.families import relative_error, to_numpy
from tests.samples import random


def window(*sizes):
    """Offsets of a window, without the zero. As in Keras, even ones reach further down."""
    ranges = [range(-((n - 1) // 2), n // 2 + 1) for n in sizes]
    return [offset for offset in itertools.product(*ranges) if any(offset)]


@pytest.mark.parametrize("sizes", [(3, 3), (2, 2), (1, 5), (2, 3)])
def test_shifts_are_max_pooling(sizes):
    """Everywhere if nothing is negative, and inside for any image."""
    f = random((2, 6, 7, 3))
    pool = keras.layers.MaxPooling2D(sizes, strides=1, padding="same")
    layer = LieMaxPooling(g.ShiftGenerators(window(*sizes)))
    positive = np.abs(f)
    assert np.array_equal(to_numpy(layer(positive)), to_numpy(pool(positive)))
    value, expected = to_numpy(layer(f)), to_numpy(pool(f))
    inside = (slice(None), *(slice((n - 1) // 2, -(n // 2) or None) for n in sizes))
    assert np.array_equal(value[inside], expected[inside])
    # At the border there are zeros, where Keras has nothing.
    border = np.ones(f.shape, bool)
    border[inside] = False
    expected_outside = np.where(border, np.maximum(expected, 0), expected)
    assert np.array_equal(value, expected_outside)
    assert not np.array_equal(value, expected)


def test_periodic_shifts_pool_the_wrapped_image():
    f = random((2, 5, 6, 2))
    wrapped = np.pad(f, ((0, 0), (1, 1), (1, 1), (0, 0)), "wrap")
    expected = keras.layers.MaxPooling2D(3, strides=1)(wrapped)
    value = LieMaxPooling(g.ShiftGenerators(window(3, 3), boundary="periodic"))(f)
    assert np.array_equal(to_numpy(value), to_numpy(expected))


def test_two_hops_double_the_window():
    f = np.abs(random((2, 7, 8, 2)))
    expected = keras.layers.MaxPooling2D(5, strides=1, padding="same")(f)
    value = LieMaxPooling(g.ShiftGenerators(window(3, 3)), hops=2)(f)
    assert np.array_equal(to_numpy(value), to_numpy(expected))


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_is_the_largest_of_all_products(hops):
    layer = LieMaxPooling(a.so(3), hops=hops)
    f = random((4, 3, 2))
    terms, products = [f], [f]
    for _ in range(hops):
        products = [L @ term for L in a.so(3).basis for term in products]
        terms += products
    assert relative_error(layer(f), np.max(terms, axis=0)) < 1e-6
    vectors = LieMaxPooling(a.so(3), hops=hops)(f[..., 0])
    assert relative_error(vectors, np.max(terms, axis=0)[..., 0]) < 1e-6
    assert layer.compute_output_shape(f.shape) == f.shape


def test_channels_first_and_masks():
    f = random((2, 5, 6, 3))
    layer = LieMaxPooling("rotation")
    first = LieMaxPooling("rotation", data_format="channels_first")
    moved = to_numpy(first(np.moveaxis(f, -1, 1)))
    assert relative_error(np.moveaxis(moved, 1, -1), layer(f)) < 1e-6
    mask = np.array([[1, 1, 0, 1, 1], [1, 0, 1, 1, 1]], bool)
    expected = layer(f * mask[..., None, None])
    assert relative_error(layer(f, mask=mask), expected) < 1e-6
    assert layer.compute_mask(f, mask) is mask


def commutes(layer, f, move):
    return relative_error(layer(move(f).copy()), move(to_numpy(layer(f))))


def quarter_turn(f):
    return np.rot90(f, axes=(1, 2))


def roll(f):
    return np.roll(f, (2, -1), axis=(1, 2))


def test_commutes_with_what_moves_points_and_permutes_generators():
    f = random((2, 7, 7, 2))
    square = LieMaxPooling(g.ShiftGenerators(window(3, 3), boundary="periodic"))
    assert commutes(square, f, quarter_turn) == 0
    assert commutes(square, f, roll) == 0
    row = LieMaxPooling(g.ShiftGenerators(window(1, 3), boundary="periodic"))
    assert commutes(row, f, roll) == 0
    assert commutes(row, f, quarter_turn) > 0.1
    slopes = LieMaxPooling(g.translation(2, derivative="fourier"), hops=2)
    assert commutes(slopes, f, roll) < 1e-5


def test_does_not_commute_where_generators_are_mixed_as_documented():
    f = random((2, 7, 7, 2))
    assert commutes(LieMaxPooling("translation"), f, quarter_turn) > 0.1


def test_gradient_of_ties_is_that_of_keras():
    layer = LieMaxPooling(g.ShiftGenerators(window(3, 3), boundary="periodic"))
    flat = np.ones((1, 4, 4, 1), "float32")
    layer(flat)
    (slope,) = gradients(lambda f: ops.sum(layer(f)), [flat])
    # Each of the 16 maxima hands on a gradient of one, however it is shared.
    assert np.all(np.isfinite(slope))
    assert np.isclose(np.sum(slope), 16)

    def by_hand(f):
        moved = [ops.roll(f, (-i, -j), axis=(1, 2)) for i, j in [(0, 0), *window(3, 3)]]
        return ops.sum(ops.max(ops.stack(moved, axis=-2), axis=-2))

    (expected,) = gradients(by_hand, [flat])
    assert np.allclose(slope, expected)


def test_gradients_equal_finite_differences():
    with float64():
        layer = LieMaxPooling(g.rotation(dtype="float64"), hops=2, dtype="float64")
        f = random((2, 4, 4, 2), dtype="float64")
        layer.build(f.shape)
        assert_gradients_match(lambda x: ops.sum(layer(x) ** 3), [f])


def test_learned_generators_get_a_gradient():
    layer = LieMaxPooling(2, rank=3, hops=2)
    model = keras.Sequential([layer, keras.layers.Flatten(), keras.layers.Dense(1)])
    # On torch, compiling takes a minute or more for any model.
    model.compile("sgd", "mse", jit_compile=BACKEND != "torch")
    x = random((8, 4, 4, 2))
    model.build(x.shape)
    layer.generators.set_weights([3 * random(w.shape) for w in layer.generators.weights])
    before = [to_numpy(w).copy() for w in layer.generators.weights]
    model.fit(x, np.ones((8, 1)), verbose=0)
    for old, new in zip(before, layer.generators.weights, strict=True):
        assert np.max(np.abs(old - to_numpy(new))) > 0


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["mixed_float16", "float64"])
def test_dtypes(dtype):
    with float64():
        layer = LieMaxPooling(a.so(3), dtype=dtype, hops=2)
        f = random((2, 3, 2), dtype=layer.compute_dtype)
        output = layer(f)
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
        terms = [f, *(np.einsum("kij,bjc->kbic", a.so(3).basis, f))]
        assert np.all(to_numpy(output) >= np.max(terms, axis=0) - 1e-3)


def test_save_load_and_clone(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            LieMaxPooling(g.ShiftGenerators(window(3, 3))),
            LieMaxPooling(g.DenseGenerators(2, initializer="random_normal"), hops=2),
        ]
    )
    x = random((3, 5, 5, 2))
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(x), model(x)) < 1e-6
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert relative_error(clone(x), model(x)) < 1e-6
    config = json.loads(json.dumps(LieMaxPooling(2, rank=3, hops=2).get_config()))
    again = LieMaxPooling.from_config(config)
    assert again.get_config() == config
    assert type(again.generators) is g.LowRankGenerators


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: LieMaxPooling("rotation", hops=0),
            ValueError,
            "`hops` must be",
        ),
        (
            lambda: LieMaxPooling("rotation", hops="2"),
            TypeError,
            "`hops` must be",
        ),
        (lambda: LieMaxPooling(np.ones((1, 2, 3))), ValueError, "must be square"),
        (
            lambda: LieMaxPooling(a.so(3))(np.ones((2, 4))),
            ValueError,
            "act on d=3 positions",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
