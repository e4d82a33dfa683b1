"""EquivariantDense: all maps that commute with the algebra, and no others."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm, null_space

from keras_lconv import EquivariantDense, LConv
from keras_lconv import generators as g
from keras_lconv.algebra import LieAlgebra, direct_sum, so, su, tensor_product, trivial
from tests.autodiff import BACKEND, assert_gradients_match, float64, run
from tests.families import relative_error, to_numpy
from tests.samples import random

V3, V4, PLANE = so(3).basis, so(3, 1).basis, so(2).basis
T3, T4 = tensor_product(V3, V3), tensor_product(V4, V4)


# name -> generators in and out, spatial shape, number of maps, of invariant directions.
CASES = {
    "vectors": (V3, None, (3,), 1, 0),
    "cross product": (T3, V3, (9,), 1, 0),
    "dot product": (T3, "trivial", (9,), 1, 1),
    "mixed": (
        direct_sum(trivial(3, 2), V3, T3),
        direct_sum(V3, T3, trivial(3)),
        (14,),
        # Each holds numbers, vectors and symmetric matrices: 3 * 2 + 2 * 2 + 1 * 1.
        11,
        2,
    ),
    "spacetime": (T4, None, (16,), 4, 1),
    "quaternions": (su(2).basis, None, (4,), 4, 0),
    "the plane": (PLANE, None, (2,), 2, 0),
    "matrices of the plane": (tensor_product(PLANE, PLANE), None, (4,), 6, 2),
    "periodic translations": (
        lambda: g.translation(2, derivative="fourier"),
        None,
        (5, 5),
        25,
        1,
    ),
    "periodic shifts": (
        lambda: g.ShiftGenerators([(0, 1), (1, 0)], boundary="periodic"),
        None,
        (3, 4),
        12,
        0,
    ),
    "image rotation": (lambda: g.rotation(), None, (5, 5), None, None),
    "radial profile": (lambda: g.rotation(), "trivial", (9, 9), 9, 1),
    "shear": (lambda: g.shear(), None, (3, 3), None, None),
}


def made(value):
    return value() if callable(value) else value


def layer_of(name, units=2, channels=3, **kwargs):
    source, target, spatial, _, _ = CASES[name]
    layer = EquivariantDense(units, made(source), generators_out=made(target), **kwargs)
    layer.build((None, *spatial, channels))
    return layer


def matrices_of(layer):
    """Matrices of the two representations, in float64."""
    source = layer.generators.matrices()
    if layer.generators_out is None:
        return source, trivial(len(source))
    return source, layer.generators_out.matrices()


@pytest.mark.parametrize("name", CASES)
def test_all_maps_and_no_others_and_an_invariant_bias(name):
    """One random layer says all, since coefficients in general position span the maps."""
    source, target, spatial, num_maps, num_invariants = CASES[name]
    layer = EquivariantDense(
        400 if num_maps is None else num_maps + 1, made(source), generators_out=made(target)
    )
    layer.build((None, *spatial, 1))
    source, target = matrices_of(layer)
    rows, columns = target.shape[1], source.shape[1]
    if num_maps is not None:
        assert layer.num_maps == num_maps
        assert (0 if layer.bias is None else layer.bias.shape[0]) == num_invariants
    if layer.bias is not None:
        layer.bias.assign(random(layer.bias.shape))

    t = np.random.default_rng(1).normal(size=len(source)) / 2
    before, after = (expm(np.tensordot(t, matrices, 1)) for matrices in (source, target))
    f = random((4, columns))
    inputs = np.concatenate([f, f @ before.T, np.eye(columns), np.zeros((1, columns))])
    inputs = inputs.reshape(-1, *spatial, 1).astype("float32")
    output = to_numpy(run(layer, inputs)).reshape(len(inputs), rows, -1)
    output = output.astype("float64")

    # The group may act before the layer or after it.
    assert relative_error(output[4:8], np.einsum("de,beu->bdu", after, output[:4])) < 1e-5
    # The constant part of the output is not moved.
    constant = output[-1]
    assert (np.max(np.abs(constant)) > 0.1) == (layer.bias is not None)
    bound = 1e-5 * (1 + np.max(np.abs(target)))
    assert np.max(np.abs(np.einsum("kde,eu->kdu", target, constant))) < bound
    # The other part spans the null space of the constraint, by plain linear algebra.
    maps = (output[8:-1] - constant).T.reshape(-1, rows * columns)
    assert np.linalg.matrix_rank(maps, 1e-4 * np.linalg.norm(maps, 2)) == layer.num_maps
    if rows * columns <= 625:
        constraints = [
            np.kron(left, np.eye(columns)) - np.kron(np.eye(rows), right.T)
            for left, right in zip(target, source, strict=True)
        ]
        assert null_space(np.vstack(constraints), 1e-8).shape[1] == layer.num_maps


@pytest.mark.parametrize("name", ["mixed", "matrices of the plane"])
def test_channels_add_up(name):
    layer = layer_of(name, use_bias=False)
    f = random((4, *CASES[name][2], 3))
    single = layer_of(name, channels=1, use_bias=False)
    constants = zip(single.non_trainable_weights, layer.non_trainable_weights, strict=True)
    for mine, its in constants:
        mine.assign(its)
    total = 0.0
    for channel in range(3):
        single.kernel.assign(layer.kernel[:, channel : channel + 1])
        total = total + to_numpy(single(f[..., channel : channel + 1]))
    assert relative_error(layer(f), total) < 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["mixed", "matrices of the plane", "image rotation"])
def test_variance_stays_in_every_component(name):
    layer = layer_of(name, units=64, channels=16)
    output = to_numpy(layer(random((64, *CASES[name][2], 16))))
    # Of a representation with numbers, vectors and matrices none is larger.
    variances = np.mean(output.reshape(64, -1, 64) ** 2, axis=(0, 2))
    reached = variances > 1e-8
    assert np.all(variances[reached] > 0.6)
    assert np.all(variances[reached] < 1.6)


def test_variance_stays_in_the_mean_where_norms_do_not():
    output = to_numpy(layer_of("spacetime", 64, 16)(random((64, 16, 16))))
    assert 0.7 < np.mean(output**2) < 1.4


def test_periodic_shifts_give_a_convolution():
    """One kernel of the size of the image, whatever the coefficients are."""
    layer = layer_of("periodic shifts", 1, 1)
    impulse = np.zeros((1, 3, 4, 1), "float32")
    impulse[0, 0, 0] = 1
    kernel = to_numpy(layer(impulse))[0, ..., 0]
    image = random((1, 3, 4, 1))
    expected = np.fft.ifft2(np.fft.fft2(kernel) * np.fft.fft2(image[0, ..., 0])).real
    assert relative_error(layer(image)[0, ..., 0], expected) < 1e-5


@pytest.mark.thorough
def test_images_of_28_pixels_need_no_list_of_maps():
    layer = EquivariantDense(1, "rotation")
    layer.build((None, 28, 28, 1))
    # A basis of matrices would have 3,000 times 784 x 784 entries.
    assert layer.num_maps > 3000
    assert layer.count_params() < 5 * 784**2
    turn = expm(layer.generators.matrices()[0])
    image = random((784,))
    # In one call, which JAX compiles once.
    both = np.stack([image, turn @ image]).reshape(2, 28, 28, 1).astype("float32")
    first, second = to_numpy(layer(both)).reshape(2, 784)
    assert relative_error(second, turn @ first) < 1e-5


def test_to_another_grid():
    layer = EquivariantDense(2, "rotation", generators_out="rotation", output_dim=(7, 7))
    image = random((2, 9, 9, 1))
    output = layer(image)
    assert tuple(output.shape) == (2, 7, 7, 2)
    turned = to_numpy(layer.generators.transform(image, 0.7))
    after = to_numpy(layer.generators_out.transform(output, 0.7))
    assert relative_error(layer(turned), after) < 1e-5


def test_an_algebra_from_data():
    """With noise there is no dot product. The closed algebra has one, exactly."""
    rng = np.random.default_rng(0)
    noisy = LieAlgebra(V3 + 1e-2 * rng.normal(size=V3.shape))
    with pytest.raises(ValueError, match=r"no maps.*nearest_closed"):
        EquivariantDense(1, tensor_product(noisy, noisy), generators_out="trivial").build(
            (None, 9, 1)
        )
    closed = noisy.nearest_closed()
    layer = EquivariantDense(
        1, tensor_product(closed, closed), generators_out="trivial", use_bias=False
    )
    a, b = rng.normal(size=(2, 3))
    moved = [expm(0.8 * closed.basis[1]) @ vector for vector in (a, b)]
    pairs = np.stack([np.kron(a, b), np.kron(*moved)])
    first, second = to_numpy(layer(pairs.astype("float32")))[:, 0]
    assert np.isclose(first, second, rtol=1e-5)


# ------------------------------------------------------------------ conventions


@pytest.mark.parametrize("name", ["mixed", "radial profile"])
def test_shapes_and_unknown_batch(name):
    source, target, spatial, _, _ = CASES[name]
    layer = EquivariantDense(5, made(source), generators_out=made(target))
    inputs = keras.Input((*spatial, 3))
    model = keras.Model(inputs, layer(inputs))
    for batch in (1, 4):
        output = model(random((batch, *spatial, 3)))
        assert tuple(output.shape) == (batch, *model.output_shape[1:])
        assert layer.compute_output_shape((batch, *spatial, 3)) == tuple(output.shape)


def test_a_vector_is_one_channel():
    layer = EquivariantDense(4, T3, generators_out=V3)
    f = random((2, 9))
    assert tuple(layer(f).shape) == (2, 3, 4) == layer.compute_output_shape((2, 9))
    other = EquivariantDense(4, T3, generators_out=V3)
    other.build((None, 9, 1))
    other.set_weights(layer.get_weights())
    assert relative_error(other(f[..., None]), layer(f)) < 1e-6


@pytest.mark.parametrize("name", ["periodic shifts", "dot product"])
def test_channels_first(name):
    last = layer_of(name, data_format="channels_last")
    source, target, spatial, _, _ = CASES[name]
    first = EquivariantDense(
        2, made(source), generators_out=made(target), data_format="channels_first"
    )
    first.build((None, 3, *spatial))
    first.set_weights(last.get_weights())
    f = random((2, *spatial, 3))
    output = first(np.moveaxis(f, -1, 1))
    assert tuple(output.shape) == first.compute_output_shape((2, 3, *spatial))
    expected = np.moveaxis(to_numpy(last(f)), -1, 1)
    assert relative_error(output, expected) < 1e-5


def test_every_keras_argument_is_used():
    layer = EquivariantDense(
        4,
        T3,
        generators_out="trivial",
        activation="relu",
        kernel_initializer="ones",
        bias_initializer=keras.initializers.Constant(0.5),
        kernel_regularizer=keras.regularizers.L2(0.1),
        bias_regularizer=keras.regularizers.L1(0.2),
        activity_regularizer=keras.regularizers.L2(0.3),
        kernel_constraint="non_neg",
        bias_constraint=keras.constraints.MaxNorm(1.0),
        name="traces",
    )
    output = to_numpy(layer(random((2, 9, 3))))
    assert np.all(output >= 0)
    assert np.all(to_numpy(layer.kernel) == 1)
    losses = sorted(float(to_numpy(v)) for v in layer.losses)
    expected = sorted([0.1 * 3 * 4, 0.2 * 0.5 * 4, 0.3 * np.sum(output**2) / 2])
    assert np.allclose(losses, expected, rtol=1e-5)
    assert isinstance(layer.kernel.constraint, keras.constraints.NonNeg)
    assert isinstance(layer.bias.constraint, keras.constraints.MaxNorm)
    assert EquivariantDense(4, T3, use_bias=False)(random((2, 9, 3))) is not None


@pytest.mark.parametrize(
    "layer",
    [
        lambda: EquivariantDense(2, T3, generators_out=V3, tolerance=1e-4),
        lambda: EquivariantDense(
            2, "rotation", generators_out="rotation", output_dim=(3, 3)
        ),
        lambda: EquivariantDense(
            2, "rotation", generators_out="trivial", activation="tanh"
        ),
        lambda: EquivariantDense(2, T3),
    ],
)
def test_config_round_trip(layer):
    layer = layer()
    config = layer.get_config()
    copy = EquivariantDense.from_config(config)
    assert copy.get_config() == config
    shape = (2, 9, 1) if isinstance(layer.generators, g.MatrixGenerators) else (2, 5, 5, 1)
    copy.build(shape)
    layer.build(shape)
    copy.set_weights(layer.get_weights())
    f = random(shape)
    assert relative_error(copy(f), layer(f)) < 1e-6


def test_generators_are_shared_with_other_layers(tmp_path):
    turns = g.rotation(name="turns")
    layers = [
        LConv(3, turns),
        EquivariantDense(2, turns),
        EquivariantDense(1, turns, generators_out=turns),
    ]
    model = keras.Sequential([keras.Input((5, 5, 1)), *layers])
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    f = random((2, 5, 5, 1))
    assert relative_error(run(copy, f), run(model, f)) < 1e-5
    assert copy.layers[2].generators_out is copy.layers[0].generators


def test_masked_positions_count_as_zero():
    layer = layer_of("periodic translations")
    f, mask = random((2, 5, 5, 3)), random((2, 5, 5)) > 0
    assert relative_error(layer(f, mask=mask), layer(f * mask[..., None])) < 1e-5
    assert layer.compute_mask(f, mask) is None


@pytest.mark.parametrize("name", ["mixed", "matrices of the plane"])
def test_gradients(name):
    with float64():
        layer = layer_of(name, dtype="float64")
        f = random((2, *CASES[name][2], 3), dtype="float64")
        weights = random((2, *layer.compute_output_shape(f.shape)[1:]), 1, "float64")

        def loss(f, kernel):
            flat = layer._maps.apply(f, kernel)
            return ops.sum(flat**2 * ops.convert_to_tensor(weights))

        kernel = random(layer.kernel.shape, 2, "float64")
        assert_gradients_match(loss, [f, kernel])


def test_half_precision():
    layer = layer_of("mixed", dtype="mixed_float16")
    f = random((2, 14, 3))
    output = layer(f)
    assert keras.backend.standardize_dtype(output.dtype) == "float16"
    exact = layer_of("mixed")
    exact.set_weights(layer.get_weights())
    assert relative_error(to_numpy(output).astype("float32"), exact(f)) < 1e-2


def test_it_trains_compiled():
    inputs = keras.Input((2, 3))
    vectors = ops.transpose(inputs, (0, 2, 1))
    vectors = EquivariantDense(8, V3)(vectors)
    squares = ops.reshape(vectors[:, :, None] * vectors[:, None], (-1, 9, 8))
    outputs = EquivariantDense(1, T3, generators_out="trivial")(squares)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.03), "mse", jit_compile=BACKEND != "torch")
    x = random((256, 2, 3))
    y = np.sum(x[:, 0] * x[:, 1], axis=1)
    history = model.fit(x, y, epochs=40, batch_size=64, verbose=0).history["loss"]
    assert history[-1] < 1e-2 * np.var(y)


# ----------------------------------------------------------------------- errors


def test_learned_generators_are_refused():
    with pytest.raises(
        ValueError, match="the equivariant maps of learned generators change"
    ):
        EquivariantDense(2, 3)
    with pytest.raises(ValueError, match="frozen"):
        EquivariantDense(2, V3, generators_out=g.MatrixGenerators(V3, trainable=True))


def test_generators_have_to_belong_together():
    with pytest.raises(ValueError, match="Received: 3 and 6"):
        EquivariantDense(2, V3, generators_out=V4)
    with pytest.raises(ValueError, match="`generators_out` must be square"):
        EquivariantDense(2, V3, generators_out=g.MatrixGenerators(random((3, 2, 3))))


def test_pointwise_activations_are_refused():
    with pytest.raises(ValueError, match=r"GatedActivation.*activation='relu'"):
        EquivariantDense(2, V3, activation="relu")


def test_no_maps_is_an_error():
    with pytest.raises(ValueError, match="no linear map from 3 to 1"):
        EquivariantDense(2, V3, generators_out="trivial").build((None, 3, 1))


def test_shapes_have_to_fit():
    with pytest.raises(ValueError, match="act on d=3"):
        EquivariantDense(2, V3).build((None, 4, 1))
    with pytest.raises(ValueError, match="number of channels"):
        EquivariantDense(2, V3).build((None, 3, None))
    with pytest.raises(TypeError, match="units"):
        EquivariantDense(2.0, V3)
