"""Sums of the equations `{G, H} = 0` for polynomials of coordinates and of functions."""

import copy
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_lconv._typing import Tensor
from keras_lconv.discovery.functions.derivatives import AnyDerivatives
from keras_lconv.discovery.functions.weights import weighing_of
from keras_lconv.discovery.null_space import NormalMatrices
from keras_lconv.discovery.standard import Reach, standard_coordinates
from keras_lconv.physics.conservation.functions import Candidates
from keras_lconv.physics.conservation.independent import Independent
from keras_lconv.physics.conservation.quantities import (
    ConservationReport,
    symplectic_form,
)

# The number of points whose derivatives are in memory at a time.
BATCH_SIZE = 512
# A function does not depend on directions with smaller derivatives than this.
SMALLEST_SLOPE = 1e-3


class Brackets:
    """The equations at points, in units of the first points.

    Args:
        hamiltonian: `H`.
        points: The first points, `(N, 2n)`. They are not added.
        candidates: The candidates for conserved quantities.
        dimension: The number of quantities, if it is known.
    """

    def __init__(
        self,
        hamiltonian: Callable[[Tensor], Tensor],
        points: np.ndarray,
        candidates: Candidates,
        dimension: int | None,
    ):
        self._hamiltonian, self._dimension = hamiltonian, dimension
        self._first, self._candidates = points, candidates
        self._evaluate: Any = None
        form = symplectic_form(points.shape[1] // 2)
        self._form = form
        # A random gradient has the same second moments, but no relation to the point.
        standard = standard_coordinates(points, True)
        self._restore = standard.restore
        slopes = np.concatenate([self._slopes(batch) for batch in _batches(points)])
        self._weighing = weighing_of(
            np.ones((len(points), 1, 1)),
            (slopes @ standard.restore)[:, None, None],
            None,
            False,
            SMALLEST_SLOPE,
        )
        moments = self._weighing.unit_of_slopes
        unit = np.zeros((candidates.number, candidates.number))
        for batch in _batches(points):
            moved = self._flows(batch) @ standard.whiten.T
            unit += np.einsum("swa,ab,svb->wv", moved, moments, moved, optimize=True)
        unit /= len(points)
        # All candidates count equally, however steep they are.
        self._scales = 1 / np.sqrt(np.diag(unit))
        unit = unit * np.outer(self._scales, self._scales)
        self._system = NormalMatrices(candidates.number, unit=unit)
        self._reach: Reach | None = None

    def fresh(self) -> "Brackets":
        """The equations at no points, in the same units."""
        fresh = copy.copy(self)
        fresh._system = NormalMatrices(self._candidates.number, unit=self._system.unit)
        fresh._reach = None
        return fresh

    def add(self, points: np.ndarray, groups: np.ndarray | None = None) -> None:
        """Adds the equations at points `(N, 2n)`, in groups, by default in turn."""
        for rows in _batches(np.arange(len(points))):
            batch = points[rows]
            slopes = self._slopes(batch)
            equations = np.einsum("sn,swn->sw", slopes, self._flows(batch)) * self._scales
            one = np.ones((len(batch), 1, 1))
            steps = (slopes @ self._restore)[:, None, None]
            weights, sizes = self._weighing(one, steps, None)
            self._system.add(
                equations[:, None] * np.sqrt(weights)[..., None],
                (weights * sizes)[:, 0] / self._weighing.unit_of_slopes.shape[0],
                groups=None if groups is None else groups[rows],
            )
            reach = self._candidates.reach(batch)
            self._reach = reach if self._reach is None else self._reach.merged(reach)

    def merged(self, other: "Brackets") -> "Brackets":
        """The equations at the points of both."""
        merged = copy.copy(self)
        merged._system = self._system.merged(other._system)
        if self._reach is None or other._reach is None:
            merged._reach = self._reach or other._reach
        else:
            merged._reach = self._reach.merged(other._reach)
        return merged

    def report(self) -> ConservationReport:
        """The report about the conserved quantities at all points that were added."""
        assert self._reach is not None
        self._candidates.require_like(self._reach)
        listed = Independent(self._candidates, self._first)
        for degree, end in enumerate(self._candidates.ends, 1):
            system, scales = self._system.leading(end), self._scales[:end]
            is_last = end == self._candidates.number
            space = system.solve(self._dimension if is_last else None)
            unscaled = functools.partial(_parts, system, scales)
            listed.add(degree, space.basis.T * scales, space, unscaled)
        return listed.report(space, space.dimension)

    def _slopes(self, points: np.ndarray) -> np.ndarray:
        if self._evaluate is None:
            self._evaluate = AnyDerivatives(self._hamiltonian, self._first)
        return np.asarray(self._evaluate(points)[1][:, 0])

    def _flows(self, points: np.ndarray) -> np.ndarray:
        return self._candidates.gradients(points) @ self._form.T

    def __getstate__(self) -> dict[str, Any]:
        # Compiled code of the backend is no data. It is made again when needed.
        return {**self.__dict__, "_evaluate": None}


def _batches(points: np.ndarray) -> list[np.ndarray]:
    return np.array_split(points, math.ceil(len(points) / BATCH_SIZE))


def _parts(
    system: NormalMatrices, scales: np.ndarray, mixtures: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The sums for mixtures of candidates. The unknowns of the equations belong to scaled
    candidates.
    """
    return system.parts(mixtures / scales)
