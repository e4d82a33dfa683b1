"""Equivariant kernels on the grid of a window: NumPy constants."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from keras_lconv.algebra import MatrixGroup, Representation, equivariant_kernels
from keras_lconv.algebra.intertwiners import intertwiners

# Widths of the bells along the radius. The outermost is narrower, so that it is small
# where the window ends.
WIDTH, OUTER_WIDTH = 0.6, 0.4
# Kernels that are smaller than this, relative to the largest, vanish on the grid.
SMALLEST = 1e-6


class Action(NamedTuple):
    """A representation by its numbers, to look results up by."""

    generators: bytes
    elements: bytes
    size: int

    @classmethod
    def of(cls, representation: Representation) -> "Action":
        """That of a representation."""
        matrices = representation.generators, representation.elements
        return cls(*(m.tobytes() for m in matrices), representation.size)

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """The matrices of generators and of elements."""
        shape = (-1, self.size, self.size)
        parts = self.generators, self.elements
        first, second = (np.frombuffer(part).reshape(shape) for part in parts)
        return first, second


def rings(window: Sequence[int]) -> np.ndarray:
    """The radii of a window: whole steps inwards from its edge, by growing radius."""
    largest = (max(window) - 1) / 2
    return largest - np.arange(int(largest), -1, -1)


def default_degrees(window: Sequence[int]) -> tuple[int, ...]:
    """The largest degree of each ring: twice its radius, which a grid tells apart."""
    return tuple(int(2 * radius) for radius in rings(window))


def steerable_basis(
    representation_in: Representation,
    representation_out: Representation,
    window: Sequence[int],
    degrees: Sequence[int],
) -> np.ndarray:
    """A basis of the equivariant kernels of a window, `(k, *window, m_out, m_in)`.

    Kernels are functions of the direction, times a bell around each radius. All degrees
    above 0 vanish at the centre. They are scaled such that a kernel `sum_b w_b B_b`, with
    random `w_b` of variance `1 / k`, keeps the variance of each component.
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
    axes = [np.arange(size) - (size - 1) / 2 for size in window]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    radius = np.linalg.norm(points, axis=-1)
    at_centre = radius == 0
    values = kernels(points / np.where(at_centre, 1.0, radius)[..., None])
    values[:, at_centre] *= (kernels.degrees == 0)[:, None, None, None]

    radii = rings(window)
    found = []
    for number, (ring, degree) in enumerate(zip(radii, degrees, strict=True)):
        width = OUTER_WIDTH if number == len(radii) - 1 else WIDTH
        bell = np.exp(-((radius - ring) ** 2) / (2 * width**2))
        found.append(values[kernels.degrees <= degree] * bell[..., None, None])
    basis = np.concatenate(found)
    norms = np.sqrt(np.sum(basis**2, axis=tuple(range(1, basis.ndim))))
    kept = norms > SMALLEST * np.max(norms, initial=0.0)
    basis = basis[kept] / norms[kept].reshape(-1, *(1,) * (basis.ndim - 1))
    basis = _balanced(basis, after)
    basis.flags.writeable = False
    return basis


def _balanced(basis: np.ndarray, target: Representation) -> np.ndarray:
    """Kernels that give each component of the output the same variance, 1 in the mean.

    The covariance of the output is a matrix that commutes with the group, and so is its
    inverse root, with which kernels stay equivariant.
    """
    rows = np.moveaxis(basis, -2, 0).reshape(target.size, -1)
    covariance = rows @ rows.T
    maps = intertwiners(target, target)
    # The grid turns by quarters only: what it adds is projected away.
    covariance = np.einsum("mop,mqr,qr->op", maps, maps, covariance)
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    reached = values > SMALLEST * values[-1]
    scales = np.where(reached, 1 / np.sqrt(np.where(reached, values, 1.0)), 0.0)
    root = (vectors * scales) @ vectors.T
    return np.sqrt(len(basis) * target.size / np.sum(reached)) * (root @ basis)
