"""Derivatives of a loss under deformations, against finite differences."""

import keras
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.special import ndtri

from keras_lconv import LConv
from keras_lconv import generators as g
from keras_lconv.physics import Lagrangian, robustness
from tests.autodiff import float64
from tests.families import relative_error, to_numpy
from tests.samples import normal


def test_derivatives_are_those_of_the_moved_input():
    """Of any loss, by differences along `generators.transform`."""
    # No layers of Keras: on PyTorch their products have the precision of float32.
    x, kernel, targets = (
        normal(5, 6, 5, 2),
        normal(6, 5, 2, 3, seed=1),
        normal(5, 3, seed=2),
    )

    def model(x):
        y = keras.ops.einsum("bxyc,xycf->bf", x, keras.ops.convert_to_tensor(kernel / 8))
        return y + y**3 / 3

    def loss(y_true, y_pred):
        return (y_pred - y_true) ** 2 * y_pred

    with float64():
        generators = g.affine(dtype="float64")
        report = robustness(model, x, generators, targets, loss=loss, batch_size=3)
        step, i = 1e-3, 3
        direction = np.eye(6)[i]
        outputs, losses = {}, {}
        for n in (-2, -1, 0, 1, 2):
            moved = generators.transform(x, n * step * direction)
            outputs[n] = to_numpy(model(moved))
            losses[n] = np.mean(loss(targets, outputs[n]), axis=1)
    first = (8 * (losses[1] - losses[-1]) - (losses[2] - losses[-2])) / (12 * step)
    second = 16 * (losses[1] + losses[-1]) - (losses[2] + losses[-2]) - 30 * losses[0]
    second /= 12 * step**2
    assert relative_error(report.loss, losses[0]) < 1e-12
    assert relative_error(report.first[:, i], first) < 1e-7
    assert relative_error(report.second[:, i], second) < 1e-6
    change = 8 * (outputs[1] - outputs[-1]) - (outputs[2] - outputs[-2])
    expected = np.linalg.norm(change / (12 * step)) / np.linalg.norm(outputs[0])
    assert np.isclose(report.sensitivity[i], expected, rtol=1e-7)
    assert report.names == tuple(f"{generators.name}_{n}" for n in range(1, 7))


def test_the_model_is_in_inference_mode_and_keeps_its_state():
    """Dropout is off, and statistics do not move."""
    x = normal(6, 4).astype("float32")
    dropout = keras.layers.Dropout(0.5)
    normalization = keras.layers.BatchNormalization(activity_regularizer="l2")
    model = keras.Sequential([keras.Input((4,)), dropout, normalization])
    before = [to_numpy(weight) for weight in model.weights]
    report = robustness(model, x, np.eye(4)[None], batch_size=4)
    for weight, value in zip(model.weights, before, strict=True):
        assert np.array_equal(to_numpy(weight), value)
    # A stretch, nearly the identity: `exp(2 t) |x|^2`.
    squares = np.sum(x**2, axis=1) / (1 + normalization.epsilon)
    assert np.allclose(report.loss, squares, rtol=1e-5)
    assert np.allclose(report.first[:, 0], 2 * squares, rtol=1e-5)
    assert np.allclose(report.second[:, 0], 4 * squares, rtol=1e-5)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_first_order_is_the_euler_lagrange_residual(data_format):
    """Of the squared output of one L-conv, which is its action."""
    layer = LConv(3, g.rotation(), data_format=data_format)
    f = normal(4, 6, 5, 2).astype("float32")
    x = f if data_format == "channels_last" else np.moveaxis(f, -1, 1)
    report = robustness(layer, x, g.translation(), batch_size=4)
    moves = g.translation()
    moves.build(f.shape)
    variations = to_numpy(moves(f))
    residual = to_numpy(Lagrangian(layer).euler_lagrange(x))
    if data_format == "channels_first":
        residual = np.moveaxis(residual, 1, -1)
    expected = np.einsum("bxyc,bxykc->bk", residual, variations)
    assert relative_error(report.first, expected) < 1e-5
    assert relative_error(report.loss, Lagrangian(layer).action(x)) < 1e-5


