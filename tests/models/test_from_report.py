"""Networks with the symmetry of a report, and beside one without it."""

import dataclasses

import keras
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from keras_lconv.discovery import find_symmetries, fit_symmetries
from keras_lconv.layers import PointConv, SteerableConv
from keras_lconv.models import from_report, train_from_report
from keras_lconv.models.train_from_report import _targets

UNITS = np.array([1.0, 1e3, 0.1])


def quadric(x):
    """Of three columns in different units."""
    return x[:, 0] ** 2 + 1e-6 * x[:, 1] ** 2 + 1e2 * x[:, 2] ** 2


def samples(number=120, columns=3, seed=0):
    return np.random.default_rng(seed).normal(size=(number, columns))


def relative_distance(model, a, b):
    first, second = (np.asarray(model.predict(x, verbose=0)) for x in (a, b))
    return np.max(np.abs(first - second)) / np.std(first)


def test_rows_in_units():
    x = samples() * UNITS
    report = find_symmetries(quadric, x)
    model = from_report(report, x, hidden_units=(8,), vectors=2)
    turn = UNITS[:, None] * Rotation.random(random_state=1).as_matrix() / UNITS
    assert relative_distance(model, x, x @ turn.T) < 1e-3
    assert relative_distance(model, x, 1.5 * x) > 0.1


def test_outputs_that_turn():
    x = samples(columns=6)

    def function(x):
        u, v = x[:, :3], x[:, 3:]
        product = (u * v)[:, :1] + (u * v)[:, 1:2] + (u * v)[:, 2:]
        return keras.ops.concatenate([v * product, u], axis=1)

    report = find_symmetries(function, x, blocks=2, kind="equivariance", output="same")
    model = from_report(report, x, hidden_units=(8,), vectors=2)
    turn = np.kron(np.eye(2), Rotation.random(random_state=1).as_matrix())
    expected = model.predict(x, verbose=0) @ turn.T
    found = model.predict(x @ turn.T, verbose=0)
    assert np.max(np.abs(found - expected)) < 1e-3 * np.std(expected)


def test_points_may_be_shifted_only_if_the_function_allows():
    x = samples(columns=9)

    def between(x):
        a, b, c = x[:, :3], x[:, 3:6], x[:, 6:]
        return sum(keras.ops.sum(d**2, axis=1) ** 2 for d in (a - b, b - c, c - a))

    def about_origin(x):
        return keras.ops.sum(x**2, axis=1)

    settings = {"filters": (2,), "hidden_units": (4,)}
    points = x.reshape(-1, 3, 3)
    turned = points @ Rotation.random(random_state=1).as_matrix().T
    for function, search, is_relative in (
        (between, "affine", True),
        (about_origin, "linear", False),
    ):
        report = find_symmetries(function, x, blocks=3, search=search)
        model = from_report(report, points, **settings)
        assert relative_distance(model, points, turned[:, ::-1]) < 1e-3
        assert (relative_distance(model, points, points + 3.0) < 1e-3) == is_relative


def test_invariants_of_fast_particles_are_of_order_one():
    """Momenta along one direction: components of order one, and squares far below."""
    rng = np.random.default_rng(0)
    lorentz = np.diag([-1.0, -1.0, -1.0, 1.0])
    heavy = rng.normal(size=(200, 4)) * [1, 1, 1, 3]
    report = fit_symmetries(
        heavy, np.sum((heavy @ lorentz) * heavy, axis=1), search="linear", verbose=False
    )
    momenta = rng.normal([300.0, 0, 0], size=(50, 6, 3))
    energy = np.linalg.norm(momenta, axis=-1, keepdims=True)
    points = np.concatenate([momenta, energy], axis=-1) * rng.uniform(0.1, 2, (50, 6, 1))
    model = from_report(report, points, filters=(2,), hidden_units=(4,), degree=0)
    scaled = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    seen = keras.Model(model.inputs, scaled.output).predict(points, verbose=0)
    conv = next(x for x in _layers(model) if isinstance(x, PointConv))
    form = conv._forms[0].astype("float64")
    between = np.diff(seen.astype("float64"), axis=1)
    squares = np.abs(np.einsum("bni,ij,bnj->bn", between, form, between))
    assert 0.3 < np.median(squares) < 3


def _layers(model):
    """The layers of a model, and those of models in it."""
    for layer in model.layers:
        yield from _layers(layer) if isinstance(layer, keras.Model) else [layer]


def test_images_that_turn():
    ticks = np.linspace(-1, 1, 15)
    radius = (ticks[:, None] ** 2 + ticks**2)[None, :, :, None]
    noise = np.random.default_rng(0).normal(size=(40, 15, 15, 1))
    images = gaussian_filter(noise, (0, 1.5, 1.5, 0)) * np.exp(-2 * radius)

    def moments(x):
        weights = keras.ops.convert_to_tensor(radius, dtype=x.dtype)
        squares = [x**2, x**2 * weights]
        return keras.ops.stack([keras.ops.sum(y, axis=(1, 2, 3)) for y in squares], axis=1)

    report = find_symmetries(moments, images)
    assert report.dimension == 1
    model = from_report(report, images, hidden_units=4)
    assert relative_distance(model, images, np.rot90(images, axes=(1, 2))) < 0.05
    assert relative_distance(model, images, images[:, ::-1] * 1.2) > 0.1


