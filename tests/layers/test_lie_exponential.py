"""LieExponential: a group convolution, whose first-order term is LConv."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv import LConv, LieExponential
from keras_lconv import algebra as a
from keras_lconv import generators as g
from tests.autodiff import assert_gradients_match, either_compilation, float64, run
from tests.families import relative_error, to_numpy
from tests.samples import random


def expected(layer, f):
    """The formula with SciPy's exponentials, for `f` of shape `(batch, d, channels)`."""
    matrices = to_numpy(layer.generators.to_dense()).astype("float64")
    output = 0.0
    for t, kernel in zip(to_numpy(layer.parameters), to_numpy(layer.kernel), strict=True):
        output = output + expm(np.tensordot(t, matrices, 1)) @ f @ kernel
    return output + (0 if layer.bias is None else to_numpy(layer.bias))


@pytest.mark.parametrize("filters", [2, pytest.param(5, marks=pytest.mark.thorough)])
@pytest.mark.parametrize(
    "make",
    [
        lambda: g.get(a.so(4)),
        lambda: g.NeighborGenerators(2, g.grid_neighbors((4,)), initializer="he_normal"),
        lambda: g.LowRankGenerators(3, 2, initializer="he_normal"),
        lambda: g.ShiftGenerators([1, -1]),
    ],
)
def test_agrees_with_matrix_exponentials(make, filters):
    layer = LieExponential(filters, make(), num_elements=3, bias_initializer="ones")
    f = random((2, 4, 3))
    assert relative_error(run(layer, f), expected(layer, f)) < 1e-5


def test_on_images_both_data_formats():
    last = LieExponential(4, "rotation", num_elements=3, data_format="channels_last")
    first = LieExponential(4, "rotation", num_elements=3, data_format="channels_first")
    f = random((2, 5, 6, 3))
    result = to_numpy(run(last, f))
    assert result.shape == last.compute_output_shape(f.shape)
    flat = expected(last, f.reshape(2, 30, 3)).reshape(2, 5, 6, 4)
    assert relative_error(result, flat) < 1e-5
    first.build((None, 3, 5, 6))
    first.set_weights(last.get_weights())
    moved = to_numpy(run(first, np.moveaxis(f, -1, 1)))
    assert relative_error(np.moveaxis(moved, 1, -1), result) < 1e-5


def test_lconv_is_its_first_order_term():
    """The difference falls with the square of the parameters."""
    generators = g.get(a.so(4))
    exact = LieExponential(5, generators, num_elements=3)
    first_order = LConv(5, generators)
    f = random((2, 4, 3))
    exact(f), first_order(f)
    t = random((3, 6), seed=1)
    kernel = to_numpy(exact.kernel)
    errors = []
    for scale in (0.2, 0.1, 0.05):
        exact.parameters.assign(scale * t)
        mixed = np.tensordot(scale * t.T, kernel, 1)
        first_order.kernel.assign(np.concatenate([kernel.sum(0)[None], mixed]))
        errors.append(np.linalg.norm(to_numpy(exact(f)) - to_numpy(first_order(f))))
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    assert np.all((ratios > 3.5) & (ratios < 4.6))


@pytest.mark.thorough
def test_commutes_with_a_group_of_one_parameter():
    generators = g.rotation()
    layer = LieExponential(4, generators, num_elements=3, activation=None)
    f = random((2, 9, 9, 2))
    moved_then = to_numpy(layer(to_numpy(generators.transform(f, 0.7))))
    then_moved = to_numpy(generators.transform(ops.convert_to_tensor(layer(f)), 0.7))
    assert relative_error(moved_then, then_moved) < 1e-5


def test_does_not_commute_with_a_group_that_is_not_abelian():
    generators = g.get(a.so(3))
    layer = LieExponential(4, generators, num_elements=3)
    f = random((2, 3, 2))
    t = [0.7, -0.3, 0.4]
    moved_then = to_numpy(layer(to_numpy(generators.transform(f, t))))
    then_moved = to_numpy(generators.transform(ops.convert_to_tensor(layer(f)), t))
    assert relative_error(moved_then, then_moved) > 1e-2


@pytest.mark.parametrize("filters", [2, 4])
def test_gradients_equal_finite_differences(filters):
    with float64():
        layer = LieExponential(
            filters, g.get(a.so(3), dtype="float64"), num_elements=2, dtype="float64"
        )
        layer.build((None, 3, 3))

        def loss(f, parameters, kernel):
            names = [w.path for w in layer.trainable_variables]
            values = {
                "parameters": parameters,
                "kernel": kernel,
                "bias": ops.zeros(filters),
            }
            given = [values[name.split("/")[-1]] for name in names]
            fixed = [ops.convert_to_tensor(v) for v in layer.non_trainable_variables]
            output, _ = layer.stateless_call(given, fixed, f)
            return ops.sum(output**3)

        f = random((2, 3, 3), dtype="float64")
        arrays = [
            f,
            random((2, 3), 1, "float64") / 2,
            random((2, 3, filters), 2, "float64"),
        ]
        assert_gradients_match(loss, arrays)


