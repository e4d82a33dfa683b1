"""Algebras from brackets or generators, names in dimension 4, and uneven units."""

import numpy as np
import pytest

from keras_lconv import algebra as a
from tests.algebra.table import TABLE

# Of J. Patera and P. Winternitz (1977), by their brackets: {(i, j): {k: c}} from 1.
FOUR = {
    "A4,1": {(2, 4): {1: 1}, (3, 4): {2: 1}},
    "A4,2, a=-3": {(1, 4): {1: -3}, (2, 4): {2: 1}, (3, 4): {2: 1, 3: 1}},
    "A4,2, a=1": {(1, 4): {1: 1}, (2, 4): {2: 1}, (3, 4): {2: 1, 3: 1}},
    "A4,3": {(1, 4): {1: 1}, (3, 4): {2: 1}},
    "A4,4": {(1, 4): {1: 1}, (2, 4): {1: 1, 2: 1}, (3, 4): {2: 1, 3: 1}},
    "A4,5, a=-0.4, b=0.7": {(1, 4): {1: 1}, (2, 4): {2: -0.4}, (3, 4): {3: 0.7}},
    "A4,5, a=0.5, b=1": {(1, 4): {1: 1}, (2, 4): {2: 0.5}, (3, 4): {3: 1}},
    "A4,5, a=1, b=1": {(1, 4): {1: 1}, (2, 4): {2: 1}, (3, 4): {3: 1}},
    "A4,5, a=-1, b=0.3": {(1, 4): {1: 1}, (2, 4): {2: -1}, (3, 4): {3: 0.3}},
    "A4,6, a=-1.5, b=0.25": {
        (1, 4): {1: -1.5},
        (2, 4): {2: 0.25, 3: -1},
        (3, 4): {2: 1, 3: 0.25},
    },
    "A4,6, a=0.7, b=0": {(1, 4): {1: 0.7}, (2, 4): {3: -1}, (3, 4): {2: 1}},
    "A4,7": {(2, 3): {1: 1}, (1, 4): {1: 2}, (2, 4): {2: 1}, (3, 4): {2: 1, 3: 1}},
    "A4,8": {(2, 3): {1: 1}, (2, 4): {2: 1}, (3, 4): {3: -1}},
    "A4,9, b=-0.6": {(2, 3): {1: 1}, (1, 4): {1: 0.4}, (2, 4): {2: 1}, (3, 4): {3: -0.6}},
    "A4,9, b=1": {(2, 3): {1: 1}, (1, 4): {1: 2}, (2, 4): {2: 1}, (3, 4): {3: 1}},
    "A4,10": {(2, 3): {1: 1}, (2, 4): {3: -1}, (3, 4): {2: 1}},
    "A4,11, a=0.8": {
        (2, 3): {1: 1},
        (1, 4): {1: 1.6},
        (2, 4): {2: 0.8, 3: -1},
        (3, 4): {2: 1, 3: 0.8},
    },
    "sim(2)": {(1, 3): {1: 1}, (2, 3): {2: 1}, (1, 4): {2: -1}, (2, 4): {1: 1}},
}


def constants_of(brackets, k=4):
    c = np.zeros((k, k, k))
    for (i, j), values in brackets.items():
        for n, value in values.items():
            c[i - 1, j - 1, n - 1], c[j - 1, i - 1, n - 1] = value, -value
    return c


@pytest.mark.parametrize("name", FOUR)
def test_name_of_solvable_algebra_of_dimension_four(name):
    """In any basis, and with the parameter of the other sign of the element outside."""
    rng = np.random.default_rng(0)
    algebra = a.LieAlgebra.from_structure_constants(constants_of(FOUR[name]))
    for sign in (1, -1):
        mixed = a.LieAlgebra(np.tensordot(sign * rng.normal(size=(4, 4)), algebra.basis, 1))
        found = mixed.identify()
        # Of a parameter that is zero the sign is rounding.
        assert found.name.split(", b=")[0] == name.split(", b=")[0]
        assert found.is_unique
        assert found.confidence > 0.999
        numbers = [float(part.split("=")[1]) for part in name.split(", ")[1:]]
        assert np.allclose(np.ravel(found.parameter or []), numbers, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in TABLE if TABLE[name].dimension])
