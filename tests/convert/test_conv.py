"""Convolutions as L-convs, and back: outputs, gradients, settings, errors."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import ops

from keras_lconv import LConv
from keras_lconv import generators as g
from keras_lconv.convert import BlockDiagonal, from_conv, to_conv
from tests.autodiff import BACKEND, gradients
from tests.families import relative_error, to_numpy
from tests.samples import random

CONVOLUTIONS = [keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D]


def built(layer, shape=(None, 6, 6, 4)):
    """The layer with random weights."""
    layer.build(shape)
    for seed, weight in enumerate(layer.trainable_weights):
        weight.assign(random(weight.shape, seed))
    return layer


def few(examples):
    """How many examples to draw: JAX and TensorFlow compile for each."""
    return settings(max_examples=25 if BACKEND == "torch" else examples)


@st.composite
def convolutions(draw):
    """The arguments of a convolution, and the shape of its input."""
    ndim = draw(st.integers(1, 3))

    def per_axis(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    window, strides, dilation = per_axis(1, 4), (1,) * ndim, (1,) * ndim
    if draw(st.booleans()):
        strides = per_axis(1, 3)
    else:
        dilation = per_axis(1, 2)
    paddings = ["same", "valid"] + ["causal"] * (ndim == 1)
    padding = draw(st.sampled_from(paddings))
    groups = draw(st.sampled_from([1, 1, 2]))
    channels = groups * draw(st.integers(1, 2))
    sizes = [d * (w - 1) + 1 for w, d in zip(window, dilation, strict=True)]
    # PyTorch's oneDNN is wrong where a window is larger than the image (2.13: values of
    # 1e10 for a window of 3 x 4 with strides 1 and 2 on 2 x 2 positions).
    covers = padding == "valid" or BACKEND == "torch"
    sizes = [draw(st.integers(n if covers else 2, n + 2)) for n in sizes]
    data_format = draw(st.sampled_from(["channels_last", "channels_first"]))
    if padding == "causal":
        data_format = "channels_last"  # all that Keras has
    make = functools.partial(
        CONVOLUTIONS[ndim - 1],
        groups * draw(st.integers(1, 2)),
        window,
        strides,
        padding,
        data_format,
        dilation,
        groups,
        activation="tanh",
        use_bias=draw(st.booleans()),
        kernel_initializer="zeros",  # JAX would compile a random one for each shape
    )
    shape = (
        (2, *sizes, channels) if data_format == "channels_last" else (2, channels, *sizes)
    )
    return make, shape


def value_and_gradients(layer, f):
    """The output, and derivatives of its product with random numbers, one compilation."""
    weights = [to_numpy(w) for w in layer.trainable_variables]
    probe = random(layer.compute_output_shape(f.shape), 1)

    def function(probe, f, *weights):
        output, _ = layer.stateless_call(list(weights), [], f)
        return ops.sum(output * probe)

    # The derivative by the random numbers is the output.
    output, *derivatives = gradients(function, [probe, f, *weights])
    return output, derivatives


def terms(lconv):
    """The matrices by where they read for the first position; none that are zero."""
    kernel, offsets = to_numpy(lconv.kernel), np.array(lconv.generators.offsets)
    if lconv.self_interaction == "identity":
        kernel = np.concatenate([np.eye(lconv.filters)[None], kernel])
    if len(kernel) > len(offsets):
        offsets = np.concatenate([0 * offsets[:1], offsets])
    if lconv.generators.boundary == "valid":
        offsets = offsets - np.minimum(offsets.min(axis=0), 0)
    found = {}
    for offset, matrix in zip(map(tuple, offsets.tolist()), kernel, strict=True):
        found[offset] = found.get(offset, 0.0) + matrix
    return {offset: matrix for offset, matrix in found.items() if np.any(matrix)}


def assert_same_terms(one, other, shape):
    assert one.compute_output_shape(shape) == other.compute_output_shape(shape)
    ones, others = terms(one), terms(other)
    assert ones.keys() == others.keys()
    for offset, matrix in ones.items():
        assert np.allclose(matrix, others[offset], atol=1e-6)


def assert_same_function(conv, lconv, shape):
    f = random(shape)
    expected, (by_input, by_kernel, *by_bias) = value_and_gradients(conv, f)
    found, (by_lconv_input, by_lconv_kernel, *by_lconv_bias) = value_and_gradients(lconv, f)
    assert lconv.compute_output_shape(shape) == expected.shape
    assert relative_error(found, expected) < 1e-5
    assert relative_error(by_lconv_input, by_input) < 1e-5
    # The entries that a group has, in the order that Keras stores them in.
    channels, filters = by_kernel.shape[-2:]
    width = filters // conv.groups
    own = [
        by_lconv_kernel[:, n * channels : (n + 1) * channels, n * width : (n + 1) * width]
        for n in range(conv.groups)
    ]
    own = np.concatenate(own, axis=-1).reshape(by_kernel.shape)
    assert relative_error(own, by_kernel) < 1e-5
    for one, other in zip(by_lconv_bias, by_bias, strict=True):
        assert relative_error(one, other) < 1e-5


def is_wrong_on_torch(conv):
    """PyTorch 2.13 returns other numbers at each call for flat windows in strides.

    `torch.nn.functional.conv3d` of shape (3, 1, 3) on (3, 2, 3) with strides (1, 1, 2).
    """
    is_flat = len(conv.kernel_size) == 3 and conv.kernel_size[1] == 1
    return BACKEND == "torch" and is_flat and max(conv.strides) > 1


@pytest.mark.thorough
@few(8)
@given(convolutions())
def test_any_convolution(drawn):
    make, shape = drawn
    conv = built(make(), shape)
    assume(not is_wrong_on_torch(conv))
    lconv = from_conv(conv, shape)
    assert lconv.self_interaction is None
    assert isinstance(lconv.generators, g.ShiftGenerators)
    assert_same_function(conv, lconv, shape)


@few(12)
@given(convolutions())
def test_there_and_back(drawn):
    make, shape = drawn
    conv = built(make(), shape)
    lconv = from_conv(conv, shape)
    back = to_conv(lconv)
    assert type(back) is type(conv)
    assert back.strides == conv.strides
    assert_same_terms(from_conv(back, shape), lconv, shape)


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": (3, 2), "padding": "same", "dilation_rate": (2, 1)},
        {"kernel_size": (4, 3), "padding": "same", "strides": 2},
        {"kernel_size": (3, 2), "padding": "valid", "strides": (1, 3)},
        {"kernel_size": 3, "padding": "valid", "dilation_rate": 2, "groups": 2},
    ],
)
def test_the_way_back_finds_the_arguments(arguments):
    conv = keras.layers.Conv2D(4, **arguments, kernel_regularizer="l2")
    conv.build((None, 7, 8, 2))
    config = to_conv(from_conv(conv, (None, 7, 8, 2))).get_config()
    expected = conv.get_config()
    differing = {key for key in expected if config[key] != expected[key]}
    assert differing <= {"name", "build_config"}


def test_causal_convolutions_come_back_as_such():
    conv = keras.layers.Conv1D(2, 3, padding="causal", dilation_rate=2)
    conv.build((None, 9, 1))
    back = to_conv(from_conv(conv, (None, 9, 1)))
    assert (back.padding, back.kernel_size, back.dilation_rate) == ("causal", (3,), (2,))


@pytest.mark.parametrize("self_interaction", ["learned", "identity", None])
@pytest.mark.parametrize("boundary", ["zero", "valid"])
@few(4)
@given(data=st.data())
def test_any_shifts_are_a_convolution(self_interaction, boundary, data):
    ndim = data.draw(st.integers(1, 2))
    offset = st.tuples(*[st.integers(-2, 3)] * ndim)
    offsets = data.draw(st.lists(offset, min_size=1, max_size=4))
    strides = tuple(data.draw(st.integers(1, 2)) for _ in range(ndim))
    if self_interaction == "identity":
        boundary, strides = "zero", (1,) * ndim
    shifts = g.ShiftGenerators(offsets, boundary=boundary, strides=strides)
    shape = (2, *(7, 6)[:ndim], 3)
    arguments = {"self_interaction": self_interaction, "kernel_initializer": "zeros"}
    lconv = built(LConv(3, shifts, **arguments), shape)
    assert_same_terms(from_conv(to_conv(lconv), shape), lconv, shape)


def test_a_convolution_made_of_shifts_is_the_same_function():
    shifts = g.ShiftGenerators([(0, 1), (-1, 2), (2, 0)])
    lconv = built(LConv(3, shifts), (2, 6, 5, 4))
    f = random((2, 6, 5, 4))
    assert relative_error(to_conv(lconv)(f), lconv(f)) < 1e-5


def test_the_result_trains_as_the_convolution_does():
    """Also with groups, whose kernel has entries that must stay zero."""
    conv = keras.layers.Conv2D(4, 3, groups=2, padding="same", kernel_regularizer="l2")
    x, y = random((16, 5, 5, 2)), random((16, 5, 5, 4), 1)
    conv.build(x.shape)
    lconv = from_conv(conv, x.shape)
    for layer in (conv, lconv):
        model = keras.Sequential([keras.Input(x.shape[1:]), layer])
        model.compile(keras.optimizers.Adam(0.1), "mse")
        model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    assert isinstance(lconv.kernel_constraint, BlockDiagonal)
    assert relative_error(lconv(x), conv(x)) < 1e-4
    assert to_conv(lconv).groups == 2


def test_the_result_is_saved_and_loaded(tmp_path):
    conv = keras.layers.Conv2D(4, 3, strides=2, groups=2, activation="relu")
    x = random((2, 7, 6, 2))
    conv.build(x.shape)
    model = keras.Sequential([keras.Input(x.shape[1:]), from_conv(conv, x.shape)])
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(x), conv(x)) < 1e-5
    assert copy.layers[0].kernel_constraint.groups == 2


def test_settings_are_taken_over():
    conv = keras.layers.Conv1D(
        2,
        3,
        kernel_regularizer=keras.regularizers.L1(0.1),
        bias_constraint="non_neg",
        kernel_constraint="non_neg",
        kernel_initializer="he_normal",
        dtype="mixed_bfloat16",
    )
    conv.build((None, 5, 2))
    lconv = from_conv(conv, (None, 5, 2))
    assert lconv.dtype_policy.name == "mixed_bfloat16"
    assert isinstance(lconv.kernel_initializer, keras.initializers.HeNormal)
    assert isinstance(lconv.bias_constraint, keras.constraints.NonNeg)
    penalties = [float(to_numpy(layer.losses[0])) for layer in (lconv, conv)]
    assert np.isclose(*penalties, rtol=1e-5)
    conv.trainable = False
    assert not from_conv(conv, (None, 5, 2)).trainable_variables


def lconv(generators, **arguments):
    return built(LConv(4, generators, **arguments))


UNSUPPORTED = [
    (keras.layers.Conv2DTranspose(4, 3), TypeError, "transposed"),
    (keras.layers.DepthwiseConv2D(3), TypeError, "depthwise"),
    (keras.layers.Conv2D(4, 3, kernel_constraint="max_norm"), ValueError, "MaxNorm"),
    (
        keras.layers.Conv2D(4, 3, groups=2, kernel_constraint="non_neg"),
        ValueError,
        "2 groups",
    ),
]


@pytest.mark.parametrize(("layer", "error", "words"), UNSUPPORTED)
def test_unsupported_layers_are_refused_with_the_reason(layer, error, words):
    layer.build((None, 6, 6, 4))
    with pytest.raises(error, match=words):
        from_conv(layer, (None, 6, 6, 4))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: from_conv(keras.layers.Conv1D(2, 3), (None, 5, 1)),
            ValueError,
            "must be built",
        ),
        (
            lambda: from_conv(built(keras.layers.Conv2D(2, 3)), (6, 6, 4)),
            ValueError,
            "must have 4 entries",
        ),
        (
            lambda: from_conv(built(keras.layers.Conv2D(2, 3)), (None, None, 6, 4)),
            ValueError,
            "spatial sizes",
        ),
        (
            lambda: from_conv(built(keras.layers.Conv2D(2, 3)), (None, 6, 6, 3)),
            ValueError,
            "the 4 channels",
        ),
        (
            lambda: from_conv(built(keras.layers.Conv2D(2, 3)), (None, 2, 6, 4)),
            ValueError,
            "keeps no position",
        ),
        (lambda: to_conv(lconv("rotation")), TypeError, "ShiftGenerators"),
        (lambda: to_conv(keras.layers.Dense(2)), TypeError, "must be an LConv"),
        (
            lambda: to_conv(lconv(g.ShiftGenerators([(0, 1)], boundary="periodic"))),
            ValueError,
            "no periodic padding",
        ),
        (
            lambda: to_conv(lconv(g.ShiftGenerators([(0, 1)]), num_steps=2)),
            ValueError,
            "num_steps=2",
        ),
        (
            lambda: to_conv(built(LConv(1, g.ShiftGenerators([1])), (None, 6))),
            ValueError,
            "feature maps",
        ),
        (
            lambda: to_conv(
                lconv(
                    g.ShiftGenerators([(0, 1)]),
                    self_interaction="identity",
                    kernel_regularizer="l2",
                )
            ),
            ValueError,
            "identity",
        ),
        (
            lambda: to_conv(LConv(4, g.ShiftGenerators([(0, 1)]))),
            ValueError,
            "must be built",
        ),
        (lambda: BlockDiagonal(3)(np.ones((4, 6))), ValueError, "must divide"),
        (
            lambda: g.ShiftGenerators([(0, 1)], strides=(1, 2, 3)),
            ValueError,
            "`strides` must be one number or 2, one for each axis",
        ),
        (
            lambda: g.ShiftGenerators([1], strides=0),
            ValueError,
            "`strides` must be a positive",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
