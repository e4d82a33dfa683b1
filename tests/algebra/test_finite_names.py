"""Names of finite groups, from their multiplication tables."""

import numpy as np
import pytest

from keras_lconv import algebra as a
from keras_lconv.algebra.naming.finite import census, name_of_finite

SIGN = a.MatrixGroup(elements=[[[-1.0]]])
NAMES = {
    "trivial": a.cyclic(1),
    "C(6)": a.cyclic(6),
    "S(3)": a.dihedral(3),
    "D(4)": a.dihedral(4),
    "D(6)": a.dihedral(6),
    "C(2)^3": a.direct_product(SIGN, SIGN, SIGN),
    "A(4)": a.polyhedral("tetrahedron"),
    "S(4)": a.polyhedral("cube"),
    "C(2) wr S(3)": a.polyhedral("cube", inversion=True),
    "A(5)": a.polyhedral("icosahedron"),
    "S(3) wr S(2)": a.wreath_product(a.symmetric(3), 2),
    "D(6) x C(2)": a.direct_product(a.symmetric(3), a.cyclic(2), SIGN),
}


def right_products(group):
    elements = group.all_elements()
    products = elements[:, None] @ group.elements[None]
    distances = np.abs(products[:, :, None] - elements).max(axis=(3, 4))
    return np.argmin(distances, axis=2)


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    assert name_of_finite(census(right_products(NAMES[name]))) == name


def test_no_name_is_given_to_others():
    """The quaternions, as real matrices."""
    i = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
    j = np.array([[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
    found = census(right_products(a.MatrixGroup(elements=[i, j])))
    assert found.order == 8
    assert name_of_finite(found) is None


def test_products_that_are_those_of_no_group_are_refused():
    # The powers of the second element never come back to the first.
    with pytest.raises(ValueError, match="products of a group"):
        census(np.array([[1], [2], [1]]))
