"""OrbitPooling: invariant over a period, equivariant over a window."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv import OrbitPooling
from keras_lconv import algebra as a
from keras_lconv import generators as g
from tests.autodiff import BACKEND, assert_gradients_match, float64, gradients
from tests.families import relative_error, to_numpy
from tests.samples import random


def periodic(ndim=2):
    return g.translation(ndim, derivative="fourier")


def smooth_images(size):
    """Two images of Gaussians that vanish before the border, as wide as the grid says."""
    x = (np.arange(size) - (size - 1) / 2) / size
    y, x = np.meshgrid(x, x, indexing="ij")

    def blob(u, v):
        return np.exp(-((y - u) ** 2 + (x - v) ** 2) / (2 * 0.07**2))

    images = [blob(0.15, 0.1) - 0.6 * blob(-0.12, 0.15), blob(0, 0.2) + blob(0.1, -0.1)]
    return np.stack(images)[..., None].astype("float32")


JOINED = {
    "max": lambda orbit: orbit.max(axis=0),
    "average": lambda orbit: orbit.mean(axis=0),
    "logsumexp": lambda orbit: np.log(np.exp(orbit).mean(axis=0)),
}


@pytest.mark.parametrize("reduction", JOINED)
def test_is_the_pooling_of_shifted_copies(reduction):
    f = random((2, 5, 7, 2))
    layer = OrbitPooling(periodic(), reduction=reduction, num_samples=(5, 7), period=(5, 7))
    copies = [np.roll(f, (i, j), (1, 2)) for i in range(5) for j in range(7)]
    expected = JOINED[reduction](np.stack(copies))
    assert relative_error(layer(f), expected) < 1e-5
    window = OrbitPooling(
        periodic(), reduction=reduction, num_samples=(3, 1), max_parameter=1
    )
    copies = [np.roll(f, i, 1) for i in (-1, 0, 1)]
    assert relative_error(window(f), JOINED[reduction](np.stack(copies))) < 1e-5
    assert window.parameters[1].tolist() == [0.0]


@pytest.mark.parametrize("reduction", JOINED)
def test_full_period_is_invariant_to_the_sampled_subgroup(reduction):
    planes = np.kron(np.eye(2), [[0.0, -1.0], [1.0, 0.0]])
    planes[2:] *= 2
    layer = OrbitPooling(planes, reduction=reduction, num_samples=6, period=2 * np.pi)
    f = random((3, 4, 2))
    generators = layer.generators
    expected = to_numpy(layer(f))
    for j in (1, 4):
        moved = to_numpy(generators.transform(f, 2 * np.pi * j / 6))
        assert np.max(np.abs(to_numpy(layer(moved)) - expected)) < 1e-5
    # Between the samples an average is invariant: it holds no multiple of order 6.
    between = to_numpy(layer(to_numpy(generators.transform(f, 0.3))))
    error = np.max(np.abs(between - expected))
    assert error < 1e-5 if reduction == "average" else 1e-3 < error < 1


@pytest.mark.thorough
@pytest.mark.parametrize("reduction", ["max", "logsumexp"])
def test_full_turn_of_smooth_images(reduction):
    f = smooth_images(21)
    layer = OrbitPooling("rotation", reduction=reduction, num_samples=8, period=2 * np.pi)
    generators = layer.generators
    expected = to_numpy(layer(f))
    sampled = layer(to_numpy(generators.transform(f, np.pi / 4)))
    assert relative_error(sampled, expected) < 1e-4
    assert relative_error(layer(np.rot90(f, axes=(1, 2)).copy()), expected) < 1e-3


@pytest.mark.thorough
@pytest.mark.parametrize("reduction", JOINED)
def test_more_samples_are_more_invariant(reduction):
    f = smooth_images(11)
    errors = []
    for num_samples in (3, 6, 12):
        layer = OrbitPooling(
            "rotation", reduction=reduction, num_samples=num_samples, period=2 * np.pi
        )
        expected = layer(f)
        # In the middle between two samples.
        moved = to_numpy(layer.generators.transform(f, np.pi / num_samples))
        errors.append(relative_error(layer(moved), expected))
    assert errors[1] < 0.7 * errors[0]
    assert errors[2] < 0.5 * errors[1]
    assert errors[2] < 0.25


@pytest.mark.thorough
def test_window_commutes_better_on_finer_grids():
    """The same window and turn of the same image, at growing resolution."""
    errors = []
    for size in (11, 15, 21):
        layer = OrbitPooling("rotation", reduction="max", num_samples=3, max_parameter=0.2)
        f = smooth_images(size)
        turned = np.rot90(f, axes=(1, 2)).copy()
        by_quarter = relative_error(
            layer(turned), np.rot90(to_numpy(layer(f)), axes=(1, 2))
        )
        assert by_quarter < 1e-4
        generators = layer.generators
        moved = layer(to_numpy(generators.transform(f, 0.5)))
        expected = generators.transform(ops.convert_to_tensor(layer(f)), 0.5)
        errors.append(relative_error(moved, expected))
    assert np.all(np.diff(errors) < 0)
    assert errors[-1] < 0.5 * errors[0]


def test_average_over_a_window_commutes_exactly():
    f = random((2, 9, 9, 1))
    layer = OrbitPooling("rotation", reduction="average", num_samples=5, max_parameter=0.4)
    moved = layer(to_numpy(layer.generators.transform(f, 0.7)))
    expected = layer.generators.transform(ops.convert_to_tensor(layer(f)), 0.7)
    assert relative_error(moved, expected) < 1e-5


@pytest.mark.parametrize("num_samples", [4, 5])
def test_samples_of_large_generators_keep_their_digits(num_samples):
    """`exp(-L)` and `exp(L)` are made from the identity, not one from the other."""
    L = np.array([[9.0, 5.0], [0.0, -9.0]])
    layer = OrbitPooling(
        L[None], reduction="average", num_samples=num_samples, max_parameter=1.0
    )
    f = random((3, 2, 2))
    elements = [expm(t * L) for t in np.linspace(-1, 1, num_samples)]
    expected = np.einsum("ij,bjc->bic", np.mean(elements, axis=0), f)
    assert relative_error(layer(f), expected) < 1e-5


@pytest.mark.parametrize("reduction", JOINED)
def test_no_nan_for_ties_and_large_values(reduction):
    layer = OrbitPooling(periodic(1), reduction=reduction, num_samples=3, period=3)
    layer.build((None, 3, 1))
    for value in (0.0, 1.0, 1e4):
        f = np.full((1, 3, 1), value, dtype="float32")
        assert relative_error(layer(f), f) < 1e-5 or value == 0
        (gradient,) = gradients(lambda x: ops.sum(layer(x)), [f])
        assert np.all(np.isfinite(gradient))
        # Over all positions the weights of each sample add up to one.
        assert np.isclose(gradient.sum(), 3, rtol=1e-4)
    if reduction == "logsumexp":
        (gradient,) = gradients(lambda x: layer(x)[0, 0, 0], [np.zeros_like(f)])
        assert np.allclose(gradient, 1 / 3, atol=1e-5)


@pytest.mark.parametrize("reduction", JOINED)
def test_gradients_equal_finite_differences(reduction):
    with float64():
        layer = OrbitPooling(
            g.get(a.so(3), dtype="float64"),
            reduction=reduction,
            num_samples=3,
            max_parameter=(0.3, 0.5, 0.7),
            dtype="float64",
        )
        layer.build((None, 3, 2))
        f = random((2, 3, 2), seed=2, dtype="float64")
        assert_gradients_match(lambda f: ops.sum(layer(f) ** 3), [f])


@pytest.mark.thorough
def test_trains_inside_of_fit(tmp_path):
    # `torch.compile` takes a minute for a series, and has nothing of its own to show.
    jit_compile = BACKEND != "torch"
    model = keras.Sequential(
        [
            OrbitPooling(
                "rotation", reduction="logsumexp", num_samples=4, period=2 * np.pi
            ),
            OrbitPooling(periodic(), num_samples=3, max_parameter=1.0),
            OrbitPooling(g.LowRankGenerators(1, 2), num_samples=3, max_parameter=0.5),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    model.compile("adam", "mse", jit_compile=jit_compile)
    f = random((8, 5, 5, 2))
    history = model.fit(f, random((8, 2)), epochs=2, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert len(model.trainable_weights) == 2
    assert relative_error(model.predict(f, verbose=0), model(f)) < 1e-5
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(f), model(f)) < 1e-6


def test_channels_first_masks_and_vectors():
    f = random((2, 5, 5, 3))
    arguments = {"num_samples": 5, "period": 5}
    last = OrbitPooling(periodic(), **arguments)
    first = OrbitPooling(periodic(), **arguments, data_format="channels_first")
    expected = np.moveaxis(to_numpy(last(f)), -1, 1)
    assert relative_error(first(np.moveaxis(f, -1, 1)), expected) < 1e-6
    mask = np.random.default_rng(1).random((2, 5, 5)) < 0.7
    assert relative_error(last(f, mask=mask), last(f * mask[..., None])) < 1e-6
    turned = OrbitPooling(a.so(2), num_samples=4, period=2 * np.pi)(random((2, 2)))
    assert tuple(turned.shape) == (2, 2)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtypes(dtype):
    f = random((2, 5, 5, 1))
    layer = OrbitPooling(periodic(), reduction="logsumexp", num_samples=5, period=5)
    expected = to_numpy(layer(f))
    with float64():
        copy = OrbitPooling.from_config({**layer.get_config(), "dtype": dtype})
        output = copy(f)
        assert keras.backend.standardize_dtype(output.dtype) == copy.compute_dtype
        output = to_numpy(ops.cast(output, "float32"))
    assert relative_error(output, expected) < {"float64": 1e-5}.get(dtype, 2e-2)


def test_config_keeps_every_argument():
    layer = OrbitPooling(
        periodic(),
        reduction="average",
        num_samples=[3, 4],
        max_parameter=np.array([1.0, 2.0]),
        data_format="channels_first",
        name="pool",
    )
    config = layer.get_config()
    copy = OrbitPooling.from_config(json.loads(json.dumps(config)))
    assert copy.get_config() == config
    assert copy.num_samples == (3, 4)
    assert copy.max_parameter == (1.0, 2.0)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"reduction": "mean", "period": 1}, ValueError, "`reduction` must be one of"),
        ({}, ValueError, "Exactly one of `period` and `max_parameter`"),
        ({"period": 1, "max_parameter": 1}, ValueError, "Exactly one of `period` and"),
        ({"period": 0}, ValueError, "`period` must be a positive number"),
        ({"period": "pi"}, TypeError, "`period` must be"),
        ({"max_parameter": -1.0}, ValueError, "`max_parameter` must be a positive"),
        ({"num_samples": 0, "period": 1}, ValueError, "`num_samples` must be a positive"),
        ({"num_samples": 2.5, "period": 1}, TypeError, "`num_samples` must be a positive"),
        ({"period": (1, 2, 3)}, ValueError, "`period` must be one number or 2"),
        ({"num_samples": (1,), "period": 1}, ValueError, "`num_samples` must be one"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        OrbitPooling(periodic(), **arguments)


def test_generators_to_another_grid_are_refused():
    with pytest.raises(ValueError, match="must be square"):
        OrbitPooling(np.ones((1, 2, 3)), period=1).build((None, 3))
