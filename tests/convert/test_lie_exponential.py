"""Group convolutions as stacks of L-convs: the order of the error."""

import keras
import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import LConv, LieBlock, LieExponential
from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.convert import from_lie_exponential
from tests.autodiff import float64, run
from tests.families import relative_error, to_numpy
from tests.samples import random


def group_convolution(generators, shape, **arguments):
    layer = LieExponential(
        3, generators, num_elements=3, bias_initializer="normal", **arguments
    )
    layer.build((None, *shape))
    return layer


def exact(layer, f):
    """The formula with SciPy's exponentials, for `f` of shape `(batch, d, channels)`."""
    matrices = layer.generators.matrices()
    output = to_numpy(layer.bias).astype("float64")
    for t, kernel in zip(to_numpy(layer.parameters), to_numpy(layer.kernel), strict=True):
        output = output + expm(np.tensordot(t, matrices, 1)) @ f @ kernel
    return output


def product(stack, matrices, f):
    """What the layers of a stack compute, in float64."""
    layers = stack.layers
    if isinstance(layers[0], LieBlock):
        layers = [*layers[0].layers, *layers[1:]]
    for layer in layers:
        kernel = to_numpy(layer.kernel).astype("float64")
        moved = np.einsum("iab,nbc,icf->naf", matrices, f, kernel[1:])
        f = f @ kernel[0] + moved
    return f + to_numpy(layers[-1].bias)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("algebra", "order"),
    [(a.so(2), 1), (a.so(2), 4), (a.so(3), 1), (a.so(3), 3), (a.sl(2), 2)],
)
def test_the_error_falls_with_its_order(algebra, order):
    """Twice as many layers, an error `2^order` times smaller; also if nothing commutes."""
    with float64():
        generators = g.get(algebra, dtype="float64")
        size = algebra.basis.shape[-1]
        layer = group_convolution(generators, (size, 2), dtype="float64")
        f = random((2, size, 2)).astype("float64")
        expected = exact(layer, f)
        errors = []
        for steps in (5, 10):
            stack = from_lie_exponential(layer, steps * order, order)
            found = product(stack, generators.matrices(), f)
            errors.append(np.linalg.norm(found - expected))
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.3


def test_one_layer_is_the_first_order_term():
    layer = group_convolution(g.get(a.so(3)), (3, 2), activation="tanh")
    stack = from_lie_exponential(layer, 1)
    (lconv,) = stack.layers
    assert type(lconv) is LConv
    kernel, t = to_numpy(layer.kernel), to_numpy(layer.parameters)
    assert np.allclose(to_numpy(lconv.kernel)[0], kernel.sum(axis=0), atol=1e-6)
    assert np.allclose(to_numpy(lconv.kernel)[1:], np.tensordot(t.T, kernel, 1), atol=1e-6)


@pytest.mark.parametrize(
    ("generators", "shape", "data_format"),
    [
        (lambda: g.rotation(), (5, 5, 2), "channels_last"),
        (lambda: g.rotation(), (2, 5, 5), "channels_first"),
        (lambda: g.translation(1, derivative="fourier"), (7,), "channels_last"),
    ],
)
def test_layouts_bias_and_activation(generators, shape, data_format):
    layer = group_convolution(
        generators(), shape, activation="tanh", data_format=data_format, max_parameter=0.3
    )
    stack = from_lie_exponential(layer, 16, order=4)
    f = random((2, *shape))
    assert relative_error(run(stack, f), run(layer, f)) < 1e-3


@pytest.mark.thorough
def test_the_stack_shares_generators_is_saved_and_trained(tmp_path):
    layer = LieExponential(
        2, g.LowRankGenerators(2, 2, initializer="he_normal"), num_elements=2
    )
    layer.build((None, 4, 3))
    stack = from_lie_exponential(layer, 4, order=2)
    block, last = stack.layers
    assert block.generators is last.generators is layer.generators
    f = random((4, 4, 3))
    bias = to_numpy(layer.bias).copy()
    stack.compile("sgd", "mse")
    stack.fit(f, random((4, 4, 2), 1), verbose=0)
    assert np.array_equal(to_numpy(layer.bias), bias)
    stack.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(run(copy, f), run(stack, f)) < 1e-5
    assert copy.layers[0].generators is copy.layers[1].generators


def built():
    return group_convolution(g.get(a.so(2)), (2, 1))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: from_lie_exponential(LConv(1, "rotation"), 2), TypeError, "LieExp"),
        (
            lambda: from_lie_exponential(LieExponential(1, "rotation", num_elements=2), 2),
            ValueError,
            "must be built",
        ),
        (lambda: from_lie_exponential(built(), 3, order=2), ValueError, "a multiple"),
        (lambda: from_lie_exponential(built(), 9, order=9), ValueError, "from 1 to 8"),
        (lambda: from_lie_exponential(built(), 0), ValueError, "`num_layers`"),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
