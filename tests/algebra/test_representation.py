"""Representations as things one computes with."""

import itertools

import numpy as np
import pytest
from scipy.linalg import block_diag, expm

from keras_lconv import algebra as a
from tests.algebra.table import conditioned

GROUPS = {
    "SO(3)": a.SO(3),
    "O(3)": a.O(3),
    "SO(1,3)": a.SO(1, 3),
    "O(1,3)": a.O(1, 3),
    "S(4)": a.symmetric(4),
    "Z(5)": a.cyclic_shifts(5),
    "D(4)": a.dihedral(4),
    "cube": a.polyhedral("cube"),
    "SU(2)": a.SU(2),
    "Sp(2)": a.Sp(2),
    "GL(2)": a.GL(2),
}


@pytest.fixture(params=GROUPS)
def group(request):
    return GROUPS[request.param]


def built(group):
    V = group.standard
    return {
        "dual": V.dual,
        "sum": V + group.trivial(2) + V.pseudo,
        "copies": 3 * V,
        "product": V * V.dual,
        "power": V**2,
        "zeroth": V**0,
        "symmetric": V.symmetric_power(3),
        "alternating": V.alternating_power(2),
        "sign": group.sign(),
    }


def test_are_homomorphisms(group):
    """Matrices of products of elements, and of elements with their brackets."""
    first, second = group.random_elements(2, seed=3)
    for name, W in built(group).items():
        product = W.at(first) @ W.at(second)
        scale = np.linalg.norm(W.at(first)) * np.linalg.norm(W.at(second))
        assert np.linalg.norm(W.at(first @ second) - product) < 1e-8 * scale, name
        # Repeats the checks of the constructor for given matrices.
        again = a.Representation(group, W.generators, W.elements)
        assert again.size == W.size


def test_matrices_of_random_elements_follow_the_law(group):
    elements = group.random_elements(3, seed=5)
    for name, W in built(group).items():
        for element, matrix in zip(elements, W.random_elements(3, seed=5), strict=True):
            assert np.allclose(W.at(element), matrix, rtol=1e-6, atol=1e-6), name


def test_operators_are_those_of_matrices(group):
    V = group.standard
    g = group.random_elements(1, seed=1)[0]
    inverse = np.linalg.inv(g).T
    assert np.allclose(V.at(g), g)
    assert np.allclose(V.dual.at(g), inverse)
    assert np.allclose((V + V.dual).at(g), block_diag(g, inverse))
    assert np.allclose((2 * V).at(g), block_diag(g, g))
    assert np.allclose(sum([V, V.dual]).at(g), block_diag(g, inverse))
    assert np.allclose((V * 2).at(g), block_diag(g, g))
    assert np.allclose((V * V.dual).at(g), np.kron(g, inverse))
    assert np.allclose((V**3).at(g), np.kron(np.kron(g, g), g))
    assert np.allclose(V.pseudo.at(g), np.sign(np.linalg.det(g)) * g)


def test_powers_are_parts_of_tensors(group):
    """Values of monomials, and minors, against their definition."""
    V = group.standard
    g = group.random_elements(1, seed=2)[0]
    x = np.random.default_rng(0).normal(size=V.size)
    for degree in range(4):
        chosen = list(itertools.combinations_with_replacement(range(V.size), degree))

        def values(x, chosen=chosen, degree=degree):
            counts = [len(set(itertools.permutations(c))) for c in chosen]
            return np.array(
                [
                    np.sqrt(n) * np.prod(x[list(c)])
                    for n, c in zip(counts, chosen, strict=True)
                ]
            )

        moved = V.symmetric_power(degree).at(g) @ values(x)
        assert np.allclose(moved, values(g @ x), rtol=1e-8)
    rows = list(itertools.combinations(range(V.size), 2))
    minors = [[np.linalg.det(g[np.ix_(r, c)]) for c in rows] for r in rows]
    assert np.allclose(V.alternating_power(2).at(g), minors, rtol=1e-8, atol=1e-10)
    assert np.allclose(V.alternating_power(V.size).at(g), np.linalg.det(g))


