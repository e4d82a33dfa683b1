"""Which polynomial symmetries to list: those that are not multiples of others.

A function times a field along which nothing changes is such a field again, and so are all
sums of these. Of the symmetries of each degree those are listed that do not follow from
those of lower degrees.
"""

from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.algebra.monomials import times
from keras_lconv.algebra.sparse_basis import large_pivots
from keras_lconv.discovery.fields.vanishing import Polynomials

# Of independent rows of norm 1 the smallest singular value is larger.
DEPENDENT = 1e-3
# A field whose part outside of a span is this large, where 1 is all of it, is not in it.
OUTSIDE = 0.5
# What is known to be a symmetry must be among those that were found, up to this.
MISSED = 0.1
# A bracket whose new part is smaller adds nothing.
SMALLEST_NEW = 0.05


@dataclass(frozen=True)
class Found:
    """The symmetries up to a degree, as mixtures of `Polynomials`.

    Args:
        all: Orthonormal rows `(k, r w)`.
        trivial: Those along which nothing changes, block by block, `(l, r w)`: functions
            times these are symmetries again.
    """

    all: np.ndarray
    trivial: np.ndarray


class Listing:
    """Symmetries that are listed, degree by degree.

    Args:
        polynomials: What components are made of.
        reading: Matrix `(r w, q)` to coefficients that a person can read.
    """

    def __init__(self, polynomials: Polynomials, reading: np.ndarray):
        self._polynomials, self._reading = polynomials, reading
        width = polynomials.mixture.shape[1]
        self._size = len(reading) // width
        self.rows = np.zeros((0, len(reading)))
        self.degrees: list[int] = []
        self._before = Found(self.rows, self.rows)

    def add(self, degree: int, found: Found) -> bool:
        """Lists what is new at a degree.

        Returns:
            Whether what is known to be there was found.
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
        """All products of fields with a component of standard coordinates, and they."""
        coefficients = self.fields(rows).coefficients
        powers = self._polynomials.powers
        products = [times(powers, coefficients, axis) for axis in range(self._size)]
        products.append(coefficients)
        flat = self._polynomials.coordinates(np.concatenate(products))
        return flat.reshape(len(flat), self._reading.shape[0])

    def _brackets(self, degree: int, all_rows: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Brackets of what is listed that are symmetries of a degree, and new."""
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
        """One field of norm 1, or nothing where it is zero or its degree is larger."""
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
    """Rows with multiples of what is known taken off, so that there are fewer terms.

    Args:
        rows: Array `(k, w)`.
        known: Orthonormal rows `(l, w)`.
        reading: Matrix `(w, q)` to coefficients that a person can read.
    """
    if not len(known) or not len(rows):
        return rows
    read = known @ reading
    pivots = large_pivots(orthonormal(read))
    # What is known may be dependent where functions are.
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
