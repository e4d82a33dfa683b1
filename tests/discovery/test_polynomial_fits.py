"""Symmetries of data that a polynomial explains, without a network."""

import keras
import numpy as np
import pytest

from keras_lconv import algebra as a
from keras_lconv.discovery import fit_symmetries
from keras_lconv.discovery.functions import quadratic
from keras_lconv.discovery.functions.quadratic import quadratic_fit
from tests.samples import normal


def jets(number, seed=0):
    """Four-momenta of two jets over two decades of energy, and the mass of both."""
    rng = np.random.default_rng(seed)
    sizes = 10 ** rng.uniform(1, 3, (number, 2))
    directions = rng.normal(size=(number, 2, 3))
    momenta = sizes[..., None] * directions
    energies = np.sqrt(np.sum(momenta**2, axis=2) + (0.1 * sizes) ** 2)
    total = np.append(momenta.sum(axis=1), energies.sum(axis=1)[:, None], axis=1)
    mass = np.sqrt(total**2 @ [-1, -1, -1, 1])
    return np.concatenate([momenta, energies[..., None]], axis=2).reshape(-1, 8), mass


def test_the_mass_of_two_jets_needs_no_network():
    x, mass = jets(500)
    report = fit_symmetries(x, mass, blocks=2, search="linear", verbose=0)
    assert report.name == "so(3,1)"
    assert np.linalg.norm(a.principal_angles(report.basis, a.so(3, 1))) < 1e-4
    assert "no network was needed" in report.summary()
    squares = report.model.predict(x[:50], verbose=0)[:, 0]
    assert np.allclose(squares, mass[:50] ** 2, rtol=1e-2)


def test_error_bars_of_a_polynomial_know_the_noise_that_it_was_fitted_to():
    x, mass = jets(500)
    noise = 1 + 0.005 * np.random.default_rng(1).normal(size=500)
    report = fit_symmetries(x, mass * noise, blocks=2, search="linear", verbose=0)
    off = [np.max(a.principal_angles(each[None], a.so(3, 1))) for each in report.basis]
    ratios = np.array(off) / report.errors
    assert np.max(ratios) < 3
    assert np.mean(ratios) > 1 / 3


def of_a_line(x):
    return x @ [1.0, -2.0, 0.5]


def of_a_circle(x):
    return x[:, 0] ** 2 + x[:, 1] ** 2


def of_a_parabola(x):
    return x[:, 0] ** 2 + x[:, 1]


@pytest.mark.thorough
@pytest.mark.parametrize("noise", [0.0, 1e-3, 5e-3])
@pytest.mark.parametrize(
    ("function", "dimension"), [(of_a_line, 8), (of_a_circle, 5), (of_a_parabola, 5)]
)
def test_noise_gives_polynomials_no_other_symmetries(function, dimension, noise):
    """All of degree 2 have those of a quadric, three here, and noise makes one of any."""
    x = normal(400, 3) + np.array([1.0, 0.0, -2.0])
    y = function(x) + noise * normal(400, seed=1) * np.std(function(x))
    report = fit_symmetries(x, y, search="affine", verbose=False)
    assert "a polynomial of degree 2" in report.notes[0]
    assert report.dimension == dimension
    assert report.confidence > 0.9


def test_generators_that_turn_with_the_samples_are_not_trusted(monkeypatch):
    monkeypatch.setattr(quadratic, "_without_noise", lambda polynomials, *_: polynomials)
    x = normal(400, 3) + np.array([1.0, 0.0, -2.0])
    y = of_a_line(x) + 5e-3 * normal(400, seed=1)
    report = fit_symmetries(x, y, search="affine", verbose=False)
    assert report.dimension == 3
    assert np.max(report.errors) > 0.5
    assert report.confidence < 0.8


@pytest.mark.backend_free
def test_linear_terms_that_noise_gives_do_not_move_the_centre():
    """Symmetries among linear maps, such as those of masses of jets, are not due
    to chance.
    """
    x = normal(400, 4) + 2 * normal(4, seed=2)
    y = x**2 @ [1, 1, -1, 1]
    y = y + 5e-3 * normal(400, seed=1) * np.std(y)
    slopes = quadratic_fit(x, y, 40).model.layers[2].get_weights()[1]
    assert np.max(np.abs(slopes)) < 1e-12


@pytest.mark.backend_free
def test_what_is_no_polynomial_is_left_to_networks():
    x = normal(300, 3)
    assert quadratic_fit(x, np.exp(-np.sum(x**2, axis=1) / 4), 30) is None
    noisy = np.sum(x**2, axis=1) + 0.1 * normal(300, seed=1)
    assert quadratic_fit(x, noisy, 30) is None
    # Fewer samples than coefficients are explained by anything.
    assert quadratic_fit(x[:20], normal(20), 2) is None