@pytest.mark.parametrize("name", ["SO(3)", "O(3)", "D(4)", "cube", "S(4)"])
def test_orthogonal_groups_have_orthogonal_powers(name):
    V = GROUPS[name].standard
    for W in (V.symmetric_power(3), V.alternating_power(2), V.harmonic_power(3)):
        assert W.is_orthogonal
    assert not GROUPS["SO(1,3)"].standard.is_orthogonal


@pytest.mark.parametrize("degree", range(6))
def test_harmonic_powers_have_the_characters_of_rotations(degree):
    V = a.SO(3).standard
    angle = 0.7
    turn = a.SO(3).algebra.basis[0] * angle
    from scipy.linalg import expm

    expected = 1 + 2 * sum(np.cos(m * angle) for m in range(1, degree + 1))
    assert np.isclose(np.trace(V.harmonic_power(degree).at(expm(turn))), expected)


def mean_over_the_group(name, function):
    """Of a function of the character of `V`: by all elements, or by Weyl's formula."""
    group = GROUPS[name]
    if group.is_finite:
        return np.mean(function(np.trace(group.all_elements(), axis1=1, axis2=2)))
    angle = 2 * np.pi * np.arange(400) / 400
    turns, weight = {
        "SO(3)": (1 + 2 * np.cos(angle), 1 - np.cos(angle)),
        "O(3)": (1 + 2 * np.cos(angle), 1 - np.cos(angle)),
        "SU(2)": (4 * np.cos(angle), 2 * np.sin(angle) ** 2),
    }[name]
    values = function(turns)
    if name == "O(3)":
        values = (values + function(-turns)) / 2
    return np.mean(weight * values)


@pytest.mark.parametrize("name", ["SO(3)", "O(3)", "S(4)", "Z(5)", "D(4)", "cube", "SU(2)"])
def test_numbers_of_maps_are_means_of_characters(name):
    """Maps from T_p to T_q: here all characters are real."""
    V = GROUPS[name].standard
    for p, q in ((0, 3), (1, 1), (2, 1), (2, 2), (1, 3)):
        expected = mean_over_the_group(name, lambda trace, n=p + q: trace**n)
        assert np.isclose(len(a.intertwiners(V**p, V**q)), expected), (p, q)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        # Invariants of tensors of order 1 to 4: delta and epsilon, or delta only.
        ("SO(3)", (0, 1, 1, 3)),
        ("O(3)", (0, 1, 0, 3)),
        ("SO(1,3)", (0, 1, 0, 4)),
        ("O(1,3)", (0, 1, 0, 3)),
        ("S(4)", (1, 2, 5, 15)),
        ("Z(5)", (1, 5, 25, 125)),
    ],
)
def test_numbers_of_invariant_tensors(name, numbers):
    group = GROUPS[name]
    for order, number in enumerate(numbers, start=1):
        W = group.standard**order
        vectors = a.intertwiners(group.trivial(), W)
        assert len(vectors) == number
        for matrix in W.random_elements(2, seed=order):
            moved = vectors[..., 0] @ matrix.T
            assert np.allclose(moved, vectors[..., 0], atol=1e-6 * np.linalg.norm(matrix))


def test_maps_commute_with_every_element(group):
    V = group.standard
    source, target = V**2 + group.trivial(), V.dual + V * V.pseudo
    maps = a.intertwiners(source, target)
    for g, h in zip(source.random_elements(3), target.random_elements(3), strict=True):
        scale = np.linalg.norm(g) * np.linalg.norm(h)
        assert np.max(np.abs(h @ maps - maps @ g), initial=0) < 1e-7 * scale


