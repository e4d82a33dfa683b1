"""What single generators are called, and how large algebras are named."""

import numpy as np
import pytest

from keras_lconv.discovery.kinds import formula_of, kind_of

pytestmark = pytest.mark.backend_free

TURN = np.array([[0.0, -1.0], [1.0, 0.0]])


def affine(linear, constant=None):
    linear = np.asarray(linear, dtype="float64")
    constant = np.zeros(len(linear)) if constant is None else np.asarray(constant)
    return np.column_stack([linear, constant])


def planes(*frequencies):
    return np.kron(np.diag(frequencies), TURN)


KINDS = {
    "rotation": affine(TURN),
    "rotation, with a translation": affine(np.pad(TURN, (0, 1)), [0.0, 0, 1]),
    "rotations, frequencies 1 : 2": affine(planes(1.0, 2.0)),
    "rotations, frequencies 2 : 3": affine(planes(0.4, 0.6)),
    "dilation": affine(np.eye(3)),
    "boost": affine([[0.0, 1.0], [1.0, 0.0]]),
    "shear": affine([[0.0, 1.0], [0.0, 0.0]]),
    "translation": affine(np.zeros((2, 2)), [1.0, 2.0]),
    "scaling of one direction": affine(np.diag([1.0, 0.0])),
    "scaling, weights 1 : 2": affine(np.diag([1.0, 2.0])),
    "spiral, by a factor of 1.87 in a turn": affine(TURN + 0.1 * np.eye(2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_do_not_depend_on_coordinates(kind):
    element = KINDS[kind]
    assert kind_of(element) == kind
    size = len(element)
    rng = np.random.default_rng(0)
    change = np.eye(size) + 0.2 * rng.normal(size=(size, size))
    moved = change @ element[:, :-1] @ np.linalg.inv(change)
    # About another origin as well.
    constant = change @ element[:, -1] - moved @ rng.normal(size=size)
    assert kind_of(3 * np.column_stack([moved, constant])) == kind


def test_formulas():
    scales = np.array([1.0, 1.0])
    assert formula_of(affine(TURN), "xy", scales) == "x d/dy - y d/dx"
    assert formula_of(affine(-2 * TURN), "xy", scales) == "x d/dy - y d/dx"
    assert formula_of(affine(np.zeros((2, 2)), [1.0, 0]), "xy", scales) == "d/dx"
    # The units of the columns determine what is small, not the numbers.
    boost = affine([[0.0, 1e6], [1e-6, 0.0]])
    assert formula_of(boost, "xt", np.array([1e3, 1e-3])) == "1e-12 x d/dt + t d/dx"
    assert formula_of(boost, "xt", np.array([1.0, 1.0])) == "t d/dx"
    assert formula_of(np.zeros((2, 3)), "xy", scales) == "0"
