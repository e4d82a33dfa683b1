"""Equations that fit data, with few terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from keras_lconv.algebra.monomials import exponents_up_to, monomial_text
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.library import LibraryFunction
from keras_lconv.discovery.null_space import NUM_GROUPS

# Terms are products of at most this many factors, or this many if one is a function.
MOST_FACTORS, FACTORS_WITH_FUNCTION = 3, 2
# In models with up to this many terms, each term is exchanged for each other one while that
# explains more by this factor.
MOST_EXCHANGED, BETTER, MOST_ROUNDS = 4, 1 + 1e-6, 10
# Models with up to this many terms are compared. Among those whose error is at most this
# multiple of the least, the one that gains most by its last term is chosen.
MOST_TERMS, NEAR_BEST = 20, 3.0
# Above noise, further terms that gain this much count as well. Errors below the first
# number are those of derivatives, which further terms would fit.
SMALL_ERROR, LEAST_GAIN = 1e-3, 1.2
# A left side that is smaller than this, relative to the size that first derivatives
# suggest, is zero if no terms explain it well.
NEGLIGIBLE = 0.05
# Relative to the largest, smaller eigenvalues of the products of terms are rounding.
RIDGE, SAME = 1e-13, 1e-10


@dataclass(frozen=True)
class FittedEquation:
    """A fitted equation `left = sum of terms`.

    Args:
        left: The derivative for which it is solved, such as `"u_t"`.
        terms: The terms on the right, such as `("u_xx", "u u_x")`.
        coefficients: The coefficients of the terms, `(terms,)`.
        errors: The error bars of the coefficients, by leaving out parts of the data.
        fit_error: The residual, relative to the size of `left`.
        gain: The factor by which the last term reduces the residual. It tells how clear the
            number of terms is.
        factors: The names of the factors of each term.
        coefficients_of_parts: The coefficients without each part of the data,
            `(parts, terms)`.
        lead: The factor by which the error of the best equation with another term in place
            of one of these is larger. It tells how clear the choice of terms is.
        rivals: Equations with another term that fit equally well.
        noise: The residual that errors of derivatives may cause, if it is known.
    """

    left: str
    terms: tuple[str, ...]
    coefficients: np.ndarray
    errors: np.ndarray
    fit_error: float
    gain: float
    factors: tuple[tuple[str, ...], ...]
    coefficients_of_parts: np.ndarray
    lead: float = np.inf
    rivals: tuple["FittedEquation", ...] = ()
    noise: float = np.inf

    def __str__(self) -> str:
        text = ""
        for value, error, term in zip(
            self.coefficients, self.errors, self.terms, strict=True
        ):
            digits = int(np.clip(2 - np.log10(max(error / abs(value), 1e-6)), 2, 6))
            size = f"{abs(value):.{digits}g}"
            words = [each for each in (size, term) if each != "1"] or ["1"]
            text += f" {'-' if value < 0 else '+'} {' '.join(words)}"
        text = text.removeprefix(" + ").strip() or "0"
        return f"{self.left} = {text}  (error {self.fit_error:.1e})"


@dataclass(frozen=True)
class Candidates:
    """The possible terms on the right of an equation, as values at jets.

    Args:
        names: Names of coordinates of jets, and of functions.
        values: Array `(n, names)`.
        orders: The number of derivatives in each, `(names,)`.
        columns: The numbers of the coordinates and functions in terms.
        powers: The exponents of the terms, `(terms, columns)`.
        natural: The expected size of some coordinates, by their numbers.
    """

    names: tuple[str, ...]
    values: np.ndarray
    orders: np.ndarray
    columns: list[int]
    powers: np.ndarray
    natural: Mapping[int, float] = field(default_factory=dict)


def candidates(
    space: JetSpace,
    jets: np.ndarray,
    functions: tuple[LibraryFunction, ...],
    time_order: int,
    order: int,
) -> Candidates:
    """The possible terms on the right of an equation.

    They are products of up to three variables and derivatives, or of a function and one of
    these. Together they have at most as many derivatives as the order of the equation, and
    fewer by the first independent variable than the left side.

    Args:
        space: The space of the jets.
        jets: Array `(n, size)`.
        functions: Functions of variables.
        time_order: The order of the derivative by time on the left.
        order: The order of the equation.
    """
    p, j = len(space.independent), len(space.indices)
    is_in = (space.indices[:, 0] < time_order) & (space.indices.sum(axis=1) <= order)
    columns = [
        p + variable * j + int(number)
        for variable in range(len(space.dependent))
        for number in np.flatnonzero(is_in)
    ]
    columns += range(space.size, space.size + len(functions))
    values = [each(space.points(jets)) for each in functions]
    names = (*space.names, *(each.label for each in functions))
    orders = np.concatenate([space.orders, np.zeros(len(functions), dtype=int)])
    powers = exponents_up_to(len(columns), MOST_FACTORS)
    of_functions = powers[:, len(columns) - len(functions) :].sum(axis=1)
    most = np.where(of_functions, FACTORS_WITH_FUNCTION, MOST_FACTORS)
    is_in = (of_functions <= 1) & (powers.sum(axis=1) <= most)
    powers = powers[is_in & (powers @ orders[columns] <= order)]
    natural = _natural_sizes(space, jets, time_order)
    jets = np.column_stack([jets, *values])
    return Candidates(names, jets, orders, columns, powers, natural)


def _natural_sizes(space: JetSpace, jets: np.ndarray, order: int) -> dict[int, float]:
    """The size of derivatives by time that the first derivatives suggest."""
    p, j = len(space.independent), len(space.indices)
    sizes = {}
    for start in range(p, space.size, j):
        spread = float(np.std(jets[:, start]))
        rate = float(np.sqrt(np.mean(jets[:, start + 1] ** 2))) / (spread or 1.0)
        number = int(np.flatnonzero(space.indices[:, 0] == order)[0])
        sizes[start + number] = spread * rate**order
    return sizes


def values_of_terms(values: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Products of the columns of `values`, `(n, terms)`."""
    terms = np.ones((len(values), len(powers)))
    for number, power in enumerate(powers):
        for column in np.flatnonzero(power):
            terms[:, number] *= values[:, column] ** power[column]
    return terms


