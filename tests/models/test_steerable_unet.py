"""The U-Net whose output turns with the image."""

import keras
import numpy as np
import pytest

from keras_lconv import SteerableConv, SteerableUpSampling
from keras_lconv.convert import to_conv
from keras_lconv.models import steerable_unet
from tests.autodiff import run
from tests.families import relative_error, to_numpy


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("group", "shape"), [("d4", (12, 8, 2)), ("so2", (8, 8, 1)), ("cube", (4, 4, 4, 1))]
)
def test_the_output_turns_with_the_image(group, shape):
    levels = 1 if group == "cube" else 2
    model = steerable_unet(
        input_shape=shape,
        classes=3,
        group=group,
        levels=levels,
        classifier_activation=None,
    )
    images = np.random.default_rng(0).random((2, *shape)).astype("float32")
    expected = to_numpy(run(model, images))
    assert expected.shape == (2, *shape[:-1], 3)
    if group == "d4":
        turn = lambda f: f[:, ::-1].copy()  # noqa: E731
    else:
        turn = lambda f: np.rot90(f, axes=(1, 2)).copy()  # noqa: E731
    assert relative_error(to_numpy(run(model, turn(images))), turn(expected)) < 1e-4
    assert np.std(expected) > 1e-3
    assert relative_error(to_numpy(run(to_conv(model), images)), expected) < 1e-5


@pytest.mark.backend_free
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_probabilities_sum_to_one_over_classes(data_format):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format(data_format)
    try:
        first = data_format == "channels_first"
        shape = (1, 4, 8) if first else (4, 8, 1)
        model = steerable_unet(input_shape=shape, classes=3, group="c4", levels=1)
        images = np.random.default_rng(0).random((2, *shape)).astype("float32")
        total = to_numpy(model(images)).sum(axis=1 if first else -1)
    finally:
        keras.config.set_image_data_format(before)
    assert total.shape == (2, 4, 8)
    assert np.allclose(total, 1, atol=1e-5)


@pytest.mark.backend_free
def test_without_a_top_it_ends_with_fields():
    model = steerable_unet(include_top=False, input_shape=(8, 8, 1), group="c4", levels=1)
    assert model.output_shape == (None, 8, 8, 4, 4)


@pytest.mark.backend_free
def test_the_classes_see_more_than_the_mean_of_each_field():
    model = steerable_unet(input_shape=(8, 8, 1), classes=3, group="c4", levels=1)
    kernel = model.get_layer("predictions").trainable_weights[0]
    fields = 4
    assert kernel.shape[-1] == 3
    assert np.prod(kernel.shape) > 10 * fields * 3


@pytest.mark.backend_free
def test_most_weights_lie_on_the_coarser_grids():
    model = steerable_unet(input_shape=(16, 16, 1), group="c8")
    weights, work = {}, {}
    for layer in model.layers:
        if isinstance(layer, SteerableConv):
            size = layer.output.shape[1]
            count = sum(int(np.prod(w.shape)) for w in layer.trainable_weights)
            weights[size] = weights.get(size, 0) + count
            kernel = int(np.prod(layer.conv_kernel().shape))
            work[size] = work.get(size, 0) + kernel * size**2
    assert weights[16] < weights[8] < weights[4]
    assert work[16] < 0.5 * sum(work.values())


@pytest.mark.backend_free
def test_linear_interpolation_is_that_of_keras():
    f = np.random.default_rng(0).normal(size=(2, 5, 4, 4, 2)).astype("float32")
    for size in (2, 3):
        found = to_numpy(SteerableUpSampling("c4", "regular", size=size)(f))
        other = keras.layers.UpSampling2D(size, interpolation="bilinear")
        expected = to_numpy(other(f.reshape(2, 5, 4, 8))).reshape(found.shape)
        assert np.allclose(found, expected, atol=1e-6)
        nearest = SteerableUpSampling("c4", "regular", size=size, interpolation="nearest")
        repeated = f.repeat(size, axis=1).repeat(size, axis=2)
        assert np.array_equal(to_numpy(nearest(f)), repeated)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"input_shape": (30, 30, 1)}, "multiples of 4"),
        ({"size": "huge"}, "`size` must be one of"),
        ({"levels": 0}, "`levels` must be"),
        ({"group": "so3"}, "`input_shape` must have 3 spatial axes"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        steerable_unet(**arguments)
