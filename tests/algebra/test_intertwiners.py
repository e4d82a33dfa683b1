"""Sums, products and duals of representations, and the maps between them."""

import itertools

import numpy as np
import pytest
from scipy.linalg import block_diag, expm

from keras_lconv.algebra import (
    LieAlgebra,
    constraints,
    direct_sum,
    dual,
    gl,
    heisenberg,
    intertwiners,
    se,
    sl,
    so,
    sp,
    su,
    tensor_product,
    trivial,
)
from keras_lconv.algebra.characters import commute_and_are_normal

ALGEBRAS = {
    "so(3)": so(3),
    "so(3,1)": so(3, 1),
    "sl(2)": sl(2),
    "se(2)": se(2),
    "heisenberg": heisenberg(3),
}


@pytest.fixture(params=ALGEBRAS)
def algebra(request):
    return ALGEBRAS[request.param]


def representations(algebra):
    v, k = algebra.basis, algebra.dimension
    return {
        "trivial": trivial(k, 2),
        "sum": direct_sum(v, trivial(k), dual(v)),
        "product": tensor_product(v, dual(v)),
        "three": tensor_product(v, algebra.adjoint(), v),
        "dual": dual(v),
    }


def test_brackets_are_kept(algebra):
    constants = algebra.structure_constants
    for name, matrices in representations(algebra).items():
        products = matrices[:, None] @ matrices[None]
        brackets = products - products.swapaxes(0, 1)
        expected = np.tensordot(constants, matrices, 1)
        assert np.allclose(brackets, expected, atol=1e-12), name


def test_exponentials_are_sums_and_products(algebra):
    rng = np.random.default_rng(0)
    t = rng.normal(size=algebra.dimension)
    other = algebra.adjoint()

    def group(matrices):
        return expm(np.tensordot(t, matrices, 1))

    a, b = group(algebra.basis), group(other)
    summed = group(direct_sum(algebra, other))
    assert np.allclose(summed, block_diag(a, b), rtol=1e-10, atol=1e-10)
    product = group(tensor_product(algebra, other))
    assert np.allclose(product, np.kron(a, b), rtol=1e-10, atol=1e-10)
    assert np.allclose(group(dual(algebra)).T @ a, np.eye(len(a)), atol=1e-10)


def test_representations_must_belong_together():
    with pytest.raises(ValueError, match=r"one basis.*\[3, 6\] matrices"):
        tensor_product(so(3), so(3, 1))
    with pytest.raises(ValueError, match="one basis"):
        direct_sum()
    with pytest.raises(ValueError, match="square"):
        dual(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="positive"):
        trivial(3, 0)


V3, V4, V5 = so(3).basis, so(3, 1).basis, so(5).basis
SU2 = su(2).basis
SP4 = sp(4).basis
PLANE = so(2).basis

# By Schur's lemma and the first fundamental theorem of invariants: pairings of indices,
# and the volume form.
DIMENSIONS = {
    "vectors of space": (V3, V3, 1),
    "cross product": (tensor_product(V3, V3), V3, 1),
    "dot product": (tensor_product(V3, V3), trivial(3), 1),
    "matrices of space": (tensor_product(V3, V3), tensor_product(V3, V3), 3),
    "two vectors": (direct_sum(V3, V3), direct_sum(V3, V3), 4),
    "volume": (tensor_product(V3, V3, V3), trivial(3), 1),
    "the plane": (PLANE, PLANE, 2),
    "two planes": (direct_sum(PLANE, PLANE), direct_sum(PLANE, PLANE), 8),
    "quaternions": (SU2, SU2, 4),
    "so(5) has no cross product": (tensor_product(V5, V5), V5, 0),
    "three vectors of so(5)": (tensor_product(V5, V5, V5), V5, 3),
    "matrices of spacetime": (tensor_product(V4, V4), tensor_product(V4, V4), 4),
    "symplectic form": (tensor_product(SP4, SP4), trivial(len(SP4)), 1),
    "gl(3), dual pairing": (
        tensor_product(gl(3).basis, dual(gl(3))),
        trivial(9),
        1,
    ),
    "gl(3) has no length": (tensor_product(gl(3).basis, gl(3).basis), trivial(9), 0),
    "dual of a compact one": (V5, dual(V5), 1),
    "adjoint": (so(4).adjoint(), so(4).adjoint(), 2),
}


