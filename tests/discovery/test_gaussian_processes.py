"""Symmetries of data that a Gaussian process explains, without a network."""

import numpy as np
import pytest

from keras_lconv.discovery import fit_symmetries
from keras_lconv.discovery.functions import stand_in
from keras_lconv.discovery.functions.gaussian_process import process_fit
from keras_lconv.discovery.functions.targets import targets_of
from tests.samples import normal


def waves(x):
    """A function as a process assumes it: many waves of the same lengths."""
    rng = np.random.default_rng(9)
    directions, phases = 0.6 * rng.normal(size=(x.shape[1], 40)), rng.uniform(0, 6, 40)
    return np.cos(x @ directions + phases) @ rng.normal(size=(40, 2)) / 4


@pytest.mark.backend_free
def test_derivatives_of_a_process_and_of_its_functions():
    x = normal(200, 3)
    process = process_fit(x, waves(x) + 0.05 * normal(200, 2, seed=1))
    step = 1e-5 * np.eye(3)
    apart = [(process(x + s) - process(x - s)) / 2e-5 for s in step]
    assert np.allclose(process.slopes(x), np.stack(apart, axis=2), atol=1e-7)
    true = [(waves(x + s) - waves(x - s)) / 2e-5 for s in step]
    error = np.linalg.norm(process.slopes(x) - np.stack(true, axis=2))
    drawn = process.drawn(x, np.random.default_rng(0))
    # Drawn functions are as far from the mean as the true one.
    assert 0.5 < np.linalg.norm(drawn) / error < 2


@pytest.mark.backend_free
def test_what_is_left_out_is_what_a_process_without_a_sample_misses():
    """With the same lengths and noise."""
    x = normal(60, 2)
    y = waves(x) + 0.1 * normal(60, 2, seed=1)
    process = process_fit(x, y)
    u = (x - process.origin) / process.lengths
    apart = np.sum((u[:, None] - u) ** 2, axis=2)
    covariance = np.exp(-apart / 2) + process.noise**2 * np.eye(60)
    rest = np.arange(1, 60)
    weights = np.linalg.solve(covariance[1:, 1:], y[1:] - np.mean(y, axis=0))
    missed = y[0] - np.mean(y, axis=0) - covariance[0, rest] @ weights
    assert np.allclose(process.left_out[0], missed, rtol=1e-5)


def test_a_process_as_a_model():
    x = normal(150, 3)
    process = process_fit(x, waves(x) + 0.05 * normal(150, 2, seed=1))
    model = process.model((2,))
    assert np.allclose(model.predict(x, verbose=0), process(x), atol=2e-3)
    # A column that does not matter has a length that says so.
    y = np.sin(x[:, :1]) + x[:, 1:2] ** 2
    assert process_fit(x, y).idle == (2,)


@pytest.mark.backend_free
@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.9), (0.02, 0.5)])
def test_curves_from_a_few_noisy_samples(noise, least):
    """`x^2 + y^4`, of which no polynomial of degree 2 is a part."""
    x = np.random.default_rng(0).uniform(-1.2, 1.2, (300, 2))
    inner = x[:, 0] ** 2 + x[:, 1] ** 4
    y = np.sin(inner) + inner / 2
    y = y + noise * np.std(y) * normal(300, seed=1)
    report = fit_symmetries(x, y, search="polynomial", degree=3, verbose=False)
    assert report.dimension == 1
    assert report.confidence > least
    moved = report.flow(x, 0.3)
    curve = moved[:, 0] ** 2 + moved[:, 1] ** 4
    assert np.sqrt(np.mean((curve - inner) ** 2)) < 0.2 * np.std(inner)


@pytest.mark.backend_free
@pytest.mark.parametrize("constant", [0.0, 1e8])
def test_a_large_constant_hides_no_function(constant):
    x = normal(200, 2)
    y = constant + np.cos(np.sum(x**2, axis=1) / 2)
    report = fit_symmetries(x, y, search="linear", verbose=False)
    assert report.dimension == 1
    assert report.confidence > 0.9


@pytest.mark.backend_free
@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_a_process_of_few_samples_in_any_units(size):
    x = np.repeat(normal(4, 2), 2, axis=0) * size
    process = process_fit(x, normal(8, 1) * size)
    assert np.all(np.isfinite(process.slopes(x)))
    assert np.all(np.isfinite(process.drawn(x, np.random.default_rng(0))))


@pytest.mark.backend_free
def test_outputs_over_decades_without_a_pole_are_not_fitted_by_their_logarithm():
    x = np.random.default_rng(0).uniform(-1.2, 1.2, (200, 2))
    y = x[:, 0] ** 2 + x[:, 1] ** 4
    targets = targets_of(y, "invariance")
    assert targets.are_logarithms
    found = stand_in.smooth_fit(x, targets, True)
    assert found.error < 0.01
    assert found.notes == (stand_in.BY_A_PROCESS,)
