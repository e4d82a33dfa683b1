"""Groups that are put together from others: direct, semidirect and wreath products."""

import numpy as np

from keras_lconv._validation import positive_int
from keras_lconv.algebra.constructors.classical import require_room
from keras_lconv.algebra.group import GroupLike, MatrixGroup, as_group
from keras_lconv.algebra.products import block_diagonal
from keras_lconv.algebra.representation import Representation
from keras_lconv.algebra.tolerance import ELEMENT_PRECISION


def with_translations(group: GroupLike) -> MatrixGroup:
    """The semidirect product of a group with the translations of its space.

    Args:
        group: A `MatrixGroup` of `n x n` matrices, or an algebra.

    Returns:
        A `MatrixGroup` of `(n + 1) x (n + 1)` matrices `[[A, b], [0, 1]]`, with the
        translations as the first generators.

    Example:
    ```python
    from keras_lconv.algebra import dihedral, with_translations

    # The plane, in four orientations and their mirror images.
    assert with_translations(dihedral(4)).dimension == 2
    ```
    """
    group = as_group("group", group)
    n, k, m = group.matrix_size, group.dimension, len(group.elements)
    generators = np.zeros((n + k, n + 1, n + 1))
    generators[:n, :n, n] = np.eye(n)
    generators[n:, :n, :n] = group.generators
    elements = np.zeros((m, n + 1, n + 1))
    elements[:, :n, :n] = group.elements
    elements[:, n, n] = 1.0
    name = None if group.name is None else f"{group.name} with translations"
    return MatrixGroup(generators, elements, name=name)


