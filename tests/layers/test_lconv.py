"""LConv: the formula, its gradients, and what it is equivariant to."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lconv import LConv
from keras_lconv import generators as g
from tests import families
from tests.autodiff import assert_gradients_match, float64, run, transformed
from tests.families import relative_error, to_numpy
from tests.samples import random


def randomise(layer, seed=0):
    """Gives the kernel and the bias weights of order one."""
    layer.kernel.assign(random(layer.kernel.shape, seed))
    if layer.bias is not None:
        layer.bias.assign(random(layer.bias.shape, seed + 1))


def by_numpy(layer, f, steps=1):
    """The formula, position by position flattened, in float64, channels last."""
    matrices = families.reference_matrices(layer.generators)
    kernel = to_numpy(layer.kernel).astype("float64")
    f = f.astype("float64").reshape(len(f), -1, f.shape[-1])
    for _ in range(steps):
        rest = kernel
        output = 0.0
        if layer.self_interaction == "identity":
            output = f
        elif len(kernel) > len(matrices):
            output, rest = f @ kernel[0], kernel[1:]
        for matrix, mixing in zip(matrices, rest, strict=True):
            output = output + np.einsum("ij,bjc,cf->bif", matrix, f, mixing)
        if layer.bias is not None:
            output = output + to_numpy(layer.bias).astype("float64")
        f = output
    return f


@pytest.mark.parametrize("name", families.rows(families.ALL))
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("filters", [2, 5])
def test_equals_the_formula(name, data_format, filters):
    """Both orders of contraction: fewer filters than channels, and more."""
    generators, spatial = families.build(name)
    layer = LConv(filters, generators, data_format=data_format, activation="tanh")
    f = random((2, *spatial, 3))
    first = data_format == "channels_first"
    inputs = np.moveaxis(f, -1, 1) if first else f
    layer.build(inputs.shape)
    randomise(layer)
    output = to_numpy(run(layer, inputs))
    assert output.shape == layer.compute_output_shape(inputs.shape)
    output = np.moveaxis(output, 1, -1) if first else output
    expected = np.tanh(by_numpy(layer, f))
    assert relative_error(output.reshape(expected.shape), expected) < 1e-5


@pytest.mark.parametrize("self_interaction", ["learned", "identity", None])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("num_steps", [1, 3])
def test_equals_the_formula_with_options(self_interaction, use_bias, num_steps):
    layer = LConv(
        3,
        families.build("low_rank")[0],
        self_interaction=self_interaction,
        use_bias=use_bias,
        num_steps=num_steps,
    )
    f = random((2, 4, 5, 3))
    layer.build(f.shape)
    randomise(layer)
    expected = by_numpy(layer, f, num_steps)
    assert relative_error(to_numpy(run(layer, f)).reshape(expected.shape), expected) < 1e-5
    assert layer.kernel.shape[0] == 3 + (self_interaction == "learned")


@given(
    filters=st.integers(1, 6),
    channels=st.integers(1, 6),
    num=st.integers(1, 3),
    size=st.integers(1, 7),
    batch=st.integers(1, 4),
    seed=st.integers(0, 2**16),
)
def test_equals_the_formula_for_any_size(filters, channels, num, size, batch, seed):
    layer = LConv(filters, num)
    f = random((batch, size, channels), seed)
    layer.build(f.shape)
    randomise(layer, seed)
    assert relative_error(run(layer, f), by_numpy(layer, f)) < 1e-5


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_vector_input_is_one_channel(data_format):
    layer = LConv(4, families.so3(), data_format=data_format)
    x = random((5, 3))
    layer.build(x.shape)
    randomise(layer)
    output = to_numpy(layer(x))
    assert output.shape == layer.compute_output_shape(x.shape)
    output = output if data_format == "channels_last" else np.moveaxis(output, 1, -1)
    assert relative_error(output, by_numpy(layer, x[..., None])) < 1e-5


def bend(x):
    """A smooth activation that is exact in every precision."""
    return x + x * x / 4


@pytest.mark.parametrize("name", families.rows(families.ALL))
@pytest.mark.parametrize("filters", [3, pytest.param(1, marks=pytest.mark.thorough)])
def test_gradients_equal_finite_differences(name, filters):
    with float64():
        generators, spatial = families.build_in("float64", name)
        # Not Keras' tanh, which is computed in float32 on JAX.
        layer = LConv(filters, generators, activation=bend, dtype="float64")
        f = random((2, *spatial, 2), dtype="float64")
        layer.build(f.shape)
        shapes = [w.shape for w in layer.trainable_variables]
        weights = [random(s, n, "float64") * 0.3 for n, s in enumerate(shapes)]
        fixed = layer.non_trainable_variables
        probe = random(layer.compute_output_shape(f.shape), 9, "float64")
        probe = ops.convert_to_tensor(probe)

        def loss(f, *values):
            output, _ = layer.stateless_call(list(values), [v.value for v in fixed], f)
            return ops.sum(output * probe) ** 2

        assert_gradients_match(loss, [f, *weights])


# ------------------------------------------------------------------- equivariance


def commutator(layer, group, f, t):
    """`|Q exp(tL) f - exp(tL) Q f|`, relative."""
    left = run(layer, transformed(group, f, t))
    return relative_error(left, transformed(group, run(layer, f), t))


EXACT = {
    "rotation": (g.rotation, (9, 9), lambda t: [t]),
    "translations": (lambda: g.translation(), (7, 6), lambda t: [t, -0.7 * t]),
    "periodic_translations": (
        lambda: g.translation(derivative="fourier"),
        (6, 5),
        lambda t: [-t, 0.4 * t],
    ),
    "rotation_central": (
        lambda: g.rotation(derivative="central"),
        (6, 6),
        lambda t: [t],
    ),
    "boost": (
        lambda: g.MatrixGenerators([[0.0, 1.0], [1.0, 0.0]]),
        (2,),
        lambda t: [t],
    ),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("num_steps", [2, pytest.param(1, marks=pytest.mark.thorough)])
def test_commuting_generators_make_the_layer_equivariant(name, num_steps):
    make, spatial, parameters = EXACT[name]
    group = make()
    layer = LConv(4, group, use_bias=False, num_steps=num_steps)
    f = random((2, *spatial, 4))
    layer(f)
    # Derivatives must have as much weight as the mix of channels.
    kernel = random(layer.kernel.shape)
    kernel[1:] /= np.max(group.initial_norm_bounds())
    layer.kernel.assign(kernel)
    for t in (0.3, -1.1, 2.0):
        assert commutator(layer, group, f, parameters(t)) < 1e-5


@pytest.mark.parametrize(
    ("make", "spatial", "t"),
    [
        (lambda: g.MatrixGenerators(families.so3()[:2]), (3,), [1.0, 0.0]),
        (g.affine, (7, 7), [0.0, 0.0, 0.0, -0.5, 0.5, 0.0]),
        (lambda: g.rotation(3), (4, 4, 4), [0.5, 0.0, 0.0]),
    ],
)
def test_generators_that_do_not_commute_do_not(make, spatial, t):
    """The statement of the docstring about non-commuting generators holds."""
    group = make()
    layer = LConv(3, group, use_bias=False)
    f = random((2, *spatial, 3))
    layer(f)
    kernel = random(layer.kernel.shape)
    kernel[1:] /= np.max(group.initial_norm_bounds())
    layer.kernel.assign(kernel)
    assert commutator(layer, group, f, t) > 0.01


def test_conjugation_mixes_generators_by_the_adjoint():
    """`Q` with `W_i -> sum_j M_ji W_j` is equivariant to all of SO(3)."""
    group = g.MatrixGenerators(families.so3())
    layer, moved = LConv(3, group, use_bias=False), LConv(3, group, use_bias=False)
    f = random((4, 3, 2))
    layer(f)
    moved(f)
    randomise(layer)
    L, t = families.so3(), np.array([0.4, -0.9, 1.3])
    S = to_numpy(group.transform(np.eye(3), t)).T.astype("float64")
    conjugates = np.array([S @ Li @ np.linalg.inv(S) for Li in L])
    M = np.einsum("iab,jab->ij", conjugates, L) / 2  # |L_j|^2 = 2
    kernel = to_numpy(layer.kernel)
    mixed = np.concatenate([kernel[:1], np.einsum("ij,icf->jcf", M, kernel[1:])])
    moved.kernel.assign(mixed)
    left, right = moved(group.transform(f, t)), group.transform(layer(f), t)
    assert relative_error(left, right) < 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["rotation", "so3"])
def test_steps_converge_to_the_group_with_slope_one(name):
    if name == "so3":
        generators, spatial, t = (
            g.MatrixGenerators(families.so3()),
            (3,),
            [0.5, -1, 0.8],
        )
    else:
        generators, spatial, t = g.rotation(derivative="central"), (5, 5), [0.4]
    f = random((2, *spatial, 1))
    expected = to_numpy(generators.transform(f, t))
    counts, errors = [4, 8, 16, 32, 64], []
    for n in counts:
        layer = LConv(
            1,
            generators,
            num_steps=n,
            self_interaction="identity",
            use_bias=False,
        )
        layer.build(f.shape)
        layer.kernel.assign(np.reshape(t, (-1, 1, 1)) / n)
        errors.append(relative_error(layer(f), expected))
    slope = np.polyfit(np.log(counts[1:]), np.log(errors[1:]), 1)[0]
    assert -1.15 < slope < -0.85


def test_pointwise_activation_keeps_equivariance_to_what_moves_points():
    generators = g.translation(derivative="fourier")
    layer = LConv(4, generators, activation="relu", bias_initializer="ones")
    f = random((2, 6, 6, 3))
    layer(f)
    moved = np.roll(f, 2, axis=1)
    assert relative_error(layer(moved), np.roll(to_numpy(layer(f)), 2, axis=1)) < 1e-5


# -------------------------------------------------------------------------- masks


def test_masked_positions_count_as_zero_in_every_step():
    layer = LConv(3, 2, num_steps=2, bias_initializer="ones")
    f = random((2, 6, 3))
    mask = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=bool)
    layer(f)
    randomise(layer)
    result = to_numpy(layer(f, mask=ops.convert_to_tensor(mask)))
    changed = np.where(mask[..., None], f, 100.0)
    assert relative_error(layer(changed, mask=ops.convert_to_tensor(mask)), result) == 0
    one = LConv.from_config({**layer.get_config(), "num_steps": 1})
    one(f)
    one.set_weights(layer.get_weights())
    zeroed = f * mask[..., None]
    expected = to_numpy(one(to_numpy(one(zeroed)) * mask[..., None]))
    assert relative_error(result, expected) < 1e-5
    assert relative_error(layer(f), result) > 1e-2


def test_mask_is_passed_on():
    inputs = keras.Input((6,), dtype="int32")
    embedded = keras.layers.Embedding(5, 3, mask_zero=True)(inputs)
    features = LConv(4, 2)(embedded)
    pooled = keras.layers.GlobalAveragePooling1D()(features)
    model = keras.Model(inputs, [features, pooled])
    tokens = np.array([[1, 2, 3, 0, 0, 0]])
    features, pooled = (to_numpy(v) for v in model(tokens))
    assert np.allclose(pooled[0], features[0, :3].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_mask_of_an_image(data_format):
    layer = LConv(2, 2, data_format=data_format)
    f = random((2, 3, 4, 3))
    mask = random((2, 3, 4)) > 0
    inputs = f if data_format == "channels_last" else np.moveaxis(f, -1, 1)
    zeroed = f * mask[..., None]
    zeroed = zeroed if data_format == "channels_last" else np.moveaxis(zeroed, -1, 1)
    result = layer(inputs, mask=ops.convert_to_tensor(mask))
    assert relative_error(result, layer(zeroed)) < 1e-6


def test_no_mask_beyond_generators_that_lead_elsewhere():
    layer = LConv(2, g.DenseGenerators(2, output_dim=3))
    assert layer.compute_mask(None, np.ones((2, 6))) is None
