"""Equivariant kernels: against circular and spherical harmonics, as spans."""

import numpy as np
import pytest
from scipy.special import factorial, lpmv
from sympy.physics.quantum.cg import CG

from keras_lconv import algebra as a

TURN = a.so(2).basis[0]


def spherical_harmonic(degree, m, polar, azimuth):
    """That of quantum mechanics; SciPy has renamed its own."""
    if m < 0:
        return (-1) ** m * spherical_harmonic(degree, -m, polar, azimuth).conj()
    norm = (2 * degree + 1) / (4 * np.pi) * factorial(degree - m) / factorial(degree + m)
    return np.sqrt(norm) * lpmv(m, degree, np.cos(polar)) * np.exp(1j * m * azimuth)


def order(group, m):
    """Angular order `m` of the plane: turned by `m` times the angle."""
    if not m:
        return group.trivial()
    if group.dimension:
        return a.Representation(group, m * TURN[None])
    turn = group.elements[0]
    return a.Representation(group, elements=[np.linalg.matrix_power(turn, m)])


def circular(frequency, sign, angles):
    """`R(frequency phi)`, after a reflection for `sign` -1, with two phases."""
    found = []
    for phase in (0, np.pi / 2):
        c, s = np.cos(frequency * angles + phase), np.sin(frequency * angles + phase)
        found.append(np.stack([[c, -sign * s], [s, sign * c]]).transpose(2, 0, 1))
    return found


def span_distance(kernels, expected, x):
    values = kernels(x).reshape(len(kernels), -1)
    expected = np.array(expected).reshape(len(expected), -1)
    assert np.linalg.matrix_rank(expected) == len(expected) == len(kernels)
    return a.principal_angles(values[:, None], expected[:, None])[0]


@pytest.mark.parametrize("orders", [(1, 1), (1, 2), (2, 1), (3, 1), (2, 2)])
def test_kernels_of_the_plane_are_circular_harmonics(orders):
    """Weiler and Cesa: frequencies m - n and m + n, two phases of each."""
    n, m = orders
    group = a.SO(2)
    kernels = a.equivariant_kernels(group, order(group, n), order(group, m), 6)
    angles = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    expected = circular(m - n, 1, angles) + circular(m + n, -1, angles)
    assert span_distance(kernels, expected, x) < 1e-7
    assert sorted(kernels.degrees) == sorted([abs(m - n)] * 2 + [m + n] * 2)


@pytest.mark.parametrize("m", range(4))
def test_kernels_between_a_scalar_and_an_angular_order(m):
    group = a.SO(2)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    kernels = a.equivariant_kernels(group, group.trivial(), order(group, m), 5)
    c, s = np.cos(m * angles), np.sin(m * angles)
    expected = [np.stack([c, s], 1), np.stack([-s, c], 1)] if m else [np.ones(40)]
    assert span_distance(kernels, expected, x) < 1e-7


@pytest.mark.parametrize("size", [3, 4, 5])
def test_kernels_of_finite_rotations_have_more_frequencies(size):
    """All that agree up to multiples of the order of the group."""
    group, (n, m), degree = a.cyclic(size), (1, 1), 6
    if size == 2 * n or size == 2 * m:
        pytest.skip("a half turn has no phase")
    kernels = a.equivariant_kernels(group, order(group, n), order(group, m), degree)
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    expected = []
    for k in range(-10, 11):
        for frequency, sign in ((m - n + k * size, 1), (m + n + k * size, -1)):
            if abs(frequency) <= degree:
                expected += circular(frequency, sign, angles)
    assert span_distance(kernels, expected, x) < 1e-7


def angular_momentum(low):
    """`J_x, J_y, J_z` on `|l, m>`, and the unitary map to a real basis."""
    m = np.arange(-low, low + 1)
    raising = np.diag(np.sqrt(low * (low + 1) - m[:-1] * (m[:-1] + 1)), -1).astype(complex)
    momenta = (raising + raising.T) / 2, (raising - raising.T) / 2j, np.diag(m)
    real = np.zeros((2 * low + 1, 2 * low + 1), dtype=complex)
    real[low, low] = 1
    for k in range(1, low + 1):
        odd = (-1) ** k / np.sqrt(2)
        real[low + k, [low + k, low - k]] = odd, 1 / np.sqrt(2)
        real[low - k, [low + k, low - k]] = -1j * odd, 1j / np.sqrt(2)
    return momenta, real.conj()


def momentum(low):
    """The representation of SO(3) of angular momentum `l`, in real matrices."""
    momenta, real = angular_momentum(low)
    axes = [[x[2, 1], x[0, 2], x[1, 0]] for x in a.so(3).basis]
    turns = [
        real @ sum(-1j * w * j for w, j in zip(axis, momenta, strict=True)) @ real.conj().T
        for axis in axes
    ]
    assert np.max(np.abs(np.imag(turns))) < 1e-12
    return a.Representation(a.SO(3), np.real(turns))


