"""Tables with names, and functions that are not differentiated by the backend."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from keras_lconv import algebra as a
from keras_lconv.discovery import find_symmetries, fit_symmetries
from keras_lconv.discovery.functions import find
from keras_lconv.discovery.functions.grouping import other_groupings
from tests.samples import normal


class Frame:
    """The part of a pandas data frame that is used."""

    def __init__(self, values, columns):
        self.values, self.columns = np.asarray(values), columns

    def to_numpy(self):
        return self.values


NAMES = ["id", "vx", "vy", "vz", "m", "x", "y", "z"]
VECTORS = [["x", "y", "z"], ["vx", "vy", "vz"]]


def table(num=400):
    values = normal(num, 8)
    values[:, 0] = np.arange(num)
    return Frame(values, NAMES)


def momentum(x):
    """Of the mass and two vectors."""
    mass, q, v = x[:, :1], x[:, 1:4], x[:, 4:]
    lengths = ops.sum(q**2, axis=1) + mass[:, 0] * ops.sum(v**2, axis=1)
    return ops.tanh(lengths / 4) + ops.sin(ops.sum(q * v, axis=1))


def test_columns_by_name():
    report = find_symmetries(momentum, table(), columns=VECTORS, scalars=["m"])
    assert report.name == "so(3)"
    assert (report.blocks, report.scalars) == (2, 1)
    assert np.degrees(np.max(a.principal_angles(report.basis, a.so(3)))) < 1e-3
    words = report.summary()
    assert "x d/dy - y d/dx  [rotation]" in words
    assert "y d/dz - z d/dy  [rotation]" in words
    by_number = find_symmetries(
        momentum, table().values, columns=[[5, 6, 7], [1, 2, 3]], scalars=["4"]
    )
    assert np.allclose(by_number.singular_values, report.singular_values)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        # First all x, then all y.
        (None, "R: columns=[[0, 3], [1, 4], [2, 5]]"),
        (
            ["x1", "x2", "x3", "y1", "y2", "y3"],
            "[['x1', 'y1'], ['x2', 'y2'], ['x3', 'y3']]",
        ),
        (["a", "b", "c", "d", "e", "f"], "[['a', 'd'], ['b', 'e'], ['c', 'f']]"),
    ],
)
def test_vectors_by_another_order_of_columns(names, words):
    def function(x):
        squares = x[:, :3] ** 2 + x[:, 3:] ** 2
        cross = x[:, 0] * x[:, 4] - x[:, 1] * x[:, 3]
        return ops.sum(ops.sin(squares), axis=1) + cross + squares[:, 0] * cross

    values = normal(300, 6)
    x = values if names is None else Frame(values, names)
    report = find_symmetries(function, x, blocks=3, search="linear")
    assert report.dimension == 0
    assert "grouped otherwise there is a symmetry" in report.summary()
    assert words in report.notes[0]


@pytest.mark.backend_free
def test_vectors_that_names_tell():
    names = ["m", "x", "y", "z", "vx", "vy", "vz", "max"]
    found = other_groupings(8, 1, 0, names)
    assert [each.told(names) for each in found] == [
        "columns=[['x', 'y', 'z'], ['vx', 'vy', 'vz']], scalars=['m', 'max']"
    ]
    energies = ["px1", "py1", "E1", "px2", "py2", "E2"]
    assert other_groupings(6, 1, 0, energies)[0].vectors == [[0, 1], [3, 4]]
    assert not other_groupings(6, 2, 0, ["x", "y", "z", "vx", "vy", "vz"])
    assert not other_groupings(3, 1, 0, ["x", "y", "z"])
    assert not other_groupings(4, 1, 0, None)
    assert not other_groupings(4, 4, 0, None)


def test_all_columns_of_a_frame():
    frame = Frame(normal(300, 3) + 5, ["a", "b", "c"])
    report = find_symmetries(lambda x: ops.exp(-ops.sum((x - 5) ** 2, axis=1) / 4), frame)
    assert report.names == ("a", "b", "c")
    assert "about the centre: a=5, b=5, c=5" in report.summary()


def test_names_of_unidentified_columns():
    values = normal(300, 3)
    values[:, 1] = 7.0
    report = find_symmetries(
        lambda x: ops.sin(x[:, 0] * x[:, 2]) + x[:, 0],
        Frame(values, ["height", "count", "width"]),
    )
    assert "do not vary: count" in report.summary()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"columns": ["x", "q"]}, ValueError, "must be columns of the table.*'q'"),
        ({"columns": [["x", "y"], ["z"]]}, ValueError, "equally many columns for each"),
        ({"columns": ["x", ["y"]]}, ValueError, "a list of columns, or a list of such"),
        ({"columns": ["x"], "scalars": ["mass"]}, ValueError, "must be columns"),
    ],
)
def test_columns_that_do_not_fit_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        find_symmetries(lambda x: x[:, 0], table(), **arguments)


def test_columns_without_numbers_are_named():
    values = normal(20, 3)
    values[3:5, 1] = np.nan
    with pytest.raises(ValueError, match=r"in the columns b \(2\)\. Drop these rows"):
        find_symmetries(lambda x: x[:, 0], Frame(values, ["a", "b", "c"]))
    words = np.array([["one", "1"], ["two", "2"]], dtype=object)
    with pytest.raises(TypeError, match=r"Received: columns.*\['a'\]"):
        find_symmetries(lambda x: x[:, 0], Frame(words, ["a", "b"]))
    with pytest.raises(ValueError, match="apply to a table"):
        find_symmetries(lambda x: x, normal(4, 5, 5, 1), columns=[0, 1])


def test_directions_are_told_as_far_as_they_are_known():
    def function(x):
        return ops.sin(x[:, 0]) + ops.cos(x[:, 1] - 0.02 * x[:, 2])

    report = find_symmetries(function, normal(400, 3), search="linear")
    assert "\n  0.02 d/dx1 + d/dx2" in report.summary()
    roughly = dataclasses.replace(report, errors=np.full(report.dimension, 0.05))
    assert "\n  d/dx2" in roughly.summary()


@pytest.mark.thorough
def test_names_survive_a_fit():
    frame = Frame(normal(600, 2), ["east", "north"])
    y = np.exp(-np.sum(frame.values**2, axis=1))
    report = fit_symmetries(frame, y, epochs=150, verbose=False)
    assert report.dimension == 1
    assert "east d/dnorth" in report.summary()


# ------------------------------------------------------------------------ derivatives


def cloud(x):
    return np.exp(-np.sum(x**2, axis=1) / 4)


def test_functions_of_numpy_by_finite_differences():
    report = find_symmetries(cloud, 1e6 * normal(200, 3) / 1e6, derivatives="finite")
    assert report.name == "so(3)"
    assert np.degrees(np.max(a.principal_angles(report.basis, a.so(3)))) < 1e-3
    scaled = find_symmetries(
        lambda x: cloud(x / 1e6), 1e6 * normal(200, 3), derivatives="finite"
    )
    assert np.allclose(scaled.singular_values, report.singular_values, atol=1e-6)


@pytest.mark.parametrize("kind", ["invariance", "equivariance"])
def test_an_output_that_does_not_count_is_named(kind):
    """Beside an offset of 1e7 changes may be rounding; the rest alone is so(3)."""

    def function(x):
        return ops.stack([1e7 + x[:, 0], ops.sum(x**2, axis=1)], axis=1)

    report = find_symmetries(function, normal(100, 3), kind=kind)
    assert report.confidence == 0
    assert "outputs that do not count: 0 (" in report.summary()
    # Alone it is differentiated as it is.
    assert not find_symmetries(lambda x: 1e7 + x[:, 0], normal(100, 3)).notes


def test_functions_of_one_row():
    report = find_symmetries(lambda r: np.tanh(r @ r), normal(100, 3), derivatives="finite")
    assert report.name == "so(3)"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_functions_of_numpy_need_no_argument(dtype):
    report = find_symmetries(lambda x: cloud(x.astype(dtype)), normal(200, 3))
    assert report.name == "so(3)"
    limit = 1e-3 if dtype == "float64" else 0.05
    assert np.degrees(np.max(a.principal_angles(report.basis, a.so(3)))) < limit
    assert "central differences" in report.summary()


class Steps:
    """A model as those of scikit-learn, constant between its jumps, as trees."""

    def predict(self, x):
        return np.round(20 * np.exp(-np.sum(np.asarray(x) ** 2, axis=1) / 4)) + 0.5


def test_models_that_jump_are_fitted(monkeypatch):
    asked = {}

    def fit(x, y, **settings):
        asked.update(settings, x=x, y=y)
        return find_symmetries(None, x, derivatives=-x * cloud(x)[:, None])

    monkeypatch.setattr(find, "fit_symmetries", fit)
    x = normal(200, 3)
    report = find_symmetries(Steps(), x, search="linear")
    assert report.name == "so(3)"
    assert "networks were fitted" in report.summary()
    assert asked["search"] == "linear"
    assert np.array_equal(asked["y"], Steps().predict(asked["x"]))
    with pytest.raises(ValueError, match="constant near"):
        find_symmetries(lambda x: np.ones(len(x)), x)


def test_derivatives_that_are_known():
    x = normal(200, 3)
    slopes = -x / 2 * cloud(x)[:, None]
    report = find_symmetries(None, x, derivatives=slopes)
    assert report.name == "so(3)"
    # Also where rows are repeated.
    twice = find_symmetries(None, np.tile(x, (2, 1)), derivatives=np.tile(slopes, (2, 1)))
    assert np.allclose(twice.singular_values, report.singular_values)
    with pytest.raises(ValueError, match="`derivatives` must be 'finite', or have shape"):
        find_symmetries(None, x, derivatives=slopes[:5])
    with pytest.raises(ValueError, match="`derivatives` must be one of"):
        find_symmetries(cloud, x, derivatives="backward")


def test_messages_say_the_remedy():
    def wrong(x):
        raise KeyError("a mistake with NumPy")

    with pytest.raises(KeyError) as caught:
        find_symmetries(wrong, normal(50, 3))
    assert "derivatives='finite'" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match=r"fit_symmetries\(x, function\(x\)\)"):
        find_symmetries(lambda x: np.round(x[:, 0]), normal(50, 3), derivatives="finite")
