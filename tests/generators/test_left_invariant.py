"""LeftInvariantGenerators: they move from the right, and the group acts from the left."""

import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import generators as g
from keras_lconv.algebra.torus import period
from tests.families import relative_error, to_numpy
from tests.generators.test_se2 import moved
from tests.samples import random

TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
ZOOM = np.eye(2)
SHEAR = np.array([[0.0, 1.0], [0.0, 0.0]])


def turned(f):
    """A quarter turn of features `(batch, theta, size, y, x, channels)`."""
    return np.roll(np.rot90(f, axes=(3, 4)), f.shape[1] // 4, axis=1)


# ----------------------------------------------------------- the fields themselves


def on_group(elements):
    """A smooth function of affine motions, matrices `(..., 3, 3)`."""
    centre = elements[..., :2, 2]
    frame = elements[..., :2, :2]
    bump = np.exp(-((centre[..., 0] - 0.7) ** 2 + 0.8 * (centre[..., 1] + 0.4) ** 2) / 8)
    return bump * (1 + 0.5 * frame[..., 0, 0] + 0.3 * frame[..., 1, 0] * centre[..., 0])


@pytest.mark.parametrize(
    ("algebra", "steps", "num"),
    [([TURN, ZOOM], (None, 0.05), (8, 5)), ([SHEAR], 0.05, (5,)), ([TURN], 0.1, (5,))],
)
def test_fields_are_derivatives_from_the_right(algebra, steps, num):
    """`-d/dt F(g exp(t X))` by the product of the group, inside of the ends of lines."""
    size, h = 21, 1e-5
    generators = g.LeftInvariantGenerators(algebra, steps=steps)
    x = np.moveaxis(np.indices((size, size)), 0, -1) - (size - 1) / 2
    elements = np.zeros((*num, size, size, 3, 3))
    elements[..., :2, :2] = generators.frames(num)[..., None, None, :, :]
    elements[..., :2, 2], elements[..., 2, 2] = x, 1
    found = to_numpy(generators(on_group(elements)[None, ..., None].astype("float32")))
    # Two translations, and then the matrices.
    motions = np.zeros((2 + len(algebra), 3, 3))
    motions[[0, 1], [0, 1], 2] = 1
    motions[2:, :2, :2] = algebra
    inside = (
        0,
        *(slice(None) if s is None else slice(1, -1) for s in generators.coordinates.steps),
    )
    for i, X in enumerate(motions):
        both = [on_group(elements @ expm(t * X)) for t in (h, -h)]
        expected = -(both[0] - both[1])[None] / (2 * h)
        error = relative_error(found[..., i, 0][inside], expected[inside])
        # Central differences between samples have an error of their own.
        assert error < (1e-4 if i < 2 else 3e-3)


def test_similarities_commute_with_quarter_turns_and_translations():
    f = random((1, 4, 3, 5, 5, 2))
    generators = g.get("sim2")
    derivatives = to_numpy(generators(f))
    assert derivatives.shape == (1, 4, 3, 5, 5, 4, 2)
    for i in range(4):
        expected = turned(derivatives[..., i, :])
        assert relative_error(generators(turned(f))[..., i, :], expected) < 1e-5
    periodic = g.LeftInvariantGenerators(
        [TURN, ZOOM], steps=(None, 0.3), derivative="fourier"
    )
    expected = moved(to_numpy(periodic(f)), 1.3, 3)
    assert relative_error(periodic(moved(f, 1.3, 3)), expected) < 1e-5


def test_frames_scale_the_steps():
    """The same slope counts twice as much in a frame twice as large."""
    f = np.repeat(random((1, 1, 9, 1)), 5, axis=1)
    generators = g.LeftInvariantGenerators([[1.0]], steps=np.log(2))
    slopes = to_numpy(generators(f))[0, :, :, 0, 0]
    for sample in range(5):
        assert relative_error(slopes[sample], 2**sample * slopes[0]) < 1e-5


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("algebra", "steps", "name"),
    [
        ([TURN], None, "se(2)"),
        ([TURN, ZOOM], (None, 0.3), "sim(2)"),
        ([[1.0]], 0.3, "aff(1)"),
        ([SHEAR], 0.3, "heisenberg(3)"),
        ([np.diag([1.0, -1.0])], 0.3, "iso(1,1)"),
    ],
)
def test_algebras(algebra, steps, name):
    found = g.LeftInvariantGenerators(algebra, steps=steps).algebra()
    assert found.dimension == len(algebra) + found.matrix_size - 1
    assert found.identify().name == name


@pytest.mark.backend_free
def test_brackets():
    """`[L_(n + i), L_a] = -sum_c (A_i)_ca L_c`."""
    A = np.array([[0.3, -1.2], [0.7, 0.4]])
    constants = g.LeftInvariantGenerators([A], steps=1.0).algebra().structure_constants
    assert np.allclose(constants[2, :2, :2], -A.T)
    assert np.allclose(constants[0, 1], 0)


# ------------------------------------------------------------------- the samples


@pytest.mark.backend_free
def test_periods():
    assert np.isclose(period(TURN), 2 * np.pi)
    mixed = np.array([[1.0, 2.0], [0.5, 3.0]])
    assert np.isclose(period(mixed @ TURN @ np.linalg.inv(mixed) / 3), 6 * np.pi)
    both = np.zeros((4, 4))
    both[:2, :2], both[2:, 2:] = 2 * TURN, 3 * TURN
    assert np.isclose(period(both), 2 * np.pi)
    both[2:, 2:] = np.sqrt(2) * TURN
    for matrix in (
        both,
        ZOOM,
        SHEAR,
        TURN + ZOOM,
        np.kron(ZOOM, TURN) + np.kron(SHEAR, ZOOM),
    ):
        assert period(matrix) is None


@pytest.mark.backend_free
def test_frames_are_exponentials_in_equal_steps():
    frames = g.LeftInvariantGenerators([TURN, ZOOM], steps=(None, 0.3)).frames((6, 3))
    for j, k in np.ndindex(6, 3):
        assert np.allclose(frames[j, k], expm(2 * np.pi * j / 6 * TURN + 0.3 * k * ZOOM))


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"algebra": "rotation"}, TypeError, "`algebra` must be an array"),
        ({"algebra": np.zeros((1, 2, 2))}, ValueError, "no zero matrix"),
        ({"algebra": [TURN, SHEAR]}, ValueError, "must commute"),
        ({"algebra": [TURN, 2 * TURN]}, ValueError, "linearly independent"),
        ({"algebra": [ZOOM]}, ValueError, "`steps` must be a number for a matrix whose"),
        ({"steps": (0.1, 0.2)}, ValueError, "one for each of the 1 matrices"),
        ({"steps": -1.0}, ValueError, "`steps` must be a positive number"),
        ({"steps": "half"}, TypeError, "`steps` must be a number"),
        ({"derivative": "exact"}, ValueError, "`derivative` must be one of"),
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        g.LeftInvariantGenerators(**{"algebra": [TURN], **arguments})


@pytest.mark.backend_free
def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match=r"\(batch, s_1, s_2, x_1, x_2, channels\)"):
        g.get("sim2").build((None, 8, 8, 8, 3))
    with pytest.raises(ValueError, match="one number for each of the 2 matrices"):
        g.get("sim2").frames((8,))
    with pytest.raises(ValueError, match="rames must scale by"):
        g.LeftInvariantGenerators([[1.0]], steps=3.0).frames((6,))