def semidirect_product(
    normal: GroupLike, acting: "GroupLike | Representation"
) -> MatrixGroup:
    """The semidirect product `N : H`, where `H` acts on `N` by conjugation.

    Elements are pairs of an element `x` of `N` and `h` of `H`, as block diagonal matrices
    `(h, x rho(h))`, so that

    `(x, h) (y, g) = (x rho(h) y rho(h)^-1, h g)`.

    A representation `rho` of `H`, by matrices of the size of those of `N`, gives the action
    on `N`; conjugation by them maps `N` to itself. The trivial representation gives the
    direct product. `with_translations` and `wreath_product` are special cases, with smaller
    matrices.

    Args:
        normal: `N`, a `MatrixGroup` of `n x n` matrices, or an algebra.
        acting: `rho`, a `Representation` of `H` of size `n`; or `H` itself, if its
            matrices are `n x n` and act by their own conjugation.

    Returns:
        A `MatrixGroup`, of the size of the matrices of `H` and `n` together.

    Raises:
        TypeError: If an argument is not a group.
        ValueError: If sizes differ, or conjugation leads out of `N`.

    Example:
    ```python
    from keras_lconv.algebra import MatrixGroup, cyclic, semidirect_product

    # A reflection inverts a rotation: the dihedral group.
    flip = MatrixGroup(elements=[[[1.0, 0.0], [0.0, -1.0]]])
    group = semidirect_product(cyclic(5), flip)
    assert group.order == 10 and not group.is_abelian
    ```

    Reference:
        J. J. Rotman, "An Introduction to the Theory of Groups", 4th edition, chapter 7.
    """
    inner = as_group("normal", normal)
    outer = acting
    if not isinstance(outer, Representation):
        outer = as_group("acting", outer).standard
    size = inner.matrix_size
    if outer.size != size:
        raise ValueError(
            f"`acting` must be a representation by {size}x{size} matrices, as those of "
            f"`normal`. Received: {outer!r}"
        )
    _require_action(inner, outer)
    group = outer.group
    one, zero = np.eye(group.matrix_size), np.zeros((group.matrix_size,) * 2)

    def blocks(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        upper = np.broadcast_to(upper, (len(lower), *upper.shape[-2:]))
        return block_diagonal(upper, lower)

    named = inner.name and group.name
    return MatrixGroup(
        np.concatenate(
            [blocks(group.generators, outer.generators), blocks(zero, inner.generators)]
        ),
        np.concatenate(
            [blocks(group.elements, outer.elements), blocks(one, inner.elements)]
        ),
        name=f"{inner.name} : {group.name}" if named else None,
    )


def _require_action(inner: MatrixGroup, outer: Representation) -> None:
    """Raises an error if conjugation by the second group leads out of the first."""
    stays = True
    for h in outer.elements:
        inverse = np.linalg.inv(h)
        stays &= _in_algebra(inner, h @ inner.generators @ inverse)
        moved = h @ inner.elements @ inverse
        stays &= not any(inner.tells(x) is False for x in moved)
    for x in outer.generators:
        stays &= _in_algebra(inner, x @ inner.generators - inner.generators @ x)
        # The derivative of `exp(t X) y exp(-t X) y^-1`, a path in the group that starts at
        # 1.
        inverses = np.linalg.inv(inner.elements)
        stays &= _in_algebra(inner, x - inner.elements @ x @ inverses)
    if not stays:
        raise ValueError(
            "Conjugation by the matrices of `acting` must map `normal` to itself. "
            f"Received: {outer!r}, which leads out of {inner!r}"
        )


def _in_algebra(group: MatrixGroup, matrices: np.ndarray) -> bool:
    """Whether matrices `(m, n, n)` are generators of a group."""
    large = matrices[np.abs(matrices).max(axis=(1, 2), initial=0.0) > ELEMENT_PRECISION]
    return not len(large) or (bool(group.dimension) and group.algebra.contains(large))


def direct_product(*groups: GroupLike) -> MatrixGroup:
    """The direct product: block diagonal matrices, with one block for each group.

    Args:
        *groups: `MatrixGroup` objects, or algebras.

    Returns:
        A `MatrixGroup` whose size is the sum of the sizes.

    Raises:
        ValueError: If there is none.

    Example:
    ```python
    from keras_lconv.algebra import cyclic, direct_product

    assert direct_product(cyclic(2), cyclic(3)).order == 6
    ```
    """
    if not groups:
        raise ValueError("`groups` must not be empty. Received: no groups")
    parts = [as_group("groups", group) for group in groups]
    size = sum(part.matrix_size for part in parts)
    generators: list[np.ndarray] = []
    elements: list[np.ndarray] = []
    start = 0
    for part in parts:
        window = slice(start, start + part.matrix_size)
        for matrices, found, rest in (
            (part.generators, generators, np.zeros((size, size))),
            (part.elements, elements, np.eye(size)),
        ):
            for matrix in matrices:
                whole = rest.copy()
                whole[window, window] = matrix
                found.append(whole)
        start += part.matrix_size
    named = all(part.name for part in parts)
    return MatrixGroup(
        np.array(generators).reshape(-1, size, size),
        np.array(elements).reshape(-1, size, size),
        name=" x ".join(str(part.name) for part in parts) if named else None,
    )


def wreath_product(group: GroupLike, number: int) -> MatrixGroup:
    """Several vectors, each turned by a separate element, and permuted.

    Args:
        group: A `MatrixGroup`, or an algebra.
        number: Number of vectors.

    Returns:
        A `MatrixGroup` on all their components, one vector after the other.

    Raises:
        TypeError: If `number` is not an integer.
        ValueError: If `number` is not positive.

    Example:
    ```python
    from keras_lconv.algebra import cyclic, wreath_product

    assert wreath_product(cyclic(4), 3).order == 4**3 * 6
    ```
    """
    group = as_group("group", group)
    number = positive_int("number", number)
    size = group.matrix_size
    each = group.dimension + len(group.elements) + 1
    require_room(f"number={number}", each * number, number * size)
    copies = direct_product(*[group] * number)
    swaps = [
        np.kron(np.eye(number)[[*range(i), i + 1, i, *range(i + 2, number)]], np.eye(size))
        for i in range(number - 1)
    ]
    elements = np.array([*copies.elements, *swaps])
    elements = elements.reshape(-1, number * size, number * size)
    name = None if group.name is None else f"{group.name} wr S({number})"
    return MatrixGroup(copies.algebra, elements, name=name)
