"""Representations that permute components are integers, and matrices on demand."""

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy.linalg import block_diag

from keras_lconv import algebra as a
from keras_lconv.algebra.all_permutations import recognized
from keras_lconv.algebra.enumeration import enumerated
from keras_lconv.algebra.permutations import images_of, matrices_of, tensor_orders

SET, CUBE = a.symmetric(4), a.polyhedral("cube")
V, W = SET.standard, SET.regular()
CORNERS = list(itertools.product([-1.0, 1.0], repeat=3))
M, N = V.elements, W.elements
EYE = np.eye(3)


def sums(*parts):
    """Block diagonal matrices, by SciPy."""
    return np.array([block_diag(*each) for each in zip(*parts, strict=True)])


def products(*parts):
    """Kronecker products, by NumPy."""
    return np.array([np.kron(*each) for each in zip(*parts, strict=True)])


# name -> a representation by integers, and its matrices computed from those of parts
CASES = {
    "V + W": (V + W, sums(M, N)),
    "V * W": (V * W, products(M, N)),
    "V ** 2": (V**2, products(M, M)),
    "V ** 1": (V**1, M),
    "3 * V": (3 * V, products([EYE, EYE], M)),
    "V.dual": ((V + W).dual, sums(M, N)),
    "V + 2": (V + SET.trivial(2), sums(M, [np.eye(2), np.eye(2)])),
    "given": (a.Representation(SET, elements=M) * V, products(M, M)),
}


@pytest.mark.parametrize("name", CASES)
def test_integers_stand_for_matrices(name):
    representation, matrices = CASES[name]
    assert representation.images.shape == (len(SET.elements), representation.size)
    assert np.array_equal(representation.elements, matrices)
    assert representation.permutes_components
    assert representation.is_orthogonal
    # Of products of the elements, too.
    g, h = SET.elements
    expected = matrices[0] @ matrices[1] @ matrices[1] @ matrices[0]
    assert np.array_equal(representation.at(g @ h @ h @ g), expected)


@pytest.mark.parametrize("group", [SET, CUBE, a.symmetric(8)])
def test_random_elements_are_those_of_the_group(group):
    one = group.permutation(CORNERS) if group is CUBE else group.standard
    drawn = group.random_elements(5, seed=3)
    expected = [np.kron(one.at(g), one.at(g)) for g in drawn]
    assert np.array_equal((one * one).random_elements(5, seed=3), expected)
    assert np.array_equal([(one * one).at(g) for g in drawn], expected)


def test_restricted_to_a_subgroup():
    tensors = V**2 + W
    small = tensors.restrict(a.alternating(4))
    assert "elements" not in vars(small)
    for h, moved in zip(small.group.elements, small.elements, strict=True):
        assert np.array_equal(moved, tensors.at(h))
    # Rotations about the diagonal of the cube: two corners stay, and six move.
    places = CUBE.permutation(CORNERS)
    turn = np.roll(np.eye(3), 1, axis=0)
    turned = places.restrict(a.MatrixGroup(elements=[turn]))
    assert len(a.intertwiners(turned.group.trivial(), turned)) == 4


def test_other_matrices_are_no_permutations():
    assert images_of(np.array([[[0.0, 1.0], [1.0, 1e-3]]])) is None
    assert images_of(np.array([[[1.0, 1.0], [0.0, 0.0]]])) is None
    assert images_of(-M) is None
    assert (V + SET.sign()).images is None
    images = np.array([np.random.default_rng(n).permutation(6) for n in range(5)])
    assert np.array_equal(images_of(matrices_of(images)), images)


def test_tensors_of_the_whole_symmetric_group_are_told():
    one, two = V.images, (V**2).images
    assert tensor_orders(two, one) == (4, 2, 1)
    assert tensor_orders(one, SET.trivial().images) == (4, 1, 0)
    assert tensor_orders(two, (V + 3 * V).images) is None
    even = a.alternating(4).standard
    assert tensor_orders(even.images, even.images) is None


def test_no_matrices_of_large_tensors():
    """Each of the two matrices of `V ** 2` has six million entries."""
    tracemalloc.start()
    try:
        vectors = a.symmetric(50).standard
        tensors = vectors**2 + 2 * vectors.dual
        small = tensors.restrict(a.MatrixGroup(elements=vectors.group.elements[:1]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tensors.size, small.images.shape) == (2600, (1, 2600))
    assert peak < 5e6


@pytest.mark.parametrize(
    ("group", "orbits"),
    [
        (a.symmetric(40), 1),
        (a.alternating(20), 1),
        (a.direct_product(a.symmetric(9), a.symmetric(10)), 2),
    ],
)
def test_random_elements_of_large_groups_fix_as_many(group, orbits, monkeypatch):
    """By Burnside's lemma a thing of each orbit, and as many pairs as they have orbits."""
    walk = group.walk(1000, seed=0)
    fixed = np.sum(
        walk.follow_permutations(group.images) == np.arange(group.matrix_size), 1
    )
    # Five standard deviations: those of numbers that follow Poisson's law.
    assert abs(fixed.mean() - orbits) < 5 * np.sqrt(orbits / 1000)
    assert abs(np.mean(fixed**2) - orbits - orbits**2) < 5 * np.sqrt(30 * orbits / 1000)


@pytest.mark.parametrize(
    "images",
    [
        [[1, 2, 3, 0], [1, 0, 2, 3]],
        [[1, 2, 0, 3], [1, 2, 3, 0]],
        [[1, 2, 0, 3, 4], [1, 2, 3, 4, 0]],
        [[0, 3, 2, 4, 1], [1, 2, 3, 4, 0]],
    ],
)
def test_all_or_all_even_permutations_are_as_likely(images):
    """Generated by a transposition, or by a cycle of three with and without an odd one."""
    images = np.array(images)
    group = recognized(images)
    words = group.words(400 * group.order, np.random.default_rng(0))
    drawn = words.follow_permutations(images)
    kinds, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(kinds) == group.order == len(enumerated(matrices_of(images), 60).letters)
    assert all(group.contains(each) for each in kinds)
    assert np.all(np.abs(counts - 400) < 100)
    matrices = matrices_of(images)
    assert np.allclose(words.follow(matrices[:0], matrices), matrices_of(drawn))


def test_other_groups_of_permutations_are_not_all():
    assert recognized(a.cyclic_shifts(5).images) is None
    assert recognized(a.direct_product(SET, SET).images) is None
