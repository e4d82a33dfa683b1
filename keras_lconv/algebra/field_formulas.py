"""Vector fields and polynomials in symbols."""

from collections.abc import Iterable, Sequence

import numpy as np

from keras_lconv.algebra.monomials import monomial_text, monomials

# Coefficients are shown as whole numbers if whole numbers up to this one fit.
LARGEST_WHOLE = 12
# The largest distance from whole numbers, relative to the coefficients.
NEARLY_WHOLE, FAR_FROM_WHOLE = 1e-3, 0.03


def whole_numbers(coefficients: np.ndarray, tolerance: float) -> np.ndarray:
    """Scales coefficients: to whole numbers if their ratios are small whole ones, else to a
    largest of 1.

    Args:
        coefficients: Array of any shape.
        tolerance: Their relative error.
    """
    largest = float(np.max(np.abs(coefficients), initial=0.0))
    if not largest:
        return coefficients
    scaled = coefficients / largest
    limit = np.clip(3 * tolerance, NEARLY_WHOLE, FAR_FROM_WHOLE)
    for whole in range(1, LARGEST_WHOLE + 1):
        numbers = scaled * whole
        nearest = np.round(numbers)
        # A coefficient that is not zero is never shown as zero.
        if np.all(np.abs(numbers - nearest) <= limit * np.abs(nearest)):
            return nearest
    return scaled


def shifted_names(names: Sequence[str], origin: np.ndarray) -> list[str]:
    """Names of variables, such as `"(x - 3)"` if the origin is not zero."""
    return [
        f"({name} {'-' if value > 0 else '+'} {abs(value):.4g})" if value else name
        for name, value in zip(names, origin, strict=True)
    ]


def sum_in_words(values: Iterable[float], symbols: Iterable[str], digits: int = 3) -> str:
    """`3 x - y` for `[3, -1, 0]` and `["x", "y", "z"]`. An empty symbol leaves
    the number.
    """
    text = ""
    for value, symbol in zip(values, symbols, strict=True):
        if value:
            number = f"{abs(value):.{digits}g}"
            words = ["" if number == "1" and symbol else number, symbol]
            term = " ".join(word for word in words if word)
            text += f" {'-' if value < 0 else '+'} {term}"
    text = text.removeprefix(" + ")
    return f"-{text[3:]}" if text.startswith(" - ") else text or "0"


def field_formula(
    powers: np.ndarray,
    coefficients: np.ndarray,
    names: Sequence[str],
    factors: Sequence[str] | None = None,
) -> str:
    """A vector field, such as `"x d/dy - y d/dx"`, with the first term positive.

    Args:
        powers: Exponents `(K, n)`, in the order in which the terms are written.
        coefficients: Array `(n, K)`. Zeros are left out.
        names: Names of the variables.
        factors: How variables are written in coefficients. By default, their names.
    """
    factors = names if factors is None else factors
    order = np.argwhere(coefficients.T)
    values = [coefficients[target, source] for source, target in order]
    symbols = [
        f"{monomial_text(powers[source], factors)} d/d{names[target]}".strip()
        for source, target in order
    ]
    sign = np.sign(values[0]) if values else 1.0
    return sum_in_words([sign * value for value in values], symbols)


def polynomial_formula(
    powers: np.ndarray,
    coefficients: np.ndarray,
    names: Sequence[str],
    units: np.ndarray,
    tolerance: float = 1e-3,
    doubt: float = 0.0,
) -> str:
    """A polynomial, such as `"x^2 + y^2 - 1"`, the highest degrees first.

    Args:
        powers: Exponents `(K, n)` by growing degree.
        coefficients: Array `(K,)`.
        names: Names of the variables.
        units: The spread of each variable, by which terms are compared.
        tolerance: Terms up to this size, where the largest is 1, are left out.
        doubt: The relative error of the coefficients, used if it is larger.
    """
    sizes = np.abs(coefficients * monomials(powers, units))
    shown = np.where(sizes > tolerance * np.max(sizes), coefficients, 0.0)
    degrees = powers.sum(axis=1)
    order = np.argsort(-degrees, kind="stable")
    values = whole_numbers(shown, max(tolerance, doubt))[order]
    sign = np.sign(values[np.flatnonzero(values)[0]])
    return sum_in_words(sign * values, [monomial_text(powers[n], names) for n in order])