def test_a_pseudoscalar_needs_the_reflection():
    V = a.O(3).standard
    triple = V**3
    assert len(a.intertwiners(triple, a.O(3).trivial())) == 0
    volume = a.intertwiners(triple, a.O(3).sign())
    assert len(volume) == 1
    x = np.random.default_rng(0).normal(size=(3, 3))
    value = volume[0, 0] @ np.einsum("i,j,k->ijk", *x).ravel()
    assert np.isclose(abs(value), abs(np.linalg.det(x)) / np.sqrt(6))


def test_layers_of_sets_and_graphs():
    for n in (4, 6):
        V = a.symmetric(n).standard
        assert len(a.intertwiners(V, V)) == 2
        assert len(a.intertwiners(V**2, V**2)) == 15
        assert len(a.intertwiners(V**2, V)) == 5


def test_forms_of_groups(group):
    forms = a.invariant_forms(group)
    odd = a.invariant_forms(group, "antisymmetric")
    maps = a.intertwiners(group, group.standard.dual)
    assert len(forms) + len(odd) == len(maps)
    for g in group.random_elements(3):
        for form in (*forms, *odd):
            moved = g.T @ form @ g
            assert np.allclose(moved, form, atol=1e-7 * np.linalg.norm(g) ** 2)


# ------------------------------------------------------------------ irreducible parts


@pytest.mark.parametrize(
    ("W", "expected"),
    [
        (a.SO(3).standard ** 2, [(1, 1, "real"), (3, 1, "real"), (5, 1, "real")]),
        (a.SO(2).standard ** 2, [(1, 2, "real"), (2, 1, "complex")]),
        (a.O(2).standard ** 2, [(1, 1, "real"), (1, 1, "real"), (2, 1, "real")]),
        (a.O(3).standard + a.O(3).standard.pseudo, [(3, 1, "real"), (3, 1, "real")]),
        (2 * a.SU(2).standard, [(4, 2, "quaternionic")]),
        (3 * a.U(2).standard, [(4, 3, "complex")]),
        (a.symmetric(4).standard, [(1, 1, "real"), (3, 1, "real")]),
        (a.symmetric(4).regular(), [(1, 1), (1, 1), (2, 2), (3, 3), (3, 3)]),
        (a.cyclic(5).regular(), [(1, 1, "real"), (2, 1, "complex"), (2, 1, "complex")]),
        (a.SO(1, 3).standard ** 2, [(1, 1, "real"), (6, 1, "complex"), (9, 1, "real")]),
        (a.GL(2).standard * a.GL(2).standard, [(1, 1, "real"), (3, 1, "real")]),
        (a.Sp(4).standard ** 2, [(1, 1, "real"), (5, 1, "real"), (10, 1, "real")]),
    ],
    ids=str,
)
def test_irreducible_parts(W, expected):
    parts = W.irreducible_parts()
    found = [(p.representation.size, p.multiplicity, p.kind) for p in parts]
    assert [f[: len(e)] for f, e in zip(found, expected, strict=True)] == expected
    change = np.concatenate([block for part in parts for block in part.basis], axis=1)
    assert change.shape == (W.size, W.size)
    assert np.linalg.cond(change) < 1e3
    for part in parts:
        assert (
            len(a.intertwiners(part.representation, part.representation))
            == {
                "real": 1,
                "complex": 2,
                "quaternionic": 4,
            }[part.kind]
        )
        for copy in part.basis:
            for big, small in (
                (W.generators, part.representation.generators),
                (W.elements, part.representation.elements),
            ):
                assert np.allclose(big @ copy, copy @ small, atol=1e-8)


def test_irreducible_parts_of_compact_groups_in_any_basis():
    by = conditioned(np.random.default_rng(0), 9, 10.0)
    W = a.SO(3).standard ** 2
    moved = a.Representation(a.SO(3), by @ W.generators @ np.linalg.inv(by))
    assert not moved.is_orthogonal
    parts = moved.irreducible_parts()
    assert [part.representation.size for part in parts] == [1, 3, 5]
    for part in parts:
        (copy,) = part.basis
        assert np.allclose(moved.generators @ copy, copy @ part.representation.generators)


