"""The exponential of generators: `exp(t . L) f`."""

import keras
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lconv import generators as g
from keras_lconv.generators.exponential import operator_norm, traced_norm_bound
from keras_lconv.generators.series import chebyshev, taylor
from tests import families
from tests.autodiff import (
    BACKEND,
    assert_gradients_match,
    either_compilation,
    float64,
    run,
)
from tests.families import relative_error, to_numpy


def smooth_image(size=15, width=0.2, centre=(0.15, -0.1)):
    """A bump that is not symmetric and vanishes at the border."""
    x = np.linspace(-1, 1, size)
    u, v = np.meshgrid(x - centre[0], x - centre[1], indexing="ij")
    bump = np.exp(-(u**2 + 0.8 * v**2) / (2 * width**2))
    return bump[None, ..., None].astype("float32")


def random_inputs(spatial, seed=2, batch=3, channels=2):
    shape = (batch, *spatial, channels)
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def by_scipy(matrices, f, t):
    """`exp(t . L) f` with one `t` for each sample, in float64."""
    flat = f.reshape(len(f), -1, f.shape[-1]).astype("float64")
    t = np.broadcast_to(t, (len(f), len(matrices)))
    group = [scipy.linalg.expm(np.tensordot(s, matrices, 1)) for s in t]
    return np.einsum("bij,bjc->bic", group, flat).reshape(f.shape)


def assert_agrees_with_scipy(name, each_sample):
    generators, spatial = families.build(name)
    matrices = families.reference_matrices(generators)
    rng = np.random.default_rng(3)
    shape = (3, len(matrices)) if each_sample else (len(matrices),)
    # Group elements of a few times the unit norm, whatever the family.
    norm = np.linalg.norm(matrices, 2, axis=(1, 2)).sum()
    t = (rng.uniform(-3, 3, shape) / norm).astype("float32")
    f = random_inputs(spatial)
    result = run(lambda f: generators.transform(f, t), f)
    assert relative_error(result, by_scipy(matrices, f, t)) < 1e-5


@pytest.mark.parametrize("name", families.rows(families.SQUARE))
def test_agrees_with_scipy(name):
    assert_agrees_with_scipy(name, each_sample=False)


@pytest.mark.parametrize("name", families.rows(families.SQUARE))
def test_agrees_with_scipy_for_each_sample(name):
    assert_agrees_with_scipy(name, each_sample=True)


def test_zero_parameter_is_the_identity():
    f = random_inputs((6, 6))
    result = g.affine().transform(f, np.zeros(6))
    assert np.array_equal(to_numpy(result), f)


@pytest.mark.thorough
@given(s=st.floats(-3, 3), t=st.floats(-3, 3))
def test_one_parameter_group(s, t):
    f = random_inputs((7, 7))
    rotation = g.rotation()
    twice = rotation.transform(rotation.transform(f, s), t)
    assert relative_error(twice, rotation.transform(f, s + t)) < 1e-5


@pytest.mark.thorough
@given(angle=st.floats(-10, 10))
def test_rotation_keeps_the_norm(angle):
    f = random_inputs((7, 7))
    turned = to_numpy(g.rotation().transform(f, angle))
    norms = np.linalg.norm(f, axis=(1, 2)), np.linalg.norm(turned, axis=(1, 2))
    assert np.allclose(*norms, rtol=1e-5)


def test_quarter_turn_is_rot90():
    image = smooth_image()
    expected = np.rot90(image, axes=(1, 2))
    assert relative_error(g.rotation().transform(image, np.pi / 2), expected) < 1e-3
    # Counted from the values, so that the sign is tested too.
    assert relative_error(g.rotation().transform(image, -np.pi / 2), expected) > 0.1


