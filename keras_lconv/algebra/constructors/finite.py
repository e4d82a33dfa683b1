"""Finite groups that have a name."""

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv._validation import boolean, one_of, positive_int
from keras_lconv.algebra.elements import LARGEST_ORDER
from keras_lconv.algebra.group import MatrixGroup

GOLDEN = (1 + np.sqrt(5)) / 2


def _identity(n: int) -> np.ndarray:
    """The unit matrix, whose columns are permuted."""
    n = positive_int("n", n)
    require_memory(
        f"A matrix of n={n} numbers that are permuted", 3 * n**2, "Fewer will do"
    )
    return np.eye(n)


def cyclic(n: int) -> MatrixGroup:
    """The rotations of the plane by multiples of `2 pi / n`, C_n.

    Args:
        n: The order.

    Returns:
        A `MatrixGroup` of `2 x 2` matrices.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1, or above 20,000: smaller turns differ from the
            identity by rounding only.

    Example:
    ```python
    from keras_lconv.algebra import cyclic

    assert cyclic(6).order == 6
    ```
    """
    return MatrixGroup(elements=[_turn(n, LARGEST_ORDER)], name=f"C({n})")


def dihedral(n: int) -> MatrixGroup:
    """The rotations and reflections of a regular polygon with `n` corners, D_n.

    Args:
        n: The number of corners.

    Returns:
        A `MatrixGroup` of `2 x 2` matrices, of order `2 n`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1, or above 10,000, as an order above 20,000.

    Example:
    ```python
    from keras_lconv.algebra import dihedral

    assert dihedral(4).order == 8
    ```
    """
    turn = _turn(n, LARGEST_ORDER // 2)
    return MatrixGroup(elements=[turn, np.diag([1.0, -1.0])], name=f"D({n})")


def symmetric(n: int) -> MatrixGroup:
    """All permutations of `n` numbers, S_n.

    Args:
        n: How many numbers are permuted.

    Returns:
        A `MatrixGroup` of permutation matrices, from a cycle and a transposition.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.

    Example:
    ```python
    from keras_lconv.algebra import intertwiners, symmetric

    vectors = symmetric(5).standard
    # The layer of DeepSets, and the maps between matrices of graph networks.
    assert len(intertwiners(vectors, vectors)) == 2
    assert len(intertwiners(vectors**2, vectors**2)) == 15
    ```
    """
    one = _identity(n)
    swap = one[[1, 0, *range(2, n)]] if n > 1 else one
    return MatrixGroup(elements=[np.roll(one, 1, axis=0), swap], name=f"S({n})")


def alternating(n: int) -> MatrixGroup:
    """The even permutations of `n` numbers, A_n.

    Args:
        n: How many numbers are permuted.

    Returns:
        A `MatrixGroup` of permutation matrices, from cycles of three numbers.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.

    Example:
    ```python
    from keras_lconv.algebra import alternating

    assert alternating(4).order == 12
    ```
    """
    one = _identity(n)
    cycles = [one]
    for last in range(2, n):
        order = np.arange(n)
        order[[0, 1, last]] = order[[1, last, 0]]
        cycles.append(one[order])
    return MatrixGroup(elements=np.array(cycles), name=f"A({n})")


def cyclic_shifts(n: int) -> MatrixGroup:
    """The cyclic permutations of `n` numbers, such as a signal on a ring.

    Args:
        n: How many numbers are permuted.

    Returns:
        A `MatrixGroup` of permutation matrices, of order `n`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.

    Example:
    ```python
    from keras_lconv.algebra import cyclic_shifts, intertwiners

    ring = cyclic_shifts(7)
    assert len(intertwiners(ring, ring)) == 7  # circulant matrices
    ```
    """
    one = _identity(n)
    return MatrixGroup(elements=[np.roll(one, 1, axis=0)], name=f"Z({n})")


def polyhedral(solid: str, inversion: bool = False) -> MatrixGroup:
    """The rotations of a regular solid.

    Args:
        solid: `"tetrahedron"` (12 rotations), `"cube"` (24, those of the octahedron too) or
            `"icosahedron"` (60, those of the dodecahedron too).
        inversion: Whether to include `x -> -x`, and with it reflections.

    Returns:
        A `MatrixGroup` of `3 x 3` matrices.

    Raises:
        ValueError: If the solid is unknown.

    Example:
    ```python
    from keras_lconv.algebra import polyhedral

    assert polyhedral("cube").order == 24
    assert polyhedral("icosahedron", inversion=True).order == 120
    ```
    """
    one_of("solid", solid, ("tetrahedron", "cube", "icosahedron"))
    third = np.roll(np.eye(3), 1, axis=0)
    half = np.diag([1.0, -1.0, -1.0])
    elements = {
        "tetrahedron": [third, half],
        "cube": [third, np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])],
        "icosahedron": [third, half, _fifth_turn()],
    }[solid]
    inversion = boolean("inversion", inversion)
    if inversion:
        elements.append(-np.eye(3))
    return MatrixGroup(elements=elements, name=solid + (" with inversion" * inversion))


def _turn(n: int, most: int) -> np.ndarray:
    """The counterclockwise rotation by `2 pi / n`, for `n` up to a limit."""
    if positive_int("n", n) > most:
        raise ValueError(
            f"`n` must be at most {most:,}: smaller turns are hardly different. Received: "
            f"n={n}. Use SO(2) or O(2) for all turns"
        )
    cosine, sine = np.cos(2 * np.pi / n), np.sin(2 * np.pi / n)
    return np.array([[cosine, -sine], [sine, cosine]])


def _fifth_turn() -> np.ndarray:
    """A rotation by `2 pi / 5` about a corner of the icosahedron at `(0, 1, golden)`."""
    from scipy.spatial.transform import Rotation

    axis = np.array([0.0, 1.0, GOLDEN])
    angle = 2 * np.pi / 5
    return Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
