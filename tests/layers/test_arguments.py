"""LConv and LieBlock: arguments, Keras' conventions and errors."""

import keras
import numpy as np
import pytest

from keras_lconv import LConv, LieBlock, LieExponential
from keras_lconv import generators as g
from tests import families
from tests.families import relative_error, to_numpy
from tests.samples import random


def test_every_keras_argument_is_used():
    layer = LConv(
        4,
        2,
        activation="relu",
        kernel_initializer="ones",
        bias_initializer=keras.initializers.Constant(0.5),
        kernel_regularizer=keras.regularizers.L2(0.1),
        bias_regularizer=keras.regularizers.L1(0.2),
        activity_regularizer=keras.regularizers.L2(0.3),
        kernel_constraint="non_neg",
        bias_constraint=keras.constraints.MaxNorm(1.0),
        name="first",
    )
    f = random((2, 5, 3))
    output = to_numpy(layer(f))
    assert layer.name == "first"
    assert np.all(to_numpy(layer.kernel) == 1)
    assert np.all(to_numpy(layer.bias) == 0.5)
    assert np.all(output >= 0)
    losses = sorted(float(to_numpy(v)) for v in layer.losses)
    expected = sorted([0.1 * 3 * 3 * 4, 0.2 * 0.5 * 4, 0.3 * np.sum(output**2) / 2])
    assert np.allclose(losses, expected, rtol=1e-5)
    assert isinstance(layer.kernel.constraint, keras.constraints.NonNeg)
    assert isinstance(layer.bias.constraint, keras.constraints.MaxNorm)


def test_regularizer_of_generators_is_a_loss():
    generators = g.DenseGenerators(2, regularizer=keras.regularizers.L2(0.5))
    layer = LConv(1, generators)
    layer(random((1, 4, 1)))
    expected = 0.5 * np.sum(to_numpy(generators.L) ** 2)
    assert np.isclose(float(to_numpy(sum(layer.losses))), expected, rtol=1e-5)


def test_generators_may_be_an_integer_an_array_a_name_or_an_instance():
    assert type(LConv(1, 3).generators) is g.DenseGenerators
    assert type(LConv(1, 3, rank=2).generators) is g.LowRankGenerators
    assert type(LConv(1, 3, rank=2).generators) is g.LowRankGenerators
    assert type(LConv(1, families.so3()).generators) is g.MatrixGenerators
    assert LConv(1, "rotation").generators.num_generators == 1
    rotation = g.rotation()
    assert LConv(1, rotation).generators is rotation


def test_attributes_have_the_documented_shapes():
    layer = LConv(5, 3)
    layer.build((None, 4, 4, 2))
    assert tuple(layer.kernel.shape) == (4, 2, 5)
    assert tuple(layer.bias.shape) == (5,)
    assert LConv(5, 3, use_bias=False)(random((1, 4, 2))) is not None


@pytest.mark.parametrize("name", families.rows(families.ALL))
def test_sequential_with_unknown_batch(name):
    generators, spatial = families.build(name)
    model = keras.Sequential(
        [keras.Input((*spatial, 2)), LConv(3, generators, activation="relu")]
    )
    assert model.output_shape[0] is None
    for batch in (1, 4):
        f = random((batch, *spatial, 2))
        assert tuple(model(f).shape) == (batch, *model.output_shape[1:])


def test_sequential_without_input_builds_at_the_first_call():
    model = keras.Sequential([LConv(4, "rotation"), LConv(2, 2, rank=3)])
    assert tuple(model(random((2, 5, 5, 3))).shape) == (2, 5, 5, 2)


def test_subclassed_model():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            shared = g.LowRankGenerators(2, 3)
            self.first = LConv(4, shared)
            self.second = LConv(1, shared)

        def call(self, inputs):
            return self.second(self.first(inputs))

    net = Net()
    net(random((2, 6, 3)))
    # Two factors once, and two kernels with biases.
    assert len(net.trainable_variables) == 6


