"""The classifier that fits the data: each is invariant to what its data are known for."""

import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv.algebra import so
from keras_lconv.generators import rotation
from keras_lconv.models import classifier
from tests.autodiff import run
from tests.families import relative_error, to_numpy


def turned(f):
    return np.rot90(f, axes=(1, 2)).copy()


def turned_about_the_centre(f):
    return to_numpy(rotation().transform(f, 0.7))


def bumps():
    """Three smooth signals that are zero near the border."""
    places = np.arange(64)[None] - 32.0 - np.array([[-2.0], [0.5], [4.0]])
    heights, widths = np.array([[2.0], [-1.0], [1.5]]), np.array([[2.0], [3.0], [4.0]])
    return (heights * np.exp(-((places / widths) ** 2) / 2))[..., None].astype("float32")


def moved_vectors(x):
    turn = expm(np.tensordot([0.3, 1.0, -0.5], so(3).basis, 1))
    return (x.reshape(len(x), -1, 3) @ turn.T).reshape(x.shape).astype("float32")


CASES = {
    "centred objects": ((9, 9, 1), turned_about_the_centre, 1e-4),
    "objects anywhere": ((12, 12, 1), turned, 1e-4),
    "volume": ((7, 7, 7, 1), turned, 1e-4),
    "signal": ((64, 1), lambda f: np.roll(f, 5, axis=1), 2e-3),
    "table": ((6,), moved_vectors, 1e-4),
}


@pytest.mark.thorough
@pytest.mark.parametrize("data", CASES)
def test_it_is_invariant(data):
    shape, move, error = CASES[data]
    settings = {"generators": so(3)} if data == "table" else {}
    model = classifier(data, shape, 3, None, **settings)
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    x = bumps() if data == "signal" else x
    found = to_numpy(run(model, x))
    assert found.shape == (3, 3)
    assert np.max(np.std(found, axis=0)) > 1e-3
    assert relative_error(to_numpy(run(model, move(x))), found) < error


@pytest.mark.backend_free
def test_what_does_not_fit_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="which fits data='volume'"):
        classifier("objects anywhere", (9, 9, 9, 1))
    with pytest.raises(ValueError, match=r"estimators\.SymmetryClassifier"):
        classifier("table", (6,))
    with pytest.raises(ValueError, match="`generators` belong to data='table'"):
        classifier("signal", (6, 1), generators=so(3))
    with pytest.raises(ValueError, match="vectors of 3 components"):
        classifier("table", (7,), generators=so(3))