@pytest.mark.parametrize("plane", [(0, 1), (0, 2), (1, 2)])
def test_quarter_turn_in_space_is_rot90(plane):
    x = np.linspace(-1, 1, 9)
    u, v, w = np.meshgrid(x - 0.1, x + 0.15, x, indexing="ij")
    image = np.exp(-(u**2 + 0.6 * v**2 + 0.8 * w**2) / (2 * 0.33**2))
    image = image[None, ..., None].astype("float32")
    t = np.zeros(3)
    t[[(0, 1), (0, 2), (1, 2)].index(plane)] = np.pi / 2
    expected = np.rot90(image[0, ..., 0], axes=plane)
    result = to_numpy(g.rotation(3).transform(image, t))[0, ..., 0]
    assert relative_error(result, expected) < 3e-2
    assert relative_error(result, image[0, ..., 0]) > 0.1


@pytest.mark.parametrize("axis", [0, 1])
def test_periodic_translation_is_roll(axis):
    f = random_inputs((7, 9))
    t = np.zeros(2)
    t[axis] = 1.0
    result = g.translation(derivative="fourier").transform(f, t)
    assert relative_error(result, np.roll(f, 1, axis=axis + 1)) < 1e-5


def test_translation_by_one_pixel_is_a_shift():
    image = smooth_image()
    expected = np.zeros_like(image)
    expected[:, 1:] = image[:, :-1]
    assert relative_error(g.translation().transform(image, [1.0, 0.0]), expected) < 1e-3


def test_scaling_magnifies():
    x = np.linspace(-10, 10, 21)
    radius2 = np.add.outer(x**2, x**2)
    image = np.exp(-radius2 / 18)[None, ..., None]
    expected = np.exp(-radius2 / (18 * np.exp(0.4)))[None, ..., None]
    assert relative_error(g.scaling().transform(image, 0.2), expected) < 1e-2


def test_shear_moves_along_an_axis():
    x = np.linspace(-7, 7, 15)
    y, z = np.meshgrid(x, x, indexing="ij")

    def bump(u, v):
        return np.exp(-(u**2 + (v - 1) ** 2) / 8)[None, ..., None]

    # The first generator has v = (x_1, 0): (y, x) comes from (y - t x, x).
    result = g.shear().transform(bump(y, z), [0.3, 0.0])
    assert relative_error(result, bump(y - 0.3 * z, z)) < 1e-2


@pytest.mark.parametrize("name", ["dense", "low_rank", "free", "rotation", "shear"])
@pytest.mark.parametrize("each_sample", [False, True])
def test_gradients_equal_finite_differences(name, each_sample):
    with float64():
        generators, spatial = families.build_in("float64", name)
        rng = np.random.default_rng(0)
        f = rng.normal(size=(2, *spatial, 1))
        k = generators.num_generators
        t = rng.normal(size=(2, k) if each_sample else (k,)) * 0.3
        probe = ops.convert_to_tensor(rng.normal(size=f.shape))
        weights = [np.asarray(w) for w in generators.trainable_variables]

        def loss(f, t, *values):
            pairs = list(zip(generators.trainable_variables, values, strict=True))
            with keras.StatelessScope(state_mapping=pairs):
                return ops.sum(generators.transform(f, t, norm_bound=8.0) * probe) ** 2

        assert_gradients_match(loss, [f, t, *weights])


