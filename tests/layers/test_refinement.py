"""Operators that refine the invariants of a spectrum."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from keras_lconv import InvariantPooling
from keras_lconv import algebra as a
from keras_lconv import generators as g
from tests.families import relative_error, to_numpy
from tests.samples import random


@pytest.mark.parametrize("size", [7, 28])
def test_refined_spectrum_keeps_the_whole_norm(size):
    layer = InvariantPooling("rotation", refine="radius")
    f = random((2, size, size, 1))
    output = to_numpy(layer(f))
    assert np.allclose((output**2).sum(axis=1), (f**2).sum(axis=(1, 2, 3)), rtol=1e-4)
    # One invariant for each plane that the rotation turns, and for each fixed direction.
    fixed = int(np.sum(layer.eigenvalues[:, 0] < 1e-6))
    assert fixed == size
    assert np.all(layer.multiplicities[:fixed] == 1)
    assert np.all(layer.multiplicities[fixed:] == 2)
    assert 0 < layer.refinement_errors[0] < 0.5


def test_more_operators_put_their_norms_side_by_side():
    f = random((2, 6, 6, 1))
    both = InvariantPooling("rotation", refine=["radius", "wavenumber"])
    alone = [InvariantPooling("rotation", refine=name) for name in ("radius", "wavenumber")]
    expected = np.concatenate([to_numpy(layer(f)) for layer in alone], axis=1)
    assert relative_error(np.sort(to_numpy(both(f)), 1), np.sort(expected, 1)) < 1e-5
    assert np.all(np.diff(both.eigenvalues[:, 0]) > -1e-6)
    assert len(both.refinement_errors) == 2


def smooth_image(size):
    """A few Gaussians that vanish before the border: 4 widths away from it."""
    x = np.arange(size) - (size - 1) / 2
    blobs = [(0.15, 0.1, 1.0), (-0.12, 0.15, -0.6), (0.0, -0.2, 0.8)]
    width = 0.07 * size
    return sum(
        weight
        * np.exp(-(np.add.outer((x - size * u) ** 2, (x - size * v) ** 2)) / (2 * width**2))
        for u, v, weight in blobs
    )[None, ..., None].astype("float32")


@pytest.mark.thorough
@pytest.mark.parametrize("refine", [None, "radius", "wavenumber"])
@pytest.mark.parametrize("angle", [17.0, 90.0, 131.0])
def test_invariant_under_true_rotations_of_smooth_images(refine, angle):
    image = smooth_image(28)
    turned = ndimage.rotate(image, angle, axes=(1, 2), reshape=False, order=5)
    assert relative_error(turned, image) > 0.2
    for kind in ("linear", "spectrum"):
        layer = InvariantPooling("rotation", kind=kind, refine=refine)
        assert relative_error(layer(turned), layer(image)) < 1e-2


def test_refined_spectrum_tells_apart_what_the_spectrum_does_not():
    """A blob at two distances from the centre, scaled to the same angular spectrum."""
    layer = InvariantPooling("rotation", refine="radius")
    plain = InvariantPooling("rotation")
    layer.build((None, 8, 8, 1))
    plain.build((None, 8, 8, 1))
    basis = to_numpy(layer.basis)
    inner, outer = basis[:, 0], basis[:, 5]
    f = np.stack([inner, outer]).reshape(2, 8, 8, 1)
    same, different = to_numpy(plain(f)), to_numpy(layer(f))
    assert relative_error(same[0], same[1]) < 1e-5
    assert relative_error(different[0], different[1]) > 0.9


def test_given_operator_refines():
    """For translations, the derivative along one axis tells the directions apart."""
    slope = g.derivative_matrix(5, "fourier")
    operator = np.kron(slope.T @ slope, np.eye(5))
    translations = g.translation(derivative="fourier")
    layer = InvariantPooling(translations, refine=operator)
    f = random((2, 5, 5, 1))
    turned = np.swapaxes(f, 1, 2)
    plain = InvariantPooling(translations)
    assert relative_error(plain(turned), plain(f)) < 1e-5
    assert relative_error(layer(turned), layer(f)) > 1e-2
    assert relative_error(layer(np.roll(f, 2, axis=1)), layer(f)) < 1e-5
    assert layer.eigenvalues.shape == (9, 2)


def test_the_largest_eigenproblem_is_solved_once(monkeypatch):
    """For the shape of the output, the build, and all refinements."""
    sizes = []
    eigh = np.linalg.eigh

    def counted(matrix):
        sizes.append(len(matrix))
        return eigh(matrix)

    monkeypatch.setattr(np.linalg, "eigh", counted)
    layer = InvariantPooling("rotation", refine=["radius", "wavenumber"])
    shape = layer.compute_output_shape((None, 9, 9, 2))
    layer.build((None, 9, 9, 2))
    assert sizes.count(81) == 1
    assert max(n for n in sizes if n < 81) == 9
    assert shape == (None, 2 * len(layer.multiplicities))
    assert {weight.name for weight in layer.weights} == {"basis", "coefficients"}


def test_refined_spaces_are_those_of_scipy():
    """Joint eigenspaces of `-L^2` and the average of the radius over rotations."""
    from scipy.linalg import expm

    layer = InvariantPooling("rotation", refine="radius")
    layer.build((None, 6, 6, 1))
    (turn,) = layer.generators.matrices()
    centre = np.arange(6) - 2.5
    radius = np.diag(np.add.outer(centre**2, centre**2).ravel())
    # Frequencies are no integers on the grid: a mean over a long time is needed.
    frequencies, vectors = np.linalg.eig(turn)
    weights = np.isclose(frequencies[:, None], frequencies[None], atol=1e-6)
    inverse = np.linalg.inv(vectors)
    average = np.real(vectors @ (weights * (inverse @ radius @ vectors)) @ inverse)
    step = expm(0.3 * turn)
    assert np.allclose(step @ average, average @ step, atol=1e-8)
    basis = to_numpy(layer.basis).astype("float64")
    squares, radii = np.repeat(layer.eigenvalues, layer.multiplicities, axis=0).T
    assert np.allclose(-turn @ turn @ basis, basis * squares**2, atol=1e-4)
    assert np.allclose(average @ basis, basis * radii, atol=1e-4)
    lost = np.linalg.norm(average - radius) / np.linalg.norm(radius)
    assert np.isclose(layer.refinement_errors[0], lost, rtol=1e-6)


@pytest.mark.parametrize(
    ("refine", "generators", "shape", "error", "words"),
    [
        ("angle", "rotation", (4, 4, 1), ValueError, "`refine` must be one of"),
        ("radius", "translation", (4, 4, 1), ValueError, "needs one generator"),
        (np.ones(3), "rotation", (4, 4, 1), ValueError, "a matrix of shape"),
        (np.eye(3), "rotation", (4, 4, 1), ValueError, r"shape \(16, 16\)"),
        (np.diag(np.arange(3.0)), a.so(3), (3,), ValueError, "`refine` of .* must commute"),
        (np.triu(np.ones((3, 3))), a.so(3), (3,), ValueError, "symmetric"),
        ([["a"]], "rotation", (4, 4, 1), TypeError, "`refine` must be an array"),
    ],
)
def test_bad_operators_are_refused(refine, generators, shape, error, words):
    with pytest.raises(error, match=words):
        InvariantPooling(generators, refine=refine).build((None, *shape))


def test_linear_takes_one_operator():
    with pytest.raises(ValueError, match="must be one operator"):
        InvariantPooling("rotation", kind="linear", refine=["radius", "wavenumber"])


@pytest.mark.backend_free
def test_two_refinements_solve_one_eigenproblem(monkeypatch):
    """Of all positions: for the shape of the output, the build, and all that follows."""
    sizes, eigh = [], np.linalg.eigh

    def counted(matrix, *args):
        sizes.append(len(matrix))
        return eigh(matrix, *args)

    monkeypatch.setattr(np.linalg, "eigh", counted)
    layer = InvariantPooling("rotation", refine=["radius", "wavenumber"])
    expected = layer.compute_output_shape((None, 8, 8, 1))
    assert layer(keras.Input((8, 8, 1))).shape == expected
    assert layer.compute_output_shape((None, 8, 8, 1)) == expected
    assert sizes.count(64) == 1