class Regression:
    """Candidates and the left side of an equation, each scaled to size 1.

    Args:
        candidates: The terms at jets in the order of runs and time.
        left: The coordinate on the left.
    """

    def __init__(self, candidates: Candidates, left: int):
        self._names = [candidates.names[column] for column in candidates.columns]
        self._left, self._powers = candidates.names[left], candidates.powers
        values = candidates.values[:, candidates.columns]
        sizes = np.sqrt(np.mean(values**2, axis=0))
        sizes = np.where(sizes > 0, sizes, 1.0)
        terms = values_of_terms(values / sizes, self._powers)
        target = candidates.values[:, left]
        size = float(np.sqrt(np.mean(target**2)))
        natural = candidates.natural.get(left, 0.0)
        # A negligible left side is zero, up to an error relative to its expected size.
        size = size if size > NEGLIGIBLE * natural else natural or 1.0
        norms = np.sqrt(np.mean(terms**2, axis=0))
        norms = np.where(norms > 0, norms, 1.0)
        self.terms, self.target, self.size = terms / norms, target / size, size
        self._units = size / (norms * np.prod(sizes**self._powers, axis=1))
        self.gram = self.terms.T @ self.terms
        self.moments = self.terms.T @ self.target

    @property
    def labels(self) -> list[str]:
        """The terms in symbols."""
        return [monomial_text(power, self._names) or "1" for power in self._powers]

    def misfit(self, support: list[int]) -> float:
        """The error of a fit to every second part of the data, on the other parts."""
        terms, target = self.terms[:, support], self.target
        parts = np.arange(len(terms)) * NUM_GROUPS // len(terms) % 2
        squares = 0.0
        for part in range(2):
            solution = _solved(terms[parts != part], target[parts != part])
            own = parts == part
            squares += float(np.sum((terms[own] @ solution - target[own]) ** 2))
        return float(np.sqrt(squares / len(terms)))

    def equation(self, support: list[int], error: float, gain: float) -> FittedEquation:
        """The equation with some terms.

        Args:
            support: The numbers of the terms.
            error: The error on other data.
            gain: The factor by which the last term reduces it.
        """
        support = sorted(support)
        own, target = self.terms[:, support], self.target
        units = self._units[support]
        parts = np.arange(len(own)) * NUM_GROUPS // len(own)
        coefficients = _solved(own, target) * units
        without = np.array(
            [
                _solved(own[parts != part], target[parts != part]) * units
                for part in range(NUM_GROUPS)
            ]
        ).reshape(NUM_GROUPS, -1)
        spread = np.sqrt((NUM_GROUPS - 1) * np.mean((without - coefficients) ** 2, axis=0))
        factors = tuple(
            tuple(np.repeat(self._names, self._powers[row]).tolist()) for row in support
        )
        labels = self.labels
        return FittedEquation(
            self._left,
            tuple(labels[row] for row in support),
            coefficients,
            spread,
            error,
            gain,
            factors,
            without,
        )