def test_structure_constants_give_the_algebra_back(name):
    known = TABLE[name].algebra
    if known.dimension > 16:
        return
    rng = np.random.default_rng(1)
    mixed = a.LieAlgebra(
        np.tensordot(rng.normal(size=(known.dimension,) * 2), known.basis, 1)
    )
    c = mixed.structure_constants
    c[np.abs(c) < 1e-12] = 0  # of commuting matrices there is rounding only
    algebra = a.LieAlgebra.from_structure_constants(c)
    assert np.allclose(algebra.structure_constants, c, atol=1e-8 * max(np.abs(c).max(), 1))
    assert algebra.closure_error < 1e-10
    assert algebra.identify().name == TABLE[name].name


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        (np.zeros((2, 3, 2)), "shape"),
        (np.ones((2, 2, 2)), "change sign"),
        (constants_of({(1, 2): {3: 1}, (2, 3): {2: 1}}, 3), "Jacobi"),
    ],
)
def test_what_are_no_structure_constants(constants, words):
    with pytest.raises(ValueError, match=words):
        a.LieAlgebra.from_structure_constants(constants)


def test_generated_algebra():
    so4 = a.so(4).basis
    assert a.LieAlgebra.generated_by(so4[[0, 3, 5]]).identify().name == "so(4)"
    # A matrix and its multiple; two that commute; two of three that close.
    assert a.LieAlgebra.generated_by([so4[0], 2 * so4[0]]).dimension == 1
    assert a.LieAlgebra.generated_by(so4[[0, 5]]).dimension == 2
    x, p, z = a.heisenberg(3).basis
    found = a.LieAlgebra.generated_by([x, p])
    assert np.allclose(found.basis[:2], [x, p])
    assert found.contains(z)
    rng = np.random.default_rng(0)
    assert a.LieAlgebra.generated_by(rng.normal(size=(2, 3, 3))).dimension == 9
    with pytest.raises(ValueError, match="at most 4"):
        a.LieAlgebra.generated_by(rng.normal(size=(2, 3, 3)), max_dimension=4)
    with pytest.raises(ValueError, match="not zero"):
        a.LieAlgebra.generated_by(np.zeros((2, 3, 3)))


@pytest.mark.parametrize("power", [-1, 1])
def test_units_do_not_change_a_name(power):
    """Boosts with the speed of light in metres per second, in any basis."""
    units = np.array([299792458.0, 1, 1, 1]) ** power
    basis = a.so(3, 1).basis * np.divide.outer(units, units)
    mixed = np.tensordot(np.random.default_rng(0).normal(size=(6, 6)), basis, 1)
    for each in (basis, mixed):
        found = a.LieAlgebra(each)
        assert found.identify().name == "so(3,1)"
        assert found.is_simple
        assert found.killing_signature == (3, 3, 0)
    boosts = a.LieAlgebra.generated_by([basis[i] for i in range(6) if basis[i][0].any()])
    assert boosts.identify().name == "so(3,1)"


@pytest.mark.parametrize("distance", [1e2, 1e4, 1e6])
def test_a_far_centre_does_not_change_a_name(distance):
    """Rotations about a far point are so(3), with translations beside them se(3)."""
    move = np.eye(4)
    move[:3, 3] = distance
    rotations = np.zeros((3, 4, 4))
    rotations[:, :3, :3] = a.so(3).basis
    moved = move @ rotations @ np.linalg.inv(move)
    mixture = np.random.default_rng(0).normal(size=(3, 3))
    found = a.LieAlgebra(np.tensordot(mixture, moved, 1))
    assert found.identify().name == "so(3)"
    assert found.is_compact
    about_all = a.LieAlgebra(move @ a.se(3).basis @ np.linalg.inv(move))
    assert about_all.identify().name == "se(3)"
    translations = about_all.radical
    assert translations.dimension == 3
    assert np.allclose(translations.basis[:, :, :3], 0)
