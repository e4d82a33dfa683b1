"""Symmetries of data, by a network in between."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import algebra as a
from keras_lconv.discovery import fit_symmetries
from keras_lconv.discovery.functions import fit, quadratic, stand_in
from keras_lconv.discovery.functions.gaussian_process import process_fit
from keras_lconv.discovery.functions.network import network
from keras_lconv.discovery.functions.quadratic import quadratic_fit
from keras_lconv.discovery.functions.targets import targets_of
from tests.discovery.test_tables import Frame


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.nightly
def test_rotations_of_a_function_of_the_length():
    x = normal(4000, 3)
    y = np.exp(-np.sum(x**2, axis=1) / 4)
    report = fit_symmetries(x, y, verbose=0)
    assert report.algebra.identify().name == "so(3)"
    assert np.degrees(np.max(a.principal_angles(report.algebra, a.so(3)))) < 2
    assert report.fit_error < 0.1
    assert "error of the fit" in report.summary()
    # The model is what was asked about.
    predicted = report.model.predict(x[:500], verbose=0)[:, 0]
    assert np.corrcoef(predicted, y[:500])[0, 1] > 0.99


def test_equivariance_with_a_model_of_ones_own():
    x = normal(2000, 2)
    y = x * np.exp(-np.sum(x**2, axis=1, keepdims=True) / 4)
    hidden = [keras.layers.Dense(64, activation="swish") for _ in range(2)]
    model = keras.Sequential([keras.Input((2,)), *hidden, keras.layers.Dense(2)])
    report = fit_symmetries(
        x, y, kind="equivariance", output="same", model=model, epochs=150, verbose=0
    )
    assert report.model is model
    assert report.dimension == 1
    assert np.degrees(np.max(a.principal_angles(report.algebra, a.so(2)))) < 5


@pytest.mark.thorough
def test_inertia_of_masses_and_positions():
    """Masses do not transform; the tensor turns and scales as positions do."""
    rng = np.random.default_rng(0)
    masses, places = rng.uniform(0.5, 2, (2500, 5)), normal(2500, 5, 3)
    squares = np.einsum("bn,bni,bni->b", masses, places, places)
    tensors = np.einsum("bn,bni,bnj->bij", masses, places, places)
    x = np.concatenate([masses, places.reshape(2500, 15)], axis=1)
    y = squares[:, None, None] * np.eye(3) - tensors
    report = fit_symmetries(
        x,
        y,
        kind="equivariance",
        blocks=5,
        output="tensor2",
        scalars=5,
        epochs=40,
        verbose=0,
    )
    assert report.algebra.identify().name == "so(3) + R"
    similar = np.concatenate([a.so(3).basis, np.eye(3)[None]])
    assert np.degrees(np.max(a.principal_angles(report.algebra, similar))) < 2


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
    """Found among linear maps, as masses of jets: no more than chance explains them."""
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


# ------------------------------------------------------------------ Gaussian processes


def waves(x):
    """What a process takes for granted: many waves of the same lengths."""
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
    # What is drawn is as far off as the truth.
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


def pulled_to_a_circle(x):
    turned = x @ np.array([[np.cos(0.4), np.sin(0.4)], [-np.sin(0.4), np.cos(0.4)]])
    return turned * (0.7 + 0.3 / np.linalg.norm(x, axis=1, keepdims=True))


def test_a_network_that_misses_a_part_of_a_function_is_not_sure():
    """A step that turns, and pulls to a circle, which may be taken for linear."""
    x = normal(300, 2)
    y = pulled_to_a_circle(x)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    asked = {"kind": "equivariance", "output": "same", "verbose": False}
    wrong = fit_symmetries(x, y, model=model, epochs=40, **asked)
    assert wrong.fit_error > 0.1
    assert wrong.confidence < 0.5
    report = fit_symmetries(x, y, epochs=1, **asked)
    assert report.dimension == 1
    assert np.degrees(np.max(a.principal_angles(report.algebra, a.so(2)))) < 8


def test_what_is_noise_does_not_make_a_network_less_sure():
    """Of a network that is linear, the errors on 200 samples that it was not trained on."""
    x, matrix = normal(200, 2).astype("float32"), np.array([[1.0, 2.0], [-2.0, 1.0]])
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, use_bias=False)])
    model.set_weights([matrix])
    noisy = x @ matrix + 0.7 * normal(200, 2, seed=1)
    assert stand_in._foretold(model, x, noisy, 1, 200) == 0.0
    assert stand_in._foretold(model, x, noisy + x**2, 1, 200) > 0.5


@pytest.mark.backend_free
def test_outputs_over_decades_without_a_pole_are_not_fitted_by_their_logarithm():
    x = np.random.default_rng(0).uniform(-1.2, 1.2, (200, 2))
    y = x[:, 0] ** 2 + x[:, 1] ** 4
    targets = targets_of(y, "invariance")
    assert targets.are_logarithms
    found = stand_in.smooth_fit(x, targets, True)
    assert found.error < 0.01
    assert found.notes == (stand_in.BY_A_PROCESS,)


# ----------------------------------------------------------- columns that hardly matter


def stands_for(weight, unit):
    """Two networks that agree on `|x|^2` of two columns, and make some of a third."""
    inputs = keras.Input((3,))
    both = ops.sum(inputs[:, :2] ** 2, axis=1) + weight * inputs[:, 2]
    outputs = ops.repeat(ops.reshape(both / unit, (-1, 1, 1)), 2, axis=1)
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize(
    ("second", "names"),
    [(0.049, ("width", "height", "colour")), (0.049, None), (0.051, None)],
)
def test_a_column_without_measurable_effect_is_left_out(second, names, monkeypatch):
    x = normal(400, 3)
    y = np.sum(x[:, :2] ** 2, axis=1) + 0.1 * normal(400, seed=1)
    models = [stands_for(weight, float(np.std(y))) for weight in (0.01, 0.0)]
    fits = [
        stand_in.StandIn(model, error, (), members=2)
        for model, error in zip(models, (0.05, second), strict=True)
    ]
    asked = []

    def trained(x, *_):
        asked.append(x)
        return fits[len(asked) - 1]

    monkeypatch.setattr(stand_in, "_trained", trained)
    monkeypatch.setattr(fit, "smooth_fit", lambda *_: None)
    table = x if names is None else Frame(x, names)
    report = fit_symmetries(table, y, search="linear", verbose=False)
    assert len(asked) == 2
    assert not np.any(asked[1][:, 2])
    assert report.fit_error == min(second, 0.05)
    if second > 0.05:
        assert not len(report.unidentified)
        return
    assert report.dimension == 1
    assert "without measurable effect: " + (names or ["", "", "x2"])[2] in report.notes[0]
    assert np.allclose(np.abs(report.unidentified), [[0, 0, 1]])


def test_columns_that_never_vary_are_not_asked():
    x = normal(50, 2)
    x[:, 1] = 0.0
    model = network(x, (), None)
    moved = x + np.array([0.0, 3.0])
    assert np.allclose(model.predict(x, verbose=0), model.predict(moved, verbose=0))


@pytest.mark.backend_free
def test_counts_are_fitted_with_noise_of_one_size():
    rates = np.repeat([4.0, 40.0, 400.0], 4000)
    drawn = np.random.default_rng(0).poisson(rates)
    targets = targets_of(drawn, "invariance")
    assert "taken for counts" in targets.notes[0]
    spreads = np.std(targets.values.reshape(3, -1), axis=1)
    assert np.ptp(spreads) < 0.1 * np.mean(spreads)


@pytest.mark.backend_free
def test_labels_as_tables_hold_them():
    """One column of a table, of Python objects, of which some may be missing."""
    words = np.repeat(np.array(["in", "out", "far"], dtype=object), 10)
    column = targets_of(words[:, None], "invariance")
    assert column.notes == ("`y` was taken for labels of 3 classes",)
    assert column.values.shape == (30, 3)
    truths = targets_of(np.repeat(np.array([True, False], dtype=object), 10), "invariance")
    assert truths.activation == "sigmoid"
    words[3] = np.nan
    with pytest.raises(ValueError, match="1 that are no strings, as nan"):
        targets_of(words, "invariance")
    numbers = targets_of(normal(30).astype(object), "invariance")
    assert numbers.activation is None


@pytest.mark.thorough
def test_a_bad_fit_says_so():
    x = normal(300, 3)
    report = fit_symmetries(x, normal(300, seed=1), epochs=3, verbose=0)
    assert report.fit_error > 0.7
    assert "this is large: more samples" in report.summary()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": np.ones(4)}, "`x` must have shape"),
        ({"y": np.ones(3)}, "the same number of samples"),
        ({"y": np.ones(20)}, "`y` must not be constant"),
        ({"validation_split": 0.01}, "must leave samples on both sides"),
        ({"validation_split": 1.5}, "between 0 and 1"),
        ({"epochs": 0}, "`epochs` must be a positive integer"),
        (
            {"model": keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])},
            "`model` must have the output shape",
        ),
        (
            {"model": keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])},
            r"`model` must take samples of shape \(2,\)",
        ),
        ({"kind": "equivariance", "output": "same"}, "with 2 outputs.*1 outputs"),
        ({"output": "same"}, "`output` states how outputs move"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(arguments, words, monkeypatch):
    monkeypatch.setattr(stand_in, "train", None)
    monkeypatch.setattr(stand_in, "process_fit", None)
    settings = {"x": normal(20, 2), "y": normal(20), "verbose": 0, **arguments}
    with pytest.raises(ValueError, match=words):
        fit_symmetries(**settings)
