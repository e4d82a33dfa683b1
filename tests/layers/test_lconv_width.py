"""LConv with products of generators on smoothed features: width."""

import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv import LConv
from keras_lconv import generators as g
from keras_lconv.generators.contraction import contractions
from keras_lconv.generators.smoothing import form_of_smoothing
from tests import families
from tests.autodiff import assert_gradients_match, float64, run
from tests.families import relative_error, to_numpy
from tests.layer_contract import turned_grid
from tests.samples import random


def multi_indices(size, order):
    """By degree, and in each degree `(2, 0), (1, 1), (0, 2)`."""
    found = itertools.product(range(order + 1), repeat=size)
    kept = [a for a in found if sum(a) <= order]
    return sorted(kept, key=lambda a: (sum(a), [-n for n in a]))


def mean_product(matrices, a):
    """The mean over all orders of `a_1` factors `L_1`, `a_2` factors `L_2`, ..."""
    factors = [i for i, times in enumerate(a) for _ in range(times)]
    orders = list(itertools.permutations(factors))
    one = np.eye(matrices.shape[1])
    products = [np.linalg.multi_dot([one, one, *matrices[list(o)]]) for o in orders]
    return sum(products) / len(orders)


def dense(layer):
    """The operators as matrices, from their definition; the units are the layer's."""
    matrices = families.reference_matrices(layer.generators)
    taus = (0.0,) if layer.smoothing is None else layer.operators.present_taus(layer.kernel)
    form = np.zeros((len(matrices),) * 2)
    if layer.smoothing is not None:
        form = form_of_smoothing(layer.generators)
    casimir = -np.einsum("ij,iab,jbc->ac", form, matrices, matrices)
    found = []
    for tau in taus:
        blur = expm(-float(to_numpy(tau)) * casimir)
        for a in multi_indices(len(matrices), layer.order):
            if layer.smoothing is not None or sum(a):
                found.append(mean_product(matrices, a) @ blur)
    return np.array(found)


# name -> (generators, spatial shape, order, smoothing)
CASES = {
    "plain": ("translation", (5, 4), 2, None),
    "two widths": ("translation", (5, 4), 3, (0.3, 1.0)),
    "learned width": ("translation", (5, 4), 2, "learned"),
    "invariant": ("translation", (5, 4), 0, (0.3, 1.0)),
    "signals": (lambda: g.translation(1), (7,), 3, 0.4),
    "volumes": (lambda: g.translation(3), (3, 4, 3), 2, 0.4),
    "rotation": ("rotation", (5, 4), 2, 0.01),
    "rotation, invariant": ("rotation", (5, 4), 0, (0.01, 0.05)),
    "affine": ("affine", (5, 4), 2, None),
    "space": (families.so3, (3,), 3, 0.2),
    "euclidean": (families.euclidean, (4, 4), 2, 0.1),
    "learned": (2, (5,), 2, (0.1, 0.3)),
}


def made(name, channels=3, **kwargs):
    generators, shape, order, smoothing = CASES[name]
    generators = generators() if callable(generators) else generators
    layer = LConv(2, generators, order=order, smoothing=smoothing, **kwargs)
    layer.build((None, *shape, channels))
    return layer, random((2, *shape, channels))


# One of each kind; the others are thorough.
SOME = ("two widths", "learned width", "rotation, invariant", "space")


@pytest.mark.parametrize(
    "name",
    [n if n in SOME else pytest.param(n, marks=pytest.mark.thorough) for n in CASES],
)
def test_equals_products_of_matrices_in_every_order_of_contraction(name):
    layer, f = made(name)
    matrices = dense(layer)
    flat = f.reshape(2, -1, 3)
    kernel = random(layer.kernel.shape, 1)
    assert kernel.shape[0] == 1 + len(matrices)
    # The layer multiplies by the operator divided by its unit.
    found = to_numpy(layer.operators.to_dense()).astype("float64")
    # Of the rotations of space the mean of `L_1 L_2 L_3` vanishes.
    sizes = np.maximum(np.sum(matrices**2, axis=(1, 2)), 1e-20)
    units = np.sum(matrices * found, axis=(1, 2)) / sizes
    scaled = matrices * units[:, None, None]
    assert np.all(units[sizes > 1e-9] > 0)
    assert relative_error(found, scaled) < 1e-5
    expected = flat @ kernel[0] + np.einsum("nij,bjc,ncf->bif", scaled, flat, kernel[1:])
    for order in contractions(layer.operators):
        other = LConv(
            2,
            layer.generators,
            order=layer.order,
            smoothing=layer.smoothing,
            contraction=order,
        )
        other.build(f.shape)
        other.set_weights(layer.get_weights())
        other.kernel.assign(kernel)
        output = to_numpy(run(other, f)).reshape(expected.shape)
        assert relative_error(output, expected) < 1e-5, order


def test_units_of_rotations_are_bounds():
    layer, _ = made("rotation")
    norms = np.linalg.norm(to_numpy(layer.operators.to_dense()), 2, axis=(1, 2))
    assert np.all(norms < 1 + 1e-5)
    assert np.all(norms > 0.1)


@pytest.mark.parametrize("name", ["plain", "two widths", "signals", "volumes"])
def test_products_of_translations_keep_the_variance_of_noise(name):
    """Each of them, and so does the layer that starts with equal shares of them."""
    layer, _ = made(name)
    matrices = to_numpy(layer.operators.to_dense())
    gains = np.sum(matrices**2, axis=(1, 2)) / matrices.shape[1]
    assert np.allclose(gains, 1, rtol=1e-4)
    expected = 1 / (layer.kernel.shape[0] * 3)
    wide = LConv(64, layer.generators, order=layer.order, smoothing=layer.smoothing)
    wide.build((None, *layer.generators.spatial_shape, 3))
    assert to_numpy(wide.kernel).var() == pytest.approx(expected, rel=0.2)


