"""Batches of images at random angles."""

import keras
import numpy as np
import pytest

from keras_lconv.datasets import RandomRotations, rotate_images

pytestmark = pytest.mark.backend_free
IMAGES = np.random.default_rng(0).random((10, 6, 6, 1))


def epoch(data):
    batches = [data[index] for index in range(len(data))]
    data.on_epoch_end()
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def test_every_image_comes_once_in_an_epoch_with_its_label():
    data = RandomRotations(IMAGES, np.arange(10), max_degrees=0, batch_size=4)
    first, second = epoch(data), epoch(data)
    for images, labels in (first, second):
        assert sorted(labels) == list(range(10))
        assert np.allclose(images, IMAGES[labels], atol=1e-5)
    assert list(first[1]) != list(second[1])


def test_angles_are_new_in_each_epoch_and_fill_the_range():
    spot = np.zeros((2_000, 9, 9))
    spot[:, 4, 8] = 1.0  # to the right of the centre
    data = RandomRotations(spot, np.arange(2_000), max_degrees=45, batch_size=500)
    first, second = epoch(data)[0], epoch(data)[0]
    assert np.mean(np.abs(first - second)) > 0.1 * np.mean(first)
    y, x = np.mgrid[:9, :9] - 4.0
    angles = np.degrees(np.arctan2(-(first * y).sum((1, 2)), (first * x).sum((1, 2))))
    assert np.max(np.abs(angles)) < 50
    assert np.allclose(np.quantile(angles, [0.1, 0.5, 0.9]), [-36, 0, 36], atol=6)


def test_batches_depend_on_the_seed_and_not_on_the_order_of_calls():
    one, same, other = (RandomRotations(IMAGES, IMAGES, seed=seed) for seed in (1, 1, 2))
    backwards = [same[index] for index in reversed(range(len(same)))][::-1]
    for batch, again in zip((one[i] for i in range(len(one))), backwards, strict=True):
        assert np.array_equal(batch[0], again[0])
    assert not np.array_equal(one[0][0], other[0][0])
    still = RandomRotations(IMAGES, IMAGES, shuffle=False, max_degrees=90)[0][0]
    assert np.allclose(rotate_images(still, 0), still)


def test_a_model_fits_them():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = RandomRotations(IMAGES, np.zeros(10), batch_size=4)
    assert len(model.fit(data, epochs=2, verbose=0).history["loss"]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((4, 4)), np.ones(4)), "`images` must have shape"),
        ((IMAGES, np.ones(9)), "`labels` must hold 10 labels, one for each image"),
        ((IMAGES * np.nan, np.ones(10)), "`images` must be finite"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        RandomRotations(*arguments)


def test_names_of_classes_tell_the_way_out():
    names = np.array(["cat", "dog"] * 5)
    for labels in (names, list(names), names.astype(object)):
        with pytest.raises(TypeError, match="return_inverse=True"):
            RandomRotations(IMAGES, labels)
    _, labels = np.unique(names, return_inverse=True)
    assert RandomRotations(IMAGES, labels)[0][1].dtype.kind == "i"
    assert RandomRotations(IMAGES, labels == 0)[0][1].dtype == bool
