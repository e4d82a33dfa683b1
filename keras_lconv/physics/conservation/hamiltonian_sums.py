"""The conserved quantities of a Hamiltonian, at points in batches and on workers."""

import copy
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lconv._streams import batches_of, require_same_kind, require_same_question
from keras_lconv._typing import Data, Tensor
from keras_lconv._validation import count, one_of, optional
from keras_lconv.discovery import SymmetryReport, SymmetrySums
from keras_lconv.discovery.functions.sums import first_samples
from keras_lconv.discovery.null_space import groups_of
from keras_lconv.physics.conservation.brackets import Brackets
from keras_lconv.physics.conservation.canonical import (
    ACTIONS,
    canonical_maps,
    phase_space,
)
from keras_lconv.physics.conservation.functions import (
    Candidates,
    SearchQuantities,
    is_nonlinear,
    names_of,
)
from keras_lconv.physics.conservation.quantities import ConservationReport, quantity_of
from keras_lconv.physics.conservation.readable import conservation_report


class HamiltonianSums:
    """The sums over points that `find_conserved_quantities` needs, to be updated and
    merged.

    Each worker updates `fresh` sums with its batches, and the merged sums are those of all
    points, up to rounding, in any order. Their memory does not depend on the number of
    points. They can be pickled if `hamiltonian` can.

    The first points `x` determine the units, and which candidates differ. They are not
    counted themselves, and `result` raises an error if the counted points are unlike them.
    A repeated point counts each time.

    Args:
        hamiltonian: As for `find_conserved_quantities`.
        x: Some points `(batch, 2n)` of phase space, from all parts of the data.
        search: As for `find_conserved_quantities`.
        degree: As for `find_conserved_quantities`.
        action: As for `find_conserved_quantities`.
        dimension: As for `find_conserved_quantities`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value or a shape does not fit.

    Example:
    ```python
    import functools
    import numpy as np
    from keras import ops
    from keras_lconv.physics import HamiltonianSums

    def kepler(z):
        q, p = z[:, :2], z[:, 2:]
        return ops.sum(p**2, axis=1) / 2 - 1 / ops.sqrt(ops.sum(q**2, axis=1))

    rng = np.random.default_rng(0)
    first = HamiltonianSums(kepler, rng.normal(size=(500, 4)))

    def worker(batch):
        sums = first.fresh()
        sums.update(batch)
        return sums

    batches = rng.normal(size=(4, 500, 4))
    report = functools.reduce(HamiltonianSums.merge, map(worker, batches)).result()
    assert [quantity.formula() for quantity in report.quantities] == ["q1 p2 - q2 p1"]
    ```
    """

    def __init__(
        self,
        hamiltonian: Callable[[Tensor], Tensor],
        x: Data,
        *,
        search: SearchQuantities = None,
        degree: int | None = None,
        action: str = "affine",
        dimension: int | None = None,
    ):
        one_of("action", action, ACTIONS)
        dimension = optional(count, "dimension", dimension)
        function = inference(hamiltonian)
        points = phase_space("x", x, 2)
        self._points, self._action = points, action
        self._asked = repr((search, degree, action, dimension))
        self._sums: SymmetrySums | Brackets
        if is_nonlinear(search, degree):
            self._sums = brackets_at(points, function, search, degree, dimension)
        else:
            self._sums = SymmetrySums(
                function,
                points,
                search=affine_maps(search, points.shape[1], action),
                dimension=dimension,
            )
        self._count = 0

    def fresh(self) -> "HamiltonianSums":
        """Sums of no points, in the same units, for a worker of its own.

        Returns:
            New sums.
        """
        sums = copy.copy(self)
        sums._sums, sums._count = self._sums.fresh(), 0
        return sums

    def update(self, x: Data) -> None:
        """Adds points.

        Args:
            x: Points `(batch, 2n)`, with the same coordinates as the first ones.

        Raises:
            TypeError: If `x` has a wrong type.
            ValueError: If a shape does not fit, or a derivative is not finite.
        """
        points = phase_space("x", x, 2)
        if points.shape[1] != self._points.shape[1]:
            raise ValueError(
                f"`x` must have the {self._points.shape[1]} coordinates of the first "
                f"points. Received: shape {points.shape}"
            )
        if isinstance(self._sums, Brackets):
            self._sums.add(points, groups_of(points))
        else:
            self._sums.update(points)
        self._count += len(points)

    def merge(self, other: "HamiltonianSums") -> "HamiltonianSums":
        """The sums of the points of both, which stay as they are.

        Args:
            other: Sums with the same arguments, such as those that `fresh` makes.

        Returns:
            New sums.

        Raises:
            TypeError: If `other` is no `HamiltonianSums`.
            ValueError: If it has other arguments.
        """
        require_same_kind(self, other)
        own, others = (self._asked, self._points), (other._asked, other._points)
        require_same_question(own, others, "points")
        merged = copy.copy(self)
        mine: Any = self._sums
        is_affine = isinstance(mine, SymmetrySums)
        merged._sums = (mine.merge if is_affine else mine.merged)(other._sums)
        merged._count = self._count + other._count
        return merged

    def result(self) -> ConservationReport:
        """The conserved quantities at all points that were added.

        Returns:
            A `ConservationReport`.

        Raises:
            ValueError: If there are no points, or they are unlike the first ones.
        """
        if not self._count:
            raise ValueError("`HamiltonianSums` need points: call `update` before `result`")
        if isinstance(self._sums, Brackets):
            return self._sums.report()
        return quantities_of(self._sums.result(), self._points, self._action)


def streamed_quantities(
    hamiltonian: Callable[[Tensor], Tensor], stream: Any, **asked: Any
) -> ConservationReport:
    """The conserved quantities at points in batches. Batches are read once."""
    first, batches = first_samples(batches_of("x", stream))
    sums = HamiltonianSums(hamiltonian, first, **asked)
    for batch in batches:
        sums.update(batch)
    return sums.result()


def inference(hamiltonian: Any) -> Any:
    """A Hamiltonian as a function, with a layer in inference mode."""
    if not callable(hamiltonian):
        raise TypeError(
            "`hamiltonian` must be a model or a function. Received: an object of type "
            f"{type(hamiltonian).__name__}. For trajectories use `fit_conserved_quantities`"
        )
    if isinstance(hamiltonian, keras.layers.Layer):
        return functools.partial(hamiltonian, training=False)
    return hamiltonian


def affine_maps(search: Any, size: int, action: str) -> np.ndarray:
    """The matrices of the search, `(p, 2n, 2n + 1)`, or `(p, 2n, 2n)` for linear maps."""
    candidates = canonical_maps(search, size, action)
    return candidates if action == "affine" else candidates[..., :-1]


def brackets_at(
    points: np.ndarray, function: Any, search: Any, degree: int | None, dimension: Any
) -> Brackets:
    """Sums for polynomials of coordinates and functions, in the units of some points."""
    candidates = Candidates(points, search, degree, names_of(points.shape[1], True))
    return Brackets(function, points, candidates, dimension)


def quantities_of(
    report: SymmetryReport, points: np.ndarray, action: str
) -> ConservationReport:
    """The quantities whose flows are the symmetries of a Hamiltonian."""
    size = points.shape[1]
    maps = np.zeros((report.dimension, size, size + 1))
    maps[..., : report.basis.shape[2]] = report.basis[:, :size]
    return conservation_report(
        [quantity_of(each) for each in maps],
        points,
        action,
        {
            "singular_values": report.singular_values,
            "gap": report.gap,
            "confidence": report.confidence,
            "errors": report.errors,
            "is_determined": report.is_determined,
        },
    )
