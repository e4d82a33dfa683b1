"""Quantities that are polynomials of coordinates and of given functions."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, TypeAlias

import numpy as np

from keras_lconv._typing import ArrayLike, MatricesLike
from keras_lconv._validation import positive_int
from keras_lconv.algebra.field_formulas import polynomial_formula, shifted_names
from keras_lconv.algebra.monomials import exponents_up_to, monomials, substituted
from keras_lconv.discovery.fields.library import is_library, named_functions, values_of
from keras_lconv.discovery.fields.vanishing import polynomials_on
from keras_lconv.discovery.map_space import require_degree
from keras_lconv.discovery.standard import Reach, standard_coordinates

# The argument `search` for conserved quantities: matrices, "polynomial", or functions.
Functions: TypeAlias = Sequence[Callable[..., Any]] | Mapping[str, Callable[..., Any]]
SearchQuantities: TypeAlias = MatricesLike | str | Functions | None

MOST_DEGREE, DEFAULT_DEGREE = 8, 3
# More polynomials take minutes.
MOST_CANDIDATES = 1500
# Coordinates whose mean is this many times their spread are far from the origin.
FAR = 3.0
# A coordinate is constant if it varies less, relative to its largest value.
SMALLEST_SPREAD = 1e-12
# Functions are dependent if a polynomial of them is at most this large.
ROUNDING = 1e-6
# The step of central differences, in units of the spread of the points.
STEP = float(np.finfo("float64").eps ** (1 / 3))


@dataclass(frozen=True, eq=False)
class ConservedFunction:
    """A quantity that is a polynomial of coordinates and of given functions of these.

    Args:
        powers: Exponents of the monomials, `(K, m)`.
        coefficients: Array `(K,)`.
        names: Names of the `n` coordinates, and of the functions.
        functions: The functions, of points `(batch, n)`.
        origin: The origin of the variables, `(m,)`.
        spread: The spread of each variable, `(m,)`: a formula leaves out terms that
            contribute little.
        errors: Error bars of the coefficients, `(K,)`.
    """

    powers: np.ndarray
    coefficients: np.ndarray
    names: tuple[str, ...]
    functions: tuple[Callable[..., Any], ...]
    origin: np.ndarray
    spread: np.ndarray
    errors: np.ndarray | None = None

    def __call__(self, z: ArrayLike) -> np.ndarray:
        """The values at points `(..., n)`, of shape `(...)`."""
        points = np.asarray(z, dtype="float64")
        flat = points.reshape(-1, points.shape[-1])
        variables = _extended(flat, self.functions) - self.origin
        return (monomials(self.powers, variables) @ self.coefficients).reshape(
            points.shape[:-1]
        )

    def formula(self, names: Sequence[str] | None = None, digits: int = 3) -> str:
        """The quantity in symbols, such as `"p1^2 - 2 cos q1"`, up to a constant and a
        factor.

        Args:
            names: Names of the `n` coordinates.
            digits: Terms that contribute less than these, relative to the largest one, are
                left out.

        Returns:
            A string.

        Raises:
            ValueError: If there are not `n` names.
        """
        size = len(self.names) - len(self.functions)
        if names is not None and len(names) != size:
            raise ValueError(
                f"`names` must hold one name for each of {size} coordinates. Received: "
                f"names={list(names)!r}"
            )
        own = self.names if names is None else (*names, *self.names[size:])
        tolerance, doubt = 0.5 * 10.0**-digits, 0.0
        if self.errors is not None:
            doubt = float(np.max(self.errors / np.abs(self.coefficients)))
        about = shifted_names(own, self.origin)
        return polynomial_formula(
            self.powers, self.coefficients, about, self.spread, tolerance, doubt
        )


class Candidates:
    """All polynomials up to a degree, of coordinates and of given functions of these.

    Polynomials that are constant on the points are left out. Dependent functions, such as
    `1/|q|` and `q`, have some.

    Args:
        points: The points, `(N, n)`.
        search: `"polynomial"`, or the functions.
        degree: The largest degree, by default 3, or 2 for functions.
        names: Names of the coordinates.
    """

    def __init__(
        self, points: np.ndarray, search: Any, degree: int | None, names: Sequence[str]
    ):
        library = named_functions(search) if is_library(search) else {}
        if degree is None:
            degree = DEFAULT_DEGREE - bool(library)
        degree = positive_int("degree", degree, MOST_DEGREE)
        self._functions = tuple(library.values())
        self._names = (*names, *library)
        for name, function in library.items():
            values_of(name, function, points, is_coefficient=True)
        variables = _extended(points, self._functions)
        self._standard = standard_coordinates(variables, True, SMALLEST_SPREAD)
        spread = self._standard.scales
        self._spread = np.where(spread > 0, spread, 1.0)
        mean = self._standard.mean
        self._origin = np.where(np.abs(mean) > FAR * self._spread, mean, 0.0)
        self._steps = STEP * np.std(points, axis=0)
        variables = self._in_standard(points)
        number = variables.shape[1]
        candidates = comb(number + degree, degree)
        searched = f"polynomials of {number} variables"
        require_degree(degree, searched, candidates, MOST_CANDIDATES)
        self._polynomials = polynomials_on(variables, degree, ROUNDING)
        matrix = self._standard.whiten * self._spread
        offset = self._standard.whiten @ (self._origin - mean)
        expanded = substituted(self._polynomials.powers, matrix, offset)
        self.reading = (self._polynomials.mixture.T @ expanded)[1:]
        # A constant is not a quantity.
        self.reading[:, 0] = 0.0

    @property
    def number(self) -> int:
        """The number of candidates."""
        return self.ends[-1]

    @property
    def ends(self) -> tuple[int, ...]:
        """For each degree from 1 on the number of candidates up to it."""
        return tuple(end - 1 for end in self._polynomials.ends[1:])

    def values(self, points: np.ndarray) -> np.ndarray:
        """The candidates at points `(N, n)`, `(N, w)`."""
        return self._polynomials(self._in_standard(points))[:, 1:]

    def gradients(self, points: np.ndarray) -> np.ndarray:
        """Their derivatives in the coordinates, `(N, w, n)`."""
        u = self._in_standard(points)
        each = np.eye(u.shape[1], dtype=int).tolist()
        slopes = [monomials(self._polynomials.powers, u, orders) for orders in each]
        along = np.stack(slopes, axis=-1).swapaxes(1, 2) @ self._polynomials.mixture
        chain = np.zeros((len(points), len(self._names), points.shape[1]))
        for axis, size in enumerate(np.where(self._steps > 0, self._steps, STEP)):
            step = np.eye(points.shape[1])[axis] * size
            up, down = (
                _extended(p, self._functions) for p in (points + step, points - step)
            )
            chain[:, :, axis] = (up - down) / (2 * size)
        return np.swapaxes(along, 1, 2)[:, 1:] @ (self._standard.whiten @ chain)

    @property
    def degrees(self) -> np.ndarray:
        """The degrees of the terms in formulas, `(K,)`."""
        return self._powers.sum(axis=1)

    def terms(self, points: np.ndarray) -> np.ndarray:
        """These terms as mixtures of the candidates, `(K, w)`, up to constants.

        They are in the units of the formulas, in which variables have spread 1.
        """
        variables = (_extended(points, self._functions) - self._origin) / self._spread
        values = self.values(points)
        return monomials(self._powers, variables).T @ values / len(points)

    def function(
        self, read: np.ndarray, errors: np.ndarray | None = None
    ) -> ConservedFunction:
        """A quantity from the coefficients of terms, of all or of the first ones.

        Args:
            read: The coefficients.
            errors: Their error bars, if they are known.
        """
        powers = self._powers[: len(read)]
        read = np.where(np.abs(read) > 1e-9 * np.max(np.abs(read)), read, 0.0)
        units = monomials(powers, self._spread)
        coefficients = read / units
        kept = coefficients != 0
        largest = np.max(np.abs(coefficients))
        return ConservedFunction(
            powers[kept],
            coefficients[kept] / largest,
            self._names,
            self._functions,
            self._origin,
            self._spread,
            None if errors is None else (errors / units)[kept] / largest,
        )

    def mixed(self, row: np.ndarray) -> ConservedFunction:
        """A mixture of the candidates, or of the first ones, `(w,)`."""
        return self.function(row @ self.reading[: len(row)])

    def reach(self, points: np.ndarray) -> Reach:
        """The range of points `(N, n)`, relative to the first ones."""
        return Reach.of(_extended(points, self._functions), self._standard)

    def require_like(self, reach: Reach) -> None:
        """Raises an error if points are unlike the first ones."""
        reach.require_like(self._standard)

    @property
    def _powers(self) -> np.ndarray:
        return exponents_up_to(len(self._names), self._polynomials.degree)

    def _in_standard(self, points: np.ndarray) -> np.ndarray:
        variables = _extended(points, self._functions)
        return (variables - self._standard.mean) @ self._standard.whiten.T


def is_nonlinear(search: Any, degree: int | None) -> bool:
    """Whether the search includes quantities that do not belong to affine symmetries."""
    is_polynomial = isinstance(search, str) and search == "polynomial"
    if is_polynomial or is_library(search):
        return True
    if degree is not None:
        raise ValueError(
            "`degree` applies to search='polynomial' and to functions as `search` only. "
            f"Received: degree={degree!r} with search={reprlib.repr(search)}"
        )
    return False


def names_of(size: int, is_canonical: bool) -> list[str]:
    """Names of coordinates: `q1..qn, p1..pn`, or `x1..xn`."""
    if is_canonical:
        return [f"{letter}{i + 1}" for letter in "qp" for i in range(size // 2)]
    return [f"x{i + 1}" for i in range(size)]


def _extended(points: np.ndarray, functions: Sequence[Callable[..., Any]]) -> np.ndarray:
    """Coordinates and functions of them at points `(N, n)`, `(N, m)`."""
    return np.column_stack([points, *[np.asarray(f(points)) for f in functions]])
