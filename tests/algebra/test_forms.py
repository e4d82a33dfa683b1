"""Forms on an algebra: which is chosen, and that it is invariant."""

import numpy as np
import pytest
from scipy.linalg import null_space

from keras_lconv import algebra as a
from keras_lconv.algebra.forms import casimir_form, casimir_matrix, smoothing_form
from tests.algebra.table import conditioned

SEMISIMPLE = {"so(3)": a.so(3), "so(3,1)": a.so(3, 1), "sl(3)": a.sl(3), "gl(2)": a.gl(2)}
DEGENERATE = {
    "se(2)": a.se(2),
    "se(3)": a.se(3),
    "iso(2,1)": a.LieAlgebra(
        np.concatenate(
            [
                [np.outer(np.eye(4)[i], np.eye(4)[3]) for i in range(3)],
                np.pad(a.so(2, 1).basis, ((0, 0), (0, 1), (0, 1))),
            ]
        )
    ),
    "heisenberg(5)": a.heisenberg(5),
    "so(3) + se(2)": a.so(3).direct_sum(a.se(2)),
    "so(2,1) + se(2)": a.so(2, 1).direct_sum(a.se(2)),
}


def invariant_tensors(algebra):
    """`ad h + h ad^T = 0` by SciPy, as one system for all entries of `h`."""
    k, one = algebra.dimension, np.eye(algebra.dimension)
    ad = algebra.adjoint()
    rows = [np.kron(x, one) + np.kron(one, x) for x in ad]
    rows.append(
        np.eye(k * k) - np.eye(k * k).reshape(k, k, k, k).swapaxes(0, 1).reshape(k * k, -1)
    )
    return null_space(np.concatenate(rows)).T.reshape(-1, k, k)


@pytest.mark.parametrize("name", [*SEMISIMPLE, *DEGENERATE])
def test_is_invariant_in_any_basis(name):
    algebra = {**SEMISIMPLE, **DEGENERATE}[name]
    rng = np.random.default_rng(0)
    for size in (1.0, 4.0):
        change = conditioned(rng, algebra.dimension, size)
        mixed = a.LieAlgebra(np.tensordot(change, algebra.basis, 1))
        form = casimir_form(mixed.basis)
        assert np.linalg.norm(form) > 0.1
        assert np.allclose(form, form.T)
        for x in mixed.adjoint():
            assert np.max(np.abs(x @ form + form @ x.T)) < 1e-9


@pytest.mark.parametrize("name", SEMISIMPLE)
@pytest.mark.parametrize("unit", [None, 1.0, 2.0])
def test_is_the_inverse_of_the_trace_form(name, unit):
    basis = SEMISIMPLE[name].basis
    trace = -np.array([[np.trace(x @ y) for y in basis] for x in basis])
    scale = unit or np.abs(np.linalg.eigvalsh(trace)).mean()
    assert np.allclose(casimir_form(basis, unit), scale * np.linalg.inv(trace))
    if unit is None:
        assert np.allclose(casimir_form(7 * basis), casimir_form(basis))


@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("condition", [1.0, 3.0])
def test_is_the_nearest_invariant_form(name, condition):
    """In an orthonormal frame no invariant form that may be chosen is nearer to 1."""
    algebra = DEGENERATE[name]
    size = algebra.matrix_size
    by = conditioned(np.random.default_rng(3), size, condition)
    rows = (by @ algebra.basis @ np.linalg.inv(by)).reshape(algebra.dimension, -1)
    frame = np.linalg.svd(rows, full_matrices=False)[2].reshape(-1, size, size)
    form, tensors = casimir_form(frame), invariant_tensors(a.LieAlgebra(frame))
    inside = np.tensordot(np.einsum("mab,ab->m", tensors, form), tensors, 1)
    assert np.allclose(inside, form, atol=1e-9)
    one = np.eye(algebra.dimension)
    # The form comes with its largest eigenvalue 1: nearest is what it is a multiple of.
    form *= np.trace(form) / np.linalg.norm(form) ** 2
    distance = np.linalg.norm(form - one)
    is_positive = np.linalg.eigvalsh(form)[0] > -1e-9
    assert is_positive == (name != "iso(2,1)")
    rng = np.random.default_rng(0)
    for step in np.repeat([1e-3, 1e-2, 0.1, 1.0], 50):
        other = form + step * np.tensordot(rng.normal(size=len(tensors)), tensors, 1)
        if not is_positive or np.linalg.eigvalsh(other)[0] > -1e-12:
            assert np.linalg.norm(other - one) >= distance - 1e-9


@pytest.mark.parametrize("name", ["se(2)", "se(3)", "so(3) + se(2)", "heisenberg(5)"])
def test_operator_does_not_depend_on_the_basis(name):
    """Up to its unit."""
    algebra = DEGENERATE[name]
    acting = a.tensor_product(a.dual(algebra), a.dual(algebra))
    mixed = conditioned(np.random.default_rng(1), algebra.dimension, 4.0)
    first = casimir_matrix(acting, casimir_form(algebra.basis))
    changed = casimir_form(np.tensordot(mixed, algebra.basis, 1))
    second = casimir_matrix(np.tensordot(mixed, acting, 1), changed)
    assert np.linalg.norm(first) > 0.1
    assert a.correlation(first, second) > 1 - 1e-12
    for generator in acting:
        assert np.max(np.abs(first @ generator - generator @ first)) < 1e-9


def test_forms_of_known_algebras():
    assert np.allclose(casimir_form(a.se(3).basis), np.diag([1.0] * 3 + [0.0] * 3))
    assert np.allclose(casimir_form(a.heisenberg(3).basis), np.diag([0.0, 0.0, 1.0]))
    both = casimir_form(a.so(2, 1).direct_sum(a.se(2)).basis)
    assert np.allclose(both, np.diag([0.0, 0, 0, 1, 1, 0]), atol=1e-9)
    assert np.allclose(smoothing_form(a.abelian(3).basis), np.eye(3))
    assert np.allclose(smoothing_form(a.so(3).basis), np.eye(3))
    assert casimir_form(np.zeros((0, 2, 2))).shape == (0, 0)


def test_matrix_is_the_sum_of_products():
    rng = np.random.default_rng(0)
    matrices, form = rng.normal(size=(3, 4, 4)), rng.normal(size=(3, 3))
    expected = -sum(
        form[i, j] * matrices[i] @ matrices[j] for i in range(3) for j in range(3)
    )
    assert np.allclose(casimir_matrix(matrices, form), expected)


@pytest.mark.parametrize("algebra", [a.sim(2), a.aff(2)])
def test_none_is_an_error(algebra):
    with pytest.raises(ValueError, match="no quadratic Casimir operator"):
        casimir_form(algebra.basis)


def test_span_that_does_not_close_is_refused():
    pair = np.zeros((2, 3, 3))
    pair[0, 0, 1] = pair[1, 1, 2] = 1.0
    with pytest.raises(ValueError, match="must close under brackets"):
        casimir_form(pair)


def test_dependent_matrices_are_refused():
    with pytest.raises(ValueError, match="linearly independent"):
        casimir_form(a.so(3).basis[[0, 1, 2, 0]])
