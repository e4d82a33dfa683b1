"""Lists the polynomial symmetries that do not follow from others.

A function times a field along which nothing changes is such a field again, and so are their
sums. At each degree, the list contains the symmetries that do not follow from those of
lower degrees.
"""

from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.algebra.monomials import times
from keras_lconv.algebra.sparse_basis import large_pivots
from keras_lconv.discovery.fields.vanishing import Polynomials

# Independent rows of norm 1 have a larger smallest singular value.
DEPENDENT = 1e-3
# A field of norm 1 is not in a span if its part outside is larger.
OUTSIDE = 0.5
# A known symmetry must be in the span of those that were found, up to this error.
MISSED = 0.1
# A bracket whose new part is smaller adds nothing.
SMALLEST_NEW = 0.05


@dataclass(frozen=True)
class Found:
    """The symmetries up to a degree, as mixtures of `Polynomials`.

    Args:
        all: Orthonormal rows `(k, r w)`.
        trivial: The fields along which nothing changes, block by block, `(l, r w)`.
            Functions times these are symmetries again.
    """

    all: np.ndarray
    trivial: np.ndarray


class Listing:
    """The list of symmetries, degree by degree.

    Args:
        polynomials: The functions in the components.
        reading: A matrix `(r w, q)` to coefficients for sparse formulas.
    """

    def __init__(self, polynomials: Polynomials, reading: np.ndarray):
        self._polynomials, self._reading = polynomials, reading
        width = polynomials.mixture.shape[1]
        self._size = len(reading) // width
        self.rows = np.zeros((0, len(reading)))
        self.degrees: list[int] = []
        self._before = Found(self.rows, self.rows)

    def add(self, degree: int, found: Found) -> bool:
        """Lists the new symmetries of a degree.

        Returns:
            Whether all known symmetries of this degree were found.
        """
        multiples = self._multiples(self._before.trivial)
        known = orthonormal(np.concatenate([multiples, self._before.all]))
        missed = known - known @ found.all.T @ found.all
        if len(known) and np.linalg.norm(missed, 2) > MISSED:
            return False
        rest = found.all - found.all @ known.T @ known
        sizes, directions = np.linalg.svd(rest, full_matrices=False)[1:]
        new = directions[sizes > OUTSIDE]
        if len(new):
            chosen = self._brackets(degree, found.all, new)
            shadow = orthonormal(chosen @ new.T @ new)
            left = new - new @ shadow.T @ shadow
            sizes, directions = np.linalg.svd(left, full_matrices=False)[1:]
            plain = reduced(directions[: len(new) - len(chosen)], known, self._reading)
            self.rows = np.concatenate([self.rows, chosen, plain])
            self.degrees += [degree] * len(new)
        self._before = found
        return True

    def fields(self, rows: np.ndarray) -> VectorFields:
        """Rows as fields in standard coordinates."""
        width = self._polynomials.mixture.shape[1]
        shaped = rows.reshape(len(rows), self._size, width)
        return VectorFields(self._polynomials.powers, shaped @ self._polynomials.mixture.T)

    def _multiples(self, rows: np.ndarray) -> np.ndarray:
        """The fields, and all their products with a component of standard coordinates."""
        coefficients = self.fields(rows).coefficients
        powers = self._polynomials.powers
        products = [times(powers, coefficients, axis) for axis in range(self._size)]
        products.append(coefficients)
        flat = self._polynomials.coordinates(np.concatenate(products))
        return flat.reshape(len(flat), self._reading.shape[0])

    def _brackets(self, degree: int, all_rows: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Brackets of listed fields that are new symmetries of a degree."""
        chosen = np.zeros((0, len(self._reading)))
        listed = self.fields(self.rows)
        for i in range(len(listed)):
            for j in range(i):
                row = self._row(listed[i].bracket(listed[j]), degree)
                if (
                    row is None
                    or np.linalg.norm(row - row @ all_rows.T @ all_rows) > MISSED
                ):
                    continue
                shadow = orthonormal(chosen @ new.T)
                part = row @ new.T
                if np.linalg.norm(part - part @ shadow.T @ shadow) > SMALLEST_NEW:
                    chosen = np.concatenate([chosen, row[None]])
        return chosen

    def _row(self, field: VectorFields, degree: int) -> np.ndarray | None:
        """A field scaled to norm 1. The result is empty if it is zero or has a larger
        degree.
        """
        sizes = np.max(np.abs(field.coefficients), axis=(0, 1), initial=0.0)
        kept = field.powers.sum(axis=1) <= degree
        powers, largest = field.powers[kept], np.max(sizes, initial=0.0)
        if np.max(sizes[~kept], initial=0.0) > DEPENDENT * largest:
            return None
        index = {tuple(p): n for n, p in enumerate(self._polynomials.powers.tolist())}
        placed = np.zeros((self._size, len(index)))
        places = [index[tuple(power)] for power in powers.tolist()]
        placed[:, places] = field.coefficients[0][:, kept]
        row = self._polynomials.coordinates(placed).ravel()
        size = float(np.linalg.norm(row))
        return row / size if size > DEPENDENT else None


def reduced(rows: np.ndarray, known: np.ndarray, reading: np.ndarray) -> np.ndarray:
    """Rows minus multiples of known rows, so that they have fewer terms.

    Args:
        rows: Array `(k, w)`.
        known: Orthonormal rows `(l, w)`.
        reading: A matrix `(w, q)` to coefficients for sparse formulas.
    """
    if not len(known) or not len(rows):
        return rows
    read = known @ reading
    pivots = large_pivots(orthonormal(read))
    # With functions, known rows may be dependent.
    target = (rows @ reading)[:, pivots].T
    weights = np.linalg.lstsq(read[:, pivots].T, target, rcond=None)[0].T
    result = rows - weights @ known
    return result / np.linalg.norm(result, axis=1, keepdims=True)


def orthonormal(rows: np.ndarray) -> np.ndarray:
    """Orthonormal rows of the same span."""
    if not len(rows):
        return rows
    sizes, directions = np.linalg.svd(rows, full_matrices=False)[1:]
    return directions[sizes > DEPENDENT * sizes[0]]