def test_time_distributed():
    layer = LConv(4, "translation", activation="tanh")
    model = keras.Sequential(
        [keras.Input((3, 5, 5, 2)), keras.layers.TimeDistributed(layer)]
    )
    f = random((2, 3, 5, 5, 2))
    result = to_numpy(model(f))
    assert model.output_shape == (None, 3, 5, 5, 4)
    assert relative_error(result[:, 1], layer(f[:, 1])) < 1e-6


def test_image_data_format_of_the_configuration_is_the_default():
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        layer = LConv(4, "rotation")
    finally:
        keras.config.set_image_data_format(before)
    assert layer.compute_output_shape((None, 2, 6, 5)) == (None, 4, 6, 5)


def test_block_is_its_layers_in_a_row():
    block = LieBlock(3, 2, num_layers=3, activation="relu", bias_initializer="ones")
    f = random((2, 4, 4, 1))
    output = block(f)
    by_hand = f
    for layer in block.layers:
        assert layer.generators is block.generators
        by_hand = layer(by_hand)
    assert relative_error(output, by_hand) == 0
    assert output.shape == block.compute_output_shape(f.shape)
    # One stack of generators, and kernel and bias three times.
    assert len(block.trainable_variables) == 1 + 6


def test_block_passes_options_and_masks():
    block = LieBlock(
        3, "translation", num_layers=2, use_bias=False, data_format="channels_first"
    )
    assert len(block(random((2, 1, 4, 5))).shape) == 4
    assert all(not layer.use_bias for layer in block.layers)
    matrices = families.random_matrices(2, 5, 5)
    line = LieBlock(3, matrices, num_layers=2, bias_initializer="ones")
    f = random((1, 5, 2))
    mask = keras.ops.convert_to_tensor([[True, True, True, False, False]])
    output = line(f, mask=mask)
    first, second = line.layers
    assert relative_error(output, second(first(f, mask=mask), mask=mask)) == 0
    # `call` itself, since Keras would find the mask that the tensor carries.
    assert relative_error(output, second.call(first(f, mask=mask))) > 1e-3


@pytest.mark.parametrize("layer_class", [LConv, LieBlock])
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"filters": 0}, ValueError, "`filters` must be a positive integer"),
        ({"filters": -3}, ValueError, "`filters` must be a positive integer"),
        ({"filters": 2.5}, TypeError, "`filters` must be a positive integer"),
        ({"filters": None}, TypeError, "`filters` must be a positive integer"),
        ({"generators": "turn"}, ValueError, "Unknown name of generators"),
        ({"generators": 0}, ValueError, "positive integer"),
        ({"generators": None}, TypeError, "`generators` must be"),
        ({"generators": np.ones(4)}, ValueError, "`matrices` must have shape"),
        ({"rank": 0}, ValueError, "`rank` must be a positive integer"),
        ({"generators": "rotation", "rank": 2}, ValueError, "`rank` applies to"),
        ({"num_steps": 0}, ValueError, "`num_steps` must be a positive integer"),
        ({"self_interaction": "none"}, ValueError, "`self_interaction` must be one"),
        ({"use_bias": "no"}, TypeError, "`use_bias` must be True or False"),
        ({"contraction": "best"}, ValueError, "`contraction` must be one of 'auto'"),
        ({"data_format": "nhwc"}, ValueError, "`data_format` must be one of"),
        ({"activation": "no_such"}, ValueError, "no_such"),
        ({"kernel_initializer": "no_such"}, ValueError, "no_such"),
    ],
)
def test_bad_arguments_raise_at_construction(layer_class, arguments, error, words):
    arguments = {"filters": 4, "generators": 2, **arguments}
    if layer_class is LieBlock:
        arguments["num_layers"] = 2
    with pytest.raises(error, match=words):
        layer_class(**arguments)


