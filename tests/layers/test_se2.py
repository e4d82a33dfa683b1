"""SE2Lift and SE2Projection: formulas, equivariance, Keras' conventions."""

import json

import keras
import numpy as np
import pytest

from keras_lconv import CasimirPooling, LConv, LieBlock, SE2Lift, SE2Projection
from keras_lconv import generators as g
from tests.autodiff import assert_gradients_match, float64
from tests.families import relative_error, to_numpy
from tests.generators.test_se2 import flipped, moved, turned
from tests.samples import random

DERIVATIVES = ["spectral", "fourier", "central"]


def turned_image(x):
    return np.rot90(x, axes=(1, 2)).copy()


def randomise(layer):
    layer.kernel.assign(random(layer.kernel.shape, 1))
    if layer.bias is not None:
        layer.bias.assign(random(layer.bias.shape, 2))


def lifted_by_fourier(layer, x):
    """The formula, by waves of a periodic image with odd sizes."""
    waves = [2 * np.pi * np.fft.fftfreq(n) for n in x.shape[1:3]]
    down, right = np.meshgrid(*waves, indexing="ij")
    spectrum = np.fft.fft2(x.astype("float64"), axes=(1, 2))
    blur = np.exp(-(layer.scale**2) * (down**2 + right**2) / 2)
    kernel = to_numpy(layer.kernel).astype("float64")
    terms = [(p, q) for n in range(layer.order + 1) for q in range(n + 1) for p in [n - q]]
    output = 0.0
    for j in range(layer.num_orientations):
        c, s = (f(2 * np.pi * j / layer.num_orientations) for f in (np.cos, np.sin))
        total = 0.0
        for (p, q), weights in zip(terms, kernel, strict=True):
            gain = (1j * (c * down + s * right)) ** p * (1j * (c * right - s * down)) ** q
            # Each factor is in units of the largest value of `k^p exp(-scale^2 k^2 / 2)`.
            for power in (p, q):
                k = np.sqrt(power) / layer.scale
                gain = gain / (k**power * np.exp(-power / 2))
            wave = spectrum * (gain * blur)[..., None]
            total = total + np.fft.ifft2(wave, axes=(1, 2)).real @ weights
        slot = np.zeros((1, layer.num_orientations, 1, 1, 1))
        slot[:, j] = 1
        output = output + slot * (total + to_numpy(layer.bias))[:, None]
    return output


@pytest.mark.parametrize(("num", "order", "scale"), [(4, 1, 0.7), (5, 3, 1.2)])
def test_lift_is_its_formula(num, order, scale):
    layer = SE2Lift(3, num_orientations=num, order=order, scale=scale, derivative="fourier")
    x = random((2, 7, 5, 2))
    layer.build(x.shape)
    randomise(layer)
    assert relative_error(layer(x), lifted_by_fourier(layer, x)) < 1e-5
    assert layer.kernel.shape[0] == (order + 1) * (order + 2) // 2


def test_strides_average_blocks():
    x = random((2, 9, 15, 1))
    fine = SE2Lift(2, num_orientations=4, derivative="fourier")
    coarse = SE2Lift(2, num_orientations=4, strides=3, derivative="fourier")
    for layer in (fine, coarse):
        layer.build(x.shape)
        randomise(layer)
    blocks = to_numpy(fine(x)).reshape(2, 4, 3, 3, 5, 3, 2)
    assert relative_error(coarse(x), blocks.mean(axis=(3, 5))) < 1e-5


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize(("num", "size", "strides"), [(4, 5, 1), (8, 6, 2)])
def test_lift_takes_turned_images_to_turned_features(derivative, num, size, strides):
    layer = SE2Lift(
        3,
        num_orientations=num,
        order=3,
        strides=strides,
        derivative=derivative,
        activation="relu",
    )
    x = random((2, size, size, 2))
    features = to_numpy(layer(x))
    assert relative_error(layer(turned_image(x)), turned(features)) < 1e-5
    assert np.std(features, axis=1).max() > 0.1, "the orientations differ"


