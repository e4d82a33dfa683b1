"""Groups of matrices: orders, elements, membership."""

import math
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import block_diag, expm

from keras_lconv import algebra as a
from keras_lconv.algebra.enumeration import enumerated
from tests.algebra.table import conditioned

FINITE = {
    "C1": (a.cyclic(1), 1),
    "C7": (a.cyclic(7), 7),
    "D1": (a.dihedral(1), 2),
    "D2": (a.dihedral(2), 4),
    "D5": (a.dihedral(5), 10),
    "S1": (a.symmetric(1), 1),
    "S2": (a.symmetric(2), 2),
    "S5": (a.symmetric(5), 120),
    "A3": (a.alternating(3), 3),
    "A5": (a.alternating(5), 60),
    "Z6": (a.cyclic_shifts(6), 6),
    "tetrahedron": (a.polyhedral("tetrahedron"), 12),
    "cube": (a.polyhedral("cube"), 24),
    "icosahedron": (a.polyhedral("icosahedron"), 60),
    "tetrahedron inverted": (a.polyhedral("tetrahedron", inversion=True), 24),
    "cube inverted": (a.polyhedral("cube", inversion=True), 48),
    "icosahedron inverted": (a.polyhedral("icosahedron", inversion=True), 120),
    "C2 x C3": (a.direct_product(a.cyclic(2), a.cyclic(3)), 6),
    "C4 wr S3": (a.wreath_product(a.cyclic(4), 3), 384),
}
MINKOWSKI = np.diag([1.0, 1, 1, -1])
CONTINUOUS = {
    "SO(2)": a.SO(2),
    "SO(3)": a.SO(3),
    "O(3)": a.O(3),
    "SO+(3,1)": a.SO(3, 1),
    "O(3,1)": a.O(3, 1),
    "SU(2)": a.SU(2),
    "U(1)": a.U(1),
    "U(2)": a.U(2),
    "GL(2)": a.GL(2),
    "SL(2)": a.SL(2),
    "Sp(4)": a.Sp(4),
    "E(2)": a.E(2),
    "SO(2) x D4": a.direct_product(a.SO(2), a.dihedral(4)),
}
COMPACT = {"SO(2)", "SO(3)", "O(3)", "SU(2)", "U(1)", "U(2)", "SO(2) x D4"}


def signed_permutations():
    sign = a.MatrixGroup(elements=[[[-1.0]]])
    signs = list(product((-1, 1), repeat=5))
    characters = [
        sum(s for k, s in enumerate(each) if order[k] == k)
        for order in permutations(range(5))
        for each in signs
    ]
    return a.wreath_product(sign, 5), characters


def all_permutations():
    fixed = [sum(order[k] == k for k in range(7)) for order in permutations(range(7))]
    return a.symmetric(7), fixed


@pytest.mark.parametrize("make", [signed_permutations, all_permutations])
def test_maps_of_large_groups_from_their_generating_elements(make):
    """Their number is a mean of characters over 3,840 and 5,040 elements."""
    group, characters = make()
    v = group.standard
    for source, power in ((v, 2), (v**2, 3)):
        expected = np.mean(np.array(characters, float) ** power)
        assert len(a.intertwiners(source, v)) == round(expected) == expected
    assert "_enumerated" not in vars(group), "the elements are not listed"


def test_a_determinant_is_a_pseudoscalar():
    """Of three vectors: no scalar of O(3), as it is of SO(3), and a number with a sign."""
    counts = [len(a.intertwiners(g.standard**3, g.trivial())) for g in (a.SO(3), a.O(3))]
    assert counts == [1, 0]
    (volume,) = a.intertwiners(a.O(3).standard ** 3, a.O(3).sign())
    x, y, z = np.random.default_rng(0).normal(size=(3, 3))
    found = float((volume @ np.kron(np.kron(x, y), z))[0])
    assert np.isclose(abs(found), abs(np.linalg.det([x, y, z])) / np.sqrt(6))