@pytest.mark.thorough
@either_compilation
def test_learns_the_angle_of_a_rotation(jit_compile):
    """One element and one channel: the parameter is the angle."""
    x = random((200, 2))
    turn = expm(0.6 * np.array([[0.0, -1.0], [1.0, 0.0]]))
    layer = LieExponential(
        1, a.so(2), num_elements=1, use_bias=False, kernel_initializer="ones"
    )
    model = keras.Sequential([keras.Input((2,)), layer])
    layer.parameters.assign([[0.1]])
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=jit_compile)
    model.fit(x, (x @ turn.T)[..., None], epochs=40, batch_size=50, verbose=0)
    assert np.isclose(to_numpy(layer.parameters)[0, 0], 0.6, atol=0.01)
    assert np.isclose(to_numpy(layer.kernel).ravel()[0], 1.0, atol=0.01)


def test_parameters_stay_in_their_interval():
    layer = LieExponential(1, a.so(2), num_elements=5, max_parameter=0.3)
    layer.build((None, 2))
    assert np.all(np.abs(to_numpy(layer.parameters)) <= 0.3)
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(keras.optimizers.SGD(100.0), "mse")
    model.fit(random((8, 2)), random((8, 2, 1)), verbose=0)
    assert np.max(np.abs(to_numpy(layer.parameters))) <= np.float32(0.3)


@pytest.mark.thorough
def test_variance_is_kept_by_rotations():
    layer = LieExponential(64, a.so(5), num_elements=8)
    output = to_numpy(layer(random((64, 5, 32))))
    assert 0.8 < np.std(output) < 1.25


def test_config_and_mask():
    layer = LieExponential(
        4, 2, num_elements=3, rank=2, max_parameter=0.5, activation="relu"
    )
    copy = LieExponential.from_config(layer.get_config())
    assert copy.num_elements == 3
    assert copy.max_parameter == 0.5
    assert type(copy.generators) is g.LowRankGenerators
    f, mask = random((2, 4, 3)), np.array([[1, 1, 0, 1], [1, 0, 1, 1]], bool)
    masked = to_numpy(layer(f, mask=mask))
    assert relative_error(masked, to_numpy(layer(f * mask[..., None]))) < 1e-6


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtypes(dtype):
    with float64():
        layer = LieExponential(2, a.so(3), num_elements=2, dtype=dtype)
        output = layer(random((2, 3, 1)))
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
        assert np.all(np.isfinite(to_numpy(output).astype("float32")))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: LieExponential(2, 2, num_elements=0),
            ValueError,
            "`num_elements` must be a positive",
        ),
        (
            lambda: LieExponential(2, 2, num_elements=1.5),
            TypeError,
            "`num_elements` must be a positive",
        ),
        (
            lambda: LieExponential(2, 2, num_elements=1, max_parameter=0),
            ValueError,
            "`max_parameter`",
        ),
        (
            lambda: LieExponential(2, 2, num_elements=1, max_parameter="a"),
            TypeError,
            "`max_parameter`",
        ),
        (
            lambda: LieExponential(2, np.ones((1, 2, 3)), num_elements=1)(
                np.ones((1, 3, 1))
            ),
            ValueError,
            "must be square",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_parameters_that_need_too_many_products_are_refused_when_built():
    layer = LieExponential(2, "rotation", num_elements=2, max_parameter=1e9)
    with pytest.raises(ValueError, match=r"`max_parameter` of .* must be at most"):
        layer.build((None, 5, 5, 1))


def test_parameters_on_the_border_are_exact_in_double_precision():
    generators = g.MatrixGenerators(
        np.random.default_rng(3).normal(size=(2, 5, 5)), trainable=True, dtype="float64"
    )
    layer = LieExponential(
        1, generators, num_elements=1, use_bias=False, max_parameter=0.7, dtype="float64"
    )
    with float64():
        f = np.random.default_rng(1).normal(size=(2, 5, 1))
        layer.build(f.shape)
        layer.parameters.assign([[0.7, 0.7]])
        layer.kernel.assign([[[1.0]]])
        element = expm(0.7 * to_numpy(generators.to_dense()).sum(axis=0))
        assert relative_error(layer(f), np.einsum("ij,bjc->bic", element, f)) < 1e-12
