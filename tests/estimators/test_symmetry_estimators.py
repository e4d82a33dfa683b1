"""Estimators that find the symmetry of their table: the networks have it."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.utils.estimator_checks import (
    estimator_checks_generator,
    parametrize_with_checks,
)

from keras_lconv.discovery import find_symmetries
from keras_lconv.estimators import (
    SymmetryClassifier,
    SymmetryRegressor,
    symmetry_estimator,
)
from keras_lconv.models.symmetric_network import symmetric_network

TORCH = keras.config.backend() == "torch"


class Frame:
    """The part of a pandas data frame that is used."""

    def __init__(self, values, columns):
        self.values, self.columns = values, np.array(columns, dtype=object)
        self.shape = values.shape

    def __array__(self, dtype=None, copy=None):
        return self.values.astype(dtype or object)

    def __len__(self):
        return len(self.values)

    def to_numpy(self):
        return self.values


RNG = np.random.default_rng(0)
CENTRE = np.array([5.2, -3.1, 100.3], "float32")


def turn(x):
    """By a quarter, of the first two columns."""
    return np.concatenate([-x[:, 1:2], x[:, :1], x[:, 2:]], axis=1)


def about_the_centre(x):
    return turn(x - CENTRE) + CENTRE


def turned_pairs(x):
    """Both points of the plane, and moved by the same."""
    turned = np.concatenate([turn(x[:, :2]), turn(x[:, 2:])], axis=1)
    return turned + np.array([3, -4, 3, -4])


# A function, samples, arguments of the search, and maps that leave the function unchanged.
CASES = {
    "rotations about a far point": (
        lambda x: ops.exp(-ops.sum((x - CENTRE) ** 2, axis=1) / 4),
        CENTRE + RNG.normal(size=(200, 3)),
        {},
        about_the_centre,
    ),
    "a column that does not matter": (
        lambda x: ops.sin(x[:, 0] ** 2 + x[:, 1] ** 2),
        RNG.normal(size=(200, 3)),
        {"search": "affine"},
        lambda x: turn(x) + np.array([0, 0, 5]),
    ),
    "a shift of two columns": (
        lambda x: ops.sin(x[:, 0] - x[:, 1]) + x[:, 2] ** 3,
        RNG.normal(size=(200, 3)),
        {"search": "affine"},
        lambda x: x + np.array([2, 2, 0]),
    ),
    "the distance of two points, and a scalar": (
        lambda x: x[:, 0] * ops.exp(-ops.sum((x[:, 1:3] - x[:, 3:]) ** 2, axis=1) / 4),
        RNG.normal(size=(300, 5)),
        {"search": "affine", "blocks": 2, "scalars": 1},
        lambda x: np.concatenate([x[:, :1], turned_pairs(x[:, 1:])], axis=1),
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_the_network_has_what_was_found(name):
    function, x, search, move = CASES[name]
    report = find_symmetries(function, x, **search)
    network = symmetric_network(report, x, 1, hidden_units=(8,), vectors=2)
    some = x[:40].astype("float32")
    values = [
        ops.convert_to_numpy(network(f.astype("float32"))) for f in (some, move(some))
    ]
    assert np.std(values[0]) > 1e-3
    assert np.allclose(*values, atol=3e-3 * np.std(values[0]))


@pytest.fixture
def known(monkeypatch):
    """In place of a fit, the report of a function that is known: no network is trained."""

    def set_function(function):
        monkeypatch.setattr(
            symmetry_estimator,
            "fit_symmetries",
            lambda x, y, epochs, verbose, **search: find_symmetries(function, x, **search),
        )

    return set_function


@pytest.mark.thorough
def test_a_regressor_has_the_symmetry_of_its_table(known):
    units = np.array([1, 10, 0.1])
    known(lambda x: ops.sum((x / ops.array(units, "float32")) ** 2, axis=1))
    x = RNG.normal(size=(100, 3)) * units
    y = np.sum((x / units) ** 2, axis=1)
    y = np.stack([y, 5 - y], axis=1)
    model = SymmetryRegressor(hidden_units=8, epochs=20, random_state=0).fit(x, y)
    assert model.has_symmetry_
    assert model.reason_ == "so(3) was found"
    found = model.predict(x)
    assert np.allclose(found, model.predict(turn(x / units) * units), atol=1e-4)
    assert model.score(x, y) > 0.5


@pytest.mark.thorough
def test_without_a_network_the_reason_is_told(known):
    """No polynomial is invariant to scaling."""
    known(lambda x: x[:, 0] / x[:, 1])
    x = np.exp(RNG.normal(size=(100, 2)) / 2)
    model = SymmetryRegressor(search="linear", hidden_units=4, epochs=1)
    model.fit(x, x[:, 0] / x[:, 1])
    assert not model.has_symmetry_
    assert "too few invariant polynomials" in model.reason_
    model.set_params(min_confidence=1 - 1e-15).fit(x, x[:, 0])
    assert "less than min_confidence" in model.reason_


def test_maps_that_make_no_algebra_are_a_reason_too(monkeypatch):
    """Four maps whose brackets are others."""
    x = RNG.normal(size=(40, 3))
    known = find_symmetries(lambda x: ops.sum(x**2, axis=1), x)
    open_maps = np.random.default_rng(3).normal(size=(4, 3, 3))
    report = dataclasses.replace(known, basis=open_maps, errors=np.zeros(4))
    monkeypatch.setattr(symmetry_estimator, "fit_symmetries", lambda *_, **__: report)
    model = SymmetryRegressor(hidden_units=4, epochs=1).fit(x, x[:, 0])
    assert not model.has_symmetry_
    assert "closed under brackets" in model.reason_
    assert model.predict(x).shape == (40,)


def test_a_rotation_found_with_errors_is_built_in(monkeypatch):
    x = RNG.normal(size=(40, 2))
    known = find_symmetries(lambda x: ops.sum(x**2, axis=1), x)
    noisy = known.basis + np.array([[0.003, 0], [0.01, 0.005]])
    report = dataclasses.replace(known, basis=noisy, errors=np.array([0.02]))
    monkeypatch.setattr(symmetry_estimator, "fit_symmetries", lambda *_, **__: report)
    model = SymmetryRegressor(hidden_units=4, epochs=1).fit(x, np.sum(x**2, axis=1))
    assert model.has_symmetry_


@pytest.mark.thorough
def test_a_classifier_knows_its_labels(known):
    known(lambda x: ops.tanh(x[:, :1]))
    x = RNG.normal(size=(60, 2))
    y = np.where(x[:, 0] > 0, "right", "left")
    model = SymmetryClassifier(learning_rate=0.02, epochs=20, random_state=0).fit(x, y)
    assert list(model.classes_) == ["left", "right"]
    found = model.predict_proba(x)
    assert np.allclose(np.sum(found, axis=1), 1)
    assert np.all(model.classes_[np.argmax(found, axis=1)] == model.predict(x))
    assert model.score(x, y) > 0.9
    with pytest.raises(ValueError, match="`y` must have labels of at least two classes"):
        model.fit(x, np.zeros(60))


QUICK = {"epochs": 20, "search_epochs": 1, "hidden_units": 16}


@pytest.mark.nightly
@pytest.mark.skipif(not TORCH, reason="a hundred fits, each compiled for its shapes")
@parametrize_with_checks([SymmetryRegressor(**QUICK), SymmetryClassifier(**QUICK)])
def test_scikit_learn_accepts_them(estimator, check):
    check(estimator)


ASKED = ("check_estimators_unfitted", "check_estimators_pickle")
ASKED += ("check_methods_subset_invariance",)


@pytest.mark.thorough
@pytest.mark.parametrize("made", [SymmetryRegressor, SymmetryClassifier])
def test_scikit_learn_accepts_them_at_a_glance(made):
    """A few of all checks, by day."""
    estimator = made(epochs=1, search_epochs=1, hidden_units=4)
    names = []
    for each, check in estimator_checks_generator(estimator):
        if check.func.__name__ in ASKED:
            names.append(check.func.__name__)
            check(each)
    assert set(names) == set(ASKED)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("argument", "value"), [("learning_rate", 1e9), ("hidden_units", 10**9)]
)
def test_what_cannot_be_trained_is_refused(argument, value):
    x = np.random.default_rng(0).normal(size=(40, 3))
    made = SymmetryRegressor(epochs=2, search_epochs=2, **{argument: value})
    with pytest.raises(ValueError, match=f"`{argument}`"):
        made.fit(x, x[:, 0])


@pytest.mark.backend_free
@pytest.mark.parametrize("made", [SymmetryRegressor, SymmetryClassifier])
def test_columns_without_numbers_are_named(made):
    rows = np.random.default_rng(0).normal(size=(40, 3)).astype(object)
    rows[:, 2] = "text"
    rows[5, 1] = np.nan
    names = ["height", "weight", "kind"]
    labels = np.arange(40) % 2
    with pytest.raises(TypeError, match=r"text, dates or None: \['kind'\]"):
        made().fit(Frame(rows, names), labels)
    with pytest.raises(ValueError, match=r"in the columns weight \(1\)"):
        made(columns=["height", "weight"]).fit(Frame(rows, names), labels)


def test_columns_that_are_left_out_may_hold_text(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(40, 3)).astype(object)
    rows[:, 2] = "text"
    frame = Frame(rows, ["x", "y", "kind"])
    x = rows[:, :2].astype(float)
    report = find_symmetries(lambda x: ops.sum(x**2, axis=1), x)
    monkeypatch.setattr(symmetry_estimator, "fit_symmetries", lambda *_, **__: report)
    model = SymmetryRegressor(columns=["x", "y"], hidden_units=4, epochs=1)
    model.fit(frame, np.sum(x**2, axis=1))
    assert model.predict(frame).shape == (40,)