@pytest.mark.parametrize(("num", "axis"), [(3, 2), (4, 1)])
def test_lift_takes_flipped_images_to_flipped_features(num, axis):
    """The second axis with any number of orientations, the first with an even one."""
    layer = SE2Lift(3, num_orientations=num, order=3, reflections=True, activation="relu")
    x = random((2, 5, 6, 2))
    features = to_numpy(layer(x))
    found = layer(np.flip(x, axis).copy())
    assert relative_error(found, flipped(features, axis + 1)) < 1e-5
    # Without its mirror images it is the lift without reflections.
    plain = SE2Lift(3, num_orientations=num, order=3, activation="relu")
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    assert relative_error(plain(x), features[:, :num]) < 1e-6
    assert relative_error(features[:, num:], features[:, :num]) > 0.1


def test_lift_takes_translated_images_to_translated_features():
    x = random((1, 9, 7, 1))
    layer = SE2Lift(2, num_orientations=4, derivative="fourier")
    assert relative_error(layer(moved(x, 0.6, 1)), moved(to_numpy(layer(x)), 0.6, 2)) < 1e-5


def plane():
    """Translations in the plane, of features with orientations."""
    fields = np.zeros((2, 3, 4))
    fields[0, 1, 0] = fields[1, 2, 0] = 1
    return g.VectorFieldGenerators(2, coefficients=fields, trainable=False)


def network(reduction, derivative="spectral", data_format="channels_last"):
    """Lifted, two kinds of L-convs, pooled in the plane by blocks and by a blur."""
    keras.utils.set_random_seed(0)
    options = {"activation": "relu", "data_format": data_format}
    shape = (10, 10, 1) if data_format == "channels_last" else (1, 10, 10)
    return keras.Sequential(
        [
            keras.Input(shape),
            SE2Lift(
                4,
                num_orientations=4,
                derivative=derivative,
                bias_initializer="ones",
                **options,
            ),
            LConv(4, g.SE2Generators(derivative=derivative), **options),
            keras.layers.AveragePooling3D((1, 2, 2), data_format=data_format),
            LieBlock(5, g.SE2Generators(derivative=derivative), num_layers=2, **options),
            CasimirPooling(plane(), tau=0.5, strides=(1, 2, 2), data_format=data_format),
            SE2Projection(reduction=reduction, data_format=data_format),
        ]
    )


@pytest.mark.parametrize(
    ("reduction", "derivative"),
    [pytest.param("max", "spectral", marks=pytest.mark.thorough), ("average", "central")],
)
def test_a_network_is_equivariant_to_quarter_turns_from_end_to_end(reduction, derivative):
    model = network(reduction, derivative)
    x = random((2, 10, 10, 1))
    images = to_numpy(model(x))
    assert images.shape == (2, 3, 3, 5) == (2, *model.output_shape[1:])
    assert relative_error(model(turned_image(x)), turned_image(images)) < 1e-5
    assert np.std(images, axis=(1, 2)).max() > 1e-2 * np.max(np.abs(images))


def test_channels_first_is_channels_last():
    first, last = network("max", data_format="channels_first"), network("max")
    first.set_weights(last.get_weights())
    x = random((2, 10, 10, 1))
    found = np.moveaxis(to_numpy(first(np.moveaxis(x, -1, 1))), 1, -1)
    assert relative_error(found, last(x)) < 1e-6


def test_whole_shifts_of_a_periodic_grid_pass_through_activations():
    x = random((1, 6, 5, 1))
    model = keras.Sequential(
        [
            SE2Lift(3, num_orientations=4, derivative="fourier", activation="relu"),
            LConv(3, g.SE2Generators(derivative="fourier"), activation="relu"),
        ]
    )
    expected = np.roll(to_numpy(model(x)), (2, -1), axis=(2, 3))
    assert relative_error(model(np.roll(x, (2, -1), axis=(1, 2))), expected) < 1e-5


