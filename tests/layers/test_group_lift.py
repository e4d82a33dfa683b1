"""GroupLift and GroupProjection: the formula, SE(2) as a case, equivariance, errors."""

import json

import keras
import numpy as np
import pytest

from keras_lconv import GroupLift, GroupProjection, LConv, SE2Lift
from keras_lconv import generators as g
from tests.families import relative_error, to_numpy
from tests.generators.test_se2 import moved
from tests.layers.test_se2 import DERIVATIVES, randomise
from tests.samples import random

SHEAR = np.array([[0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize(("reflections", "strides"), [(False, 1), (True, 3)])
def test_rotations_give_the_lift_to_orientations(derivative, reflections, strides):
    x = random((2, 6, 9, 2))
    options = {"order": 3, "scale": 0.8, "strides": strides}
    known = SE2Lift(
        3, num_orientations=5, reflections=reflections, derivative=derivative, **options
    )
    fields = g.SE2Generators(reflections=reflections, derivative=derivative)
    lift = GroupLift(3, fields, num_samples=10 if reflections else 5, **options)
    known.build(x.shape)
    lift.build(x.shape)
    randomise(known)
    lift.set_weights(known.get_weights())
    assert relative_error(lift(x), known(x)) < 1e-6


def lifted_by_fourier(layer, x):
    """The formula, by waves of a periodic image with odd sizes."""
    waves = [2 * np.pi * np.fft.fftfreq(n) for n in x.shape[1:-1]]
    k = np.stack(np.meshgrid(*waves, indexing="ij"), axis=-1)
    spectrum = np.fft.fftn(x.astype("float64"), axes=range(1, x.ndim - 1))
    terms = [
        p for p in np.ndindex(*(layer.order + 1,) * k.shape[-1]) if sum(p) <= layer.order
    ]
    terms.sort(key=lambda p: (sum(p), [-n for n in p]))
    frames = layer.generators.frames(layer.num_samples)
    shape = (*frames.shape[:-2], *x.shape[1:-1], layer.filters)
    output = np.zeros((len(x), *shape))
    for sample in np.ndindex(*layer.num_samples):
        seen = k @ frames[sample]
        blur = np.exp(-(layer.scale**2) * np.sum(seen**2, axis=-1) / 2)
        for p, weights in zip(terms, to_numpy(layer.kernel).astype("float64"), strict=True):
            gain = blur
            for a, power in enumerate(p):
                # In units of the largest value of `k^p exp(-scale^2 k^2 / 2)`.
                peak = (power / np.e) ** (power / 2) / layer.scale**power if power else 1.0
                gain = gain * (1j * seen[..., a]) ** power / peak
            waved = np.fft.ifftn(spectrum * gain[..., None], axes=range(1, x.ndim - 1))
            output[(slice(None), *sample)] += waved.real @ weights
    return output + to_numpy(layer.bias)


@pytest.mark.parametrize(
    ("algebra", "steps", "num", "shape"),
    [
        ([SHEAR], 0.6, (4,), (7, 5)),
        ([np.diag([1.0, -1.0]), np.eye(2)], (0.3, 0.2), (3, 2), (5, 5)),
        ([[1.0]], 0.35, (4,), (9,)),
    ],
)
def test_lift_is_its_formula(algebra, steps, num, shape):
    fields = g.LeftInvariantGenerators(algebra, steps=steps, derivative="fourier")
    layer = GroupLift(3, fields, num_samples=num, order=3, scale=0.9)
    x = random((2, *shape, 2))
    layer.build(x.shape)
    randomise(layer)
    assert relative_error(layer(x), lifted_by_fourier(layer, x)) < 1e-5


# ------------------------------------------------------------------- equivariance


def blobs(size, zoom=1.0):
    """An image on a square of width 1, or the same image enlarged about its centre."""
    x = (np.arange(size) - (size - 1) / 2) / size / zoom
    y, x = np.meshgrid(x, x, indexing="ij")

    def blob(u, v, width):
        return np.exp(-((y - u) ** 2 + (x - v) ** 2) / (2 * width**2))

    image = blob(0.05, 0.04, 0.04) - 0.6 * blob(-0.05, 0.05, 0.04) + blob(0, -0.06, 0.04)
    return image[None, ..., None].astype("float32")


def errors_of_doubling(model, size, steps):
    """How far `F(x, s)` is from `F'(2 x, s + log 2)`, for each sample that has both."""
    plain, doubled = (to_numpy(model(blobs(size, zoom))) for zoom in (1, 2))
    centre, half = (size - 1) // 2, (size - 1) // 4
    small = slice(centre - half, centre + half + 1)
    large = slice(centre - 2 * half, centre + 2 * half + 1, 2)
    plain, doubled = (
        plain[..., :-steps, small, small, :],
        doubled[..., steps:, large, large, :],
    )
    axes = tuple(a for a in range(plain.ndim) if a != plain.ndim - 4)
    return np.sqrt(np.sum((plain - doubled) ** 2, axes) / np.sum(plain**2, axes))


def similarities(size, **kwargs):
    keras.utils.set_random_seed(0)
    return GroupLift(3, "sim2", num_samples=(4, 5), order=3, scale=size / 64, **kwargs)


def test_doubled_images_have_shifted_features():
    """Two half octaves, as exact as the blur lets sampling be."""
    errors = errors_of_doubling(similarities(41), 41, 2)
    assert errors.shape == (3,)
    assert np.all(errors < 3e-3)
    # The features of different sizes differ.
    assert np.all(errors_of_doubling(similarities(41), 41, 1) > 0.1)


@pytest.mark.thorough
def test_error_of_doubling_falls_with_the_resolution():
    errors = [errors_of_doubling(similarities(size), size, 2)[0] for size in (17, 33, 65)]
    assert errors[0] > 20 * errors[1]
    assert errors[2] < 2e-3


def test_layers_bring_in_the_ends_of_sizes_one_sample_each():
    """An L-conv sees its neighbours: zeros beyond the smallest size reach one sample."""
    model = keras.Sequential(
        [similarities(41, activation="relu"), LConv(3, "sim2", activation="relu")]
    )
    model.build((None, 41, 41, 1))
    # The same on all backends: how large errors are depends on the weights.
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        sizes = np.std(to_numpy(weight), axis=tuple(range(1, weight.ndim)), keepdims=True)
        weight.assign(sizes * rng.normal(size=weight.shape))
    errors = errors_of_doubling(model, 41, 2)
    # The middle one has both neighbours, before and after.
    assert errors[1] < 1e-2
    assert errors[0] > 3e-2
    assert errors[2] > 3e-2


def test_shears_of_a_periodic_grid_shift_the_frames():
    """Whole shears map a periodic grid to itself. The remaining error is aliasing."""
    size = 15
    angles = 2 * np.pi * np.indices((size, size)) / size
    image = (
        np.cos(angles[0] + 0.3) + np.sin(2 * angles[0] + angles[1]) + np.cos(2 * angles[1])
    )
    rows, columns = np.indices((size, size))

    def sheared(f):
        """`f(h^-1 x)` for `h = [[1, 1], [0, 1]]`, on the first two axes."""
        return f[(rows - columns) % size, columns]

    fields = g.LeftInvariantGenerators([SHEAR], steps=1.0, derivative="fourier")
    keras.utils.set_random_seed(1)
    lift = GroupLift(2, fields, num_samples=3, scale=0.6, activation="relu")
    features, moved_features = (
        np.moveaxis(to_numpy(lift(f[None, ..., None].astype("float32")))[0], 0, 2)
        for f in (image, sheared(image))
    )
    expected = sheared(features)[:, :, :-1]
    assert relative_error(moved_features[:, :, 1:], expected) < 1e-5
    assert relative_error(moved_features[:, :, :-1], expected) > 0.1


def test_translations_of_a_periodic_line():
    fields = g.LeftInvariantGenerators([[1.0]], steps=0.35, derivative="fourier")
    model = keras.Sequential([GroupLift(3, fields, num_samples=4), LConv(3, fields)])
    x = random((2, 13, 2))
    expected = moved(to_numpy(model(x)), 0.7, 2)
    assert relative_error(model(moved(x, 0.7, 1)), expected) < 1e-5


@pytest.mark.parametrize("reduction", ["max", "average"])
def test_projection_is_over_all_frames(reduction):
    f = random((2, 4, 3, 5, 6, 2))
    reduce = {"max": np.max, "average": np.mean}[reduction]
    found = GroupProjection(num_coordinates=2, reduction=reduction)(f)
    assert relative_error(found, reduce(f, axis=(1, 2))) < 1e-6
    pooled = GroupProjection(num_coordinates=2, reduction=reduction)(f[:, :, :, 0, 0])
    assert relative_error(pooled, reduce(f[:, :, :, 0, 0], axis=(1, 2))) < 1e-6
    first = GroupProjection(
        num_coordinates=2, reduction=reduction, data_format="channels_first"
    )
    assert relative_error(first(f), reduce(f, axis=(2, 3))) < 1e-6


# ------------------------------------------------------------ Keras' conventions


def test_masks():
    mask = np.ones((2, 4, 6), bool)
    mask[:, 1:, 2] = False
    tensor = keras.ops.convert_to_tensor(mask)
    lift = GroupLift(2, "sim2", num_samples=(4, 2))
    lifted = to_numpy(lift.compute_mask(None, tensor))
    assert lifted.shape == (2, 4, 2, 4, 6)
    assert np.all(lifted == mask[:, None, None])
    strided = GroupLift(2, "sim2", num_samples=(4, 2), strides=2)
    assert strided.compute_mask(None, tensor) is None
    project = GroupProjection(num_coordinates=2)
    found = project.compute_mask(None, keras.ops.convert_to_tensor(lifted))
    assert np.all(to_numpy(found) == mask)


@pytest.mark.backend_free
def test_config_round_trip():
    fields = g.LeftInvariantGenerators(
        [[[0.0, -1.0], [1.0, 0.0]], np.eye(2)], steps=(None, 0.3), derivative="central"
    )
    layer = GroupLift(3, fields, num_samples=(8, 4), order=1, scale=0.8, strides=2)
    copy = GroupLift.from_config(json.loads(json.dumps(layer.get_config())))
    assert copy.get_config() == layer.get_config()
    assert copy.generators.coordinates.steps == (None, 0.3)
    assert copy.compute_output_shape((None, 8, 6, 1)) == (None, 8, 4, 4, 3, 3)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"filters": 0}, ValueError, "`filters` must be a positive integer"),
        ({"generators": "rotation"}, ValueError, "must be left-invariant fields"),
        ({"num_samples": 0}, ValueError, "`num_samples` must be a positive"),
        ({"num_samples": 8}, ValueError, "`num_samples` must have one number for each"),
        ({"num_samples": (100, 100)}, ValueError, "at most 4096 frames"),
        ({"order": 0}, ValueError, "`order` must be a positive integer"),
        ({"scale": -1}, ValueError, "`scale` must be a positive number"),
        ({"strides": 0}, ValueError, "`strides` must be a positive integer"),
    ],
)
def test_bad_arguments(arguments, error, words):
    given = {"filters": 2, "generators": "sim2", "num_samples": (4, 2), **arguments}
    with pytest.raises(error, match=words):
        GroupLift(given.pop("filters"), given.pop("generators"), **given)


@pytest.mark.backend_free
def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match="needs an input with 2 axes of positions"):
        GroupLift(2, "sim2", num_samples=(4, 2)).build((None, 8, 8))
    with pytest.raises(ValueError, match=r"`strides` .* must divide the size"):
        GroupLift(2, "sim2", num_samples=(4, 2), strides=2).build((None, 8, 7, 1))
    with pytest.raises(ValueError, match=r"expects features of shape \(batch, s_1, s_2"):
        GroupProjection(num_coordinates=2).build((None, 8, 3))
