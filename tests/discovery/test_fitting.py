"""Symmetries of data, by a network in between."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import algebra as a
from keras_lconv.discovery import fit_symmetries
from keras_lconv.discovery.functions import fit, stand_in
from keras_lconv.discovery.functions.network import network
from keras_lconv.discovery.functions.targets import targets_of
from tests.discovery.test_tables import Frame
from tests.samples import normal


@pytest.mark.nightly
def test_rotations_of_a_function_of_the_length():
    x = normal(4000, 3)
    y = np.exp(-np.sum(x**2, axis=1) / 4)
    report = fit_symmetries(x, y, verbose=0)
    assert report.algebra.identify().name == "so(3)"
    assert np.degrees(np.max(a.principal_angles(report.algebra, a.so(3)))) < 2
    assert report.fit_error < 0.1
    assert "error of the fit" in report.summary()
    # The model is the one that was searched.
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
    with pytest.raises(ValueError, match="1 values that are not strings, such as nan"):
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
            r"`model` must map samples of shape \(2,\)",
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
