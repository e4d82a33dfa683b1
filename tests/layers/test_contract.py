"""What every public layer promises, whichever it is: one test for each promise."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import layers
from tests.autodiff import BACKEND, float64, gradients, run
from tests.families import relative_error, to_numpy
from tests.layer_contract import KNOWN_FAILURES, ROWS

every_row = pytest.mark.parametrize("name", ROWS)


@pytest.fixture(autouse=True)
def known_failure(request):
    """Marks the tests that do not hold yet, according to the table."""
    reasons = KNOWN_FAILURES.get(request.node.originalname, {})
    parameters = getattr(request.node, "callspec", None)
    reason = reasons.get(parameters.params["name"]) if parameters else None
    if reason:
        backends, _, _ = reason.rpartition(": ")
        if not backends or BACKEND in backends.split():
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))


def draw(row, batch=3, dtype="float32", seed=0):
    """Random inputs, channels last: a list, with one array for each input."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(batch, *shape)).astype(dtype) for shape in row.shapes]


def shapes_of(arrays, batch=None):
    """Their shapes without the size of the batch, as `build` takes them."""
    shapes = [(batch, *a.shape[1:]) for a in arrays]
    return shapes[0] if len(shapes) == 1 else shapes


def call(layer, *inputs, **kwargs):
    """The layer of one input, or of a list of them."""
    return layer(inputs[0] if len(inputs) == 1 else list(inputs), **kwargs)


def output_of(layer, *inputs, **kwargs):
    """The output of the layer for arrays, as an array."""
    return to_numpy(run(lambda *arrays: call(layer, *arrays, **kwargs), *inputs))


def build(row, **kwargs):
    """A built layer whose learned weights are of order one."""
    layer = row.make(**kwargs)
    inputs = draw(row)
    if kwargs.get("data_format") == "channels_first":
        inputs = [channels_first(x) for x in inputs]
    layer.build(shapes_of(inputs))
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        noise = 0.3 * rng.normal(size=weight.shape)
        weight.assign(to_numpy(ops.cast(weight, "float32")) + noise)
    return layer


def channels_first(x):
    return np.moveaxis(x, -1, 1)


def channels_last(x):
    return np.moveaxis(x, 1, -1)


def test_every_public_layer_is_in_the_table():
    made = {name: type(row.make()).__name__ for name, row in ROWS.items()}
    assert set(made.values()) == set(layers.__all__)
    assert all(name.split(",")[0] == layer for name, layer in made.items())


@every_row
def test_shapes_of_outputs_are_known_beforehand(name):
    layer, inputs = build(ROWS[name]), draw(ROWS[name])
    for batch in (None, 3):
        expected = ROWS[name].make().compute_output_shape(shapes_of(inputs, batch))
        assert layer.compute_output_shape(shapes_of(inputs, batch)) == expected
        assert expected[0] == batch
    assert output_of(layer, *inputs).shape == expected


@every_row
def test_compiled_and_eager_calls_agree(name):
    """In a model with an unknown size of batch, and alone."""
    layer, inputs = build(ROWS[name]), draw(ROWS[name])
    symbols = [keras.Input(x.shape[1:]) for x in inputs]
    model = keras.Model(symbols, call(layer, *symbols))
    model.compile(jit_compile=BACKEND != "torch")
    assert model.output_shape[0] is None
    eager = to_numpy(call(layer, *inputs))
    compiled = model.predict(inputs, verbose=0)
    assert relative_error(compiled, eager) < 1e-5


@every_row
def test_data_formats_agree(name):
    row = ROWS[name]
    last, first = build(row), build(row, data_format="channels_first")
    first.set_weights(last.get_weights())
    inputs = draw(row)
    moved = [channels_first(x) for x in inputs]
    found = output_of(first, *moved)
    assert first.compute_output_shape(shapes_of(moved, 3)) == found.shape
    assert relative_error(channels_last(found), output_of(last, *inputs)) < 1e-6


