"""Invariant forms of vectors: norms that generators keep."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import FibreNorm, GradientNorm, NormMaxPooling
from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.metrics import invariance_error
from tests.autodiff import BACKEND, assert_gradients_match, float64, gradients
from tests.families import relative_error, to_numpy
from tests.samples import random

MINKOWSKI = np.diag([1.0, 1.0, 1.0, -1.0])
BOOST = np.array([[[0.0, 1.0], [1.0, 0.0]]])


def signed_root(square):
    return np.sign(square) * np.sqrt(np.abs(square))


def lorentz(seed):
    """Generators of so(3, 1) and their form, in a random basis, or not."""
    if seed is None:
        return a.so(3, 1).basis, MINKOWSKI
    change, mixing = np.eye(4) + 0.3 * random((4, 4), seed), random((6, 6), seed + 1)
    inverse = np.linalg.inv(change)
    generators = np.tensordot(mixing, change @ a.so(3, 1).basis @ inverse, 1)
    form = inverse.T @ MINKOWSKI @ inverse
    return generators, form * 2 / np.linalg.norm(form)


@pytest.mark.parametrize("seed", [None, 0, 4])
def test_minkowski_form_is_found(seed):
    generators, form = lorentz(seed)
    layer = FibreNorm(generators, epsilon=1e-4)
    assert np.allclose(layer.form, form, atol=1e-8)
    x = random((20, 4, 3))
    square = np.einsum("bic,ij,bjc->bc", x, form, x)
    assert np.min(square) < -0.1 < 0.1 < np.max(square)
    assert np.max(np.abs(to_numpy(layer(x)) - signed_root(square))) < 1e-4
    assert layer.defect < 1e-6
    # Elements far from the identity would only multiply the rounding of the input.
    t = 0.2 * random((3, 6), 2) / np.linalg.norm(generators, axis=(1, 2))
    assert invariance_error(layer, generators, x, t).max < 1e-4


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_fibres_on_a_grid(data_format):
    x = random((2, 5, 6, 3, 4))
    layer = FibreNorm(a.so(3), data_format=data_format, epsilon=1e-4)
    expected = np.sqrt(np.sum(x**2, axis=3))
    if data_format == "channels_first":
        x, expected = np.moveaxis(x, -1, 1), np.moveaxis(expected, -1, 1)
    assert relative_error(layer(x), expected) < 1e-5
    assert layer.compute_output_shape(x.shape) == expected.shape
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *expected.shape[1:])


def test_vectors_and_masks():
    layer = FibreNorm(a.so(3))
    assert np.allclose(to_numpy(layer(np.array([[0.0, 3.0, 4.0]]))), [[5.0]], atol=1e-4)
    x, mask = random((2, 4, 3, 2)), np.array([[1, 0, 1, 1], [1, 1, 0, 1]], bool)
    layer = FibreNorm(a.so(3))
    masked = to_numpy(layer(x, mask=mask))
    assert np.all(masked[~mask] == 0)
    assert np.all(masked[mask] > 0)
    assert layer.compute_mask(x, mask) is mask
    assert layer.compute_mask(x[:, :, 0], mask) is None
    gradient = GradientNorm(g.translation(1))
    f = random((2, 4, 2))
    expected = to_numpy(gradient(f * mask[..., None]))
    assert relative_error(gradient(f, mask=mask), expected) < 1e-6


def test_forms_that_are_missing_or_not_unique():
    with pytest.raises(ValueError, match="must have an invariant symmetric bilinear form"):
        FibreNorm(a.gl(3))
    two = a.so(3).direct_sum(a.so(2))
    with pytest.raises(ValueError, match="not unique: there is a space of 2 dimensions"):
        FibreNorm(two)
    assert np.allclose(FibreNorm(two, form="nearest").form, np.eye(5))
    second = np.diag([0.0, 0, 0, 1, 1])
    layer = FibreNorm(two, form=second)
    x = random((6, 5))
    expected = np.linalg.norm(x[:, 3:], axis=1, keepdims=True)
    assert relative_error(layer(x), expected) < 1e-4
    with pytest.raises(ValueError, match="`form` must be invariant"):
        FibreNorm(two, form=np.diag([0.0, 0, 1, 1, 1]))
    # Two light cones: the identity is orthogonal to all of their forms.
    boosts = a.LieAlgebra(BOOST).direct_sum(a.LieAlgebra(BOOST))
    with pytest.raises(ValueError, match="does not choose between"):
        FibreNorm(boosts, form="nearest")


def test_found_generators_with_noise_need_a_tolerance():
    noisy = a.so(3, 1).basis + 1e-3 * random((6, 4, 4), dtype="float64")
    with pytest.raises(ValueError, match="give a `tolerance`"):
        FibreNorm(noisy)
    form = FibreNorm(noisy, tolerance=1e-2).form
    assert np.linalg.norm(form - MINKOWSKI) < 2e-2


def test_form_of_learned_generators_is_learned_or_found():
    generators = g.MatrixGenerators(a.so(3, 1), trainable=True)
    layer = FibreNorm(generators, defect_weight=1.0)
    x = random((8, 4, 1))
    layer(x)
    assert np.allclose(layer.form, np.eye(4), atol=1e-6)
    by_hand = np.sum([np.linalg.norm(L.T + L) ** 2 for L in a.so(3, 1).basis])
    by_hand /= 4 * np.sum(a.so(3, 1).basis ** 2) * 4
    assert np.isclose(layer.defect**2, by_hand, rtol=1e-5)
    assert np.isclose(float(to_numpy(layer.losses[0])), by_hand, rtol=1e-5)
    found = layer.find_form()
    assert np.allclose(found, MINKOWSKI)
    assert np.allclose(layer.form, MINKOWSKI, atol=1e-5)
    assert layer.defect < 1e-6


# Compiling on torch takes minutes, and JAX without compiling as well.
COMPILED = {"torch": [False], "jax": [True], "tensorflow": [True, False]}[BACKEND]


@pytest.mark.thorough
@pytest.mark.parametrize("jit_compile", COMPILED)
def test_training_finds_the_form(jit_compile):
    """Targets are Minkowski squares; the form is learned from them."""
    x = random((256, 4))
    y = np.einsum("bi,ij,bj->b", x, MINKOWSKI, x)[:, None]
    layer = FibreNorm(
        g.MatrixGenerators(a.so(3, 1), trainable=True),
        kind="square",
        defect_weight=1.0,
    )
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=jit_compile)
    model.fit(x, y, epochs=20, batch_size=32, verbose=0)
    assert np.linalg.norm(layer.form - MINKOWSKI) < 0.05
    assert layer.defect < 0.05


def test_gradients_are_finite_at_zero_and_on_the_light_cone():
    layer = FibreNorm(a.so(3, 1))
    light = np.array([[0, 0, 0, 0], [3, 0, 4, 5], [1e-20, 0, 0, 0], [1e15, 0, 0, 1]])
    x = light.astype("float32")

    def loss(f):
        return ops.sum(layer(f))

    layer(x)
    (slope,) = gradients(loss, [x])
    assert np.all(np.isfinite(slope))
    assert np.all(slope[0] == 0)
    # On the cone the slope is 1 / epsilon times that of the square.
    expected = 2 * MINKOWSKI @ x[1] / layer.epsilon
    assert relative_error(slope[1], expected) < 1e-4
    assert np.isclose(to_numpy(layer(x))[3, 0], 1e15, rtol=1e-5)
    assert np.all(np.isfinite(to_numpy(layer(x))))
    flat = GradientNorm("translation")
    zeros = np.zeros((1, 4, 4, 1), "float32")
    flat(zeros)
    (slope,) = gradients(lambda f: ops.sum(flat(f)), [zeros])
    assert np.all(slope == 0)


@pytest.mark.parametrize("of", ["gradient", "fibre"])
def test_gradients_equal_finite_differences(of):
    with float64():
        algebra = a.so(3, 1) if of == "fibre" else g.rotation(2, dtype="float64")
        norm = FibreNorm if of == "fibre" else GradientNorm
        layer = norm(algebra, dtype="float64", epsilon=1.0)
        f = random((2, 4, 4, 2), dtype="float64")
        layer.build(f.shape)
        assert_gradients_match(lambda x: ops.sum(layer(x) ** 2 + layer(x)), [f])


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["mixed_float16", "float64"])
def test_dtypes(dtype):
    with float64():
        layers = (
            FibreNorm(a.so(3), dtype=dtype),
            NormMaxPooling(a.so(3), dtype=dtype),
            GradientNorm(g.translation(3), dtype=dtype),
        )
        for layer in layers:
            # In float16 the square of 300 would overflow.
            output = layer(300 * random((2, 4, 4, 3, 1), dtype=layer.compute_dtype))
            assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
            assert np.all(np.isfinite(to_numpy(output).astype("float32")))


def model():
    turned = lorentz(3)[0]
    return keras.Sequential(
        [
            keras.Input((4, 4, 4, 2)),
            NormMaxPooling(turned, pool_size=2, padding="same"),
            FibreNorm(g.MatrixGenerators(turned, trainable=True), defect_weight=0.1),
            GradientNorm("translation", kind="square", name="gradients"),
        ]
    )


def test_save_load_clone_and_fit(tmp_path):
    original = model()
    original.layers[1].find_form(1e-3)
    x = random((3, 4, 4, 4, 2))
    original.compile("sgd", "mse")
    original.fit(x, np.zeros((3, 2, 2, 2)), verbose=0)
    original.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(x), original(x)) < 1e-6
    assert np.allclose(copy.layers[1].form, original.layers[1].form)
    clone = keras.models.clone_model(original)
    clone.set_weights(original.get_weights())
    assert relative_error(clone(x), original(x)) < 1e-6
    for layer in original.layers:
        config = json.loads(json.dumps(layer.get_config()))
        again = type(layer).from_config(config).get_config()
        # Configurations of built generators also hold their input shape.
        assert (
            again.pop("generators")["class_name"] == config.pop("generators")["class_name"]
        )
        assert again == config


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: GradientNorm(a.so(3), kind="q"), ValueError, "`kind` must be one"),
        (
            lambda: GradientNorm(a.so(3), epsilon=0),
            ValueError,
            "`epsilon` must be a positive",
        ),
        (lambda: GradientNorm(a.so(3), form="best"), ValueError, "`form` must be None"),
        (lambda: FibreNorm(a.so(3), form=np.zeros((3, 3))), ValueError, "must not vanish"),
        (
            lambda: GradientNorm(a.so(3), form=[[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
            ValueError,
            "one that is not symmetric",
        ),
        (
            lambda: FibreNorm(a.so(3), form=np.eye(4)),
            ValueError,
            r"`form` must have shape \(3, 3\)",
        ),
        (
            lambda: FibreNorm("rotation")(np.ones((2, 4))),
            ValueError,
            "an input with 2 spatial axes",
        ),
        (
            lambda: FibreNorm(np.ones((1, 2, 3))),
            ValueError,
            "must be square",
        ),
        (
            lambda: FibreNorm(a.so(3), defect_weight=1.0),
            ValueError,
            "`defect_weight` applies",
        ),
        (
            lambda: FibreNorm(2, defect_weight=-1.0),
            ValueError,
            "`defect_weight` must be a number",
        ),
        (lambda: FibreNorm(2).form, ValueError, "before the layer is built"),
        (
            lambda: FibreNorm(a.so(3)).find_form(),
            ValueError,
            "needs a learned form",
        ),
        (
            lambda: FibreNorm(a.so(3))(np.ones((2, 4))),
            ValueError,
            "act on d=3 positions",
        ),
        (
            lambda: FibreNorm(2, form=np.eye(3))(np.ones((2, 4))),
            ValueError,
            "must have the 3 components",
        ),
        (
            lambda: NormMaxPooling(a.so(3), pool_size=0),
            ValueError,
            "`pool_size` must be a positive",
        ),
        (
            lambda: NormMaxPooling(a.so(3), pool_size=2, padding="full"),
            ValueError,
            "`padding` must",
        ),
        (
            lambda: NormMaxPooling(a.so(3))(np.ones((2, 3, 1))),
            ValueError,
            "needs a spatial axis",
        ),
        (
            lambda: NormMaxPooling(a.so(3), pool_size=(2, 2, 2))(np.ones((2, 4, 4, 3, 1))),
            ValueError,
            "`pool_size` must be one number or 2, one for each axis",
        ),
        (
            lambda: NormMaxPooling(a.so(3), pool_size=5)(np.ones((2, 4, 4, 3, 1))),
            ValueError,
            "must fit into the input",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
