"""Representations that every group has, or every finite group."""

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._validation import finite_array, positive_int
from keras_lconv.algebra import powers
from keras_lconv.algebra.group import GroupLike, MatrixGroup, as_group
from keras_lconv.algebra.invariants import PRECISION
from keras_lconv.algebra.representation import Representation, factor
from keras_lconv.algebra.tolerance import ELEMENT_PRECISION


def standard(group: MatrixGroup) -> Representation:
    """The representation on vectors, by the matrices of the group themselves."""
    return Representation.trusted(group, group.generators, group.elements, lambda g: g, "V")


def trivial_of(group: MatrixGroup, size: int = 1) -> Representation:
    """The trivial representation, on numbers that no element changes."""
    size = positive_int("size", size)
    number = group.dimension + len(group.elements)
    require_memory(f"Matrices of size={size}", number * size**2, "Fewer numbers will do")
    start = np.arange(size)
    images = np.tile(start, (len(group.elements), 1))
    name = "1" if size == 1 else f"{size} * 1"
    return Representation.permuting(group, images, lambda g: start, name)


def sign_of(group: MatrixGroup) -> Representation:
    """The representation on a number with the sign of the determinant."""
    signs = np.sign(np.linalg.det(group.elements)).reshape(-1, 1, 1)
    return Representation.trusted(
        group,
        np.zeros((group.dimension, 1, 1)),
        signs,
        lambda g: np.sign(np.linalg.det(g)).reshape(1, 1),
        "sign",
    )


def regular_of(group: MatrixGroup) -> Representation:
    """The representation of a finite group on functions of its elements."""
    everything = group.all_elements()

    def permutation(g: np.ndarray) -> np.ndarray:
        return _positions(everything, g @ everything)

    images = np.array([permutation(g) for g in group.elements])
    return Representation.permuting(group, images, permutation, "regular")


def permutation_of(group: MatrixGroup, points: ArrayLike) -> Representation:
    """The representation on numbers at points that the group permutes."""
    places = finite_array("points", points)
    if places.ndim != 2 or not len(places) or places.shape[1] != group.matrix_size:
        raise ValueError(
            f"`points` must have shape `(m, {group.matrix_size})`, for {group!r}. "
            f"Received: shape {places.shape}"
        )
    from scipy.spatial import cKDTree

    number = len(places)
    precision = ELEMENT_PRECISION * max(1.0, float(np.abs(places).max()))
    moved = places @ group.elements.swapaxes(1, 2)
    distances = cKDTree(places).query(moved.reshape(-1, group.matrix_size))[0]
    at_rest = np.abs(places @ group.generators.swapaxes(1, 2)).max(initial=0.0)
    apart = cKDTree(places).query(places, k=2)[0][:, 1].min()
    if max(distances.max(initial=0.0), at_rest) > precision or apart <= precision:
        raise ValueError(
            f"`points` must be different, and permuted by {group!r}. Received: {number} "
            "points, of which two coincide or one is moved elsewhere"
        )

    def permutation(g: np.ndarray) -> np.ndarray:
        return _positions(places, places @ g.T)

    images = np.array([permutation(g) for g in group.elements], int).reshape(-1, number)
    name = f"numbers at {number} points"
    return Representation.permuting(group, images, permutation, name)


def harmonics_of(group: MatrixGroup, degree: int) -> Representation:
    """The representation on harmonic polynomials up to a degree, as functions of points."""
    degree = powers.checked_degree(group.matrix_size, degree)
    position = standard(group)
    if not position.is_orthogonal:
        raise ValueError(
            "Harmonic polynomials stay harmonic under orthogonal matrices only. "
            f"Received: {group!r}"
        )
    result = trivial_of(group)
    for p in range(1, degree + 1):
        part = powers.harmonic_part(group.matrix_size, p)
        if not part.shape[1]:
            break  # on a line no polynomial of degree 2 or more is harmonic
        result = result + position.symmetric_power(p).on(part)
    result.name = f"harmonics({degree})"
    return result


def harmonic_values(points: np.ndarray, degree: int) -> np.ndarray:
    """The basis of `harmonics_of` at points of the unit sphere, `(..., m)`.

    The columns are orthogonal functions, scaled to a mean square of 1.
    """
    size = points.shape[-1]
    columns = []
    for p in range(degree + 1):
        table = powers.exponents(size, p)
        part = powers.harmonic_part(size, p)
        if not part.shape[1]:
            break
        monomials = np.prod(points[..., None, :] ** table, axis=-1)
        values = (monomials * powers.monomial_scales(table)) @ part
        # By the addition theorem the sum of squares is the same at all points.
        squares = np.sum(values**2, axis=-1, keepdims=True)
        columns.append(values * np.sqrt(part.shape[1] / squares))
    return np.concatenate(columns, axis=-1)


def induced(representation: Representation, group: GroupLike) -> Representation:
    """The representation of a finite group induced by one of a subgroup.

    It acts on functions on the group whose values transform by the representation of the
    subgroup: a vector for each coset `g H`.

    Args:
        representation: A `Representation` of a finite group of matrices.
        group: A finite group that has the other as a subgroup.

    Returns:
        A `Representation`, of the size of the given one times the number of cosets.

    Raises:
        ValueError: If a group is not finite, or one is not a subgroup of the other.

    Example:
    ```python
    from keras_lconv.algebra import cyclic, dihedral, induced

    # The trivial representation of the subgroup of one element induces the regular one.
    turns = cyclic(4)
    assert induced(turns.trivial(), dihedral(4)).size == 2
    ```
    """
    if not isinstance(representation, Representation):
        raise TypeError(
            "`representation` must be a `Representation`. "
            f"Received: {representation!r} (of type {type(representation).__name__})"
        )
    large = as_group("group", group)
    small = representation.group.all_elements()
    everything = large.all_elements()
    if not all(np.abs(everything - h).max(axis=(1, 2)).min() < PRECISION for h in small):
        raise ValueError(
            f"`group` must have {representation.group!r} as a subgroup. Received: {large!r}"
        )
    cosets: list[np.ndarray] = []
    for g in everything:
        inverses = [np.linalg.inv(t) @ g for t in cosets]
        if not any(np.abs(small - h).max(axis=(1, 2)).min() < PRECISION for h in inverses):
            cosets.append(g)
    size = representation.size

    def law(g: np.ndarray) -> np.ndarray:
        result = np.zeros((len(cosets), size, len(cosets), size))
        for j, start in enumerate(cosets):
            for i, end in enumerate(cosets):
                h = np.linalg.inv(end) @ g @ start
                distances = np.abs(small - h).max(axis=(1, 2))
                if distances.min() < PRECISION:
                    result[i, :, j] = representation.image(h)
        return result.reshape(len(cosets) * size, -1)

    return Representation.trusted(
        large,
        np.zeros((0, len(cosets) * size, len(cosets) * size)),
        np.array([law(g) for g in large.elements]),
        law,
        f"{factor(representation)} induced",
    )


def _positions(everything: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """The permutation that takes each element to where it is moved."""
    from scipy.spatial import cKDTree

    rows = everything.reshape(len(everything), -1)
    return cKDTree(rows).query(moved.reshape(len(rows), -1))[1]
