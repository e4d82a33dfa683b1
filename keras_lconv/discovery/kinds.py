"""A description of a single generator: its kind and its formula."""

from collections.abc import Sequence

import numpy as np

from keras_lconv.algebra.field_formulas import field_formula

# Relative to the largest eigenvalue, or to the size of a generator, smaller numbers are
# zero.
TOLERANCE = 0.03
# Frequencies and weights are shown as a ratio of whole numbers up to this one.
LARGEST_WHOLE = 6


def kind_of(element: np.ndarray, tolerance: float = TOLERANCE) -> str:
    """The kind of an affine map `[A | b]`, from its eigenvalues and fixed points.

    Args:
        element: The map `(r, r + 1)`, in coordinates in which vectors have spread 1.
        tolerance: Threshold for zero, relative to the rest.

    Returns:
        Words such as `"rotation"`, `"boost"`, or `"rotations, frequencies 1 : 2"`.
    """
    linear, constant = element[:, :-1], element[:, -1]
    size = np.linalg.norm(element)
    if size == 0:
        return "zero"
    if np.linalg.norm(linear) <= tolerance * size:
        return "translation"
    moved = _moved_at_rest(linear, constant, tolerance)
    suffix = "" if np.linalg.norm(moved) <= tolerance * size else ", with a translation"
    return _kind_of_matrix(linear, tolerance) + suffix


def _moved_at_rest(linear: np.ndarray, constant: np.ndarray, tol: float) -> np.ndarray:
    """The translation that remains with the best origin."""
    origin = np.linalg.lstsq(linear, -constant, rcond=tol)[0]
    return linear @ origin + constant


def _kind_of_matrix(linear: np.ndarray, tolerance: float) -> str:
    values = np.linalg.eigvals(linear)
    largest = float(np.max(np.abs(values)))
    # The eigenvalues of a nilpotent matrix have the size of a root of its errors.
    if largest <= np.sqrt(tolerance) * np.linalg.norm(linear) / np.sqrt(len(linear)):
        return "shear"
    real, imaginary = values.real / largest, values.imag / largest
    turns, grows = np.abs(imaginary) > tolerance, np.abs(real) > tolerance
    if not np.any(grows):
        frequencies = np.sort(imaginary[imaginary > tolerance])
        return "rotation" if len(frequencies) == 1 else _several("rotations", frequencies)
    if np.any(turns):
        number = int(np.argmax(np.abs(values)))
        factor = np.exp(2 * np.pi * abs(real[number] / max(abs(imaginary[number]), 1e-9)))
        return f"spiral, by a factor of {factor:.3g} in a turn"
    nonzero = np.sort(real[grows])
    if len(nonzero) == len(real) and np.ptp(nonzero) <= 2 * tolerance:
        return "dilation"
    if len(nonzero) == 1:
        return "scaling of one direction"
    if np.allclose(nonzero, -nonzero[::-1], atol=2 * tolerance):
        boosts = nonzero[nonzero > 0]
        return "boost" if len(boosts) == 1 else _several("boosts", boosts)
    return _several("scaling", nonzero)


def _several(word: str, sizes: np.ndarray) -> str:
    """A kind with the ratio of its frequencies or weights."""
    label = "weights" if word == "scaling" else "frequencies"
    smallest = float(np.min(np.abs(sizes)))
    for whole in range(1, LARGEST_WHOLE + 1):
        numbers = sizes / smallest * whole
        if np.all(np.abs(numbers - np.round(numbers)) <= TOLERANCE * np.abs(numbers)):
            shown = [f"{int(number)}" for number in np.round(numbers)]
            break
    else:
        shown = [f"{number:.3g}" for number in sizes / smallest]
    return f"{word}, {label} {' : '.join(shown)}"


def formula_of(
    element: np.ndarray,
    names: Sequence[str],
    scales: np.ndarray,
    tolerance: float = TOLERANCE,
) -> str:
    """An affine map as a vector field, such as `"x d/dy - y d/dx"`.

    Args:
        element: The map `[A | b]`, `(v, v + 1)`, in the units of the data.
        names: Names of the components.
        scales: The spread of each component, relative to which terms are compared.
        tolerance: Terms that contribute less than this part of the largest are left out.

    Returns:
        A string. If all columns have one unit, the largest coefficient is 1.
    """
    column = np.append(scales, 1.0)
    row = np.where(scales > 0, scales, np.inf)
    # The distance that each term moves vectors of usual size, in units of their spread.
    moves = element * column / row[:, None]
    shown = np.abs(moves) > tolerance * np.max(np.abs(moves), initial=0.0)
    if not np.any(shown):
        return "0"
    coefficients = np.where(shown, element, 0.0)
    coefficients = coefficients / np.max(np.abs(coefficients))
    factors = np.eye(len(names) + 1, len(names), dtype=int)
    return field_formula(factors, coefficients, names)
