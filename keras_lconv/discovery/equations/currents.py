"""Conserved currents, in numbers and in symbols."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import finite_array
from keras_lconv.algebra.field_formulas import sum_in_words, whole_numbers
from keras_lconv.algebra.monomials import exponents_up_to, monomial_text, monomials
from keras_lconv.discovery.equations.equation import along
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.names import columns_of

# Formulas are polynomials up to this degree, with at most this many monomials.
FORMULA_DEGREE, MOST_MONOMIALS, POINTS_PER_MONOMIAL = 6, 500, 3
# A polynomial is a formula if its error is at most the first number. Terms below the second
# are left out.
ROUNDING, ROUNDING_OF_TERMS = 1e-8, 3e-5
# Longer formulas are not shown.
MOST_TERMS, NO_FORMULA = 30, "no short formula"
TINY = float(np.finfo("float64").tiny)


@dataclass(frozen=True, eq=False)
class ConservedCurrent:
    """A current `J^a(x, u, u_b)` whose total divergence vanishes on solutions.

    The integral of its first component over space is conserved, if nothing flows through
    the boundary. For ordinary equations it is a conserved quantity itself.

    Args:
        symmetry: The symmetry of the current, in symbols.
        names: The coordinates of jets of first order, such as
            `("t", "x", "u", "u_t", "u_x")`.
        independent: Names of the independent variables, one for each component.
        values: The current as a function of jets `(n, names)`, `(n, p)`.
        formulas: Its components in symbols, the density first: polynomials of jets, alone
            and times functions of a library or the Lagrangian, which is `L`.
        error: The largest total divergence on solutions, relative to its terms.
    """

    symmetry: str
    names: tuple[str, ...]
    independent: tuple[str, ...]
    values: Callable[[np.ndarray], np.ndarray]
    formulas: tuple[str, ...]
    error: float

    def __call__(self, jets: ArrayLike) -> np.ndarray:
        """The components at jets `(..., names)`, `(..., p)`: the density is the first.

        Raises:
            ValueError: If the shape does not fit.
        """
        points = finite_array("jets", jets)
        if points.ndim < 1 or points.shape[-1] != len(self.names):
            raise ValueError(
                f"`jets` must be values of {', '.join(self.names)}, `(..., "
                f"{len(self.names)})`. Received: shape {points.shape}"
            )
        flat = self.values(points.reshape(-1, len(self.names)))
        return flat.reshape(*points.shape[:-1], len(self.independent))

    def __repr__(self) -> str:
        return f"<ConservedCurrent: {self.formulas[0]}, of {self.symmetry}>"


def divergence(
    values: Callable[[np.ndarray], np.ndarray], space: JetSpace, jets: np.ndarray
) -> float:
    """The total divergence of a current at jets, relative to its terms."""
    first = columns_of(JetSpace(space.independent, space.dependent, 1).names, space)
    directions = space.total_derivatives(jets)[:, :, first]
    parts = []
    for a in range(directions.shape[1]):
        for column in range(len(first)):
            direction = np.zeros((len(jets), len(first)))
            direction[:, column] = directions[:, a, column]
            parts.append(along(values, jets[:, first], direction)[:, a])
    # If all terms vanish, the unit is the variation of the current.
    varies = np.std(values(jets[:, first]), axis=0) / np.std(space.split(jets)[0], axis=0)
    size = float(np.sqrt(np.mean(np.sum(np.square(parts), axis=0)) + np.mean(varies**2)))
    return float(np.sqrt(np.mean(np.sum(parts, axis=0) ** 2))) / max(size, TINY)


def in_symbols(
    space: JetSpace,
    jets: np.ndarray,
    functions: Sequence[tuple[str, Callable[[np.ndarray], np.ndarray]]],
    values: Callable[[np.ndarray], np.ndarray],
) -> tuple[float, tuple[str, ...]]:
    """The components of a current as polynomials of jets, alone or times functions.

    Args:
        space: The space of jets of first order.
        jets: Jets at which formulas are compared with values, `(n, size)`.
        functions: Names, and functions of jets with values `(n,)`. The last one is tried
            last.
        values: The current, `(n, p)`.

    Returns:
        The factor that gives the density small whole coefficients, and the texts.
    """
    size, rng = jets.shape[1], np.random.default_rng(0)
    names = [*space.names, *(name for name, _ in functions)]
    bounds = np.min(jets, axis=0), np.max(jets, axis=0)
    drawn = rng.uniform(*bounds, (POINTS_PER_MONOMIAL * MOST_MONOMIALS, size))
    variables = np.column_stack([drawn, *(function(drawn) for _, function in functions)])
    known = np.all(np.isfinite(variables), axis=1)
    variables, found = variables[known], values(drawn[known])
    for number in sorted({0, len(functions) - 1, len(functions)}):
        for degree in range(1, FORMULA_DEGREE + 1):
            powers = _powers(size, degree, number, len(functions))
            if powers is None:
                break
            rows = slice(POINTS_PER_MONOMIAL * len(powers))
            columns = monomials(powers, variables[rows])
            scales = np.maximum(np.linalg.norm(columns, axis=0), TINY)
            solved, *_ = np.linalg.lstsq(columns / scales, found[rows], rcond=None)
            left = np.linalg.norm(columns / scales @ solved - found[rows], axis=0)
            if np.all(left <= ROUNDING * np.linalg.norm(found[rows], axis=0)):
                return _written(powers, solved, scales, names)
    return 1.0, (NO_FORMULA,) * len(space.independent)


def _powers(size: int, degree: int, number: int, functions: int) -> np.ndarray | None:
    """Monomials of the variables, alone and times some of the functions.

    The result is `None` if there are too many.
    """
    if (
        comb(size + degree, degree) + number * comb(size + degree - 1, size)
        > MOST_MONOMIALS
    ):
        return None
    plain = np.pad(exponents_up_to(size, degree), ((0, 0), (0, functions)))
    low = plain[plain.sum(axis=1) < degree]
    unit = np.eye(size + functions, dtype=int)[size:]
    return np.concatenate([plain, *(low + each for each in unit[:number])])


def _written(
    powers: np.ndarray, solved: np.ndarray, scales: np.ndarray, names: list[str]
) -> tuple[float, tuple[str, ...]]:
    """Polynomials in symbols, the highest degrees first, and a common factor."""
    order = np.argsort(-powers.sum(axis=1), kind="stable")
    small = np.abs(solved) <= ROUNDING_OF_TERMS * np.max(np.abs(solved), initial=0.0)
    shown = np.where(small, 0.0, solved / scales[:, None])[order]
    first = shown[np.flatnonzero(shown[:, 0])[:1], 0]
    factor = 1.0
    if len(first):
        whole = whole_numbers(shown[:, 0], ROUNDING_OF_TERMS)
        largest = int(np.argmax(np.abs(shown[:, 0])))
        factor = float(np.sign(first[0]) * abs(whole[largest] / shown[largest, 0]))
    if np.max(np.count_nonzero(shown, axis=0)) > MOST_TERMS:
        return factor, (NO_FORMULA,) * shown.shape[1]
    symbols = [monomial_text(power, names) for power in powers[order]]
    return factor, tuple(sum_in_words(factor * each, symbols) for each in shown.T)
