"""The condition that the prolongation of a field preserves the solution set."""

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery.equations.prolongation import prolonged
from keras_lconv.discovery.equations.solution_set import LEAST_KEPT, SolutionSet
from keras_lconv.discovery.equations.terms import Terms
from keras_lconv.discovery.equations.units import Units, units_of
from keras_lconv.discovery.null_space import NormalMatrices, NullSpace

# Numbers in memory at a time.
MOST_NUMBERS = 4_000_000
# A characteristic vanishes on solutions if it is at most this small there, and at most this
# many times the rounding.
VANISHES, VANISHES_UP_TO = 1e-5, 10.0
# Fields that move jets by less, relative to others with such coefficients, move nothing.
DEPENDENT = 1e-12


class Condition:
    """`pr v [Delta] = 0` on the solution set, as equations for the coefficients of `v`.

    The variables are in units in which they have mean zero and spread 1. The unknowns are
    independent fields that move jets by 1 in root mean square, so nearly dependent terms do
    no harm. The unit of an equation is its average size if the derivatives of `Delta` had
    their size but a random direction.

    Args:
        solutions: The solution set.
        jets: Jets of solutions, `(n, size)`.
        terms: The terms of the components.
        units: Units of the variables. By default, the mean and spread of the jets.
    """

    def __init__(
        self,
        solutions: SolutionSet,
        jets: np.ndarray,
        terms: Terms,
        units: Units | None = None,
    ):
        space = solutions.equations.space
        self.space, self.terms = space, terms
        self.units = units_of(space.points(jets)) if units is None else units
        self._sizes = solutions.scales / self.units.factors(space)
        slopes = solutions.equations.gradients(jets, solutions.scales) * solutions.scales
        norms = np.linalg.norm(slopes, axis=2, keepdims=True)
        usable = np.all(np.isfinite(norms) & (norms > 0), axis=(1, 2))
        usable &= terms.are_known(space.points(jets))
        if np.mean(usable) < LEAST_KEPT:
            raise ValueError(
                "`equation` and the functions of `search` must have values and "
                "derivatives at most jets. Received: functions that have them at "
                f"{np.mean(usable):.0%} of the jets. Give `ranges` of variables in which "
                "they have"
            )
        self.jets, self._slopes = jets[usable], (slopes / norms)[usable]
        self._standard = self.units.standard(space, self.jets)
        self._shape = (len(self.units.scales), len(terms))
        self.num_unknowns = int(np.prod(self._shape))
        self._basis, self._inverse = self._independent()
        rows = self._rows()
        self._system = NormalMatrices(rows.shape[2])
        self._system.add(rows, np.ones(len(rows)))
        flat = rows.reshape(-1, rows.shape[2]) / np.sqrt(len(rows))
        # This takes values of the equations themselves, without the rounding of squares.
        self._triangle = np.linalg.qr(flat, mode="r")

    def _independent(self) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of fields that move jets by 1, independently, and the inverse."""
        triangle = np.zeros((0, self.num_unknowns))
        for chosen in self._batches(self.num_unknowns):
            rows = self._moved(chosen).reshape(-1, self.num_unknowns)
            triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, rows]), "r"))
        number = min(len(self.jets), self.num_unknowns) * self.space.size
        scales = np.linalg.norm(triangle, axis=0)
        scales = np.where(scales > 0, scales, 1.0)
        _, sizes, directions = np.linalg.svd(triangle / scales)
        kept = directions[: len(sizes)][sizes > DEPENDENT * sizes[0]]
        sizes = sizes[: len(kept), None] / np.sqrt(number)
        return (kept / sizes / scales).T, kept * sizes * scales

    def _batches(self, number: int) -> list[slice]:
        """Parts of the first jets, each of which fits into memory."""
        number = min(number, len(self.jets))
        step = max(1, MOST_NUMBERS // (self.num_unknowns * self.space.size))
        return [slice(i, min(i + step, number)) for i in range(0, number, step)]

    def _rows(self) -> np.ndarray:
        """The equations for mixtures of independent fields, `(n, equations, r)`."""
        rows = []
        for chosen in self._batches(len(self.jets)):
            rows.append(self._slopes[chosen] @ self._moved(chosen) @ self._basis)
        return np.concatenate(rows)

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """All fields in the order of how well they meet the condition, and their residuals.

        Returns:
            Coefficients `(r, p + q, terms)` in units of the variables, and values `(r,)`.
        """
        _, sizes, mixtures = np.linalg.svd(self._triangle)
        values = np.zeros(len(mixtures))
        values[: len(sizes)] = sizes
        fields = (mixtures @ self._basis.T)[::-1]
        return fields.reshape(-1, *self._shape), values[::-1]

    def judged(self, dimension: int, fit_error: float = 0.0) -> NullSpace:
        """How sure the solutions are, for a given number of them.

        Args:
            dimension: The number of solutions.
            fit_error: The relative residual of the equation in the data.
        """
        return self._system.solve(dimension, fit_error=fit_error)

    def sizes(self, fields: np.ndarray) -> np.ndarray:
        """How far fields are from being symmetries, in the unit of the spectrum.

        Args:
            fields: Coefficients `(k, p + q, terms)`.
        """
        mixtures = fields.reshape(len(fields), -1) @ self._inverse.T
        return self._system.relative_sizes(mixtures)

    def moves(self, fields: VectorFields) -> np.ndarray:
        """How fields in the units of the data move jets, as columns `(r, k)`.

        Products of columns are mean products of the motions.
        """
        size = len(self.units.scales)
        own = self.terms.in_units(fields, self.units).coefficients[:, :size]
        return self._inverse @ own.reshape(len(fields), -1).T

    def _moved(self, chosen: slice) -> np.ndarray:
        """How all unknown fields move jets, in units of the jets, `(n, size, unknowns)`."""
        series = self.terms.series(self.space, self.jets[chosen], self.units)
        moved = prolonged(self.space, self._standard[chosen], series)
        return moved.reshape(*moved.shape[:2], -1) / self._sizes[:, None]

    def trivial(self, fields: np.ndarray, exact: float) -> np.ndarray:
        """The mixtures of fields that move no solution, because their characteristic
        vanishes.

        Args:
            fields: Coefficients `(k, p + q, terms)`.
            exact: The error up to which a number counts as zero.

        Returns:
            Orthonormal mixtures `(m, k)`.
        """
        if not len(fields):
            return np.zeros((0, 0))
        series = self.terms.series(self.space, self.jets, self.units)[..., 0]
        values = np.einsum("kat,tn->nka", fields, series)
        p = len(self.space.independent)
        _, u = self.space.split(self._standard)
        slopes = u[..., 1 : 1 + p]
        moved = values[..., p:] - np.einsum("nka,nqa->nkq", values[..., :p], slopes)
        rows = np.moveaxis(moved, 1, 2).reshape(-1, len(fields))
        norms = np.linalg.norm(np.moveaxis(values, 1, 2).reshape(-1, len(fields)), axis=0)
        _, sizes, mixtures = np.linalg.svd(rows / norms, full_matrices=False)
        return (mixtures / norms)[sizes < min(VANISHES, VANISHES_UP_TO * exact)]
