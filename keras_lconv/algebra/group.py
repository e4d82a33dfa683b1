"""Groups of matrices: a Lie algebra and finitely many further elements."""

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import matrices_if_any, square_matrices
from keras_lconv.algebra.elements import GroupElements
from keras_lconv.algebra.lie_algebra import LieAlgebra
from keras_lconv.algebra.tolerance import is_singular

if TYPE_CHECKING:
    from keras_lconv.algebra.representation import Representation

# The types by which a group may be given.
GroupLike: TypeAlias = "MatrixGroup | LieAlgebra | ArrayLike"


class MatrixGroup(GroupElements):
    """A group of real matrices: a Lie algebra and finitely many further elements.

    The elements of the group are products of `exp(X)`, for `X` in the algebra, and of the
    further elements. Either part may be missing: without an algebra the group is discrete,
    without elements it is connected. `O(n)` is so(n) and one reflection.

    Functions that take a group also accept a `LieAlgebra`; `algebra` is the algebra of a
    group. Conditions of invariance on maps or forms are linear, one for each matrix of the
    algebra and one for each element, and are solved together.

    Args:
        algebra: A `LieAlgebra`, or a basis `(k, n, n)`. By default the one of dimension 0.
        elements: Invertible matrices `(m, n, n)`, or a list of these. They generate the
            components of the group, or all of it if there is no algebra. They may have
            errors up to 1e-7, such as those of float32.
        name: The name of the group.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If there is neither an algebra nor an element, sizes differ, an element
            is not invertible, or conjugation by one leads out of the algebra.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import MatrixGroup, intertwiners, so

    rotations = MatrixGroup(so(3))
    both = MatrixGroup(so(3), [-np.eye(3)], name="O(3)")
    # The cross product of two vectors is a vector of rotations, but not of reflections.
    for group, number in ((rotations, 1), (both, 0)):
        vector = group.standard
        assert len(intertwiners(vector * vector, vector)) == number
    ```

    Reference:
        M. Finzi, M. Welling, A. G. Wilson, "A practical method for constructing equivariant
        multilayer perceptrons for arbitrary matrix groups", ICML 2021.
    """

    def __init__(
        self,
        algebra: LieAlgebra | ArrayLike | None = None,
        elements: ArrayLike = (),
        *,
        name: str | None = None,
    ):
        given = matrices_if_any("elements", elements)
        if algebra is None:
            if given is None:
                raise ValueError(
                    "A group needs an `algebra` or `elements`. Received: neither. For the "
                    "group of one element give the identity, elements=[np.eye(n)]"
                )
            algebra = np.zeros((0, *given.shape[1:]))
        if not isinstance(algebra, LieAlgebra):
            algebra = LieAlgebra(square_matrices("algebra", algebra))
        size = algebra.matrix_size
        if given is None:
            # Without an algebra the connected part is the identity.
            given = np.tile(np.eye(size), (0 if algebra.dimension else 1, 1, 1))
        super().__init__(algebra, given)
        self.name = name
        self._check()

    def _check(self) -> None:
        size = self.algebra.matrix_size
        if self.elements.shape[1:] != (size, size):
            raise ValueError(
                f"`elements` must be {size}x{size} matrices, as those of the algebra. "
                f"Received: shape {self.elements.shape}"
            )
        for number, element in enumerate(self.elements):
            if is_singular(element):
                raise ValueError(
                    "`elements` must be invertible matrices. Received: element number "
                    f"{number} (from 0), which is not invertible"
                )
            moved = element @ self.algebra.basis @ np.linalg.inv(element)
            if len(moved) and not self.algebra.contains(moved):
                raise ValueError(
                    "Conjugation by `elements` must map the algebra to itself. Otherwise "
                    "they generate a group with a larger algebra. Received: an element, "
                    f"number {number} (from 0), that leads out of {self.algebra!r}"
                )

    def __repr__(self) -> str:
        parts = [f"{self.matrix_size}x{self.matrix_size} matrices"]
        if self.dimension:
            parts.insert(0, f"dimension {self.dimension}")
        name = self.name
        if name is None:
            parts.insert(0, f"{len(self.elements)} further elements")
            name = f"of {self.algebra.identify().name}" if self.dimension else "discrete"
        return f"<MatrixGroup {name}: {', '.join(parts)}>"

    # ---------------------------------------------------------- representations

    @property
    def standard(self) -> "Representation":
        """The representation on vectors of `n` numbers, by the matrices themselves."""
        from keras_lconv.algebra.constructors.representations import standard

        return standard(self)

    def trivial(self, size: int = 1) -> "Representation":
        """The trivial representation, on numbers that no element changes.

        Args:
            size: How many numbers there are.

        Returns:
            A `Representation`.
        """
        from keras_lconv.algebra.constructors.representations import trivial_of

        return trivial_of(self, size)

    def sign(self) -> "Representation":
        """The representation on one number, with the sign of the determinant.

        Returns:
            A `Representation` of size 1.
        """
        from keras_lconv.algebra.constructors.representations import sign_of

        return sign_of(self)

    def regular(self) -> "Representation":
        """The representation of a finite group on the functions of its elements.

        Returns:
            A `Representation` by permutations, of the size of the order.

        Raises:
            ValueError: If the group is not finite.

        Example:
        ```python
        from keras_lconv.algebra import dihedral

        parts = dihedral(3).regular().irreducible_parts()
        assert [part.multiplicity for part in parts] == [1, 1, 2]  # as often as their size
        ```
        """
        from keras_lconv.algebra.constructors.representations import regular_of

        return regular_of(self)

    def permutation(self, points: ArrayLike) -> "Representation":
        """The representation on numbers at points that the group permutes.

        Args:
            points: Array `(m, n)` of different points. The group permutes them, such as the
                corners of a solid.

        Returns:
            A `Representation` by permutations, of size `m`.

        Raises:
            TypeError: If `points` is not an array of real numbers.
            ValueError: If the points have another dimension, two are the same, or the group
                moves them elsewhere.

        Example:
        ```python
        from itertools import product

        from keras_lconv.algebra import polyhedral

        corners = list(product([-1, 1], repeat=3))
        parts = polyhedral("cube").permutation(corners).irreducible_parts()
        assert [part.representation.size for part in parts] == [1, 1, 3, 3]
        ```
        """
        from keras_lconv.algebra.constructors.representations import permutation_of

        return permutation_of(self, points)

    def harmonics(self, degree: int) -> "Representation":
        """The representation on functions on the sphere, up to a degree.

        The functions are harmonic polynomials of positions. On the circle they are the
        waves up to a frequency, `2 degree + 1` of them; on the sphere spherical
        harmonics, `(degree + 1)^2` of them. Coordinates are those in an orthonormal basis,
        by growing degree.

        Args:
            degree: The largest degree, up to 100.

        Returns:
            A `Representation`.

        Raises:
            ValueError: If the matrices of the group are not orthogonal, or the degree is
                negative or above 100.

        Example:
        ```python
        from keras_lconv.algebra import O, SO

        assert SO(2).harmonics(3).size == 7
        assert O(3).harmonics(2).size == 9
        ```
        """
        from keras_lconv.algebra.constructors.representations import harmonics_of

        return harmonics_of(self, degree)


def as_group(name: str, value: GroupLike) -> MatrixGroup:
    """The group, given as a group, an algebra, or a basis of an algebra."""
    if isinstance(value, MatrixGroup):
        return value
    if isinstance(value, LieAlgebra):
        return MatrixGroup(value)
    return MatrixGroup(square_matrices(name, value))
