"""The nearest span that is closed under brackets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lconv import algebra as a
from keras_lconv.algebra import closure
from tests.algebra.table import TABLE, disguised

NOISE = 1e-3


@pytest.mark.parametrize("name", [name for name in TABLE if TABLE[name].dimension < 25])
def test_noise_is_removed(name):
    exact = TABLE[name].algebra
    noisy = disguised(exact, np.random.default_rng(0), 1.0, 1.0, NOISE)
    closed = noisy.nearest_closed()
    assert closed.closure_error < 1e-11
    assert closed.dimension == exact.dimension
    assert closed.identify().name.split(",")[0] == noisy.identify().name.split(",")[0]
    if exact.dimension:
        # The step is not longer than the noise was.
        assert a.principal_angles(closed, noisy)[0] < 3 * NOISE
        # The basis moves with the span.
        assert np.allclose(closed.basis, noisy.basis, atol=5 * NOISE)


@given(seed=st.integers(0, 2**31))
def test_result_is_closer_to_the_truth_in_the_mean(seed):
    rng = np.random.default_rng(seed)
    basis = a.so(5).basis
    noisy = a.LieAlgebra(basis + NOISE * rng.normal(size=basis.shape))
    before, after = (
        a.principal_angles(noisy, basis),
        a.principal_angles(noisy.nearest_closed(), basis),
    )
    assert np.linalg.norm(after) < 0.6 * np.linalg.norm(before)


def test_closed_span_stays():
    for algebra in (a.so(5), a.aff(2), a.LieAlgebra(np.zeros((0, 3, 3)))):
        assert np.allclose(algebra.nearest_closed().basis, algebra.basis, atol=1e-12)


def test_convergence_is_quadratic(monkeypatch):
    rng = np.random.default_rng(0)
    rows = a.so(4).basis.reshape(6, 16) + 1e-3 * rng.normal(size=(6, 16))
    noisy = np.linalg.qr(rows.T)[0].T.reshape(6, 4, 4)
    errors = []
    for steps in (1, 2, 3):
        monkeypatch.setattr(closure, "MAX_STEPS", steps)
        errors.append(closure.nearest_closed_frame(noisy, 1.0)[1])
    assert errors[1] < 10 * errors[0] ** 2
    assert errors[2] < 10 * errors[1] ** 2


@pytest.mark.parametrize("seed", range(3))
def test_a_span_far_from_closed_is_refused(seed):
    algebra = a.LieAlgebra(np.random.default_rng(seed).normal(size=(4, 5, 5)))
    with pytest.raises(ValueError, match="No span that is closed under brackets"):
        algebra.nearest_closed()