def test_rotations_keep_equivariance_in_every_order():
    layer = LConv(3, "rotation", order=3, smoothing=(0.01, 0.05), use_bias=False)
    f, motion = random((2, 5, 5, 2)), turned_grid()
    layer.build(f.shape)
    layer.kernel.assign(random(layer.kernel.shape))
    moved = run(layer, motion(f).astype("float32"))
    assert relative_error(moved, motion(to_numpy(run(layer, f)))) < 1e-5


def test_functions_of_the_laplacian_commute_with_turns_and_steps():
    generators = g.translation(derivative="fourier")
    layer = LConv(3, generators, order=0, smoothing=(0.3, 1.0, 3.0), activation="relu")
    f = random((2, 6, 6, 2))
    output = to_numpy(run(layer, f))
    moves = [lambda f: np.rot90(f, axes=(1, 2)), lambda f: np.roll(f, (1, 2), (1, 2))]
    for move in moves:
        assert relative_error(run(layer, move(f).copy()), move(output)) < 1e-5
    # A derivative along an axis does not commute with turns.
    first = LConv(3, generators, smoothing=0.3)
    output = to_numpy(run(first, f))
    assert relative_error(run(first, moves[0](f).copy()), moves[0](output)) > 0.01


def test_is_a_convolution_with_the_moments_of_its_kernel():
    """Of narrow kernels, up to the power of the width that the order leaves out."""
    size, periodic = 33, g.translation(1, derivative="fourier", dtype="float64")
    periodic.build((None, size, 1))
    L = periodic.matrices()[0]
    f = random((size,), dtype="float64") @ expm(4 * L @ L)  # smooth
    steps, values = np.array([-1.5, -0.2, 1.0]), np.array([0.3, -1.0, 0.5])
    for order in (1, 2, 3):
        errors = []
        for width in (0.2, 0.1):
            moved = [
                v * expm(width * s * L) @ f for s, v in zip(steps, values, strict=True)
            ]
            layer = LConv(1, periodic, order=order, use_bias=False, dtype="float64")
            with float64():
                layer.build((None, size, 1))
                powers = [np.linalg.matrix_power(L, p) for p in range(order + 1)]
                units = np.linalg.norm(powers, axis=(1, 2)) / math.sqrt(size)
                units = units if order > 1 else np.ones(2)
                moments = [
                    (values * (width * steps) ** p).sum() / math.factorial(p)
                    for p in range(order + 1)
                ]
                layer.kernel.assign(np.reshape(moments * units, (-1, 1, 1)))
                output = to_numpy(layer(f[None, :, None])).ravel()
            errors.append(np.linalg.norm(output - sum(moved)))
        assert errors[0] / errors[1] == pytest.approx(2 ** (order + 1), rel=0.2)


@pytest.mark.parametrize("name", ["learned width", "learned"])
def test_gradients_with_respect_to_width_and_generators(name):
    with float64():
        generators, shape, order, _ = CASES[name]
        layer = LConv(
            2, generators, order=order, smoothing="learned", dtype="float64", use_bias=False
        )
        f = random((2, *shape, 3), dtype="float64")
        layer.build(f.shape)
        # `tau` as an array of one number: others become float32.
        weights = [np.atleast_1d(to_numpy(v)) for v in layer.trainable_variables]
        fixed = [to_numpy(v) for v in layer.non_trainable_variables]
        assert len(weights) == (3 if layer.generators.is_learned else 2)
        target = random((2, *shape, 2), 1, dtype="float64")

        def loss(f, *weights):
            shapes = [v.shape for v in layer.trainable_variables]
            weights = [ops.reshape(w, s) for w, s in zip(weights, shapes, strict=True)]
            output, _ = layer.stateless_call(weights, fixed, f)
            return ops.sum(output * ops.convert_to_tensor(target))

        assert_gradients_match(loss, [f, *weights], tolerance=1e-5)


def test_a_saved_layer_keeps_its_width(tmp_path):
    layers = [LConv(3, 2, order=2, smoothing="learned"), LConv(2, 1, smoothing=(0.1, 0.4))]
    model = keras.Sequential([keras.Input((5, 2)), *layers])
    layers[0].operators.tau.assign(0.8)
    layers[0].generators.set_weights([3 * random((2, 5, 5))])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    f = random((2, 5, 2))
    assert loaded.layers[1].smoothing == (0.1, 0.4)
    assert relative_error(loaded(f), to_numpy(model(f))) < 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": 0}, "`order=0` leaves no generators"),
        ({"order": -1}, "`order` must be an integer that is not negative"),
        ({"smoothing": 0.0}, "`smoothing` must be"),
        ({"smoothing": ()}, "`smoothing` must not be empty"),
        ({"smoothing": "wide"}, "`smoothing` must be one of"),
        ({"generators": np.ones((1, 2, 3)), "order": 2}, "must be square"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LConv(2, **{"generators": "rotation", **arguments})


def test_smoothing_that_may_overflow_is_refused():
    with pytest.raises(ValueError, match=r"may overflow.*`smoothing` must be at most"):
        LConv(2, "scaling", smoothing=10.0).build((None, 8, 8, 1))