@pytest.mark.parametrize("name", FINITE)
def test_order_and_closure_of_finite_groups(name):
    group, order = FINITE[name]
    elements = group.all_elements()
    assert group.is_finite
    assert group.order == len(elements) == order
    assert group.is_compact
    assert np.allclose(elements[0], np.eye(group.matrix_size))
    rows = elements.reshape(order, -1)
    for g in elements[:: max(1, order // 10)]:
        moved = (g @ elements).reshape(order, -1)
        distances = np.abs(moved[:, None] - rows[None]).max(axis=2)
        assert np.all(distances.min(axis=1) < 1e-9)
        assert len(set(np.argmin(distances, axis=1))) == order
        assert group.contains(g)


@pytest.mark.parametrize("name", FINITE)
def test_words_are_the_elements(name):
    group, _ = FINITE[name]
    table = [*group.elements, np.eye(group.matrix_size)]
    for word, element in list(zip(group.words, group.all_elements(), strict=True))[:50]:
        made = np.eye(group.matrix_size)
        for letter in word:
            made = made @ table[letter]
        assert np.allclose(made, element)


@given(seed=st.integers(0, 2**32 - 1))
def test_orders_do_not_depend_on_the_basis(seed):
    rng = np.random.default_rng(seed)
    group = a.polyhedral("cube")
    by = conditioned(rng, 3, 30.0)
    moved = by @ group.elements @ np.linalg.inv(by)
    assert a.MatrixGroup(elements=moved).order == 24


def test_a_limit_of_the_enumeration():
    shear = np.array([[[1.0, 1.0], [0.0, 1.0]]])
    assert enumerated(shear, 50) is None
    assert len(enumerated(a.symmetric(4).elements, 24).letters) == 24
    assert enumerated(a.symmetric(4).elements, 23) is None
    group = a.MatrixGroup(elements=shear)
    assert not group.is_finite
    with pytest.raises(ValueError, match="nly finite groups can be listed"):
        group.all_elements()
    irrational = a.MatrixGroup(elements=expm(a.so(2).basis))
    assert irrational.is_compact
    assert not irrational.is_finite


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-8, 1e-7])
@pytest.mark.parametrize("name", ["D5", "icosahedron inverted", "S5", "C4 wr S3"])
def test_errors_in_elements(name, noise):
    """Order, compactness and the number of maps are those of the exact group."""
    group, order = FINITE[name]
    rng = np.random.default_rng(0)
    near = a.MatrixGroup(
        elements=group.elements + noise * rng.normal(size=group.elements.shape)
    )
    assert near.order == order
    assert near.is_compact
    assert len(a.intertwiners(near, near)) == len(a.intertwiners(group, group))
    assert all(near.contains(h) for h in group.elements)
    one = near.standard
    assert np.allclose(one.at(group.elements[0]), group.elements[0], atol=1e-6)


def test_elements_in_float32():
    group = a.MatrixGroup(elements=a.polyhedral("icosahedron").elements.astype("float32"))
    assert group.order == 60


@pytest.mark.parametrize("noise", [1e-5, 1e-4, 1e-2])
def test_groups_that_are_nearly_finite_end_early(noise):
    """Products come near to each other, and are neither the same nor different."""
    exact = FINITE["C4 wr S3"][0].elements
    rng = np.random.default_rng(0)
    near = a.MatrixGroup(elements=exact + noise * rng.normal(size=exact.shape))
    assert not near.is_finite
    with pytest.raises(ValueError, match="Give more digits"):
        near.all_elements()


def test_long_words_and_large_matrices():
    assert a.cyclic(2000).order == 2000
    assert a.symmetric(60).order == 2 * a.alternating(60).order == math.factorial(60)
    assert a.symmetric(60).is_finite
    grows = a.MatrixGroup(elements=[[[2.0, 1.0], [1.0, 1.0]]])
    assert not grows.is_finite


@pytest.mark.parametrize("name", CONTINUOUS)
def test_random_elements_are_elements(name):
    group = CONTINUOUS[name]
    assert group.is_compact == (name in COMPACT)
    assert group.order == math.inf
    assert not group.is_finite
    for element in group.random_elements(3, seed=1):
        assert group.contains(element)
    with pytest.raises(ValueError, match="can be listed"):
        group.all_elements()


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("SO(3)", -np.eye(3)),
        ("SO(3)", 1.1 * np.eye(3)),
        ("SO(3)", np.diag([1.0, 2.0, 0.5])),
        ("O(3)", np.diag([1.0, 1.0, -1.1])),
        ("SO+(3,1)", np.diag([1.0, 1, 1, -1])),
        ("SO+(3,1)", -np.eye(4)),
        ("SO+(3,1)", np.diag([-1.0, 1, 1, 1])),
        ("GL(2)", np.zeros((2, 2))),
        ("SL(2)", 2 * np.eye(2)),
        ("Sp(4)", np.diag([1.0, 1, 1, -1])),
        ("E(2)", np.diag([1.0, 1.0, 2.0])),
        ("U(1)", np.diag([1.0, -1.0])),
        ("SO(2) x D4", np.diag([1.0, -1.0, 1.0, 1.0])),
    ],
)
def test_others_are_not(name, matrix):
    assert not CONTINUOUS[name].contains(matrix)


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("SO(3)", np.diag([1.0, -1.0, -1.0])),
        ("O(3)", -np.eye(3)),
        ("O(3,1)", -np.eye(4)),
        ("SO+(3,1)", expm(np.kron([[0, 0], [0, 1]], [[0, 3.0], [3.0, 0]]))),
        ("GL(2)", np.diag([1.0, -4.0])),
        ("SL(2)", -np.eye(2)),
        ("SO(2) x D4", np.diag([-1.0, -1.0, 1.0, -1.0])),
        ("E(2)", np.array([[0.0, 1, 30], [1, 0, -4], [0, 0, 1]])),
    ],
)
def test_known_elements(name, matrix):
    assert CONTINUOUS[name].contains(matrix)


