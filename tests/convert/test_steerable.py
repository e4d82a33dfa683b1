"""Steerable layers as plain convolutions: the same numbers."""

import keras
import numpy as np
import pytest

import keras_lconv
from keras_lconv import (
    FieldDropout,
    FieldNormalization,
    FourierActivation,
    GroupPooling,
    SteerableConv,
    SteerablePool,
)
from keras_lconv.convert import to_conv
from tests.autodiff import run
from tests.families import relative_error, to_numpy

REGULAR = {"representation_in": "regular", "representation_out": "regular"}


def with_noise(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "seed" not in weight.path:
            noise = 0.2 * rng.uniform(size=weight.shape)
            weight.assign(to_numpy(weight) + noise.astype("float32"))
    return model


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("groups", [1, 2])
def test_layer(data_format, groups):
    layer = SteerableConv(
        4, 3, group="c4", strides=2, groups=groups, data_format=data_format, **REGULAR
    )
    last = data_format == "channels_last"
    f = np.random.default_rng(0).normal(size=(2, 7, 7, 4, 6)).astype("float32")
    given = f if last else np.moveaxis(f, -1, 1)
    layer.build((None, *given.shape[1:]))
    with_noise(layer)
    output = to_numpy(run(layer, given))
    conv = to_conv(layer)
    assert type(conv) is keras.layers.Conv2D
    flat = f.reshape(2, 7, 7, 24)
    if last:
        found = to_numpy(run(conv, flat)).reshape(output.shape)
    else:
        found = to_numpy(run(conv, np.moveaxis(flat, -1, 1))).reshape(2, 4, 4, 4, 4)
        found = found.transpose(0, 2, 3, 4, 1)
    assert relative_error(found, output) < 1e-5


def regular_network():
    return [
        keras.Input((9, 9, 1)),
        SteerableConv(3, 3, group="c4", representation_out="regular", use_bias=False),
        FieldNormalization("c4", "regular"),
        keras.layers.ReLU(),
        FieldDropout(0.2, "c4", "regular"),
        SteerablePool("c4", "regular"),
        SteerableConv(3, 3, group="c4", activation="relu", **REGULAR),
        GroupPooling("c4", "regular", positions="average"),
        keras.layers.Dense(2),
    ]


def spectral_network():
    return [
        keras.Input((5, 5, 5, 1)),
        SteerableConv(2, 3, group="so3", representation_out=1),
        FieldNormalization("so3", 1),
        FourierActivation("so3", 1),
        SteerableConv(2, 3, group="so3", representation_in=1, activation="relu"),
        keras.layers.GlobalAveragePooling3D(),
        keras.layers.Dense(2),
    ]


@pytest.mark.parametrize("network", [regular_network, spectral_network])
def test_model(network, tmp_path):
    """Its file loads without this package: all layers are those of Keras."""
    model = with_noise(keras.Sequential(network()))
    f = np.random.default_rng(1).normal(size=(2, *model.input_shape[1:])).astype("float32")
    before = [to_numpy(w) for w in model.weights]
    plain = to_conv(model)
    expected = to_numpy(run(model, f))
    assert relative_error(to_numpy(run(plain, f)), expected) < 1e-5
    own = [c for c in map(type, plain.layers) if c.__module__.startswith("keras_lconv")]
    assert not own
    plain.save(tmp_path / "plain.keras")
    loaded = keras.models.load_model(tmp_path / "plain.keras")
    assert relative_error(to_numpy(run(loaded, f)), expected) < 1e-5
    # The copy has weights of its own.
    for weight in plain.trainable_weights:
        weight.assign(0 * to_numpy(weight))
    assert all(
        np.array_equal(to_numpy(w), b) for w, b in zip(model.weights, before, strict=True)
    )


@pytest.mark.backend_free
def test_what_is_not_built_is_refused():
    with pytest.raises(ValueError, match="must be built"):
        to_conv(SteerableConv(2, 3, group="c4"))
    with pytest.raises(TypeError, match="a SteerableConv or a model"):
        to_conv(keras_lconv.LConv(2, "rotation"))