def spherical(low, high, j, x):
    """`sum_M <l m j M | k n> conj(Y_jM(x))`, real or imaginary in real bases."""
    polar, azimuth = np.arccos(x[:, 2]), np.arctan2(x[:, 1], x[:, 0])
    kernel = np.zeros((len(x), 2 * high + 1, 2 * low + 1), dtype=complex)
    for m in range(-low, low + 1):
        for n in range(-high, high + 1):
            if abs(n - m) <= j:
                factor = float(CG(low, m, j, n - m, high, n).doit())
                harmonic = spherical_harmonic(j, n - m, polar, azimuth).conj()
                kernel[:, n + high, m + low] = factor * harmonic
    kernel = angular_momentum(high)[1] @ kernel @ angular_momentum(low)[1].conj().T
    real, imaginary = np.real(kernel), np.imag(kernel)
    assert min(np.abs(real).max(), np.abs(imaginary).max()) < 1e-9
    return real if np.abs(real).max() > np.abs(imaginary).max() else imaginary


@pytest.mark.parametrize("momenta", [(0, 4), (1, 2), (2, 2), (3, 2), (3, 3)])
def test_kernels_of_space_are_spherical_harmonics_with_clebsch_gordan(momenta):
    low, high = momenta
    x = np.random.default_rng(0).normal(size=(60, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    kernels = a.equivariant_kernels(a.SO(3), momentum(low), momentum(high), 6)
    degrees = range(abs(low - high), min(low + high, 6) + 1)
    assert kernels.degrees.tolist() == list(degrees)
    expected = [spherical(low, high, j, x) for j in degrees]
    assert span_distance(kernels, expected, x) < 1e-6


GROUPS = {
    "SO(2)": a.SO(2),
    "O(2)": a.O(2),
    "D(4)": a.dihedral(4),
    "SO(3)": a.SO(3),
    "O(3)": a.O(3),
    "cube": a.polyhedral("cube", inversion=True),
    "icosahedron": a.polyhedral("icosahedron"),
    "line": a.MatrixGroup(elements=[-np.eye(1)]),
    "SO(1,1)": a.SO(1, 1),
    "SO(2,1)": a.SO(2, 1),
    "GL(2)": a.GL(2),
}


@pytest.mark.parametrize("name", GROUPS)
def test_kernels_are_equivariant(name):
    group = GROUPS[name]
    V = group.standard
    x = np.random.default_rng(1).normal(size=(7, V.size))
    fields = [group.trivial(), V, V.pseudo, V * V.dual]
    if group.is_finite and group.order < 20:
        fields.append(group.regular())
    for source in fields[:3]:
        for target in fields[1:]:
            kernels = a.equivariant_kernels(group, source, target, 3)
            g, left, right = (W.random_elements(1, 4)[0] for W in (V, target, source))
            expected = left @ kernels(x) @ np.linalg.inv(right)
            scale = np.abs(expected).max(initial=1.0)
            assert np.allclose(kernels(x @ g.T), expected, atol=1e-7 * scale)


def test_a_line_has_even_and_odd_kernels():
    group = a.MatrixGroup(elements=[-np.eye(1)])
    even = a.equivariant_kernels(group, group.trivial(), group.trivial(), 3)
    odd = a.equivariant_kernels(group, group.trivial(), group.sign(), 3)
    # Even and odd functions of the distance are all there is.
    assert even.degrees.tolist() == [0]
    assert odd.degrees.tolist() == [1]


def test_groups_that_are_not_orthogonal_have_all_polynomials():
    """Invariant functions of the Lorentz plane: powers of the square."""
    group = a.SO(1, 1)
    kernels = a.equivariant_kernels(group, group.trivial(), group.trivial(), 4)
    assert kernels.degrees.tolist() == [0, 2, 4]
    x = np.random.default_rng(0).normal(size=(9, 2))
    square = x[:, 0] ** 2 - x[:, 1] ** 2
    values = kernels(x)[..., 0, 0]
    for value, power in zip(values, (0, 1, 2), strict=True):
        assert np.ptp(value / square**power) < 1e-6 * np.abs(value).max()


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: a.equivariant_kernels(a.SO(2), a.O(2).trivial(), a.SO(2).trivial(), 1),
            ValueError,
            "`representation_in` must be a `Representation` of",
        ),
        (
            lambda: a.equivariant_kernels(a.SO(2), a.SO(2).trivial(), a.so(2), 1),
            ValueError,
            "`representation_out` must be a `Representation` of",
        ),
        (
            lambda: a.equivariant_kernels(a.SO(2), *[a.SO(2).trivial()] * 2, -1),
            ValueError,
            "`degree`",
        ),
        (
            lambda: a.equivariant_kernels(a.SO(2), *[a.SO(2).trivial()] * 2, 1)(np.ones(3)),
            ValueError,
            "`x` must hold positions with 2 coordinates",
        ),
    ],
)
def test_bad_arguments_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()
