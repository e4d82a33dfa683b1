"""Positions in another order."""

import keras
import numpy as np
import pytest

from keras_lconv import Rearrange

ORDER = [4, -1, 0, 2, 5, 5]


def expected(f, order=ORDER):
    """By plain NumPy, of arrays `(batch, d, channels)`."""
    padded = np.concatenate([f, np.zeros_like(f[:, :1])], axis=1)
    return padded[:, order].reshape(len(f), 2, 3, f.shape[-1])


@pytest.mark.parametrize("spatial", [(6,), (3, 2), (7,)])
def test_positions_are_taken_in_order(spatial):
    f = np.random.default_rng(0).normal(size=(4, *spatial, 2)).astype("float32")
    layer = Rearrange(ORDER, output_dim=(2, 3), data_format="channels_last")
    found = keras.ops.convert_to_numpy(layer(f))
    assert np.array_equal(found, expected(f.reshape(4, -1, 2)))
    assert layer.compute_output_shape((None, *spatial, 2)) == (None, 2, 3, 2)
    first = Rearrange(ORDER, output_dim=(2, 3), data_format="channels_first")
    turned = keras.ops.convert_to_numpy(first(np.moveaxis(f, -1, 1)))
    assert np.array_equal(np.moveaxis(turned, 1, -1), found)
    assert first.compute_output_shape((None, 2, *spatial)) == (None, 2, 2, 3)


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_a_vector_gets_a_channel(data_format):
    f = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
    layer = Rearrange(ORDER, output_dim=(2, 3), data_format=data_format)
    found = keras.ops.convert_to_numpy(layer(f))
    assert np.array_equal(found.reshape(4, 2, 3, 1), expected(f[..., None]))
    assert tuple(found.shape) == layer.compute_output_shape((4, 6))


def test_what_is_missing_is_zero_also_beside_infinity():
    found = Rearrange([0, -1])(np.array([[np.inf, 1.0]], "float32"))
    assert keras.ops.convert_to_numpy(found)[0, :, 0].tolist() == [np.inf, 0.0]


def test_arguments_are_checked():
    with pytest.raises(TypeError, match="`order` must be integers"):
        Rearrange([0.5])
    with pytest.raises(ValueError, match="`order` must have shape"):
        Rearrange([[0]])
    with pytest.raises(ValueError, match="-1 for none"):
        Rearrange([-2])
    with pytest.raises(ValueError, match="`output_dim` must have the 6"):
        Rearrange(ORDER, output_dim=(2, 2))
    with pytest.raises(ValueError, match="needs an input with at least 6 positions"):
        Rearrange(ORDER)(np.zeros((2, 5), "float32"))
