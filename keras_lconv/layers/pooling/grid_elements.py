"""Flips and quarter turns of a grid, and other elements, as matrices on its positions."""

from itertools import combinations

import numpy as np

from keras_lconv._validation import finite_array, names_or_matrices
from keras_lconv.algebra import MatrixGroup
from keras_lconv.algebra.invariants import PRECISION
from keras_lconv.generators import Generators

NAMES = ("flips", "quarter_turns")


def checked_elements(elements: object) -> tuple[str | np.ndarray, ...]:
    """Names and orthogonal matrices, from one or several of them or from a finite group."""
    if isinstance(elements, MatrixGroup):
        if elements.dimension:
            raise ValueError(
                "`elements` must belong to a finite group. Give a connected part as "
                f"`generators`. Received: {elements!r}"
            )
        # The generating elements have the same invariants as the whole group.
        elements = elements.elements
    return names_or_matrices("elements", elements, _checked)


def _checked(element: object) -> str | np.ndarray:
    if isinstance(element, str):
        if element not in NAMES:
            raise ValueError(
                f"`elements` must be among {NAMES}, or matrices. "
                f"Received: elements={element!r}"
            )
        return element
    array = finite_array("elements", element)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or not array.size:
        raise ValueError(
            "`elements` must be names or matrices of shape `(d, d)`, on the `d` positions "
            f"of the grid. Received: an array of shape {array.shape}"
        )
    defect = np.max(np.abs(array.T @ array - np.eye(len(array))))
    if defect > PRECISION:
        raise ValueError(
            "`elements` must be orthogonal matrices, such as permutations of positions. "
            f"Received: a matrix whose h^T h - 1 has entries up to {defect:.1e}"
        )
    return array


def elements_on(
    generators: Generators, elements: tuple[str | np.ndarray, ...], owner: str
) -> np.ndarray:
    """The matrices `(m, d, d)` of elements on the grid of built generators."""
    shape = generators.spatial_shape or ()
    size = int(np.prod(shape))
    positions = np.arange(size).reshape(shape)
    one = np.eye(size)
    found = []
    for element in elements:
        if not isinstance(element, str):
            if len(element) != size:
                raise ValueError(
                    f"`elements` of {owner} must be matrices of shape {(size, size)}. "
                    f"Received: shape {element.shape}"
                )
            found.append(element)
        elif element == "flips":
            flipped = [np.flip(positions, axis) for axis in range(len(shape))]
            found += [one[order.ravel()] for order in flipped]
        else:
            if len(shape) < 2 or len(set(shape)) > 1:
                raise ValueError(
                    f"`elements='quarter_turns'` of {owner} needs square images or cubes. "
                    f"Received: the spatial shape {shape}"
                )
            axes = combinations(range(len(shape)), 2)
            found += [one[np.rot90(positions, axes=pair).ravel()] for pair in axes]
    return np.array(found).reshape(-1, size, size)
