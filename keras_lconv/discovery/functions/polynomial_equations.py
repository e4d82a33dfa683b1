"""The equations for polynomial vector fields on the vectors in a table."""

from math import comb

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import positive_int
from keras_lconv.algebra.field_formulas import polynomial_formula, shifted_names
from keras_lconv.algebra.monomials import exponents_up_to, substituted
from keras_lconv.discovery.fields.listing import Found, Listing
from keras_lconv.discovery.fields.report import FieldReport
from keras_lconv.discovery.fields.vanishing import polynomials_on
from keras_lconv.discovery.functions.changes import Changes
from keras_lconv.discovery.functions.field_equations import FieldEquations
from keras_lconv.discovery.functions.system import System
from keras_lconv.discovery.map_space import check_cost, require_degree
from keras_lconv.discovery.null_space import NullSpace

MOST_DEGREE = 6
# More unknowns take minutes.
MOST_UNKNOWNS = 3000
DEFAULT_DEGREE = 2
# Coordinates whose mean is this many times their spread are far from the origin.
FAR = 3.0


class PolynomialEquations(FieldEquations):
    """`J(x) v(x) = K F(x)` for all fields with polynomial components up to a degree.

    Each degree has its own null space. So symmetries of low degree are separated from those
    that follow from them.

    Args:
        x: Samples `(batch, n)`, each of them once.
        kind: `"invariance"` or `"equivariance"`.
        blocks: Number of vectors in a sample.
        scalars: Number of components before them, which do not transform.
        degree: The largest degree, by default 2.
        output: The kind of `K`.
        names: Names of the components of a vector, or `None`.
    """

    def __init__(
        self,
        x: np.ndarray,
        kind: str,
        blocks: int,
        scalars: int,
        degree: int | None,
        output: ArrayLike,
        names: tuple[str, ...] | None = None,
    ):
        super().__init__(x, kind, blocks, scalars, output, names)
        degree = DEFAULT_DEGREE if degree is None else degree
        degree = positive_int("degree", degree, MOST_DEGREE)
        rank = len(self._standard.whiten)
        searched = f"polynomial fields of {rank} components up to degree {degree}"
        unknowns = rank * comb(rank + degree, degree)
        require_degree(degree, searched, unknowns, MOST_UNKNOWNS)
        check_cost(searched, unknowns)
        self._polynomials = polynomials_on(self._in_standard(self._all_vectors), degree)

    @property
    def num_searched(self) -> int:
        """The dimension of the search."""
        return len(self._standard.whiten) * self._polynomials.ends[-1]

    def _extended(self, vectors: np.ndarray) -> np.ndarray:
        return self._polynomials(self._in_standard(vectors))

    @property
    def _elements(self) -> np.ndarray:
        number = self.num_searched
        return np.eye(number).reshape(number, len(self._standard.whiten), -1)

    def report(self, dimension: int | None, fit_error: float = 0.0) -> FieldReport:
        """The report from the equations of all samples."""
        vectors, all_values, all_slopes, doubt = self._gathered()
        changes = Changes.of(all_slopes, all_values)
        scaling = self._output_scaling(changes, all_values)
        slopes, moved, values = self._with_outputs(all_slopes, all_values, scaling)
        functions, ends = self._extended(vectors), self._polynomials.ends
        is_alone = self._blocks == 1 and self._kind == "invariance"
        listing = Listing(self._polynomials, self._reading())
        told: tuple[NullSpace, int, int] | None = None
        missed = None
        for degree, end in enumerate(ends):
            # The elements `(r, w)` up to the degree.
            inside = np.tile(np.arange(ends[-1]) < end, slopes.shape[3])
            elements = self._elements[inside][..., :end]
            asked = dimension if degree == self._polynomials.degree else None
            known = None if moved is None else moved[..., inside]
            parts = functions[..., :end], slopes, known, values
            space = _solution(elements, *parts, doubt, asked, fit_error)
            number = self._number(space, asked, fit_error)
            rows = _rows(space.solutions[:, :number], inside)
            trivial = rows
            if number and not is_alone:
                # Fields of each block alone along which nothing changes.
                apart = np.moveaxis(slopes, 2, 1)
                alone = (
                    functions[..., :end].reshape(-1, 1, end),
                    apart.reshape(-1, slopes.shape[1], 1, slopes.shape[3]),
                )
                own = _solution(elements, *alone, None, None, doubt, None, fit_error)
                kept = self._number(own, None, fit_error)
                trivial = _rows(own.solutions[:, :kept], inside)
            if not listing.add(degree, Found(rows, trivial)):
                missed = degree
                break
            if number or told is None or not told[1]:
                told = space, number, degree
        assert told is not None
        report = self._listed(listing, *told, missed)
        judged = self._judged(report, changes, changes.counted)
        assert isinstance(judged, FieldReport)
        return judged

    def _listed(
        self,
        listing: Listing,
        space: NullSpace,
        number: int,
        degree: int,
        missed: int | None,
    ) -> FieldReport:
        notes: tuple[str, ...] = ()
        if missed is not None:
            notes = (f"those of degree {missed} have no clear gap, and are left out",)
        standard = listing.fields(listing.rows)
        fields = standard.in_coordinates(*self._to_reading(np.ones(len(self._units))))
        noise = self._noise(space)
        parts = [
            fields[np.flatnonzero(np.array(listing.degrees) == each)]
            for each in sorted(set(listing.degrees))
        ]
        parts = [part.canonical(self._units, noise) for part in parts]
        return self._told(
            space,
            number,
            fields=parts[0].joined(*parts[1:]) if parts else fields,
            in_standard=standard,
            searched=f"polynomial fields up to degree {degree}",
            origin=self._origin,
            vanishing=self._vanishing_in_words(),
            notes=notes,
        )

    # --------------------------------------------------------------- reading

    @property
    def _origin(self) -> np.ndarray:
        """The origin of formulas: zero, or the mean of coordinates that are far
        from zero.
        """
        mean, scales = self._standard.mean, self._standard.scales
        return np.where(np.abs(mean) > FAR * scales, mean, 0.0)

    @property
    def _units(self) -> np.ndarray:
        return np.where(self._standard.scales > 0, self._standard.scales, 1.0)

    def _to_reading(self, units: np.ndarray) -> tuple[np.ndarray, ...]:
        """The map from `(x - origin) / units` to standard coordinates, and its inverse."""
        standard = self._standard
        offset = standard.whiten @ (self._origin - standard.mean)
        return standard.whiten * units, offset, standard.restore / units[:, None]

    def _reading(self) -> np.ndarray:
        """The matrix from mixtures of functions to fields of `(x - origin) / units`."""
        matrix, offset, inverse = self._to_reading(self._units)
        expanded = substituted(self._polynomials.powers, matrix, offset)
        return np.kron(inverse.T, self._polynomials.mixture.T @ expanded)

    def _vanishing_in_words(self) -> tuple[str, ...]:
        """The polynomials of lowest degree that vanish on the samples."""
        first = next((each for each in self._polynomials.vanishing if len(each)), None)
        if first is None:
            return ()
        # A polynomial is treated as a field of one component.
        matrix, offset, _ = self._to_reading(np.ones(len(self._units)))
        expanded = first @ substituted(self._polynomials.powers, matrix, offset)
        size, degree = len(self._units), self._polynomials.degree
        powers = exponents_up_to(size, degree)
        names = self._names or [f"x{a}" for a in range(size)]
        names = shifted_names(names, self._origin)
        return tuple(
            polynomial_formula(powers, each, names, self._units) for each in expanded
        )


def _solution(
    elements: np.ndarray,
    extended: np.ndarray,
    slopes: np.ndarray,
    moved: np.ndarray | None,
    values: np.ndarray | None,
    doubt: float,
    dimension: int | None,
    fit_error: float,
) -> NullSpace:
    """The null space of the equations of all samples."""
    system = System(elements, extended, slopes, moved, values, doubt)
    system.add(extended, slopes, moved, values)
    return system.solve(dimension, fit_error)


def _rows(solutions: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Solutions `(q, k)` as orthonormal rows among all unknowns, `(k, p)`."""
    rows = np.zeros((solutions.shape[1], len(inside)))
    if len(rows):
        rows[:, inside] = np.linalg.qr(solutions)[0].T
    return rows
