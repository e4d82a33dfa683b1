"""Vector fields in symbols."""

from collections.abc import Sequence

import numpy as np

from keras_lconv.algebra.monomials import monomial_text

# Coefficients are shown as whole numbers if those up to this one do.
LARGEST_WHOLE = 12
# So far from them, relative to the largest, at most.
NEARLY_WHOLE = 1e-3


def whole_numbers(coefficients: np.ndarray, tolerance: float) -> np.ndarray:
    """Coefficients with small whole ratios as whole numbers, others with the largest 1.

    Args:
        coefficients: Array of any shape.
        tolerance: Their relative error.
    """
    largest = float(np.max(np.abs(coefficients), initial=0.0))
    if not largest:
        return coefficients
    scaled = coefficients / largest
    limit = min(max(NEARLY_WHOLE, 3 * tolerance), 0.03)
    for whole in range(1, LARGEST_WHOLE + 1):
        numbers = scaled * whole
        nearest = np.round(numbers)
        # What is not zero is not shown as zero.
        if np.all(np.abs(numbers - nearest) <= limit * np.abs(nearest)):
            return nearest
    return scaled


def field_formula(
    powers: np.ndarray, coefficients: np.ndarray, names: Sequence[str]
) -> str:
    """A vector field, as `"x d/dy - y d/dx"`, with the first term positive.

    Args:
        powers: Exponents `(K, n)`, in the order in which the terms are written.
        coefficients: Array `(n, K)`. What is zero is left out.
        names: Names of the variables.
    """
    order = np.argwhere(coefficients)
    if not len(order):
        return "0"
    order = order[np.lexsort((order[:, 0], order[:, 1]))]
    sign = np.sign(coefficients[tuple(order[0])])
    text = ""
    for target, source in order:
        value = sign * coefficients[target, source]
        number = f"{abs(value):.3g}"
        factor = monomial_text(powers[source], names)
        words = ["" if number == "1" else number, factor, f"d/d{names[target]}"]
        term = " ".join(word for word in words if word)
        text += f" {'-' if value < 0 else '+'} {term}"
    return text.removeprefix(" + ")