def test_what_is_no_sum_is_refused():
    # Translations move the origin: the plane at infinity has no complement.
    for group in (a.MatrixGroup(a.heisenberg(3)), a.E(2), a.with_translations(a.SL(2))):
        with pytest.raises(ValueError, match="not seen to be a sum of irreducible"):
            group.standard.irreducible_parts()


# ------------------------------------------------------------------ other groups


@pytest.mark.parametrize("basis", [np.zeros((3, 1)), np.ones(3), np.ones((2, 1))])
def test_a_basis_of_a_part_has_independent_columns(basis):
    with pytest.raises(ValueError, match="`basis` must hold independent columns"):
        a.symmetric(3).standard.on(basis)


def test_restriction():
    V = a.O(3).standard
    turns = (V * V).restrict(a.SO(3))
    assert len(a.intertwiners(turns, V.restrict(a.SO(3)))) == 1
    cube = a.polyhedral("cube")
    # Traceless symmetric tensors split in two under the cube.
    parts = V.harmonic_power(2).restrict(cube).irreducible_parts()
    assert [part.representation.size for part in parts] == [2, 3]
    assert np.allclose(V.restrict(cube).elements, cube.elements)
    with pytest.raises(ValueError, match="`subgroup` must be a subgroup of"):
        a.SO(3).standard.restrict(a.SO(2, 1))


@pytest.mark.parametrize(
    ("group", "matrix"),
    [
        (a.SO(3), -np.eye(3)),
        (a.SO(1, 3), -np.eye(4)),
        (a.O(3), 1.1 * np.eye(3)),
        (a.dihedral(4), a.cyclic(8).elements[0]),
        (a.wreath_product(a.SO(2), 4), np.kron(np.eye(2), a.SO(4).random_elements(1)[0])),
    ],
)
def test_what_is_no_element_is_refused(group, matrix):
    """Also where there is a law that would take any matrix."""
    W = group.standard * group.standard
    with pytest.raises(ValueError, match="`element` must be in"):
        W.at(matrix)
    with pytest.raises(ValueError, match="an element that is not in the group"):
        W.restrict(a.MatrixGroup(elements=[matrix]))
    (element,) = group.random_elements(1)
    assert np.allclose(W.at(element), np.kron(element, element))
    assert np.allclose(
        W.restrict(a.MatrixGroup(elements=[element])).elements, W.at(element)
    )


def test_a_representation_at_points():
    """The corners of a cube: as many orbits of pairs as maps."""
    corners = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
    for group in (a.polyhedral("cube"), a.polyhedral("cube", inversion=True)):
        W = group.permutation(corners)
        assert W.permutes_components
        for h, moved in zip(group.elements, W.elements, strict=True):
            assert np.allclose(moved.T @ corners, corners @ h.T)
            assert np.allclose(W.at(h), moved)
    # Pairs of corners are told apart by their distance.
    assert len(a.intertwiners(W, W)) == 4
    assert a.SO(2).permutation([[0.0, 0.0]]).size == 1
    for points in (np.ones((1, 3)), corners[:, :2], [[1.0, 1, 1], [1, 1, 1]]):
        with pytest.raises(ValueError, match="`points` must"):
            group.permutation(points)


@pytest.mark.parametrize("kind", ["symmetric_power", "alternating_power"])
@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_powers_are_representations(kind, degree):
    """Traces by Newton's identities; generators are derivatives, and laws multiply."""
    V = a.GL(3).standard
    W = getattr(V, kind)(degree)
    g, h = V.group.random_elements(2, seed=degree)
    eigenvalues = np.linalg.eigvals(g)
    choose = {
        "symmetric_power": itertools.combinations_with_replacement,
        "alternating_power": itertools.combinations,
    }[kind]
    trace = sum(np.prod(each) for each in choose(eigenvalues, degree))
    assert np.isclose(np.trace(W.at(g)), trace)
    assert np.allclose(W.at(g) @ W.at(h), W.at(g @ h))
    x = np.random.default_rng(degree).normal(size=9) / 3
    flow = expm(np.tensordot(x, V.generators, 1))
    assert np.allclose(W.at(flow), expm(np.tensordot(x, W.generators, 1)))


