"""The quadratic Casimir operator of an algebra of matrices."""

import numpy as np
import pytest

from keras_lconv import algebra as a
from tests.algebra.table import conditioned

REDUCTIVE = [
    *(a.so(n) for n in range(2, 9)),
    *(a.so(p, q) for p in range(1, 6) for q in range(1, 7 - p)),
    *(a.su(n) for n in range(2, 5)),
    a.su(2, 1),
    *(a.sl(n) for n in range(2, 6)),
    *(a.sp(n) for n in (2, 4, 6)),
    *(a.gl(n) for n in range(1, 6)),
    a.abelian(4),
]


@pytest.mark.parametrize("algebra", REDUCTIVE, ids=repr)
def test_casimir_commutes_and_does_not_depend_on_the_basis(algebra):
    casimir = algebra.casimir
    for generator in algebra.basis:
        assert np.max(np.abs(casimir @ generator - generator @ casimir)) <= 1e-12
    changed = conditioned(np.random.default_rng(0), algebra.dimension, 5.0)
    other = a.LieAlgebra(np.tensordot(changed, algebra.basis, 1))
    assert np.allclose(other.casimir, casimir, atol=1e-12)
    assert np.isclose(np.trace(casimir), algebra.dimension)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_casimir_of_representations(n):
    assert np.allclose(a.so(n).casimir, (n - 1) / 2 * np.eye(n))
    assert np.allclose(a.so(n, 1).casimir, n / 2 * np.eye(n + 1))
    assert np.allclose(a.gl(n).casimir, n * np.eye(n))
    # The formula of the definition, in a basis where the form is not diagonal.
    basis = np.tensordot(conditioned(np.random.default_rng(n), n * n, 3), a.gl(n).basis, 1)
    form = np.array([[np.trace(x @ y) for y in basis] for x in basis])
    inverse = np.linalg.inv(form)
    expected = sum(
        inverse[i, j] * basis[i] @ basis[j] for i in range(n * n) for j in range(n * n)
    )
    assert np.allclose(a.LieAlgebra(basis).casimir, expected)


@pytest.mark.parametrize("algebra", [a.so(3), a.so(3, 1), a.sl(3), a.gl(2)], ids=repr)
def test_casimir_moves_with_a_conjugation(algebra):
    """Where the trace form is not its own inverse in an orthonormal frame."""
    n = algebra.matrix_size
    by = conditioned(np.random.default_rng(1), n, 4.0)
    conjugated = a.LieAlgebra(by @ algebra.basis @ np.linalg.inv(by))
    expected = by @ algebra.casimir @ np.linalg.inv(by)
    assert np.allclose(conjugated.casimir, expected, atol=1e-11)


def on_polynomials(algebra):
    """On quadratic polynomials of homogeneous coordinates, where products do not vanish."""
    return a.LieAlgebra(a.tensor_product(a.dual(algebra), a.dual(algebra)))


@pytest.mark.parametrize("n", [2, 3])
def test_casimir_of_se_is_minus_the_laplacian(n):
    acting = on_polynomials(a.se(n))
    casimir = acting.casimir
    for generator in acting.basis:
        assert np.max(np.abs(casimir @ generator - generator @ casimir)) <= 1e-12
    laplacian = sum(generator @ generator for generator in acting.basis[:n])
    assert np.linalg.norm(laplacian) > 0.1
    # In an orthonormal frame each translation has length 1.
    unit = np.linalg.norm(acting.basis[0]) ** 2
    assert np.allclose(casimir, -laplacian / unit)
    changed = conditioned(np.random.default_rng(0), acting.dimension, 5.0)
    other = a.LieAlgebra(np.tensordot(changed, acting.basis, 1))
    assert np.allclose(other.casimir, casimir, atol=1e-9)


def test_casimir_of_a_nilpotent_matrix_is_minus_its_square():
    shift = np.eye(3, k=1)
    assert np.allclose(a.LieAlgebra(shift[None]).casimir, -shift @ shift / 2)


@pytest.mark.parametrize("algebra", [a.sim(2), a.aff(1), a.aff(2)])
def test_casimir_is_refused_where_no_form_is_invariant(algebra):
    with pytest.raises(ValueError, match="no quadratic Casimir operator"):
        _ = algebra.casimir