@pytest.mark.thorough
def test_turns_between_the_axes_are_as_exact_as_the_grid():
    """By an eighth, one step of 8 orientations, for a smooth image."""
    size = 25
    x = (np.arange(size) - (size - 1) / 2) / 3
    image = np.exp(-np.add.outer((x - 0.4) ** 2, 1.5 * (x + 0.3) ** 2))[None, ..., None]

    def turn(f):
        """The plane of each orientation and channel."""
        f = np.moveaxis(f, (-3, -2), (1, 2))
        flat = f.reshape(len(f), size, size, -1).astype("float32")
        moved = to_numpy(g.rotation().transform(flat, np.pi / 4))
        return np.moveaxis(moved.reshape(f.shape), (1, 2), (-3, -2))

    model = keras.Sequential([SE2Lift(3, num_orientations=8), LConv(3, "se2")])
    expected = np.roll(turn(to_numpy(model(image))), 1, axis=1)
    assert relative_error(model(turn(image)), expected) < 2e-3
    assert relative_error(model(image), expected) > 0.3


# --------------------------------------------------------------------- projection


@pytest.mark.parametrize("reduction", ["max", "average"])
def test_projection_is_over_orientations(reduction):
    reduce = {"max": np.max, "average": np.mean}[reduction]
    f = random((2, 4, 3, 5, 6))
    layer = SE2Projection(reduction=reduction)
    assert relative_error(layer(f), reduce(f, axis=1)) < 1e-6
    assert relative_error(layer(f[:, :, 0, 0]), reduce(f[:, :, 0, 0], axis=1)) < 1e-6
    first = SE2Projection(reduction=reduction, data_format="channels_first")
    assert relative_error(first(f), reduce(f, axis=2)) < 1e-6
    assert first.compute_output_shape((None, 6, 4, 3, 5)) == (None, 6, 3, 5)


def test_masked_positions_count_as_zero():
    x, mask = random((2, 4, 4, 1)), np.ones((2, 4, 4), bool)
    mask[:, 1:, 2] = False
    layer = SE2Lift(2, num_orientations=4)
    assert relative_error(layer(x, mask=mask), layer(x * mask[..., None])) < 1e-6
    lifted = to_numpy(layer.compute_mask(x, keras.ops.convert_to_tensor(mask)))
    assert lifted.shape == (2, 4, 4, 4)
    assert np.all(lifted == mask[:, None])
    mirrored = SE2Lift(2, num_orientations=4, reflections=True)
    assert mirrored.compute_mask(x, keras.ops.convert_to_tensor(mask)).shape[1] == 8
    # Blocks of positions are partly masked.
    strided = SE2Lift(2, num_orientations=4, strides=2)
    assert strided.compute_mask(x, keras.ops.convert_to_tensor(mask)) is None
    f = random((2, 4, 4, 4, 3))
    for data_format in ("channels_last", "channels_first"):
        project = SE2Projection(reduction="average", data_format=data_format)
        inputs = f if data_format == "channels_last" else np.moveaxis(f, -1, 1)
        found = to_numpy(project(inputs, mask=lifted))
        found = found if data_format == "channels_last" else np.moveaxis(found, 1, -1)
        assert relative_error(found, (f * lifted[..., None]).mean(axis=1)) < 1e-6
    tensor = keras.ops.convert_to_tensor(lifted)
    assert np.all(to_numpy(project.compute_mask(None, tensor)) == mask)
    assert project.compute_mask(None, tensor[:, :, 0, 0]) is None


# -------------------------------------------------------------- Keras' conventions


