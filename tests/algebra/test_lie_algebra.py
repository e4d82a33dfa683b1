"""The mathematics of `LieAlgebra`, over one table of known algebras."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lconv import algebra as a
from tests.algebra.table import TABLE, conditioned, disguised, examples

seeds = st.integers(0, 2**31)
every_algebra = pytest.mark.parametrize("name", TABLE)
nonzero = pytest.mark.parametrize("name", [n for n in TABLE if TABLE[n].dimension])


def mixed(name, seed=0):
    """The algebra in a random basis."""
    return disguised(TABLE[name].algebra, np.random.default_rng(seed), conjugation=1.0)


def bracket(x, y):
    return x @ y - y @ x


@every_algebra
def test_structure_constants_are_antisymmetric_and_meet_jacobi(name):
    c = mixed(name).structure_constants
    scale = np.max(np.abs(c), initial=1.0)
    assert np.max(np.abs(c + c.swapaxes(0, 1)), initial=0) <= 1e-12 * scale
    terms = np.einsum("ijm,mkl->ijkl", c, c)
    jacobi = terms + terms.transpose(2, 0, 1, 3) + terms.transpose(1, 2, 0, 3)
    assert np.max(np.abs(jacobi), initial=0) <= 1e-12 * scale**2


@every_algebra
def test_structure_constants_give_the_brackets(name):
    algebra = mixed(name)
    basis = algebra.basis
    expected = bracket(basis[:, None], basis[None])
    found = np.tensordot(algebra.structure_constants, basis, 1)
    assert np.allclose(found, expected, atol=1e-12 * np.max(np.abs(basis), initial=1) ** 2)
    assert algebra.closure_error < 1e-13


@nonzero
def test_adjoint_is_a_representation(name):
    algebra = mixed(name)
    ad = algebra.adjoint()
    x, y = np.random.default_rng(1).normal(size=(2, algebra.dimension))
    first, second = np.tensordot([x, y], algebra.basis, 1)
    both = bracket(algebra.adjoint(first), algebra.adjoint(second))
    coordinates = algebra.coordinates(algebra.bracket(first, second))
    of_bracket = np.tensordot(coordinates, ad, 1)
    assert np.allclose(of_bracket, both, atol=1e-11 * max(np.max(np.abs(ad)), 1.0) ** 2)


@pytest.mark.parametrize(
    ("algebra", "factor"),
    [(a.so(n), n - 2) for n in range(3, 7)]
    + [(a.so(3, 1), 2)]
    + [(a.sl(n), 2 * n) for n in range(2, 5)]
    + [(a.sp(n), n + 2) for n in (2, 4, 6)],
)
def test_killing_form_is_a_known_multiple_of_the_trace_form(algebra, factor):
    assert np.allclose(algebra.killing_form, factor * algebra.trace_form)


def test_killing_form_of_gl():
    n = 3
    traces = np.trace(a.gl(n).basis, axis1=1, axis2=2)
    expected = 2 * n * a.gl(n).trace_form - 2 * np.outer(traces, traces)
    assert np.allclose(a.gl(n).killing_form, expected)


@nonzero
def test_killing_form_is_invariant(name):
    algebra = mixed(name)
    form, ad = algebra.killing_form, algebra.adjoint()
    defect = np.einsum("iba,bc->iac", ad, form) + np.einsum("ab,ibc->iac", form, ad)
    assert np.allclose(defect, 0, atol=1e-9 * np.max(np.abs(ad), initial=1e-3) ** 3)


def assert_invariants(algebra, known):
    """All that is known of an algebra, whatever its matrices."""
    assert algebra.dimension == known.dimension
    assert algebra.rank == known.rank
    assert algebra.killing_signature == known.signature
    assert tuple(s.dimension for s in algebra.derived_series) == known.derived
    assert tuple(s.dimension for s in algebra.lower_central_series) == known.central
    assert algebra.center.dimension == known.center
    assert algebra.radical.dimension == known.radical
    ideals = [ideal.dimension for ideal in algebra.levi_factor.indecomposable_ideals]
    assert sorted(ideals) == sorted(known.ideals)
    assert algebra.is_abelian == (known.derived in ((0,), (known.dimension, 0)))
    assert algebra.is_nilpotent == (known.central[-1] == 0)
    assert algebra.is_solvable == (known.derived[-1] == 0)
    assert algebra.is_semisimple == (known.radical == 0)
    assert algebra.is_simple == (known.radical == 0 and len(known.ideals) == 1)
    assert algebra.is_reductive == (known.radical == known.center)
    assert algebra.is_compact == known.compact
    assert algebra.identify().name == known.name


@every_algebra
@settings(max_examples=examples(100))
@given(seed=seeds)
def test_invariants_do_not_depend_on_basis_and_conjugation(name, seed):
    known = TABLE[name]
    assert_invariants(disguised(known.algebra, np.random.default_rng(seed)), known)


@every_algebra
def test_levi_decomposition(name):
    algebra = disguised(TABLE[name].algebra, np.random.default_rng(3))
    factor, radical = algebra.levi_factor, algebra.radical
    assert factor.dimension + radical.dimension == algebra.dimension
    assert factor.closure_error < 1e-8
    assert factor.is_semisimple
    assert radical.is_solvable
    if factor.dimension and radical.dimension:
        together = a.LieAlgebra(np.concatenate([factor.basis, radical.basis]))
        assert algebra.contains(together)
        # The radical is an ideal.
        brackets = bracket(algebra.basis[:, None], radical.basis[None])
        projected = [
            np.tensordot(radical.coordinates(b), radical.basis, 1)
            for row in brackets
            for b in row
        ]
        assert np.allclose(projected, brackets.reshape(-1, *brackets.shape[2:]))


@pytest.mark.parametrize(
    "name", [n for n in TABLE if " + " in n or n in ("so(4)", "gl(3)")]
)
def test_ideals_commute_with_each_other(name):
    algebra = disguised(TABLE[name].algebra, np.random.default_rng(4))
    ideals = algebra.indecomposable_ideals
    assert len(ideals) > 1
    for i, first in enumerate(ideals):
        assert first.closure_error < 1e-9
        for second in ideals[i + 1 :]:
            products = bracket(first.basis[:, None], second.basis[None])
            assert np.max(np.abs(products)) < 1e-9
    together = np.concatenate([ideal.basis for ideal in ideals])
    assert a.principal_angles(together, algebra)[0] < 1e-7
    assert len(together) == algebra.dimension


def test_series_are_nested_and_as_defined():
    triangular = [np.eye(4)[:, [i]] * np.eye(4)[[j]] for i in range(4) for j in range(i, 4)]
    algebra = a.LieAlgebra(np.array(triangular))
    derived, central = algebra.derived_series, algebra.lower_central_series
    assert [s.dimension for s in derived] == [10, 6, 3, 0]
    assert [s.dimension for s in central] == [10, 6]
    strict = derived[1]
    assert [s.dimension for s in strict.lower_central_series] == [6, 3, 1, 0]
    assert strict.is_nilpotent
    assert strict.rank == 6
    for bigger, smaller in pairwise(derived[:-1]):
        assert bigger.contains(smaller)
        brackets = bracket(bigger.basis[:, None], bigger.basis[None]).reshape(-1, 4, 4)
        assert smaller.contains(brackets[np.abs(brackets).max(axis=(1, 2)) > 1e-12])


# ------------------------------------------------------------------- the span


@pytest.mark.parametrize(
    "name",
    [
        "so(3)",
        "so(5)",
        "se(3)",
        "aff(2)",
        "sl(2)",
        "gl(3)",
        "so(3,1)",
        "heisenberg(5)",
        "sp(4)",
    ],
)
@given(seed=seeds)
def test_canonical_basis_is_the_elementary_one(name, seed):
    known = TABLE[name].algebra
    algebra = a.LieAlgebra(
        np.tensordot(
            conditioned(np.random.default_rng(seed), known.dimension, 10.0), known.basis, 1
        )
    )
    found = algebra.canonical_basis()
    assert a.principal_angles(found, known)[0] < 1e-7
    # Up to order and sign, the matrices of the constructor.
    left = {tuple(np.abs(m).round(9).ravel()) for m in found}
    right = {tuple(np.abs(m).ravel()) for m in known.basis}
    assert left == right


@given(seed=seeds)
def test_canonical_basis_of_noisy_rotations(seed):
    rng = np.random.default_rng(seed)
    basis = np.tensordot(conditioned(rng, 3, 3.0), a.so(3).basis, 1)
    algebra = a.LieAlgebra(basis + 1e-3 * rng.normal(size=basis.shape))
    found = algebra.canonical_basis()
    assert np.array_equal(found == 0, a.so(3).basis == 0)
    assert np.allclose(found, a.so(3).basis, atol=0.02)


@given(seed=seeds)
def test_coordinates_and_contains(seed):
    rng = np.random.default_rng(seed)
    algebra = disguised(a.sl(3), rng)
    coordinates = rng.normal(size=8)
    matrix = np.tensordot(coordinates, algebra.basis, 1)
    assert np.allclose(algebra.coordinates(matrix), coordinates)
    assert algebra.contains(matrix)
    assert algebra.contains(algebra)
    assert not algebra.contains(matrix + 0.01 * np.linalg.norm(matrix) * np.eye(3))
    assert not algebra.contains(np.stack([matrix, np.eye(3)]))


def test_scale_of_a_basis_matrix_does_not_matter():
    scaled = a.so(3).basis * np.array([1e-9, 1.0, 1e9])[:, None, None]
    assert a.LieAlgebra(scaled).identify().name == "so(3)"
    c = a.LieAlgebra(scaled).structure_constants
    expected = a.so(3).structure_constants[0, 1, 2]
    assert np.isclose(c[0, 1, 2], expected * 1e-9)


def test_direct_sum_has_both_algebras_as_ideals():
    both = a.so(3).direct_sum(a.se(2))
    assert both.dimension == 6
    assert both.matrix_size == 6
    c = both.structure_constants
    assert np.allclose(c[:3, :3, :3], a.so(3).structure_constants)
    assert np.allclose(c[3:, 3:, 3:], a.se(2).structure_constants)
    assert not np.any(c[:3, 3:])


def test_algebra_is_an_array_of_its_basis():
    assert np.array_equal(np.asarray(a.so(3)), a.so(3).basis)
    with pytest.raises(ValueError, match="read-only"):
        a.so(3).basis[0, 0, 0] = 1.0


def test_the_callers_array_is_copied():
    basis = a.so(3).basis.copy()
    algebra = a.LieAlgebra(basis)
    basis[:] = 0.0
    assert algebra.identify().name == "so(3)"


def test_repr_is_for_people():
    assert repr(a.so(3)) == "<LieAlgebra so(3): dimension 3, 3x3 matrices>"
    # Too large to name in passing.
    assert repr(a.gl(7)) == "<LieAlgebra dimension 49, 7x7 matrices>"


def test_closure_error_of_random_matrices_is_of_order_one():
    rng = np.random.default_rng(0)
    for k, n in [(2, 3), (3, 5), (6, 8), (3, 30)]:
        assert 0.2 < a.LieAlgebra(rng.normal(size=(k, n, n))).closure_error < 2


@given(seed=seeds, copies=st.integers(2, 5))
def test_closure_error_does_not_depend_on_basis_and_multiplicity(seed, copies):
    rng = np.random.default_rng(seed)
    basis = a.so(3).basis + 1e-3 * rng.normal(size=(3, 3, 3))
    error = a.LieAlgebra(basis).closure_error
    changed = np.tensordot(conditioned(rng, 3, 10.0), basis, 1)
    assert np.isclose(a.LieAlgebra(changed).closure_error, error)
    repeated = np.kron(np.eye(copies), basis)
    assert np.isclose(a.LieAlgebra(repeated).closure_error, error)


def test_closure_error_of_nearly_commuting_matrices_is_small():
    rng = np.random.default_rng(0)
    basis = a.abelian(3).basis + 1e-3 * rng.normal(size=(3, 3, 3))
    assert a.LieAlgebra(basis).closure_error < 1e-2


# --------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("basis", "error", "words"),
    [
        ([], ValueError, r"shape \(0,\).*np.zeros\(\(0, n, n\)\)"),
        (np.zeros((0, 0, 0)), ValueError, "stack of square matrices"),
        (np.ones((2, 2)), ValueError, r"stack of square matrices.*shape \(2, 2\)"),
        (np.ones((1, 2, 3)), ValueError, r"stack of square matrices.*shape \(1, 2, 3\)"),
        (
            [np.eye(2), 2 * np.eye(2)],
            ValueError,
            "linearly independent.*2 matrices of rank 1",
        ),
        ([np.eye(2), np.zeros((2, 2))], ValueError, "matrix number 1 .* is zero"),
        (np.ones((5, 2, 2)), ValueError, "5 matrices of size 2x2, of which at most 4"),
        ([[[np.nan, 0], [0, 1]]], ValueError, "`basis` must be finite.*1 entries"),
        ([[["a"]]], TypeError, "`basis` must be an array of real numbers"),
        (1j * np.ones((1, 1, 1)), TypeError, "complex matrices.*realify"),
    ],
)
def test_bad_bases_are_refused(basis, error, words):
    with pytest.raises(error, match=words):
        a.LieAlgebra(basis)


def test_dependence_is_judged_by_the_precision_of_the_basis():
    single = a.so(3).basis.astype("float32")
    nearly = np.concatenate([single, single[:1] * (1 + 1e-6) + single[1:2] * 1e-6])
    with pytest.raises(ValueError, match="4 matrices of rank 3"):
        a.LieAlgebra(nearly.astype("float32"))


@pytest.mark.parametrize("tolerance", [0, 1, -1.0, float("nan"), [0.1, 0.2]])
def test_bad_tolerances_are_refused(tolerance):
    error = TypeError if isinstance(tolerance, list) else ValueError
    with pytest.raises(error, match="`tolerance`"):
        a.LieAlgebra(np.eye(2)[None], tolerance)
    with pytest.raises(error, match="`tolerance`"):
        a.so(3).identify(tolerance)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: a.so(3).bracket(np.eye(2), np.eye(3)), ValueError, "`x` must be a 3x3"),
        (lambda: a.so(3).contains(np.eye(2)), ValueError, "`other` must hold 3x3"),
        (lambda: a.so(3).adjoint(np.eye(3)), ValueError, "`x` must lie in the algebra"),
        (
            lambda: a.so(3).direct_sum(np.eye(3)),
            TypeError,
            "`other` must be a `LieAlgebra`",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