@keras.saving.register_keras_serializable(package="tests")
class Turn(keras.layers.Layer):
    """Turns images by a learned angle."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generators = g.rotation()

    def build(self, input_shape):
        self.generators.build(input_shape)
        self.angle = self.add_weight(shape=(1,), initializer="zeros", name="angle")

    def call(self, inputs):
        # A quarter turn at most, so that the compiled series is short.
        return self.generators.transform(inputs, self.angle, norm_bound=12.0)


@pytest.mark.thorough
@either_compilation
def test_angle_is_learned_in_fit(jit_compile):
    images = np.concatenate(
        [smooth_image(7, 0.4, (0.1 * n, 0.3 - 0.1 * n)) for n in range(8)]
    )
    targets = to_numpy(g.rotation().transform(images, 0.7))
    model = keras.Sequential([keras.Input(images.shape[1:]), Turn()])
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=jit_compile)
    model.fit(images, targets, epochs=150, batch_size=8, verbose=0)
    assert abs(float(to_numpy(model.layers[-1].angle)[0]) - 0.7) < 1e-3


def traced_transform(generators, f, t):
    """`transform` in a compiled graph, where `t` has no value."""
    if BACKEND == "jax":
        import jax

        traced = jax.jit(lambda f, t: generators.transform(f, t))
    else:
        import tensorflow as tf

        traced = tf.function(lambda f, t: generators.transform(f, t), jit_compile=True)
    return traced(ops.convert_to_tensor(f), ops.convert_to_tensor(t, dtype="float32"))


is_traced_only = pytest.mark.skipif(
    BACKEND == "torch", reason="torch runs eagerly: no graph is traced"
)


@is_traced_only
@pytest.mark.parametrize(
    ("make", "t"),
    [
        (g.rotation, [3.0]),
        (g.scaling, [-0.4]),
        (lambda: g.translation(derivative="fourier"), [5.0, -8.0]),
    ],
)
def test_traced_and_eager_agree(make, t):
    f = random_inputs((8, 8))
    generators = make()
    eager = to_numpy(generators.transform(f, t))
    assert relative_error(traced_transform(generators, f, t), eager) < 1e-5


@is_traced_only
@pytest.mark.parametrize("make", [g.rotation, g.scaling])
def test_traced_parameters_beyond_the_bound_are_scaled_back(make):
    f = random_inputs((5, 5))
    generators = make()
    generators.build((None, 5, 5, 1))
    unit = ops.convert_to_tensor([1.0])
    largest = traced_norm_bound(generators) / float(
        to_numpy(operator_norm(generators, unit))
    )
    expected = generators.transform(f, [largest])
    assert relative_error(traced_transform(generators, f, [1e4]), expected) < 1e-4


@pytest.mark.parametrize("norm", [0.0, 0.5, 30.0, 700.0])
@pytest.mark.parametrize("series", [taylor, chebyshev])
def test_series_agree_with_scipy(series, norm):
    """Antisymmetric, so that both apply, and large norms lose no precision."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(12, 12))
    matrix = matrix - matrix.T
    matrix *= norm / np.linalg.norm(matrix, 2)
    f = rng.normal(size=(12, 2)).astype("float32")
    expected = scipy.linalg.expm(matrix) @ f
    operator = ops.convert_to_tensor(matrix.astype("float32"))
    result = series(
        lambda f: ops.matmul(operator, f), ops.convert_to_tensor(f), norm, "float32"
    )
    assert relative_error(result, expected) < 1e-5 + 1e-6 * norm


def test_half_precision_computes_in_float32():
    f = random_inputs((7, 7))
    half = ops.cast(f, "float16")
    result = g.rotation().transform(half, 2.0)
    assert keras.backend.standardize_dtype(result.dtype) == "float16"
    assert relative_error(result, g.rotation().transform(half, 2.0)) == 0
    expected = g.rotation().transform(ops.cast(half, "float32"), 2.0)
    assert relative_error(result, expected) < 1e-3


def test_float64_is_exact_to_float64():
    with float64():
        generators = g.MatrixGenerators(families.so3(), dtype="float64")
        f = np.random.default_rng(0).normal(size=(3, 3, 1))
        t = np.array([0.3, -2.0, 5.0])
        result = generators.transform(f, t)
        assert relative_error(result, by_scipy(families.so3(), f, t)) < 1e-13


@pytest.mark.parametrize(
    ("t", "words"),
    [
        ([0.1, 0.2], "`t` must have shape"),
        (0.1, "`t` must have shape"),
        (np.zeros((2, 2)), "`t` must have shape"),
        (np.zeros((1, 2, 3)), "`t` must have shape"),
        ([np.nan, 0.0, 0.0], "must be finite"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(t, words):
    with pytest.raises(ValueError, match=words):
        g.MatrixGenerators(families.so3()).transform(np.ones((2, 3)), t)


def test_input_that_does_not_fit_is_refused():
    rotation = g.rotation()
    rotation.build((None, 5, 5, 1))
    with pytest.raises(ValueError, match="spatial shape"):
        rotation.transform(np.ones((2, 4, 4, 1)), 0.1)
    with pytest.raises(ValueError, match="Only square generators"):
        families.build("dense_strided")[0].transform(np.ones((1, 4, 5, 1)), [0, 0, 0])
