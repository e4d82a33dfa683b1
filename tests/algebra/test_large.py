"""Algebras of which the structure takes too long: names, closure and what is refused."""

import numpy as np
import pytest

from keras_lconv import algebra as a
from keras_lconv.algebra.span import Span

pytestmark = pytest.mark.backend_free


@pytest.mark.parametrize(
    ("algebra", "name"),
    [
        (a.so(10), "so(10)"),
        (a.so(8, 2), "so(8,2)"),
        (a.sp(10), "sp(10,R)"),
        (a.sl(7), "sl(7,R)"),
        (a.gl(7), "gl(7,R)"),
        (a.so(20), "so(20)"),
    ],
)
def test_names(algebra, name):
    change = np.random.default_rng(0).normal(size=(algebra.matrix_size,) * 2)
    change = np.linalg.qr(change)[0]
    found = a.LieAlgebra(change @ algebra.basis @ change.T).identify()
    assert found.name == name
    assert found.confidence > 0.99


def test_a_dilation_and_what_has_no_name():
    both = np.concatenate([a.so(10).basis, np.eye(10)[None]])
    assert a.LieAlgebra(both).identify().name == "so(10) + R"
    diagonal = a.LieAlgebra(np.array([np.diag(row) for row in np.eye(45)])).identify()
    assert diagonal.name == "unnamed, dimension 45"
    assert not diagonal.is_unique
    random = np.random.default_rng(0).normal(size=(45, 10, 10))
    assert a.LieAlgebra(random).identify().name == "not closed"


def test_a_form_that_noise_hides_is_not_named():
    noise = np.random.default_rng(0).normal(size=(45, 10, 10))
    for size, name in [(1e-4, "so(10)"), (3e-2, "unnamed, dimension 45")]:
        basis = a.so(10).basis + size * noise
        assert a.LieAlgebra(basis, tolerance=0.9).identify().name == name


@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.1])
def test_closure_error_by_iterations(noise, monkeypatch):
    """The brackets of all pairs, and Lanczos' method, have one norm."""
    rng = np.random.default_rng(0)
    basis = a.so(9).basis + noise * rng.normal(size=(36, 9, 9))
    if noise:
        # And a span that is far from closed.
        basis = np.concatenate([basis, rng.normal(size=(1, 9, 9))])
    of_all_pairs = Span(basis).closure_error
    monkeypatch.setattr("keras_lconv.algebra.span.MANY", 3)
    assert np.isclose(Span(basis).closure_error, of_all_pairs, rtol=2e-3, atol=1e-14)


def test_commuting_matrices_are_closed_by_iterations(monkeypatch):
    monkeypatch.setattr("keras_lconv.algebra.span.MANY", 3)
    assert Span(np.array([np.diag(row) for row in np.eye(6)])).closure_error == 0


def test_what_would_not_fit_is_refused(monkeypatch):
    algebra = a.so(12)
    monkeypatch.setenv("KERAS_LCONV_MEMORY_SHARE", "1e-6")
    with pytest.raises(ValueError, match="Structure constants of dimension 66 would take"):
        algebra.structure_constants  # noqa: B018
    assert algebra.identify().name == "so(12)"