def test_gradients_equal_finite_differences():
    with float64():
        layer = SE2Lift(
            2, num_orientations=3, order=2, scale=0.8, strides=2, dtype="float64"
        )
        x = random((2, 4, 6, 2)).astype("float64")
        layer.build(x.shape)
        kernel = random(layer.kernel.shape).astype("float64")

        def loss(x, kernel):
            output, _ = layer.stateless_call([kernel, layer.bias.value], [], x)
            return keras.ops.sum(
                SE2Projection(reduction="average", dtype="float64")(output**3)
            )

        assert_gradients_match(loss, [x, kernel])


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(dtype):
    x = random((2, 6, 6, 1))
    reference, layer = (
        SE2Lift(3, num_orientations=4),
        SE2Lift(3, num_orientations=4, dtype=dtype),
    )
    layer.build(x.shape)
    reference.build(x.shape)
    layer.set_weights(reference.get_weights())
    output = SE2Projection(dtype=dtype)(layer(x))
    assert keras.backend.standardize_dtype(output.dtype) == dtype.removeprefix("mixed_")
    expected = to_numpy(reference(x)).max(axis=1)
    assert relative_error(keras.ops.cast(output, "float32"), expected) < 5e-2
    assert layer.generators.compute_dtype == layer.compute_dtype


def test_config_round_trip():
    layer = SE2Lift(
        3,
        num_orientations=6,
        reflections=True,
        order=3,
        scale=0.8,
        strides=2,
        derivative="central",
        data_format="channels_first",
        activation="relu",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(0.1),
        name="up",
    )
    config = json.loads(json.dumps(layer.get_config()))
    copy = SE2Lift.from_config(config)
    assert copy.get_config() == layer.get_config()
    assert copy.generators.derivative == "central"
    assert copy.compute_output_shape((None, 1, 8, 6)) == (None, 3, 12, 4, 3)
    project = SE2Projection(reduction="average", data_format="channels_first", name="down")
    copy = SE2Projection.from_config(project.get_config())
    assert copy.get_config() == project.get_config()


def test_trains_compiled_and_lowers_the_loss():
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            SE2Lift(4, num_orientations=4, activation="relu"),
            LConv(4, "se2", activation="relu"),
            SE2Projection(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # This runs on JAX and TensorFlow. torch.compile has no influence here.
    jit_compile = keras.config.backend() != "torch"
    model.compile(keras.optimizers.Adam(0.02), loss, jit_compile=jit_compile)
    # Lines, and lines that cross: whatever their direction.
    x = np.zeros((32, 6, 6, 1), "float32")
    x[:16, :, 2:4] = x[16:, 2:4] = x[8:16, 2:4] = x[24:, :, 2:4] = 1
    x = x + 0.1 * random(x.shape)
    y = np.tile(np.repeat([0, 1], 8), 2)
    history = model.fit(x, y, epochs=30, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert history[-1] < 0.8 * history[0]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"filters": 0}, ValueError, "`filters` must be a positive integer"),
        ({"num_orientations": 0}, ValueError, "`num_orientations` must be a positive"),
        ({"num_orientations": 2.5}, TypeError, "`num_orientations` must be a positive"),
        ({"order": 0}, ValueError, "`order` must be a positive integer"),
        ({"scale": 0.0}, ValueError, "`scale` must be a positive number"),
        ({"strides": 0}, ValueError, "`strides` must be a positive integer"),
        ({"derivative": "exact"}, ValueError, "`derivative` must be one of"),
        ({"data_format": "nhwc"}, ValueError, "`data_format` must be one of"),
    ],
)
def test_bad_arguments_of_the_lift(arguments, error, words):
    with pytest.raises(error, match=words):
        SE2Lift(**{"filters": 2, **arguments})


def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match=r"needs images of shape \(batch, y, x"):
        SE2Lift(2).build((None, 8, 8))
    with pytest.raises(ValueError, match="needs defined spatial dimensions"):
        SE2Lift(2).build((None, None, 8, 1))
    with pytest.raises(ValueError, match=r"`strides` .* must divide the size"):
        SE2Lift(2, strides=2).build((None, 8, 7, 1))
    with pytest.raises(ValueError, match="`reduction` must be one of"):
        SE2Projection(reduction="median")
    with pytest.raises(ValueError, match=r"expects features of shape \(batch, theta"):
        SE2Projection().build((None, 8))