def fit_equation(candidates: Candidates, left: int) -> FittedEquation:
    """The equation with few terms that fits best.

    Backward elimination starts from all terms, and removes the one whose loss increases the
    error least, until none is left. Unlike a threshold for coefficients it does not depend
    on units. Among the models on this way whose error is near the least, the one that gains
    most by its last term is chosen. With noise, larger models are accepted while their last
    term still gains.

    Args:
        candidates: The terms at jets in the order of runs and time.
        left: The coordinate on the left.
    """
    known = Regression(candidates, left)
    path = elimination(known.terms, known.target)[: MOST_TERMS + 1]
    path = [_exchanged(known, own) if len(own) <= MOST_EXCHANGED else own for own in path]
    errors = np.array([known.misfit(own) for own in path])
    # Errors on new data need not fall with the number of terms.
    before = np.concatenate([[1.0], np.minimum.accumulate(errors)[:-1]])
    ratios = before / np.maximum(errors, np.finfo("float64").tiny)
    near = errors <= NEAR_BEST * np.min(errors)
    chosen = int(np.argmax(np.where(near, ratios, 0.0)))
    if errors[chosen] > SMALL_ERROR and path[chosen]:
        gaining = np.flatnonzero(ratios[chosen:] >= LEAST_GAIN)
        chosen += int(np.max(gaining, initial=0))
    return known.equation(path[chosen], float(errors[chosen]), float(ratios[chosen]))


def elimination(terms: np.ndarray, target: np.ndarray) -> list[list[int]]:
    """Supports of growing size, found by removing terms one by one."""
    gram = terms.T @ terms / len(terms)
    inverse = np.linalg.inv(gram + RIDGE * len(gram) * np.eye(len(gram)))
    solution = inverse @ (terms.T @ target / len(terms))
    left = list(range(terms.shape[1]))
    path = [list(left)]
    while left:
        # How much the square of the error grows without each term.
        growth = solution[left] ** 2 / inverse[left, left]
        out = left.pop(int(np.argmin(growth)))
        column = inverse[:, out].copy()
        solution = solution - column * solution[out] / column[out]
        inverse = inverse - np.outer(column, column) / column[out]
        path.append(list(left))
    return path[::-1]


def _exchanged(known: Regression, support: list[int]) -> list[int]:
    """A support in which terms are replaced, one by one, by others that explain more
    together.

    Elimination may remove a term early, if others can replace it.

    Args:
        known: All terms.
        support: Numbers of terms.
    """
    support = list(support)
    for _ in range(MOST_ROUNDS):
        before = list(support)
        for place in range(len(support)):
            explained = explained_in_place(known, support, place)
            best = int(np.argmax(explained))
            least = SAME * len(known.terms)
            if explained[best] > BETTER * explained[support[place]] + least:
                support[place] = best
        if support == before:
            break
    return support


def explained_in_place(known: Regression, support: list[int], place: int) -> np.ndarray:
    """How much each term would explain in place of a term of a support, `(terms,)`.

    Args:
        known: All terms.
        support: Numbers of terms.
        place: The term of the support that is replaced.
    """
    gram, squares = known.gram, np.diag(known.gram)
    rest = support[:place] + support[place + 1 :]
    weights = np.linalg.pinv(gram[np.ix_(rest, rest)]) @ gram[rest]
    left = squares - np.sum(weights * gram[rest], axis=0)
    # Rounding remains of terms that the others explain.
    left = np.where(left > SAME * squares, left, np.inf)
    explained: np.ndarray = (known.moments - weights.T @ known.moments[rest]) ** 2 / left
    return explained


def _solved(terms: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(terms, target, rcond=None)[0]