def flips():
    """The reflections of the plane, as a group of two elements."""
    return a.MatrixGroup(elements=[np.diag([1.0, -1.0])], name="C(2)")


def copies_permuted():
    """Copies of the plane, which permutations exchange: they act on products of C(4)."""
    group = a.symmetric(3)
    elements = [np.kron(h, np.eye(2)) for h in group.elements]
    return a.Representation(group, elements=elements)


@pytest.mark.parametrize(
    ("normal", "acting", "order"),
    [
        (a.cyclic(5), flips(), 10),
        (a.direct_product(*[a.cyclic(4)] * 3), copies_permuted(), 384),
        (a.cyclic(3), a.cyclic(4).trivial(2), 12),
        (a.polyhedral("tetrahedron"), a.polyhedral("cube"), 288),
    ],
)
def test_semidirect_products_of_finite_groups(normal, acting, order):
    """The order is a product, and elements multiply as pairs do."""
    group = a.semidirect_product(normal, acting)
    assert group.order == order
    rho = acting.standard if isinstance(acting, a.MatrixGroup) else acting
    size = rho.group.matrix_size
    for seed in range(3):
        g, h = group.random_elements(2, seed=seed)
        k, m = (each[:size, :size] for each in (g, h))
        x, y = (
            each[size:, size:] @ np.linalg.inv(rho.at(each[:size, :size]))
            for each in (g, h)
        )
        assert normal.contains(x)
        assert normal.contains(y)
        product_of_pairs = x @ rho.at(k) @ y @ np.linalg.inv(rho.at(k)) @ rho.at(k @ m)
        assert np.allclose((g @ h)[size:, size:], product_of_pairs, atol=1e-9)


def test_semidirect_products_with_algebras():
    shifts = a.with_translations(a.MatrixGroup(elements=[np.eye(2)]))
    plane = a.semidirect_product(shifts, a.O(2).standard + a.O(2).trivial())
    other = a.E(2)
    assert plane.dimension == other.dimension
    # The same group: as many invariants, and elements of the same components.
    blocks = plane.generators[:, 2:, 2:]
    assert a.E(2).algebra.contains(blocks)
    assert all(other.contains(g[2:, 2:]) for g in plane.random_elements(3))
    turned = a.semidirect_product(a.SO(2), flips())
    assert not turned.is_abelian
    assert len(turned._components.representatives) == 2


@pytest.mark.parametrize(
    ("normal", "acting", "words"),
    [
        (a.cyclic(5), a.SL(2), "must map `normal` to itself"),
        (a.SO(2), a.GL(2), "must map `normal` to itself"),
        (a.cyclic(5), a.MatrixGroup(elements=[[[1, 1], [0, 1]]]), "must map"),
        (a.SO(2), a.SO(3), "by 2x2 matrices"),
    ],
)
def test_what_does_not_act_is_refused(normal, acting, words):
    with pytest.raises(ValueError, match=words):
        a.semidirect_product(normal, acting)


@pytest.mark.parametrize("name", ["SO(2)", "SO(3)", "O(3)", "SU(2)", "U(2)"])
def test_random_elements_of_compact_groups_follow_haar(name):
    """Means of tensors, against the projection onto what is invariant."""
    V = CONTINUOUS[name].standard
    for W in (V, V**2):
        mean = W.random_elements(1500, seed=0).mean(axis=0)
        fixed = a.intertwiners(W.group.trivial(), W)[..., 0]
        # Five standard deviations: entries of orthogonal matrices are at most 1.
        assert np.max(np.abs(mean - fixed.T @ fixed)) < 5 / np.sqrt(1500)