def test_images_that_move_and_turn():
    """Sums of squares, and of squares of gradients, of images that vanish at the edge."""
    size = 15
    ticks = np.linspace(-1, 1, size)
    noise = np.random.default_rng(0).normal(size=(40, size, size, 1))
    images = gaussian_filter(noise, (0, 1.5, 1.5, 0))
    images *= np.exp(-4 * (ticks[:, None] ** 2 + ticks**2))[None, :, :, None]
    steps = np.subtract.outer(np.arange(size), np.arange(size))
    derivative = np.where(steps == 0, 0, (-1.0) ** steps / np.where(steps == 0, 1, steps))

    def energies(x):
        d = keras.ops.convert_to_tensor(derivative, dtype=x.dtype)
        along, across = (
            keras.ops.einsum(e, d, x) for e in ("ij,bjkc->bikc", "ij,bkjc->bkic")
        )
        return keras.ops.stack(
            [keras.ops.sum(y, axis=(1, 2, 3)) for y in (x**2, along**2 + across**2)], axis=1
        )

    report = find_symmetries(energies, images, search="affine")
    assert report.name == "se(2)"
    model = from_report(report, images, size="tiny", group="c4")
    assert any(isinstance(layer, SteerableConv) for layer in model.layers)
    assert relative_distance(model, images, np.rot90(images, axes=(1, 2))) < 1e-3
    assert relative_distance(model, images, images * 1.2) > 0.1
    # Translations alone are no reason for it.
    still = find_symmetries(energies, images, search="translation")
    assert still.dimension == 2
    model = from_report(still, images)
    assert not any(isinstance(layer, SteerableConv) for layer in model.layers)


def test_rows_whose_generator_has_an_error():
    """A rotation with a trace is a spiral, of which nothing is invariant."""
    x = samples(columns=2)
    report = find_symmetries(lambda x: keras.ops.sum(x**2, axis=1), x)
    error = np.array([[0.004, 0.01], [0.01, 0.008]])
    report = dataclasses.replace(
        report, basis=report.basis + error, errors=np.array([0.02])
    )
    model = from_report(report, x, hidden_units=(8,), vectors=2)
    values = model.predict(np.array([[1.0, 0], [0, 1], [-1, 0]]), verbose=0)
    assert np.ptp(values) < 0.05 * np.std(model.predict(x, verbose=0))
    sure = dataclasses.replace(report, errors=np.array([1e-4]))
    with pytest.raises(ValueError, match="too few invariant polynomials"):
        from_report(sure, x)


def test_a_comparison_on_samples_not_trained_on():
    x = samples(200, 4)
    report = find_symmetries(lambda x: keras.ops.sum(x**2, axis=1), x)
    y = np.sum(x**2, axis=1)
    for targets, metric in ((y, "relative error"), (y > np.median(y), "wrong labels")):
        result = train_from_report(
            report, x, targets, epochs=15, hidden_units=(8,), verbose=False
        )
        assert (result.metric, result.num_validation) == (metric, 40)
        assert result.error < result.plain_error + 2 * result.difference_error
        turn = expm(report.basis[0])
        assert relative_distance(result.model, x, x @ turn.T) < 1e-3
        assert "without" in result.summary()
    # The outputs are in units of the targets.
    result = train_from_report(report, x, 1e6 * y, epochs=1, hidden_units=(8,))
    assert 1e5 < np.mean(result.model.predict(x, verbose=0)) < 1e8


def test_counts_are_no_labels():
    """Whole numbers of a table are labels where a search takes them for labels."""
    x = samples(200)
    report = find_symmetries(quadric, x * UNITS)
    counts = np.random.default_rng(0).poisson(30, 200)
    assert _targets(report, counts, [x])[0] is None
    few = np.arange(200) % 3
    assert _targets(report, few, [x])[0] == (0, 1, 2)
    # Images are not asked by a search of tables.
    assert len(_targets(report, counts, [x[:, None, None]])[0]) > 10


def test_what_has_no_network():
    x = samples()
    report = find_symmetries(quadric, x * UNITS)
    with pytest.raises(ValueError, match="rows with the 3 columns"):
        from_report(report, samples(columns=4))
    with pytest.raises(ValueError, match=r"points \(batch, n, 3\)"):
        from_report(report, np.zeros((5, 4, 2)))
    with pytest.raises(TypeError, match="find_symmetries"):
        from_report(None, x)
    with pytest.raises(ValueError, match="one for each sample"):
        train_from_report(report, x, np.zeros(3))
    free = find_symmetries(lambda x: x * 2.0, x, kind="equivariance")
    with pytest.raises(ValueError, match="output='same'"):
        from_report(free, x)