def test_ranking_does_not_depend_on_the_scale_of_a_generator():
    """The function knows the first coordinate best; a generator is given twice."""
    x = normal(40, 3).astype("float32")
    scales = np.array([3.0, 1.0, 0.1], dtype="float32")
    stretches = np.array([np.diag(row) for row in np.eye(3)])
    names = ["first", "first again", "second", "third"]
    report = robustness(
        lambda x: x * keras.ops.convert_to_tensor(scales),
        x,
        np.concatenate([stretches[:1], 10 * stretches]) * [[[1]], [[1]], [[0.1]], [[1]]],
        names=names,
    )
    expected = scales * np.linalg.norm(x, axis=0)
    size = np.linalg.norm(x * scales)
    assert np.allclose(
        report.sensitivity, expected[[0, 0, 1, 2]] / size * [1, 10, 1, 10], rtol=1e-5
    )
    gain = scales * np.linalg.norm(x) / size
    assert np.allclose(report.gain, gain[[0, 0, 1, 2]], rtol=1e-5)
    assert set(report.ranking[:2]) == {"first", "first again"}
    assert report.ranking[2:] == ("second", "third")
    assert report.summary().splitlines()[-1].startswith("third")


def test_kinks_count_in_the_mean_of_second_derivatives():
    """`d^2/dt^2 E relu(u + t) = phi(0) = 0.399` of a normal `u`; each sample has 0."""
    n = 2000
    u = ndtri((np.arange(n) + 0.5) / n)
    x = np.stack([u, np.ones(n)], axis=1).astype("float32")
    given = {"y": np.zeros((n, 1)), "loss": lambda y, output: output, "batch_size": n}
    shift = [[[0, 1], [0, 0]]]
    found = {
        kind: robustness(
            lambda x: keras.ops.relu(x[:, :1]), x, shift, second_order=kind, **given
        )
        for kind in ("auto", "derivative")
    }
    assert found["derivative"].steps is None
    assert np.all(found["derivative"].second == 0)
    assert np.isclose(np.mean(found["auto"].second), 0.39894, atol=1e-3)
    (h,) = found["auto"].steps
    assert np.isclose(h, 0.1 * np.linalg.norm(x) / np.sqrt(n), rtol=1e-5)
    expected = np.maximum(u + h, 0) + np.maximum(u - h, 0) - 2 * np.maximum(u, 0)
    assert np.allclose(found["auto"].second[:, 0], expected / h**2, atol=1e-4)
    assert "central differences" in found["auto"].summary()


@pytest.mark.thorough
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_second_differences_where_a_network_is_not_smooth(activation):
    """A network and its motions in NumPy; with `tanh` the derivatives are kept."""
    x, first, last = normal(300, 3), normal(3, 8, seed=1), normal(8, 2, seed=2)
    nonlinear = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}[activation]
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 0.5]])

    def model(x):
        hidden = keras.activations.get(activation)(x @ keras.ops.convert_to_tensor(first))
        return hidden @ keras.ops.convert_to_tensor(last)

    def loss(t):
        return np.sum((nonlinear(x @ expm(t * turn).T @ first) @ last) ** 2, axis=1)

    with float64():
        report = robustness(model, x, turn[None], batch_size=300)
    h = 0.1 * np.linalg.norm(x) / np.linalg.norm(x @ turn.T)
    differences = (loss(h) + loss(-h) - 2 * loss(0)) / h**2
    if activation == "relu":
        assert np.allclose(report.steps, h)
        assert relative_error(report.second[:, 0], differences) < 1e-6
    else:
        assert report.steps is None
        h = 1e-3
        differences = (loss(h) + loss(-h) - 2 * loss(0)) / h**2
        assert relative_error(report.second[:, 0], differences) < 1e-4