def test_random_elements_of_finite_groups_are_as_likely():
    group = a.dihedral(3)
    draws, elements = group.random_elements(6000), group.all_elements()
    nearest = np.abs(draws[:, None] - elements[None]).max(axis=(2, 3)).argmin(axis=1)
    counts = np.bincount(nearest, minlength=6)
    assert np.all(np.abs(counts - 1000) < 150)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (a.cyclic(5), True),
        (a.SO(2), True),
        (a.O(2), False),
        (a.dihedral(2), True),
        (a.dihedral(3), False),
        (a.SO(3), False),
        (a.MatrixGroup(a.abelian(2), [np.eye(2)[::-1]]), False),
    ],
)
def test_is_abelian(group, expected):
    assert group.is_abelian == expected


@pytest.mark.parametrize("group", [a.SO(1), a.SU(1), a.SL(1)])
def test_the_group_of_one_element(group):
    one = np.eye(group.matrix_size)
    assert group.order == 1
    assert np.array_equal(group.random_elements(3), [one] * 3)
    assert group.words.shape == (1, 0)
    assert group.regular().size == 1
    assert a.direct_product(group, group).order == 1
    assert group.contains(one)
    assert not group.contains(-one)


def test_an_element_that_moves_little_is_not_the_identity():
    """It is less than the differences of products of elements with errors."""
    slow = a.MatrixGroup(elements=expm(1e-5 * a.so(2).basis))
    assert not slow.is_finite
    with pytest.raises(ValueError, match="can be listed"):
        _ = slow.order


def test_an_algebra_is_a_group_and_back():
    group = a.MatrixGroup(a.so(3))
    assert group.algebra.identify().name == "so(3)"
    assert len(group.elements) == 0
    assert np.array_equal(a.MatrixGroup(a.so(3).basis).generators, a.so(3).basis)
    assert a.cyclic(3).algebra.dimension == 0


def test_lorentz_groups():
    for element in a.O(3, 1).elements:
        assert np.allclose(element.T @ MINKOWSKI @ element, MINKOWSKI)
    orthochronous = a.O(3, 1, time_reversal=False)
    assert orthochronous.contains(np.diag([1.0, 1, -1, 1]))
    assert not orthochronous.contains(np.diag([1.0, 1, 1, -1]))
    assert a.O(3, 1, parity=False).contains(np.diag([1.0, 1, 1, -1]))


def test_inner_product_of_a_group_in_another_basis():
    by = conditioned(np.random.default_rng(0), 3, 5.0)
    group = a.MatrixGroup(by @ a.so(3).basis @ np.linalg.inv(by), [-np.eye(3)])
    form = group.inner_product()
    assert np.linalg.eigvalsh(form)[0] > 0
    for element in group.random_elements(5):
        assert np.allclose(element.T @ form @ element, form, atol=1e-7)
    assert np.allclose(a.O(3).inner_product(), np.eye(3))
    assert a.SO(2, 1).inner_product() is None


def test_products():
    both = a.direct_product(a.O(2), a.SO(3))
    assert (both.dimension, both.matrix_size, len(both.elements)) == (4, 5, 1)
    assert both.name == "O(2) x SO(3)"
    moves = a.with_translations(a.cyclic(4))
    assert moves.contains(np.array([[0.0, -1, 2], [1, 0, 3], [0, 0, 1]]))
    assert not moves.contains(np.array([[0.0, 1, 2], [1, 0, 3], [0, 0, 1]]))
    bodies = a.wreath_product(a.SO(3), 2)
    assert len(a.intertwiners(bodies, bodies)) == 1
    assert len(a.invariant_forms(bodies)) == 1


