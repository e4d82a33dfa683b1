"""The matrices of the constructors, by their definitions."""

import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import algebra as a


def element(algebra, seed=0):
    """A random element of the algebra, of norm 1."""
    weights = np.random.default_rng(seed).normal(size=algebra.dimension)
    matrix = np.tensordot(weights, algebra.basis, 1)
    return matrix / np.linalg.norm(matrix)


@pytest.mark.parametrize(
    ("p", "q"), [(1, 0), (2, 0), (3, 0), (5, 0), (1, 1), (2, 1), (3, 1), (2, 3)]
)
def test_so_preserves_a_form(p, q):
    algebra = a.so(p, q)
    form = np.diag([1.0] * p + [-1.0] * q)
    n = p + q
    assert algebra.basis.shape == (n * (n - 1) // 2, n, n)
    for matrix in algebra.basis:
        assert np.array_equal(matrix.T @ form, -form @ matrix)
    if algebra.dimension:
        group = expm(element(algebra))
        assert np.allclose(group.T @ form @ group, form)


def test_so_turns_the_first_axis_to_the_second():
    assert np.allclose(expm(np.pi / 2 * a.so(2).basis[0]) @ [1, 0], [0, 1])


@pytest.mark.parametrize(("p", "q"), [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (2, 2)])
def test_su_preserves_a_hermitian_form_and_has_no_trace(p, q):
    n = p + q
    algebra = a.su(p, q)
    assert algebra.basis.shape == (n * n - 1, 2 * n, 2 * n)
    form = np.diag([1.0] * p + [-1.0] * q)
    for real in algebra.basis:
        matrix = real[:n, :n] + 1j * real[n:, :n]
        assert np.array_equal(a.realify(matrix), real)
        assert np.array_equal(matrix.conj().T @ form, -form @ matrix)
        assert np.trace(matrix) == 0


@pytest.mark.parametrize("n", [1, 2, 4])
def test_gl_and_sl(n):
    assert np.linalg.matrix_rank(a.gl(n).basis.reshape(n * n, -1)) == n * n
    assert a.sl(n).basis.shape == (n * n - 1, n, n)
    assert not np.any(np.trace(a.sl(n).basis, axis1=1, axis2=2))


@pytest.mark.parametrize("n", [2, 4, 6])
def test_sp_preserves_the_symplectic_form(n):
    algebra = a.sp(n)
    form = np.kron([[0, 1], [-1, 0]], np.eye(n // 2))
    assert algebra.basis.shape == (n * (n + 1) // 2, n, n)
    for matrix in algebra.basis:
        assert np.array_equal(matrix.T @ form, -form @ matrix)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_affine_types_act_on_space(n):
    point = np.append(np.arange(1.0, n + 1), 1.0)
    other = np.append(np.ones(n), 1.0)
    for make, extra in ((a.se, 0), (a.sim, 1), (a.aff, None)):
        algebra = make(n)
        rotations = n * (n - 1) // 2
        linear = n * n if extra is None else rotations + extra
        assert algebra.dimension == n + linear
        assert not np.any(algebra.basis[:, n])
    moved = expm(element(a.se(n), 1)) @ np.stack([point, other], axis=1)
    assert np.isclose(
        np.linalg.norm(moved[:, 0] - moved[:, 1]), np.linalg.norm(point - other)
    )
    translation = expm(2.0 * a.se(n).basis[0]) @ point
    assert np.allclose(translation - point, 2.0 * np.eye(n + 1)[0])
    scaled = expm(np.log(3) * a.sim(n).basis[n]) @ point
    assert np.allclose(scaled[:n], 3 * point[:n])


@pytest.mark.parametrize("n", [3, 5, 7])
def test_heisenberg_relations(n):
    m = n // 2
    basis = a.heisenberg(n).basis
    positions, momenta, center = basis[:m], basis[m : 2 * m], basis[2 * m]
    for i in range(m):
        for j in range(m):
            commutator = positions[i] @ momenta[j] - momenta[j] @ positions[i]
            assert np.array_equal(commutator, (i == j) * center)
            assert not np.any(positions[i] @ positions[j])


@pytest.mark.parametrize(
    ("kind", "h", "eigenvalues"),
    [
        ("III", None, [0, 1]),
        ("IV", None, [1, 1]),
        ("V", None, [1, 1]),
        ("VI_0", None, [-1, 1]),
        ("VII_0", None, [-1j, 1j]),
        ("VI_h", -0.25, [1 - 2, 1 + 2]),
        ("VII_h", 0.25, [1 - 2j, 1 + 2j]),
    ],
)
def test_bianchi_types_by_their_eigenvalues(kind, h, eigenvalues):
    linear = a.bianchi(kind, h).basis[2][:2, :2]
    assert np.allclose(
        np.sort_complex(np.linalg.eigvals(linear)), np.sort_complex(eigenvalues)
    )


def test_bianchi_four_is_no_multiple_of_one():
    assert np.linalg.matrix_rank(a.bianchi("IV").basis[2][:2, :2] - np.eye(2)) == 1


def test_realify_is_a_homomorphism():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 3)) + 1j * rng.normal(size=(2, 3, 3))
    assert np.allclose(a.realify(x @ y), a.realify(x) @ a.realify(y))
    assert np.allclose(expm(a.realify(x)), a.realify(expm(x)))


@pytest.mark.parametrize(
    "make", [a.so, a.su, a.sl, a.gl, a.sp, a.se, a.sim, a.aff, a.abelian, a.heisenberg]
)
@pytest.mark.parametrize(
    ("n", "error"), [(0, ValueError), (-1, ValueError), (2.0, TypeError), (True, TypeError)]
)
def test_bad_sizes_are_refused(make, n, error):
    with pytest.raises(error, match="must be a positive integer"):
        make(n)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: a.so(2, -1), ValueError, "`q` must be an integer that is not negative"),
        (lambda: a.so(2, 1.0), TypeError, "`q` must be an integer that is not negative"),
        (lambda: a.sp(3), ValueError, "`n` must be even. Received: n=3"),
        (lambda: a.heisenberg(4), ValueError, "`n` must be odd"),
        (lambda: a.heisenberg(1), ValueError, "at least 3"),
        (lambda: a.bianchi("X"), ValueError, "`kind` must be one of"),
        (lambda: a.bianchi("V", 1.0), ValueError, "Type V has no parameter"),
        (lambda: a.bianchi("VI_h"), ValueError, "must be negative, and not -1.*h=None"),
        (lambda: a.bianchi("VI_h", -1), ValueError, "must be negative, and not -1"),
        (lambda: a.bianchi("VI_h", 1), ValueError, "must be negative"),
        (lambda: a.bianchi("VII_h", -1), ValueError, "must be positive"),
        (lambda: a.bianchi("VII_h", np.inf), ValueError, "must be finite"),
        (lambda: a.realify(np.ones(3)), ValueError, "two axes of a matrix"),
        (lambda: a.realify([[np.nan * 1j]]), ValueError, "`matrices` must be finite"),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
