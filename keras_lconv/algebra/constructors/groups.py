"""Continuous groups that have a name."""

import numpy as np

from keras_lconv._validation import boolean, positive_int
from keras_lconv.algebra.constructors.classical import gl, require_room, sl, so, sp, su
from keras_lconv.algebra.constructors.combined import with_translations
from keras_lconv.algebra.group import MatrixGroup


def SO(p: int, q: int = 0) -> MatrixGroup:  # noqa: N802
    """The connected group of rotations, or of rotations and boosts.

    Args:
        p: Number of dimensions with a positive sign, which come first.
        q: Number of dimensions with a negative sign.

    Returns:
        A `MatrixGroup` without further elements: for `q > 0` the proper orthochronous part,
        `SO+(p, q)`.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If it is negative, or `p` is zero.

    Example:
    ```python
    from keras_lconv.algebra import SO

    assert SO(3, 1).dimension == 6
    ```
    """
    algebra = so(p, q)
    return MatrixGroup(algebra, name=f"SO+({p},{q})" if q else f"SO({p})")


def O(  # noqa: E743, N802
    p: int, q: int = 0, *, parity: bool = True, time_reversal: bool = True
) -> MatrixGroup:
    """The orthogonal group, with reflections.

    For `q > 0` there are two kinds: `parity` turns the sign of the first of the dimensions
    with a positive sign, `time_reversal` that of the last one with a negative sign.

    Args:
        p: Number of dimensions with a positive sign, which come first.
        q: Number of dimensions with a negative sign.
        parity: Whether to include reflections of the first `p` dimensions.
        time_reversal: Whether to include reflections of the last `q` dimensions.

    Returns:
        A `MatrixGroup` with a reflection of each kind as further elements.

    Raises:
        TypeError: If an argument is not an integer.
        ValueError: If it is negative, or `p` is zero.

    Example:
    ```python
    from keras_lconv.algebra import O

    assert len(O(3, 1).elements) == 2
    assert O(3, 1, time_reversal=False).name == "O(3,1), orthochronous"
    ```
    """
    parity = boolean("parity", parity)
    time_reversal = boolean("time_reversal", time_reversal)
    algebra = so(p, q)
    size = p + q
    elements = []
    if parity:
        elements.append(np.diag([-1.0] + [1.0] * (size - 1)))
    if q and time_reversal:
        elements.append(np.diag([1.0] * (size - 1) + [-1.0]))
    name = f"O({p},{q})" if q else f"O({p})"
    if q and not time_reversal:
        name += ", orthochronous"
    if not parity:
        name += " without parity"
    return MatrixGroup(algebra, elements, name=name)


def SU(n: int) -> MatrixGroup:  # noqa: N802
    """The special unitary group, as real matrices of twice the size.

    Args:
        n: Number of complex dimensions.

    Returns:
        A connected `MatrixGroup` of `2n x 2n` matrices.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.
    """
    n = positive_int("n", n)
    return MatrixGroup(su(n), name=f"SU({n})")


def U(n: int) -> MatrixGroup:  # noqa: N802
    """The unitary group, as real matrices of twice the size.

    Args:
        n: Number of complex dimensions.

    Returns:
        A connected `MatrixGroup` of `2n x 2n` matrices.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.
    """
    n = positive_int("n", n)
    require_room(f"n={n}", n**2, 2 * n)
    one = np.eye(n)
    phase = np.block([[0 * one, -one], [one, 0 * one]])[None]
    special = su(n).basis if n > 1 else np.zeros((0, 2, 2))
    return MatrixGroup(np.concatenate([special, phase]), name=f"U({n})")


def GL(n: int) -> MatrixGroup:  # noqa: N802
    """All invertible real matrices: of positive determinant, and one reflection.

    Args:
        n: Number of dimensions.

    Returns:
        A `MatrixGroup`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.
    """
    algebra = gl(n)
    return MatrixGroup(algebra, [np.diag([-1.0] + [1.0] * (n - 1))], name=f"GL({n},R)")


def SL(n: int) -> MatrixGroup:  # noqa: N802
    """The real matrices of determinant 1.

    Args:
        n: Number of dimensions.

    Returns:
        A connected `MatrixGroup`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.
    """
    return MatrixGroup(sl(n), name=f"SL({n},R)")


def Sp(n: int) -> MatrixGroup:  # noqa: N802
    """The real symplectic group on `n` dimensions.

    Args:
        n: Number of dimensions, an even number.

    Returns:
        A connected `MatrixGroup`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is not positive and even.
    """
    return MatrixGroup(sp(n), name=f"Sp({n},R)")


def E(n: int) -> MatrixGroup:  # noqa: N802
    """The Euclidean group: translations, rotations and reflections.

    Args:
        n: Dimension of space.

    Returns:
        A `MatrixGroup` of `(n + 1) x (n + 1)` matrices `[[A, b], [0, 1]]`.

    Raises:
        TypeError: If `n` is not an integer.
        ValueError: If `n` is below 1.
    """
    n = positive_int("n", n)
    group = with_translations(O(n))
    group.name = f"E({n})"
    return group