def test_a_high_power_is_fast():
    W = a.SO(3).standard.symmetric_power(30)
    assert W.size == 496
    assert W.is_orthogonal


def test_induction():
    """Frobenius: maps from an induced representation are those of the restriction."""
    small, large = a.cyclic(4), a.dihedral(4)
    for W in (small.trivial(), small.standard, small.sign()):
        whole = a.induced(W, large)
        assert whole.size == 2 * W.size
        for X in (large.standard, large.regular(), large.trivial(), large.sign()):
            maps = len(a.intertwiners(whole, X))
            assert maps == len(a.intertwiners(W, X.restrict(small)))
    with pytest.raises(ValueError, match="as a subgroup"):
        a.induced(a.cyclic(3).trivial(), a.dihedral(4))


def test_representations_by_matrices_are_known_on_finite_groups():
    V = a.dihedral(5).standard
    given = a.Representation(a.dihedral(5), elements=V.elements)
    for g in a.dihedral(5).all_elements():
        assert np.allclose(given.at(g), g)
    assert np.allclose(given.all_elements(), a.dihedral(5).all_elements())


def test_permutations_are_told():
    assert a.symmetric(4).standard.permutes_components
    assert a.dihedral(3).regular().permutes_components
    assert not a.dihedral(4).standard.permutes_components
    assert not a.SO(3).standard.permutes_components
    assert a.SO(3).trivial(3).permutes_components


def test_large_finite_groups_from_generators_only():
    """Four dials that are turned by quarters and exchanged: 6,144 positions."""
    group = a.wreath_product(a.cyclic(4), 4)
    V = group.standard
    found = len(a.intertwiners(V**2, V**2)), len(a.intertwiners(V**2, group.trivial()))
    characters = np.trace(group.all_elements(), axis1=1, axis2=2)
    assert group.order == 6144
    assert np.allclose(found, [np.mean(characters**4), np.mean(characters**2)])
    # Here the elements would be too many: 12 factorial.
    V = a.symmetric(12).standard
    assert len(a.intertwiners(V**2, V)) == 5


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: a.Representation(a.SO(3), a.so(3).basis[:2]),
            ValueError,
            "`generators` must hold a matrix for each of the 3",
        ),
        (
            lambda: a.Representation(a.SO(3), 2 * a.so(3).basis),
            ValueError,
            "The brackets of a representation must be those",
        ),
        (
            lambda: a.Representation(a.O(2), a.so(2).basis, [np.eye(2)]),
            ValueError,
            "conjugations by `elements` of a representation",
        ),
        (lambda: a.Representation(a.SO(3)), ValueError, "must be matrices of one size"),
        (lambda: a.SO(3).standard + a.SO(2).standard, ValueError, "must be of one group"),
        (lambda: a.SO(3).standard * 0, ValueError, "`number` must be a positive"),
        (lambda: a.SO(3).standard ** -1, ValueError, "`power`"),
        (lambda: a.SO(3).standard.alternating_power(4), ValueError, "at most the size 3"),
        (lambda: a.SO(2, 1).standard.harmonic_power(2), ValueError, "orthogonal matrices"),
        (lambda: a.SO(3).regular(), ValueError, "nly finite groups can be listed"),
        (
            lambda: a.SO(3).standard.on(np.eye(3)[:, :1]),
            ValueError,
            "must span an invariant subspace",
        ),
        (
            lambda: a.Representation(a.SO(3), a.so(3).basis).at(np.eye(3)),
            ValueError,
            "Give it a `law`",
        ),
        (
            lambda: a.intertwiners(a.SO(3), a.O(3)),
            ValueError,
            "must be of one group",
        ),
    ],
)
def test_bad_arguments_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()
