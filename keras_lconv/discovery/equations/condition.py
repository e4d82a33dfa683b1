"""The condition that the prolongation of a field keeps the solution set."""

from dataclasses import dataclass

import numpy as np

from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.prolongation import monomial_series, prolonged
from keras_lconv.discovery.equations.solution_set import SolutionSet
from keras_lconv.discovery.null_space import NormalMatrices, NullSpace

# Numbers in memory at a time.
MOST_NUMBERS = 4_000_000
# Characteristics that are smaller on solutions vanish there.
VANISHES = 1e-5


@dataclass(frozen=True)
class Units:
    """Units and origin of the variables, in which jets are of size 1.

    Args:
        origin: Of the variables `(x, u)`, `(p + q,)`.
        scales: Their spread, `(p + q,)`.
    """

    origin: np.ndarray
    scales: np.ndarray

    def factors(self, space: JetSpace) -> np.ndarray:
        """The unit of each coordinate of a jet, `(size,)`: `u_J` has that of `u / x^J`."""
        p = len(space.independent)
        x, u = self.scales[:p], self.scales[p:]
        own = u[:, None] / np.prod(x**space.indices, axis=1)
        return np.concatenate([x, own.ravel()])

    def standard(self, space: JetSpace, jets: np.ndarray) -> np.ndarray:
        """Jets in these units and about this origin."""
        moved = jets.copy()
        p, j = len(space.independent), len(space.indices)
        places = [*range(p), *range(p, space.size, j)]
        moved[:, places] -= self.origin
        return moved / self.factors(space)


def units_of(points: np.ndarray) -> Units:
    """The mean and the spread of variables `(n, p + q)`."""
    spread = np.std(points, axis=0)
    return Units(np.mean(points, axis=0), np.where(spread > 0, spread, 1.0))


class Condition:
    """`pr v [Delta] = 0` on the solution set, as equations for the coefficients of `v`.

    All is computed in units in which the variables have mean zero and spread 1, and the
    unit of an equation is what it is on average, where the derivatives of `Delta` have
    their size, but any direction.

    Args:
        solutions: The solution set.
        jets: Jets of solutions, `(n, size)`.
        powers: The exponents of the monomials of the components, `(terms, p + q)`.
        units: Of the variables; by default the mean and spread of the jets.
    """

    def __init__(
        self,
        solutions: SolutionSet,
        jets: np.ndarray,
        powers: np.ndarray,
        units: Units | None = None,
    ):
        space = solutions.equations.space
        self.space, self.jets, self.powers = space, jets, powers
        self.units = units_of(space.points(jets)) if units is None else units
        standard = self.units.standard(space, jets)
        self._sizes = solutions.scales / self.units.factors(space)
        slopes = solutions.equations.gradients(jets, solutions.scales) * solutions.scales
        norms = np.linalg.norm(slopes, axis=2, keepdims=True)
        usable = np.all(np.isfinite(norms) & (norms > 0), axis=(1, 2))
        self._standard, self._slopes = standard[usable], (slopes / norms)[usable]
        self.num_unknowns = len(powers) * powers.shape[1]
        self._system, self._scales = self._summed()

    def _summed(self) -> tuple[NormalMatrices, np.ndarray]:
        """The equations for coefficients in units of their columns, and these units."""
        unit = np.zeros((self.num_unknowns,) * 2)
        rows = []
        step = max(1, MOST_NUMBERS // (self.num_unknowns * self.space.size))
        for start in range(0, len(self._standard), step):
            chosen = slice(start, start + step)
            moved = self._moved(self._standard[chosen])
            rows.append(np.einsum("nms,nsp->nmp", self._slopes[chosen], moved))
            flat = moved.reshape(-1, self.num_unknowns)
            unit += flat.T @ flat
        unit /= len(self._standard) * self.space.size
        scales = np.sqrt(np.diag(unit))
        system = NormalMatrices(self.num_unknowns, unit=unit / np.outer(scales, scales))
        equations = np.concatenate(rows) / scales
        system.add(equations, np.ones(len(equations)))
        return system, scales

    def solve(self, dimension: int, fit_error: float = 0.0) -> tuple[np.ndarray, NullSpace]:
        """The fields that solve the condition best.

        Args:
            dimension: How many count as symmetries.
            fit_error: What the equation leaves of the data.

        Returns:
            Coefficients `(unknowns, p + q, terms)` in units of the variables, in the order
            of their values, and the null space.
        """
        found = self._system.solve(dimension, fit_error=fit_error)
        fields = (found.solutions / self._scales[:, None]).T
        return fields.reshape(-1, *self.powers.shape[::-1]), found

    def sizes(self, fields: np.ndarray) -> np.ndarray:
        """How far fields are from being symmetries, in the unit of the values.

        Args:
            fields: Coefficients `(k, p + q, terms)`.
        """
        return self._system.relative_sizes(fields.reshape(len(fields), -1) * self._scales)

    def _moved(self, jets: np.ndarray) -> np.ndarray:
        """How all unknown fields move jets, in units of these, `(n, size, unknowns)`."""
        series = monomial_series(self.space, jets, self.powers)
        moved = prolonged(self.space, jets, series)
        return moved.reshape(*moved.shape[:2], -1) / self._sizes[:, None]

    def trivial(self, fields: np.ndarray) -> np.ndarray:
        """Which mixtures of fields move no solution: their characteristic vanishes.

        Args:
            fields: Coefficients `(k, p + q, terms)`.

        Returns:
            Orthonormal mixtures `(m, k)`.
        """
        if not len(fields):
            return np.zeros((0, 0))
        series = monomial_series(self.space, self._standard, self.powers)[..., 0]
        values = np.einsum("kat,tn->nka", fields, series)
        p = len(self.space.independent)
        _, u = self.space.split(self._standard)
        slopes = u[..., 1 : 1 + p]
        moved = values[..., p:] - np.einsum("nka,nqa->nkq", values[..., :p], slopes)
        rows = np.moveaxis(moved, 1, 2).reshape(-1, len(fields))
        norms = np.linalg.norm(np.moveaxis(values, 1, 2).reshape(-1, len(fields)), axis=0)
        _, sizes, mixtures = np.linalg.svd(rows / norms, full_matrices=False)
        return (mixtures / norms)[sizes < VANISHES * np.max(sizes, initial=0.0)]