def test_products_of_powers_have_their_scalings():
    """An ideal gas, measured to 2 percent, and a column that has nothing to do with it."""
    moles, kelvin, volume = np.exp(normal(3, 400) * [[0.5], [0.2], [0.6]])
    x = np.stack([moles, 300 * kelvin, 0.02 * volume, normal(400, seed=1)], axis=1)
    pressure = 8.314 * x[:, 0] * x[:, 1] / x[:, 2] * np.exp(0.02 * normal(400, seed=2))
    report = fit_symmetries(x, pressure, search="affine", verbose=False)
    assert "the logarithm of `y` is a polynomial" in report.notes[0]
    assert "without measurable effect: x3" in report.notes[1]
    assert np.allclose(np.abs(report.unidentified), np.eye(4)[[3]])
    assert report.dimension == 2
    assert report.confidence > 0.9
    # With n goes V, and with T goes V.
    units = np.append(np.where(report.scales > 0, report.scales, 1.0), 1.0)
    found = report.basis * units / units[:, None]
    expected = np.array([np.diag([1.0, 0, 1, 0, 0]), np.diag([0, 1.0, 1, 0, 0])])
    assert np.max(a.principal_angles(found, expected)) < 3 * np.max(report.errors)


@pytest.mark.backend_free
def test_what_no_polynomial_of_logarithms_explains_is_left_to_networks():
    x = np.exp(0.6 * normal(400, 2))
    noise = 1 + 0.03 * normal(400, seed=1)
    waves = np.sin(np.log(x) @ normal(2, 8, seed=2) * 2) @ normal(8, seed=3)
    assert quadratic_fit(x, np.exp(waves) * noise, 40) is None
    powers = quadratic_fit(x, x[:, 0] ** 1.5 / x[:, 1] * noise, 40)
    assert powers.idle == ()
    dense = [each for each in powers.model.layers if isinstance(each, keras.layers.Dense)]
    slopes = dense[0].get_weights()[1]
    assert np.allclose(slopes, [1.5, -1], atol=0.02)


@pytest.mark.backend_free
def test_columns_without_a_logarithm_may_have_an_effect():
    """Degrees Celsius below zero, and what a number of any sign multiplies."""
    rng = np.random.default_rng(0)
    low, high = [0.5, -20, 0.01], [3, 120, 0.08]
    x = rng.uniform(low, high, (600, 3))
    pressure = 8.314 * x[:, 0] * (x[:, 1] + 273.15) / x[:, 2]
    assert quadratic_fit(x, pressure, 75) is None
    assert quadratic_fit(x, pressure * (1 + 0.01 * normal(600)), 75) is None
    x[:, 1] = normal(600)
    slow = x[:, 0] ** 2 / x[:, 2] * (1 + 0.15 * np.tanh(x[:, 1]))
    assert quadratic_fit(x, slow, 75) is None
    assert quadratic_fit(x, x[:, 0] ** 2 / x[:, 2], 75).idle == (1,)


def test_a_polynomial_of_logarithms_that_leaves_more_than_noise_is_not_sure():
    """Degrees Celsius above zero: `log(T + 273)` is nearly a polynomial of `log T`."""
    x = np.random.default_rng(0).uniform([0.5, 5, 0.01], [3, 120, 0.08], (600, 3))
    pressure = 8.314 * x[:, 0] * (x[:, 1] + 273.15) / x[:, 2]
    report = fit_symmetries(x, pressure, search="affine", epochs=1, verbose=False)
    assert report.confidence < 0.9


@pytest.mark.backend_free
def test_terms_of_degree_three_that_noise_does_not_explain():
    """They are a hundredth of the whole, but of a function that has no symmetry."""
    x = normal(400, 3)
    cubic = np.sum(x**2, axis=1) + 0.01 * x[:, 0] * x[:, 1] * x[:, 2]
    assert quadratic_fit(x, cubic, 40) is None
    noise = 0.01 * normal(400, seed=1)
    assert quadratic_fit(x, np.sum(x**2, axis=1) + noise, 40) is not None


@pytest.mark.backend_free
def test_noise_that_grows_with_columns_of_heavy_tails():
    """Masses of four-momenta, known to 0.3 percent: a few samples have nearly all noise.

    Terms of degree 3 explain these, and foretell no others.
    """
    for seed in range(3):
        rng = np.random.default_rng(seed + 2)
        size = 20 * (1 - rng.random((800, 1)) * (1 - 1e-3)) ** (-1 / 3)
        momenta, spread = size * rng.normal(size=(800, 3)), np.exp(0.4 * normal(800))
        energy = np.sqrt(np.sum(momenta**2, axis=1) + (0.5 * size[:, 0]) ** 2 * spread)
        mass = np.sqrt(energy**2 - np.sum(momenta**2, axis=1))
        known = mass * (1 + 0.003 * rng.normal(size=800))
        x = np.column_stack([momenta, energy])
        assert quadratic_fit(x, known, 100) is not None
