"""Derivatives and the vector fields that have a name."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lconv import generators as g
from keras_lconv.generators import derivatives
from keras_lconv.generators.contraction import cost
from keras_lconv.generators.derivatives import fourier_derivative
from tests.autodiff import gradients
from tests.families import reference_derivative, relative_error, to_numpy


@pytest.mark.parametrize("kind", ["spectral", "fourier", "central"])
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_derivative_matrix_is_its_definition(kind, size):
    matrix = g.derivative_matrix(size, kind)
    assert np.allclose(matrix, reference_derivative(size, kind), atol=1e-13)
    assert np.array_equal(matrix, -matrix.T)


@given(size=st.integers(3, 20), frequency=st.integers(0, 9), phase=st.floats(0, 6))
def test_fourier_derivative_is_exact_below_the_highest_frequency(size, frequency, phase):
    frequency %= (size + 1) // 2
    angle = 2 * np.pi * frequency / size
    wave = np.sin(angle * np.arange(size) + phase)
    slope = angle * np.cos(angle * np.arange(size) + phase)
    assert np.allclose(g.derivative_matrix(size, "fourier") @ wave, slope, atol=1e-12)


def test_spectral_derivative_of_a_smooth_function():
    x = np.arange(31) - 15
    f = np.exp(-(x**2) / 18)
    assert np.allclose(g.derivative_matrix(31) @ f, -x / 9 * f, atol=1e-5)


@pytest.mark.parametrize("size", [7, 8])
def test_transforms_and_matrix_give_the_same_fourier_derivative(size):
    lines = np.random.default_rng(0).normal(size=(2, size, 3)).astype("float32")
    expected = g.derivative_matrix(size, "fourier") @ lines
    assert relative_error(fourier_derivative(ops.convert_to_tensor(lines)), expected) < 1e-5


@pytest.mark.thorough
def test_long_axes_take_transforms(monkeypatch):
    """On every path of a family, with the gradients; float16 is no hindrance."""
    spatial, t = (6, 5), [0.7, -0.4]
    f = np.random.default_rng(0).normal(size=(2, *spatial, 2)).astype("float32")
    results = []
    for size in (1000, 4):
        monkeypatch.setattr(derivatives, "FFT_SIZE", size)
        generators = g.translation(derivative="fourier")
        slopes = generators(f)

        def loss(f, generators=generators):
            return ops.sum(generators.transform(f, t, norm_bound=5.0) ** 3)

        flat = ops.reshape(slopes, (2, 30, 2, 2))
        found = [slopes, generators.combine(flat), *gradients(loss, [f])]
        half = generators.call(ops.cast(f, "float16"))
        assert keras.backend.standardize_dtype(half.dtype) == "float16"
        assert relative_error(half, slopes) < 1e-2
        results.append([*found, cost(generators, 1).multiply_adds])
    *values, found = results[1]
    for value, expected in zip(values, results[0], strict=False):
        assert relative_error(value, expected) < 1e-5
    assert found != results[0][-1]


def matrices(generators, shape):
    generators.build((None, *shape, 1))
    return to_numpy(generators.to_dense()).astype("float64")


def test_rotation_is_the_kronecker_formula():
    n = 6
    D, x = g.derivative_matrix(n), np.diag(np.arange(n) - (n - 1) / 2)
    expected = np.kron(D, x) - np.kron(x, D)
    assert np.allclose(matrices(g.rotation(), (n, n)), expected, atol=1e-5)


@pytest.mark.parametrize("derivative", ["spectral", "fourier", "central"])
def test_rotation_is_antisymmetric(derivative):
    L = matrices(g.rotation(derivative=derivative), (6, 7))[0]
    assert np.max(np.abs(L + L.T)) == 0


def test_algebra_of_space_rotations_closes_on_vector_fields():
    """On linear functions `f(x) = c . x` the generators act as the matrices `-A^T`."""
    shape = (5, 5, 5)
    generators = g.rotation(3)
    generators.build((None, *shape, 1))
    fields = generators.vector_fields()
    centre = np.array(shape) // 2
    # The Jacobian of each field, by differences at the centre.
    A = np.array(
        [
            [field[tuple(centre + np.eye(3, dtype=int)[b])] for b in range(3)]
            for field in fields
        ]
    ).transpose(0, 2, 1)
    assert np.allclose(A, -A.transpose(0, 2, 1), atol=1e-6)
    bracket = A[0] @ A[1] - A[1] @ A[0]
    assert np.allclose(np.abs(bracket), np.abs(A[2]), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (lambda: g.translation(3), 3),
        (lambda: g.rotation(), 1),
        (lambda: g.rotation(4), 6),
        (lambda: g.scaling(3), 1),
        (lambda: g.shear(3), 6),
        (lambda: g.affine(), 6),
        (lambda: g.affine(3), 12),
    ],
)
def test_number_of_generators(make, count):
    assert make().num_generators == count


def test_affine_spans_all_the_others():
    def flat(generators):
        return matrices(generators, (4, 4)).reshape(generators.num_generators, -1)

    everything = flat(g.affine())
    assert np.linalg.matrix_rank(everything) == 6
    parts = [flat(m()) for m in (g.translation, g.rotation, g.scaling, g.shear)]
    joined = np.concatenate([everything, *parts])
    assert np.linalg.matrix_rank(joined, tol=1e-4) == 6
    assert np.allclose(everything[:2], parts[0], atol=1e-6)


def test_vector_fields_are_in_grid_steps():
    translations = g.translation(2)
    translations.build((None, 9, 4, 1))
    fields = translations.vector_fields()
    assert fields.shape == (2, 9, 4, 2)
    assert np.allclose(fields, np.eye(2)[:, None, None], atol=1e-6)
    rotation = g.rotation()
    rotation.build((None, 3, 5, 1))
    assert np.allclose(rotation.vector_fields()[0, 0, 4], [-2.0, -1.0], atol=1e-6)


def test_given_coefficients_are_in_grid_steps():
    # v = (3, x_0 x_1) on a 5 x 5 grid.
    coefficients = np.zeros((1, 2, 6))
    coefficients[0, 0, 0], coefficients[0, 1, 4] = 3.0, 1.0
    generators = g.VectorFieldGenerators(1, "quadratic", coefficients=coefficients)
    generators.build((None, 5, 5, 1))
    fields = generators.vector_fields()[0]
    assert np.allclose(fields[..., 0], 3.0, atol=1e-6)
    x = np.arange(5) - 2.0
    assert np.allclose(fields[..., 1], np.outer(x, x), atol=1e-5)


def test_free_field_with_given_values():
    values = np.random.default_rng(0).normal(size=(1, 2, 12))
    generators = g.VectorFieldGenerators(1, "free", coefficients=values)
    generators.build((None, 3, 4, 1))
    assert np.allclose(
        generators.vector_fields()[0], values[0].T.reshape(3, 4, 2), atol=1e-6
    )


def test_rotation_of_voxels_that_are_no_squares():
    """A blob at `(3, -2)` in units of length, on a grid with steps 1 and 2, is turned."""
    angle, spacing = 0.7, np.array([1.0, 2.0])
    places = [
        (np.arange(n) - (n - 1) / 2) * s for n, s in zip((33, 17), spacing, strict=True)
    ]
    x = np.stack(np.meshgrid(*places, indexing="ij"), axis=-1)

    def blob(x):
        return np.exp(-((x[..., 0] - 3) ** 2) / 18 - (x[..., 1] + 2) ** 2 / 32)

    turned = g.rotation(spacing=spacing).transform(blob(x)[None, ..., None], angle)
    cos, sin = np.cos(angle), np.sin(angle)
    before = x @ np.array([[cos, sin], [-sin, cos]]).T
    assert np.max(np.abs(to_numpy(turned)[0, ..., 0] - blob(before))) < 1e-3


def test_lengths_are_in_the_unit_of_the_spacing():
    image = np.random.default_rng(0).normal(size=(1, 5, 7, 1)).astype("float32")
    for make in (g.translation, g.affine):
        shifts = make(spacing=(1.0, 2.5), derivative="fourier")
        t = np.zeros(shifts.num_generators)
        t[:2] = 2.0, 5.0
        moved = to_numpy(shifts.transform(image, t))
        assert np.allclose(moved, np.roll(image, (2, 2), axis=(1, 2)), atol=1e-5)
    shears = g.shear(spacing=(1.0, 2.5))
    shears.build((None, 5, 7, 1))
    along_rows = shears.vector_fields()[0]
    assert np.allclose(along_rows[..., 0], 2.5 * (np.arange(7) - 3), atol=1e-6)
    assert not np.any(along_rows[..., 1])


@pytest.mark.parametrize("spacing", [0.0, -1.0, (1.0, 2.0, 3.0), (1.0, np.nan), "1"])
def test_wrong_spacing(spacing):
    with pytest.raises((TypeError, ValueError), match="`spacing` must"):
        g.rotation(spacing=spacing)


def test_representation_of_ready_fields_is_small():
    """The matrices that identify an algebra do not grow with the grid."""
    rotations = g.rotation(3)
    rotations.build((None, 4, 5, 6, 1))
    assert rotations.representation().shape == (3, 3, 3)