@pytest.mark.thorough
def test_what_moves_with_its_input_is_ranked_by_the_loss():
    """Translations are symmetries of the action, though they move what the layer makes."""
    layer = LConv(3, g.translation(), use_bias=False)
    layer.build((None, 16, 16, 1))
    layer.kernel.assign(np.diag([0.5, 1.0, 1.0])[:, None, :])
    pixels = np.linspace(-3.5, 3.5, 16)
    bump = np.exp(-np.add.outer(pixels**2, 1.3 * (pixels - 0.3) ** 2))[None, ..., None]
    names = ["down", "right", "yy", "yx", "xy", "xx"]
    report = robustness(layer, bump.astype("float32"), g.affine(), names=names)
    assert report.ranked_by == "loss"
    assert set(report.ranking[:2]) == {"yy", "xx"}
    assert np.all(report.loss_gain[:2] < 1e-5)
    assert np.all(report.gain[:2] > 1)
    by_output = robustness(
        layer, bump.astype("float32"), g.affine(), names=names, rank_by="output"
    )
    assert by_output.ranking[0] not in ("yy", "xx")


def test_symmetries_have_no_gain():
    points = normal(10, 2).astype("float32")
    turn, still = [[[0, -1], [1, 0]]], [[[0, 0], [0, 0]]]
    report = robustness(
        lambda x: keras.ops.sum(x**2, axis=1), points, {"turn": turn, "still": still}
    )
    assert np.allclose(report.first, 0, atol=1e-5)
    assert np.allclose(report.second, 0, atol=1e-4)
    assert np.allclose(report.gain, 0, atol=1e-6)


def test_families_may_be_named():
    x = normal(2, 5, 5, 1).astype("float32")
    families = {"turn": "rotation", "move": g.translation()}
    report = robustness(lambda x: x, x, families)
    assert report.names == ("turn", "move_1", "move_2")
    assert np.allclose(report.gain, 1, rtol=1e-5)
    figure = report.plot()
    assert len(figure.axes) == 2
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == list(
        report.ranking
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": np.zeros(2)}, ValueError, "`y` and `loss` must be given together"),
        ({"loss": "mse"}, ValueError, "`y` and `loss` must be given together"),
        ({"y": np.zeros(3), "loss": "mse"}, ValueError, "the 2 entries of `x`"),
        ({"generators": 3}, TypeError, "`generators` must be known"),
        ({"generators": {}}, ValueError, "must not be empty"),
        ({"generators": {"turn": 2}}, TypeError, "`turn` must be known"),
        ({"generators": np.zeros((1, 2, 4))}, ValueError, "must be square"),
        ({"names": ["a", "b"]}, ValueError, "one name for each generator, 1 in all"),
        ({"names": "a"}, ValueError, "one name for each generator, 1 in all"),
        (
            {"names": ["a", "a"], "generators": np.eye(4)[None].repeat(2, 0)},
            ValueError,
            "must differ",
        ),
        ({"batch_size": 0}, ValueError, "`batch_size`"),
        ({"second_order": "exact"}, ValueError, "`second_order` must be one of"),
        ({"step": 0}, ValueError, "`step`"),
        ({"rank_by": "gain"}, ValueError, "`rank_by` must be one of"),
        ({"data_format": "last"}, ValueError, "`data_format`"),
        ({"x": np.zeros(3)}, ValueError, "`x` must have shape"),
        ({"function": 3}, TypeError, "`function` must be"),
        ({"function": lambda x: keras.ops.log(0 * x)}, ValueError, "must be finite"),
    ],
)
def test_errors(arguments, error, message):
    given = {
        "function": lambda x: x,
        "x": np.ones((2, 4), dtype="float32"),
        "generators": np.eye(4)[None],
        **arguments,
    }
    with pytest.raises(error, match=message):
        robustness(**given)