def test_reprs_say_what_they_are():
    assert repr(a.O(3)) == "<MatrixGroup O(3): dimension 3, 3x3 matrices>"
    assert repr(a.symmetric(4)) == "<MatrixGroup S(4): 4x4 matrices>"
    plain = a.MatrixGroup(a.so(3), [-np.eye(3)])
    assert repr(plain) == (
        "<MatrixGroup of so(3): 1 further elements, dimension 3, 3x3 matrices>"
    )


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: a.MatrixGroup(), ValueError, "needs an `algebra` or `elements`"),
        (
            lambda: a.MatrixGroup(a.so(3), [np.eye(2)]),
            ValueError,
            "`elements` must be 3x3 matrices",
        ),
        (
            lambda: a.MatrixGroup(elements=[np.diag([1.0, 0.0])]),
            ValueError,
            "`elements` must be invertible",
        ),
        (
            lambda: a.MatrixGroup(a.so(2), [np.diag([1.0, 2.0])]),
            ValueError,
            "must map the algebra to itself",
        ),
        (lambda: a.MatrixGroup("a"), TypeError, "must be an array"),
        (lambda: a.cyclic(0), ValueError, "`n` must be a positive"),
        (lambda: a.cyclic(2.0), TypeError, "`n` must be a positive"),
        (lambda: a.polyhedral("sphere"), ValueError, "`solid` must be one of"),
        (lambda: a.direct_product(), ValueError, "must not be empty"),
        (lambda: a.SO(3).contains(np.eye(2)), ValueError, "must be a 3x3 matrix"),
        (lambda: a.SO(3).random_elements(0), ValueError, "`number` must be a positive"),
        (lambda: a.SO(3).random_elements(10**12), ValueError, "`number=10{12}` random"),
        (lambda: a.cyclic(4).random_elements(10**12), ValueError, "`number=10{12}` random"),
        (lambda: a.SO(3).random_elements(2, "a"), TypeError, "`seed` must be an integer"),
        (lambda: a.SO(3).random_elements(2, 1.5), TypeError, "`seed` must be an integer"),
        (lambda: a.SO(3).random_elements(2, -1), ValueError, "`seed` must be an integer"),
        (
            lambda: (a.SO(3).standard ** 6).random_elements(10**6),
            ValueError,
            "`number=10{6}` matrices",
        ),
        (lambda: a.cyclic(10**6), ValueError, "`n` must be at most 20,000"),
        (lambda: a.dihedral(10**5), ValueError, "`n` must be at most 10,000"),
    ],
)
def test_bad_arguments_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def circle(*frequencies):
    """Turns of planes at different rates: a circle, or a line dense in a torus."""
    J = np.array([[0.0, -1.0], [1.0, 0.0]])
    return block_diag(*(rate * J for rate in frequencies))


@pytest.mark.parametrize("rates", [(1, 2), (3, 7), (0, 5), (1, np.sqrt(2))])
def test_membership_in_circles_of_several_frequencies(rates):
    generator = circle(*rates)
    group = a.MatrixGroup(generator[None])
    for t in (0.5, 2.0, 3.1, -20.0, 500.0):
        assert group.contains(expm(t * generator))
        assert not group.contains(expm(t * generator + circle(0.3, 0)))
    assert not group.contains(2 * np.eye(4))


@pytest.mark.parametrize(
    "representation",
    [
        a.SO(3).standard.harmonic_power(3),
        a.O(2).harmonics(3),
        a.direct_product(a.SO(2), a.SO(2)).standard ** 2,
    ],
)
def test_membership_in_groups_of_matrices_of_high_degree(representation):
    matrices = representation.random_elements(10)
    group = a.MatrixGroup(representation.generators, representation.elements)
    assert all(group.contains(matrix) for matrix in matrices)
    turned = np.diag([-1.0] + [1.0] * (group.matrix_size - 1))
    assert not any(group.contains(turned @ matrix) for matrix in matrices)


def test_what_is_no_element_of_a_large_group(monkeypatch):
    """Of groups whose elements, or components, are too many to be listed."""
    assert a.symmetric(20).contains(np.eye(20)[::-1])
    assert not a.symmetric(20).contains(-np.eye(20))
    monkeypatch.setattr("keras_lconv.algebra.elements.LARGEST_ORDER", 50)
    monkeypatch.setattr("keras_lconv.algebra.components.MOST_COMPONENTS", 5)
    assert a.alternating(5).tells(np.eye(5)[::-1]) is True
    assert a.alternating(6).tells(np.eye(6)[::-1]) is False
    pairs = a.direct_product(a.symmetric(4), a.symmetric(4))
    mixed = a.direct_product(a.SO(2), a.symmetric(3))
    assert pairs.tells(np.eye(8)[::-1]) is None
    assert pairs.tells(-np.eye(8)) is False
    assert pairs.tells(np.ones((8, 8))) is False
    assert pairs.is_finite
    with pytest.raises(ValueError, match="which has more"):
        _ = pairs.order
    inside = block_diag(expm(circle(1)), np.eye(3)[::-1])
    shear = block_diag(np.triu(np.ones((2, 2))), np.eye(3))
    assert mixed.tells(inside) is None
    assert np.array_equal(mixed.standard.at(inside), inside)
    for matrix in (2 * np.eye(5), np.ones((5, 5)), shear, np.eye(5)[::-1]):
        with pytest.raises(ValueError, match="`element` must be in"):
            mixed.standard.at(matrix)
