"""Equivariant kernels on the grid of a window, as NumPy constants."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from keras_lconv.algebra import MatrixGroup, Representation, equivariant_kernels, powers
from keras_lconv.algebra.intertwiners import intertwiners
from keras_lconv.layers.steerable.grid import Grid, rings

# The squared mean of noise after a ReLU, as a share of its mean square.
COMMON = 1 / np.pi
# The number of positions over which noise is smooth, once it has passed such kernels.
SMOOTHNESS = 0.6
# Kernels smaller than this, relative to the largest, vanish on the grid.
SMALLEST = 1e-6


class Action(NamedTuple):
    """A representation as hashable numbers, by which results are cached."""

    generators: bytes
    elements: bytes
    size: int

    @classmethod
    def of(cls, representation: Representation) -> "Action":
        """The numbers of a representation."""
        return cls(
            representation.generators.tobytes(),
            representation.elements.tobytes(),
            representation.size,
        )

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """The matrices of generators and of elements."""
        shape = (-1, self.size, self.size)
        parts = self.generators, self.elements
        first, second = (np.frombuffer(part).reshape(shape) for part in parts)
        return first, second


def default_degrees(window: Sequence[int]) -> tuple[int, ...]:
    """The largest degree on each ring: twice its radius, which a grid resolves."""
    return tuple(int(2 * radius) for radius in rings(window))


def steerable_basis(
    representation_in: Representation,
    representation_out: Representation,
    window: Sequence[int],
    degrees: Sequence[int],
) -> np.ndarray:
    """A basis of the equivariant kernels of a window, `(k, *window, m_out, m_in)`.

    Kernels are functions of the direction times a bell around each radius. All degrees
    above 0 vanish at the centre. They are scaled such that a kernel `sum_b w_b B_b`, with
    random `w_b` of variance `1 / k`, keeps the mean square of features.
    """
    actions = (Action.of(r) for r in (representation_in, representation_out))
    place = Action.of(representation_in.group.standard)
    return _basis(place, *actions, tuple(window), tuple(degrees))


@lru_cache(maxsize=128)
def _basis(
    place: Action,
    source: Action,
    target: Action,
    window: tuple[int, ...],
    degrees: tuple[int, ...],
) -> np.ndarray:
    group = MatrixGroup(*place.matrices())
    before, after = (Representation(group, *a.matrices()) for a in (source, target))
    kernels = equivariant_kernels(group, before, after, max(degrees))
    grid = Grid(window)
    found = []
    for ring, largest in enumerate(degrees):
        for degree, polynomials in enumerate(kernels.coefficients[: largest + 1]):
            functions = grid.harmonics(degree, ring)
            scales = powers.monomial_scales(kernels.exponents[degree])
            part = powers.harmonic_part(len(window), degree)
            weights = (polynomials / scales) @ part
            found.append(np.einsum("boih,xh->bxoi", weights, functions, optimize=True))
    basis = np.concatenate(found)
    if len(basis):
        basis = _scaled(basis, grid, before, after)
    basis = basis.reshape(-1, *window, after.size, before.size)
    basis.flags.writeable = False
    return basis


def _scaled(
    basis: np.ndarray, grid: Grid, source: Representation, target: Representation
) -> np.ndarray:
    """Scales kernels so that together they keep the mean square of smooth noise after a
    ReLU.

    Kernels of equal norm would make the mean much stronger than high frequencies, which
    average out. Kernels that make all components of the output equally strong would make it
    rough, and a grid represents high frequencies worst. So this goes half of the way. The
    covariance of the output commutes with the group, and so do its powers.
    """
    norms = np.sqrt(np.sum(basis**2, axis=(1, 2, 3)))
    kept = norms > SMALLEST * np.max(norms)
    basis = basis[kept] / norms[kept, None, None, None]
    # The response of a kernel to smooth noise, and to the common mean of all positions.
    distances = np.linalg.norm(grid.points[:, None] - grid.points, axis=-1)
    smooth = np.linalg.cholesky(np.exp(-(distances**2) / (2 * SMOOTHNESS**2)))
    noise = np.einsum("bxoi,xy->boyi", basis, smooth, optimize=True)
    invariant = intertwiners(source.group.trivial(), source)[..., 0]
    common = basis.sum(axis=1) @ invariant.T
    parts = (
        np.sqrt(1 - COMMON) * noise.reshape(*noise.shape[:2], -1),
        np.sqrt(COMMON * source.size) * common,
    )
    seen = np.concatenate(parts, axis=2)
    covariance = np.einsum("bos,bps->op", seen, seen, optimize=True)
    maps = intertwiners(target, target)
    # The grid is symmetric under quarter turns only. A projection removes what this adds.
    covariance = np.einsum("mop,mqr,qr->op", maps, maps, covariance, optimize=True)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    reached = values > SMALLEST * values[-1]
    factors = np.where(reached, np.where(reached, values, 1.0) ** -0.25, 0.0)
    root = (vectors * factors) @ vectors.T
    square = np.trace(root @ covariance @ root)
    return np.sqrt(len(basis) * target.size / square) * (root @ basis)