@every_row
def test_masked_positions_count_as_zero(name):
    """Whatever they hold, numbers or not."""
    row = ROWS[name]
    layer = build(row)
    assert layer.supports_masking == (row.mask_axes is not None)
    if row.mask_axes is None:
        return
    x, *others = draw(row)
    shape = x.shape[: 1 + row.mask_axes]
    mask = np.random.default_rng(2).random(shape) < 0.7
    kept = mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))
    mask = ops.convert_to_tensor(mask)
    # Keras gives a layer of several inputs a list of masks.
    given = [mask, *(None for _ in others)] if others else mask
    # A block masks between its layers as well.
    again = {"mask": given} if isinstance(layer, layers.LieBlock) else {}
    zeroed = np.where(kept, x, 0).astype("float32")
    expected = output_of(layer, zeroed, *others, **again)
    changed = np.where(kept, x, np.nan).astype("float32")
    found = output_of(layer, changed, *others, mask=given)
    following = layer.compute_mask([x, *others] if others else x, given)
    if following is not None:
        # Positions that are masked in the output, too, may hold anything.
        following = to_numpy(following)
        assert following.shape == expected.shape[: following.ndim]
        expected, found = expected[following], found[following]
    assert relative_error(found, expected) < 1e-6


@every_row
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        pytest.param("float16", 2e-2, marks=pytest.mark.thorough),
        ("mixed_bfloat16", 0.15),
        ("float64", 1e-5),
        pytest.param("bfloat16", 0.15, marks=pytest.mark.thorough),
        pytest.param("mixed_float16", 2e-2, marks=pytest.mark.thorough),
    ],
)
def test_dtypes(name, dtype, tolerance):
    row = ROWS[name]
    reference, inputs = build(row), draw(row)
    expected = output_of(reference, *inputs)
    with float64():
        layer = build(row, dtype=dtype)
        for weight, value in zip(layer.weights, reference.weights, strict=True):
            assert keras.backend.standardize_dtype(weight.dtype) == layer.variable_dtype
            weight.assign(to_numpy(value))
        output = run(lambda *arrays: call(layer, *arrays), *inputs)
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
        output = to_numpy(ops.cast(output, "float32"))
    assert relative_error(output, expected) < tolerance


@pytest.mark.thorough
@every_row
def test_float64_is_nowhere_less(name):
    """Steps of 1e-8 change the output alike: float32 has no such steps."""
    with float64():
        layer = build(ROWS[name], dtype="float64")
        inputs = draw(ROWS[name], dtype="float64")
        steps = draw(ROWS[name], dtype="float64", seed=5)
        outputs = [
            output_of(
                layer, *(x + k * 1e-8 * s for x, s in zip(inputs, steps, strict=True))
            )
            for k in range(3)
        ]
    assert outputs[0].dtype == "float64"
    first, second = outputs[1] - outputs[0], outputs[2] - outputs[1]
    assert np.linalg.norm(first) > 0
    assert relative_error(second, first) < 1e-3


@every_row
def test_integers_and_truth_values_are_numbers(name):
    row = ROWS[name]
    rng = np.random.default_rng(3)
    inputs = [rng.integers(0, 2, (2, *shape)).astype("float32") for shape in row.shapes]
    layer = build(row)
    expected = output_of(layer, *inputs)
    for dtype in ("int32", "bool"):
        found = output_of(layer, *(x.astype(dtype) for x in inputs))
        assert relative_error(found, expected) < 1e-6


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["complex64", "str"])
@every_row
def test_what_is_no_real_number_is_refused(name, dtype):
    # Words: Keras makes numbers of strings of digits on JAX, before any layer sees them.
    words = [np.full(x.shape, "a") for x in draw(ROWS[name])]
    inputs = words if dtype == "str" else [x.astype(dtype) for x in draw(ROWS[name])]
    with pytest.raises((TypeError, ValueError), match="real" if dtype != "str" else None):
        call(ROWS[name].make(), *inputs)