def test_block_names_its_own_argument():
    with pytest.raises(ValueError, match="`num_layers` must be a positive integer"):
        LieBlock(4, 2, num_layers=0)


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (lambda: LConv(4, 2), (None, None, 5, 3), "defined spatial dimensions"),
        (lambda: LConv(4, 2), (None, 5, 5, None), "defined number of channels"),
        (lambda: LConv(4, 2), (None,), r"\(batch, d\)"),
        (lambda: LConv(4, np.ones((2, 9, 9))), (None, 4, 4, 3), "d=9 positions"),
        (lambda: LConv(4, "rotation"), (None, 5, 3), "an input with 2 spatial axes"),
        (
            lambda: LConv(4, 2, self_interaction="identity"),
            (None, 5, 3),
            "needs filters=3",
        ),
        (
            lambda: LConv(4, 2, num_steps=2),
            (None, 5, 3),
            "must equal the number of input channels",
        ),
        (
            lambda: LConv(
                3, g.DenseGenerators(2, output_dim=2), self_interaction="identity"
            ),
            (None, 5, 3),
            "must be square",
        ),
        (
            lambda: LConv(3, g.DenseGenerators(2, output_dim=2), num_steps=2),
            (None, 5, 3),
            "must be square",
        ),
        (
            lambda: LieBlock(3, g.DenseGenerators(2, output_dim=2), num_layers=2),
            (None, 5, 3),
            "`generators` of LieBlock must be square",
        ),
    ],
)
def test_input_that_does_not_fit_raises_at_build(make, shape, words):
    with pytest.raises(ValueError, match=words):
        make().build(shape)


def test_sharing_between_grids_of_different_size_is_refused():
    shared = g.DenseGenerators(2)
    LConv(4, shared, name="small").build((None, 4, 4, 1))
    words = r"(?s)LConv 'large'.*\(4, 4\).*\(8, 8\)"
    with pytest.raises(ValueError, match=words):
        LConv(4, shared, name="large").build((None, 8, 8, 1))


@pytest.mark.parametrize("shape", [(2, 6, 5, 3), (2, 5, 5, 4), (2, 5, 3), (2, 5, 5, 5, 3)])
def test_other_input_after_build_is_refused(shape):
    layer = LConv(4, 2)
    layer(random((2, 5, 5, 3)))
    with pytest.raises(ValueError, match="incompatible with the layer"):
        layer(random(shape))


@pytest.mark.parametrize("value", ["0.5", True, [0.5], 1j, None.__class__])
def test_numbers_are_numbers(value):
    with pytest.raises(TypeError, match="`max_parameter` must be"):
        LieExponential(2, "rotation", num_elements=1, max_parameter=value)


def test_complex_matrices_are_refused():
    with pytest.raises(TypeError, match="`matrices` must be an array of real numbers"):
        g.MatrixGenerators(1j * np.ones((1, 2, 2)))


@pytest.mark.parametrize(
    ("mask", "error", "words"),
    [
        (np.full((2, 5), 0.5, "float32"), TypeError, "`mask` must hold booleans"),
        (np.ones((2, 4), bool), ValueError, "`mask` must have the first axes"),
        (np.ones((2, 1), bool), ValueError, "`mask` must have the first axes"),
        (np.ones((2, 5, 3), bool), ValueError, "`mask` must have the first axes"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, error, words):
    layer = LConv(2, families.random_matrices(1, 5, 5))
    with pytest.raises(error, match=words):
        layer(random((2, 5, 3)), mask=keras.ops.convert_to_tensor(mask))


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LConv(16, (3, 3)), "must not be a window.*a number of learned"),
        (lambda: LConv(16, "rotation", strides=2), "`StridedPooling` for a coarser grid"),
        (lambda: LConv(16, 2, padding="same"), "`LConv` takes no `padding`"),
        (lambda: LConv(2, "rotation")(np.ones((1, 5, 5, 5, 1))), r"`rotation\(3\)`"),
        (lambda: LConv(2, "translation")(np.ones((1, 9, 1))), r"`translation\(1\)`"),
    ],
)
def test_what_is_meant_for_a_convolution_is_told_the_way_out(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()
