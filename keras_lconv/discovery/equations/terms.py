"""The terms of the components of fields: monomials, alone and times functions."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.algebra.monomials import exponents_up_to, monomial_text, monomials
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.library import LibraryFunction
from keras_lconv.discovery.equations.prolongation import monomial_series
from keras_lconv.discovery.equations.units import Units
from keras_lconv.discovery.fields.library import FieldLibrary, LibraryFields


@dataclass(frozen=True)
class Terms:
    """Monomials of the variables up to a degree, alone and times each of some functions.

    Fields of such terms are `VectorFields` of the variables, with the functions as further
    variables along which nothing moves.

    Args:
        powers: Exponents of all monomials up to a degree, `(K, p + q)`.
        functions: The functions, of variables.
    """

    powers: np.ndarray
    functions: tuple[LibraryFunction, ...] = ()

    def __len__(self) -> int:
        return len(self.powers) * (1 + len(self.functions))

    @property
    def exponents(self) -> np.ndarray:
        """The exponents of the variables and of the functions in each term."""
        number, (count, size) = len(self.functions), self.powers.shape
        result = np.zeros((len(self), size + number), dtype=int)
        result[:, :size] = np.tile(self.powers, (1 + number, 1))
        result[count:, size:] = np.repeat(np.eye(number, dtype=int), count, axis=0)
        return result

    def of_points(self, num_independent: int) -> np.ndarray:
        """Whether each term depends on the independent variables only."""
        own = ~np.any(self.powers[:, num_independent:], axis=1)
        alone = [max(each.columns) < num_independent for each in self.functions]
        return np.concatenate([own, *(own & each for each in alone)])

    def series(self, space: JetSpace, jets: np.ndarray, units: Units) -> np.ndarray:
        """The terms as Taylor polynomials along jets, both in units, `(terms, n, j)`.

        Monomials take variables in units, functions take the variables themselves.
        """
        plain = monomial_series(space, units.standard(space, jets), self.powers)
        steps = np.prod(units.scales[: len(space.independent)] ** space.indices, axis=1)
        variables = space.variables(jets)
        more = [
            space.multiply(plain, each.series(space, variables) * steps)
            for each in self.functions
        ]
        return np.concatenate([plain, *more])

    def are_known(self, points: np.ndarray) -> np.ndarray:
        """Whether all functions have values at each of the points `(n, p + q)`."""
        values = [np.isfinite(each(points)) for each in self.functions]
        return np.all(values, axis=0) if values else np.ones(len(points), dtype=bool)

    def fields(self, coefficients: np.ndarray) -> VectorFields:
        """Fields with coefficients `(k, p + q, terms)`."""
        along = ((0, 0), (0, len(self.functions)), (0, 0))
        return VectorFields(self.exponents, np.pad(coefficients, along))

    def in_data(self, fields: VectorFields, units: Units) -> VectorFields:
        """Fields of variables in units as fields of the variables."""
        return self._in_coordinates(fields, 1 / units.scales, -units.origin / units.scales)

    def in_units(self, fields: VectorFields, units: Units) -> VectorFields:
        """Fields of the variables as fields of variables in units."""
        return self._in_coordinates(fields, units.scales, units.origin)

    def _in_coordinates(
        self, fields: VectorFields, scales: np.ndarray, origin: np.ndarray
    ) -> VectorFields:
        """Fields of `scales z + origin` as fields of `z`, times the same functions."""
        size, binomials = self.powers.shape[1], _binomials(int(np.max(self.powers)))
        expanded = np.ones((len(self.powers), len(self.powers)))
        for n, scale, start in zip(self.powers.T, scales, origin, strict=True):
            high, low = n[:, None], n[None, :]
            rest = np.maximum(high - low, 0)
            expanded *= binomials[high, low] * scale**low * start**rest
        shape = len(fields), size, 1 + len(self.functions), len(expanded)
        blocks = fields.coefficients[:, :size].reshape(shape)
        own = blocks @ expanded / scales[:, None, None]
        return self.fields(own.reshape(len(fields), size, len(self)))

    def sizes(self, points: np.ndarray, units: Units) -> np.ndarray:
        """The spread of each variable and each function at points."""
        own = [float(np.sqrt(np.nanmean(each(points) ** 2))) for each in self.functions]
        return np.concatenate([units.scales, own])

    def callable(
        self, fields: VectorFields, points: np.ndarray, names: tuple[str, ...]
    ) -> VectorFields | LibraryFields:
        """Fields that can be evaluated: those of a library if functions occur.

        Args:
            fields: Fields of the variables and the functions.
            points: Some points `(n, p + q)`.
            names: The names of the variables.
        """
        size, labels = len(names), [each.label for each in self.functions]
        used = np.flatnonzero(np.any(fields.coefficients, axis=(0, 1)))
        powers, rows = fields.powers[used], fields.coefficients[:, :size, used]
        if not np.any(powers[:, size:]):
            alone = fields.powers[:, size:].sum(axis=1) == 0
            own = fields.coefficients[:, :size, alone]
            return VectorFields(fields.powers[alone, :size], own)
        search = {
            monomial_text(power, [*names, *labels]): partial(self._value, power)
            for power in powers
        }
        library = FieldLibrary(search, points, names)
        return LibraryFields(library, rows.swapaxes(1, 2).reshape(len(fields), -1))

    def _value(self, power: np.ndarray, points: np.ndarray) -> np.ndarray:
        """A term at points `(n, p + q)`."""
        size = self.powers.shape[1]
        value = monomials(power[None, :size], points)[:, 0]
        for function, is_there in zip(self.functions, power[size:], strict=True):
            value = value * function(points) if is_there else value
        return value


def _binomials(most: int) -> np.ndarray:
    """Binomial coefficients `(most + 1, most + 1)`, zero above the diagonal."""
    numbers = range(most + 1)
    return np.array([[math.comb(n, k) for k in numbers] for n in numbers], dtype="float64")


def terms_up_to(size: int, degree: int, functions: tuple[LibraryFunction, ...]) -> Terms:
    """Monomials of the variables up to a degree, with functions."""
    return Terms(exponents_up_to(size, degree), functions)
