"""SE2Generators: they commute with the group, and close as se(2)."""

import numpy as np
import pytest

from keras_lconv import algebra as a
from keras_lconv import generators as g
from tests.families import relative_error, to_numpy
from tests.samples import random


def turned(f, quarters=1):
    """The action of quarter turns on features `(batch, theta, y, x, ...)`."""
    steps = quarters * f.shape[1] // 4
    return np.roll(np.rot90(f, quarters, axes=(2, 3)), steps, axis=1)


def flipped(f, axis=3):
    """The action of a flip on features with mirror images, `(batch, 2 n, y, x, ...)`."""
    num = f.shape[1] // 2
    # Along the second axis `theta` becomes `-theta`, along the first `pi - theta`.
    orders = (num // 2 if axis == 2 else 0) - np.arange(num)
    halves = np.flip(f, axis).reshape(len(f), 2, num, *f.shape[2:])
    return halves[:, ::-1, orders % num].reshape(f.shape)


def turned_with_mirror_images(f):
    """A quarter turn: mirror images are turned by the same angle."""
    halves = np.split(f, 2, axis=1)
    return np.concatenate([turned(half) for half in halves], axis=1)


def moved(f, distance, axis):
    """Translated on a periodic grid by any distance, by its Fourier transform."""
    size = f.shape[axis]
    # An odd size has no highest frequency, whose translation would be ambiguous.
    assert size % 2
    waves = 2 * np.pi * np.fft.fftfreq(size)
    phases = np.exp(-1j * waves * distance).reshape(-1, *[1] * (f.ndim - axis - 1))
    return np.fft.ifft(np.fft.fft(f, axis=axis) * phases, axis=axis).real.astype("float32")


@pytest.mark.parametrize("derivative", ["spectral", "fourier", "central"])
@pytest.mark.parametrize(("num", "size"), [(4, 5), (8, 6)])
def test_commute_with_quarter_turns(derivative, num, size):
    f = random((2, num, size, size, 3))
    generators = g.SE2Generators(derivative=derivative)
    derivatives = to_numpy(generators(f))
    for quarters in (1, 2, 3):
        expected = turned(derivatives, quarters)
        found = generators(turned(f, quarters))
        for i in range(3):
            assert relative_error(found[..., i, :], expected[..., i, :]) < 1e-5


@pytest.mark.parametrize("axis", [2, 3])
def test_mirror_images_commute_with_flips_and_quarter_turns(axis):
    f = random((2, 8, 5, 5, 2))
    generators = g.get("e2")
    derivatives = to_numpy(generators(f))
    for move in (lambda f: flipped(f, axis), lambda f: turned_with_mirror_images(f)):
        found = to_numpy(generators(move(f)))
        for i in range(3):
            assert relative_error(found[..., i, :], move(derivatives)[..., i, :]) < 1e-5
    brackets = generators.algebra().identify().name
    assert brackets == "se(2)"


@pytest.mark.parametrize("axis", [2, 3])
def test_commute_with_all_translations_of_a_periodic_grid(axis):
    f = random((1, 4, 7, 5, 2))
    generators = g.SE2Generators(derivative="fourier")
    expected = moved(to_numpy(generators(f)), 1.3, axis)
    assert relative_error(generators(moved(f, 1.3, axis)), expected) < 1e-5


def test_do_not_commute_with_a_turn_of_the_plane_alone():
    f = random((1, 4, 5, 5, 1))
    generators = g.SE2Generators()
    found = generators(np.rot90(f, axes=(2, 3)).copy())
    expected = np.rot90(to_numpy(generators(f)), axes=(2, 3))
    assert relative_error(found, expected) > 0.1


def low_angular_frequencies(num, size):
    """Random features that products with `cos` and `sin`, twice, do not alias."""
    f = random((1, num, size, size, 2))
    spectrum = np.fft.rfft(f, axis=1)
    spectrum[:, num // 2 - 2 :] = 0
    return np.fft.irfft(spectrum, num, axis=1).astype("float32")


@pytest.mark.parametrize("derivative", ["spectral", "fourier"])
def test_brackets_are_those_of_the_algebra(derivative):
    """`[L_i, L_j] f = sum_k c_ijk L_k f`, exactly: the plane needs not be smooth."""
    f = low_angular_frequencies(8, 6)
    generators = g.SE2Generators(derivative=derivative)
    first = to_numpy(generators(f))
    both = np.stack([to_numpy(generators(first[..., j, :])) for j in range(3)], axis=4)
    # both[..., j, i, :] = L_i L_j f
    brackets = np.swapaxes(both, 4, 5) - both
    expected = np.einsum(
        "ijk,btyxkc->btyxijc", generators.algebra().structure_constants, first
    )
    assert np.max(np.abs(brackets - expected)) < 1e-5 * np.max(np.abs(both))
    assert np.max(np.abs(expected)) > 0.1 * np.max(np.abs(both))


def test_algebra_is_se2():
    algebra = g.SE2Generators().algebra()
    assert algebra.identify().name == a.se(2).identify().name == "se(2)"
    constants = algebra.structure_constants
    # [L_3, L_1] = -L_2, [L_3, L_2] = L_1
    assert np.allclose(constants[2, 0], [0, -1, 0])
    assert np.allclose(constants[2, 1], [1, 0, 0])
    assert np.allclose(constants[0, 1], 0)


def test_matrices_are_the_generators():
    generators = g.SE2Generators(derivative="central")
    generators.build((None, 4, 3, 5, 1))
    assert relative_error(generators.to_dense(), generators.matrices()) < 1e-6


def test_forwards_is_where_each_orientation_points():
    f = random((1, 4, 5, 7, 2))
    found = to_numpy(g.SE2Generators(derivative="fourier").transform(f, [2.0, 0.0, 0.0]))
    for j, shift in enumerate([(2, 0), (0, 2), (-2, 0), (0, -2)]):
        expected = np.roll(f[:, j], shift, axis=(1, 2))
        assert relative_error(found[:, j], expected) < 1e-4
    sideways = to_numpy(g.SE2Generators(derivative="fourier").transform(f, [0.0, 1.0, 0.0]))
    assert relative_error(sideways[:, 0], np.roll(f[:, 0], 1, axis=2)) < 1e-4


def test_turning_shifts_the_orientations():
    f = random((2, 5, 3, 3, 1))
    one_each = np.array([[0, 0, 2 * np.pi / 5], [0, 0, -4 * np.pi / 5]], "float32")
    found = to_numpy(g.SE2Generators().transform(f, one_each))
    assert relative_error(found[0], np.roll(f[0], 1, axis=0)) < 1e-4
    assert relative_error(found[1], np.roll(f[1], -2, axis=0)) < 1e-4


def test_name_and_errors():
    assert isinstance(g.get("se2"), g.SE2Generators)
    with pytest.raises(ValueError, match=r"features of shape \(batch, theta, y, x"):
        g.SE2Generators().build((None, 8, 8, 3))
    with pytest.raises(ValueError, match="as many mirror images as orientations"):
        g.get("e2").build((None, 5, 8, 8, 3))
    with pytest.raises(ValueError, match="`derivative` must be one of"):
        g.SE2Generators(derivative="finite")
