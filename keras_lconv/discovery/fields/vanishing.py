"""Polynomials on samples: those that vanish there, and a basis of the others."""

from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra.monomials import exponents_up_to, monomials
from keras_lconv.discovery.null_space import NormalMatrices

# The threshold for measured samples, which have errors.
LARGEST_VANISHING = 0.03
TINY = float(np.finfo("float64").tiny)


@dataclass(frozen=True)
class Polynomials:
    """Polynomials up to a degree, as functions on samples.

    Args:
        powers: Exponents of the monomials, `(K, r)`, by growing degree.
        mixture: Matrix `(K, w)`: functions with second moments 1, of which the first ones
            have the lowest degrees. It is triangular by degrees.
        ends: For each degree the number of functions up to it.
        moments: The second moments of the monomials, `(K, K)`.
        vanishing: For each degree the polynomials that vanish on the samples, `(z, K)`.
    """

    powers: np.ndarray
    mixture: np.ndarray
    ends: tuple[int, ...]
    moments: np.ndarray
    vanishing: tuple[np.ndarray, ...]

    @property
    def degree(self) -> int:
        """The largest degree."""
        return len(self.ends) - 1

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """The functions at points `(..., r)`, `(..., w)`."""
        return monomials(self.powers, u) @ self.mixture

    def coordinates(self, coefficients: np.ndarray) -> np.ndarray:
        """Polynomials `(..., K)` as mixtures of the functions, up to polynomials that
        vanish.
        """
        return coefficients @ self.moments @ self.mixture


def polynomials_on(
    u: np.ndarray, degree: int, largest: float = LARGEST_VANISHING
) -> Polynomials:
    """All polynomials up to a degree, on samples `(N, r)` in standard coordinates.

    Args:
        u: The samples.
        degree: The largest degree.
        largest: Larger polynomials never count as vanishing. The unit is their size if the
            components of the samples were independent.
    """
    powers = exponents_up_to(u.shape[1], degree)
    degrees = powers.sum(axis=1)
    values = monomials(powers, u)
    moments = values.T @ values / len(values)
    unit = _independent_moments(powers, u)
    vanishing: list[np.ndarray] = []
    ends = []
    mixture = np.zeros((len(powers), 0))
    for each in range(degree + 1):
        number = int(np.sum(degrees <= each))
        found = _vanishing(values[:, :number], unit[:number, :number], largest)
        earlier = len(vanishing[-1]) if vanishing else 0
        vanishing.append(np.pad(found, ((0, 0), (0, len(powers) - number))))
        # Monomials of this degree, orthogonal to those before.
        new = np.eye(len(powers))[:, degrees == each]
        new = new - mixture @ (mixture.T @ moments @ new)
        sizes, axes = np.linalg.eigh(new.T @ moments @ new)
        kept = np.arange(len(sizes)) >= max(len(found) - earlier, 0)
        kept &= sizes > TINY
        mixture = np.column_stack([mixture, new @ axes[:, kept] / np.sqrt(sizes[kept])])
        ends.append(mixture.shape[1])
    return Polynomials(powers, mixture, tuple(ends), moments, tuple(vanishing))


def _independent_moments(powers: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Second moments of monomials if the components of the samples were independent."""
    sums = powers[:, None] + powers
    result = np.ones(sums.shape[:2])
    for axis in range(u.shape[1]):
        own = [np.mean(u[:, axis] ** n) for n in range(np.max(sums[..., axis]) + 1)]
        result *= np.array(own)[sums[..., axis]]
    return result


def _vanishing(values: np.ndarray, unit: np.ndarray, largest: float) -> np.ndarray:
    """Polynomials that vanish on the samples, `(z, K)`, from monomials `(N, K)`."""
    sizes = np.sqrt(np.diag(unit))
    system = NormalMatrices(len(unit), unit=unit / np.outer(sizes, sizes))
    system.add((values / sizes)[:, None], np.ones(len(values)))
    space = system.solve()
    found = space.basis.T
    if len(found) and space.singular_values[len(found) - 1] > largest:
        found = found[:0]
    return np.concatenate([found, space.unreached]) / sizes
