"""Vector fields as coefficients and as values."""

import numpy as np
import pytest

from keras_lconv import generators as g
from tests.families import to_numpy


@pytest.mark.backend_free
@pytest.mark.parametrize("field", ["linear", "affine", "quadratic", "free"])
def test_fields_start_small_on_grids_of_any_size(field):
    """Bounds of the norms are about 0.1 or somewhat less."""
    for size in (3, 27):
        generators = g.VectorFieldGenerators(40, field)
        generators.build((None, size, size, 1))
        bounds = to_numpy(generators.norm_bounds())
        assert 0.01 < bounds.mean() < 0.11
        assert bounds.max() < 0.2


def test_fields_from_values():
    """The inverse of `vector_fields`, and the nearest field of a kind."""
    for field, size in (("linear", 2), ("affine", 3), ("quadratic", 6)):
        coefficients = np.random.default_rng(0).normal(size=(2, 2, size))
        source = g.VectorFieldGenerators(2, field, coefficients=coefficients)
        source.build((None, 5, 6, 1))
        values = source.vector_fields()
        again = g.VectorFieldGenerators.from_values(values, field, derivative="fourier")
        assert again.derivative == "fourier"
        assert np.allclose(again.get_config()["coefficients"], coefficients, atol=1e-4)
    nearest = g.VectorFieldGenerators.from_values(values, "affine")
    basis = np.stack([np.ones((5, 6)), *np.mgrid[:5, :6]], axis=-1).reshape(30, 3)
    flat = values[0].reshape(30, 2)
    expected = basis @ np.linalg.lstsq(basis, flat, rcond=None)[0]
    nearest.build((None, 5, 6, 1))
    assert np.allclose(nearest.vector_fields()[0].reshape(30, 2), expected, atol=1e-3)
    for shape in [(1, 4, 4, 3), (0, 4, 4, 2), (1, 0, 4, 2)]:
        with pytest.raises(ValueError, match="`values` must have shape"):
            g.VectorFieldGenerators.from_values(np.ones(shape))