@pytest.mark.parametrize("name", DIMENSIONS)
def test_dimension_of_the_maps(name):
    source, target, dimension = DIMENSIONS[name]
    # In a basis that nobody would choose.
    rng = np.random.default_rng(1)
    frames = [rng.normal(size=(m.shape[1],) * 2) for m in (source, target)]
    source, target = (
        np.linalg.solve(frame, matrices @ frame)
        for frame, matrices in zip(frames, (source, target), strict=True)
    )
    maps = intertwiners(source, target)
    assert maps.shape == (dimension, target.shape[1], source.shape[1])
    rows = maps.reshape(dimension, -1) if dimension else np.zeros((0, 1))
    assert np.allclose(rows @ rows.T, np.eye(dimension), atol=1e-10)
    scale = np.max(np.abs(source)) + np.max(np.abs(target))
    for w, left, right in (
        (w, left, right) for w in maps for left, right in zip(target, source, strict=True)
    ):
        assert np.max(np.abs(left @ w - w @ right)) < 1e-9 * scale


def test_the_cross_product_is_the_cross_product():
    w = intertwiners(tensor_product(V3, V3), V3)[0]
    a, b = np.random.default_rng(0).normal(size=(2, 3))
    found = w @ np.kron(a, b)
    cross = np.cross(a, b)
    assert np.isclose(abs(found @ cross), np.linalg.norm(found) * np.linalg.norm(cross))


def test_maps_commute_with_the_group():
    source, target = (
        tensor_product(V4, V4),
        direct_sum(V4, trivial(6), tensor_product(V4, V4)),
    )
    t = np.random.default_rng(0).normal(size=6) / 2
    before = expm(np.tensordot(t, source, 1))
    after = expm(np.tensordot(t, target, 1))
    for w in intertwiners(source, target):
        assert np.allclose(after @ w, w @ before, atol=1e-9)


@pytest.mark.parametrize("name", ["matrices of space", "matrices of spacetime"])
def test_products_with_generators_find_what_a_decomposition_finds(name):
    """The matrix-free projection, where both can be afforded."""
    source, target, dimension = DIMENSIONS[name]
    by_matrix = constraints.candidates(source, target, 1e-8)
    by_matrix = constraints.null_maps(by_matrix, source, target, 1e-8)
    by_products = constraints.projected_candidates(source, target, 1e-8)
    assert len(by_matrix) == len(by_products) == dimension
    overlaps = np.tensordot(by_matrix, by_products, ((1, 2), (1, 2)))
    assert np.allclose(np.linalg.svd(overlaps)[1], 1, atol=1e-8)


def test_products_with_generators_find_more_maps_than_a_block_holds():
    many = direct_sum(*[V3] * 4)
    found = constraints.projected_candidates(many, many, 1e-8)
    assert len(found) == 16 > constraints.FIRST_BLOCK


def test_large_representations_are_not_decomposed(monkeypatch):
    """Tensors of rank 3 to rank 3 of spacetime: 4,096 entries, and Catalan(3)^2 maps."""
    tensors = tensor_product(V4, V4, V4)
    monkeypatch.setattr(np.linalg, "eigh", None)
    maps = intertwiners(tensors, tensors)
    assert len(maps) == 25
    defects = tensors[None] @ maps[:, None] - maps[:, None] @ tensors[None]
    assert np.max(np.abs(defects)) < 1e-9


def test_an_algebra_with_noise_has_no_invariants_until_it_is_closed():
    rng = np.random.default_rng(0)
    noisy = LieAlgebra(V5 + 1e-2 * rng.normal(size=V5.shape))
    squares = tensor_product(noisy, noisy)
    assert len(intertwiners(squares, trivial(10))) == 0
    assert len(intertwiners(squares, trivial(10), tolerance=0.05)) == 1
    closed = noisy.nearest_closed()
    form = intertwiners(tensor_product(closed, closed), trivial(10))
    assert len(form) == 1
    # The Euclidean product, up to the noise.
    assert np.allclose(np.abs(form.reshape(5, 5)) * np.sqrt(5), np.eye(5), atol=0.05)


def test_float32_generators_need_no_tolerance():
    rng = np.random.default_rng(0)
    frame = rng.normal(size=(3, 3))
    rounded = np.linalg.solve(frame, V3 @ frame).astype("float32")
    assert len(intertwiners(rounded, rounded)) == 1
    assert len(intertwiners(tensor_product(rounded, rounded), trivial(3), 1e-5)) == 1


def test_intertwiners_refuse_what_does_not_fit():
    with pytest.raises(ValueError, match=r"Received: \(3, 0\) and \(6, 0\)"):
        intertwiners(so(3), so(3, 1))
    with pytest.raises(ValueError, match="tolerance"):
        intertwiners(so(3), so(3), tolerance=2.0)


def test_which_generators_share_eigenvectors():
    shift = np.roll(np.eye(5), 1, axis=0)
    assert commute_and_are_normal(np.array([shift, shift @ shift]))
    assert not commute_and_are_normal(V3)
    assert not commute_and_are_normal(np.triu(np.ones((1, 3, 3)), 1))
    assert all(
        commute_and_are_normal(np.array(pair))
        for pair in itertools.combinations([shift, shift.T, np.eye(5)], 2)
    )