@every_row
def test_empty_batch(name):
    row = ROWS[name]
    layer = build(row)
    expected = layer.compute_output_shape(shapes_of(draw(row), 0))
    assert output_of(layer, *draw(row, batch=0)).shape == expected


@pytest.mark.backend_free
@every_row
def test_no_channels_are_taken_or_refused(name):
    """Pointwise layers keep them, as Keras' own do; others say what they need."""
    row = ROWS[name]
    layer = row.make()
    inputs = [x[..., :0] for x in draw(row)]
    try:
        expected = layer.compute_output_shape(shapes_of(inputs, 3))
        assert to_numpy(call(layer, *inputs)).shape == expected
    except ValueError as error:
        assert "needs at least one channel" in str(error)  # noqa: PT017


@every_row
def test_config_round_trip(name):
    layer = ROWS[name].make(name="layer", data_format="channels_first")
    config = layer.get_config()
    copy = type(layer).from_config(json.loads(json.dumps(config)))
    assert copy.get_config() == config


def model_of(row):
    symbols = [keras.Input(shape) for shape in row.shapes]
    return keras.Model(symbols, call(build(row), *symbols))


@every_row
def test_saved_and_cloned(name, tmp_path):
    row = ROWS[name]
    model, inputs = model_of(row), draw(row)
    expected = output_of(model, *inputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(output_of(loaded, *inputs), expected) < 1e-6
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert relative_error(output_of(clone, *inputs), expected) < 1e-6


@every_row
def test_gradients_are_finite_and_reach_everything(name):
    row = ROWS[name]
    layer, inputs = build(row), draw(row)
    weights = [to_numpy(w) for w in layer.trainable_weights]
    fixed = [ops.convert_to_tensor(w) for w in layer.non_trainable_variables]
    shape = layer.compute_output_shape(shapes_of(inputs, 3))
    probe = np.random.default_rng(4).normal(size=shape).astype("float32")
    probe = ops.convert_to_tensor(probe)

    def loss(*values):
        given, learned = values[: len(inputs)], list(values[len(inputs) :])
        given = given[0] if len(given) == 1 else list(given)
        output, _, losses = layer.stateless_call(learned, fixed, given, return_losses=True)
        return ops.sum(output * probe) + ops.sum(ops.square(output)) + sum(losses)

    for slope in gradients(loss, [*inputs, *weights]):
        assert np.all(np.isfinite(slope))
        assert np.linalg.norm(slope) > 0


@pytest.mark.thorough
@every_row
def test_zeros_have_finite_outputs_and_gradients(name):
    """As of an image that is black, or the padding of a set."""
    layer = build(ROWS[name])
    zeros = [np.zeros_like(x) for x in draw(ROWS[name])]

    def loss(*inputs):
        return ops.sum(call(layer, *inputs))

    for slope in (output_of(layer, *zeros), *gradients(loss, zeros)):
        assert np.all(np.isfinite(slope))


@every_row
def test_a_sample_that_is_no_number_stays_alone(name):
    row = ROWS[name]
    layer, inputs = build(row), draw(row)
    expected = output_of(layer, *inputs)
    for x in inputs:
        x[1] = np.nan
    found = output_of(layer, *inputs)
    assert np.all(np.isnan(found[1]))
    others = [0, 2]
    assert np.all(np.isfinite(found[others]))
    assert relative_error(found[others], expected[others]) < 1e-5


@every_row
def test_equivariance_is_as_stated(name):
    row = ROWS[name]
    if row.motion is None:
        return
    layer, inputs = build(row), draw(row)
    moved = [
        motion(x).astype("float32") for motion, x in zip(row.motions, inputs, strict=True)
    ]
    pairs = zip(moved, inputs, strict=True)
    assert max(relative_error(after, before) for after, before in pairs) > 0.1
    output = output_of(layer, *inputs)
    expected = output if row.moved is None else row.moved(output)
    assert relative_error(output_of(layer, *moved), expected) < row.error
