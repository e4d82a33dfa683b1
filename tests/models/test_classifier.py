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
    """Three smooth signals that are zero far from the middle."""
    places = np.arange(256)[None] - 128.0 - np.array([[-2.0], [0.5], [4.0]])
    heights, widths = np.array([[2.0], [-1.0], [1.5]]), np.array([[2.0], [3.0], [4.0]])
    return (heights * np.exp(-((places / widths) ** 2) / 2))[..., None].astype("float32")


TURN = expm(np.tensordot([0.3, 1.0, -0.5], so(3).basis, 1))


def moved_vectors(x):
    return (x.reshape(len(x), -1, 3) @ TURN.T).reshape(x.shape).astype("float32")


def moved_points(x):
    """Turned, moved and in another order, with their features."""
    positions = x[..., :3] @ TURN.T + [2.0, -1.0, 0.5]
    moved = np.concatenate([positions, x[..., 3:]], axis=2)
    return moved[:, ::-1].astype("float32")


CASES = {
    "centred objects": ((9, 9, 1), turned_about_the_centre, 1e-4),
    "objects anywhere": ((12, 12, 1), turned, 1e-4),
    "volume": ((7, 7, 7, 1), turned, 1e-4),
    "signal": ((256, 1), lambda f: np.roll(f, 8, axis=1), 1e-3),
    "points": ((5, 3), moved_points, 1e-4),
    "points with features": ((5, 5), moved_points, 1e-4),
    "table": ((6,), moved_vectors, 1e-4),
}


def test_large_images_of_centred_objects_are_averaged():
    model = classifier("centred objects", (40, 50, 3), 3, None)
    assert model.count_params() < 2e6  # 11 million without
    x = np.random.default_rng(0).normal(size=(2, 40, 40, 1)).astype("float32")
    model = classifier("centred objects", x.shape[1:], 3, None)
    assert relative_error(model(turned(x)), model(x)) < 1e-4
    assert relative_error(model(x[::-1].copy()), model(x)) > 0.1


@pytest.mark.thorough
@pytest.mark.parametrize("data", CASES)
def test_it_is_invariant(data):
    shape, move, error = CASES[data]
    data = data.removesuffix(" with features")
    settings = {"generators": so(3)} if data == "table" else {}
    model = classifier(data, shape, 3, None, **settings)
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    x = bumps() if data == "signal" else x
    found = to_numpy(run(model, x))
    assert found.shape == (3, 3)
    assert np.max(np.std(found, axis=0)) > 1e-3
    assert relative_error(to_numpy(run(model, move(x))), found) < error


def boosted(x):
    """4-vectors as another observer sees them."""
    boost = next(L for L in so(3, 1).basis if np.allclose(L, L.T))
    return (x @ expm(0.5 * boost).T).astype("float32")


@pytest.mark.thorough
def test_points_of_another_group():
    model = classifier("points", (5, 4), 3, None, generators=so(3, 1))
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")
    found = to_numpy(run(model, x))
    assert np.max(np.std(found, axis=0)) > 1e-3
    assert relative_error(to_numpy(run(model, boosted(x))), found) < 1e-4


@pytest.mark.backend_free
def test_what_does_not_fit_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="which fits data='volume'"):
        classifier("objects anywhere", (9, 9, 9, 1))
    with pytest.raises(ValueError, match=r"estimators\.SymmetryClassifier"):
        classifier("table", (6,))
    with pytest.raises(ValueError, match=r"must be \(length, channels\)"):
        classifier("signal", (6,))
    with pytest.raises(ValueError, match="the 3 coordinates on"):
        classifier("points", (6, 2))
    with pytest.raises(ValueError, match="`generators` apply to data='table' and"):
        classifier("signal", (6, 1), generators=so(3))
    with pytest.raises(ValueError, match="the 3 components of a vector"):
        classifier("table", (7,), generators=so(3))
