"""Groups of matrices: a Lie algebra, and finitely many elements beside it."""

import math
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import (
    finite_array,
    matrices_if_any,
    positive_int,
    square_matrices,
)
from keras_lconv.algebra.components import Components
from keras_lconv.algebra.enumeration import Tree, enumerated
from keras_lconv.algebra.forms import positive_form
from keras_lconv.algebra.invariants import commute
from keras_lconv.algebra.lie_algebra import LieAlgebra
from keras_lconv.algebra.tolerance import ELEMENT_PRECISION
from keras_lconv.algebra.walk import Walk, random_walk

if TYPE_CHECKING:
    from keras_lconv.algebra.representation import Representation

# What a group may be given as.
GroupLike: TypeAlias = "MatrixGroup | LieAlgebra | ArrayLike"

# Finite groups are enumerated up to this order.
LARGEST_ORDER = 20_000
# Those of elements of a finite group are 1 or -1, up to errors.
DETERMINANTS = 1e-3


class MatrixGroup:
    """A group of real matrices: a Lie algebra and finitely many further elements.

    The elements of the group are products of `exp(X)`, for `X` in the algebra, and of the
    further elements. Either part may be missing: without an algebra the group is discrete,
    without elements it is connected. `O(n)` is so(n) and one reflection.

    A `LieAlgebra` may be given wherever a group is; `algebra` is the way back. Every
    condition on maps or forms that must not change under the group is linear, one for each
    matrix of the algebra and one for each element, and all are solved at once.

    Args:
        algebra: A `LieAlgebra`, or a basis `(k, n, n)`. By default the one of dimension 0.
        elements: Invertible matrices `(m, n, n)`, or a list of these. They generate the
            components of the group, or all of it where there is no algebra. They may have
            errors up to 1e-7, as in float32.
        name: What to call the group.

    Raises:
        TypeError: If an argument is no array of real numbers.
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
                    "A group needs an `algebra` or `elements`. That of one element has "
                    "the identity: elements=[np.eye(n)]"
                )
            algebra = np.zeros((0, *given.shape[1:]))
        if not isinstance(algebra, LieAlgebra):
            algebra = LieAlgebra(square_matrices("algebra", algebra))
        self.algebra = algebra
        size = self.algebra.matrix_size
        self.elements = np.zeros((0, size, size)) if given is None else given
        self.elements.flags.writeable = False
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
            if np.linalg.cond(element) > 1 / np.finfo("float64").eps:
                raise ValueError(
                    "`elements` must be invertible matrices. Received: the one with number "
                    f"{number} (from 0) is not"
                )
            moved = element @ self.algebra.basis @ np.linalg.inv(element)
            if len(moved) and not self.algebra.contains(moved):
                raise ValueError(
                    "Conjugation by `elements` must lead from the algebra to itself, or "
                    "they do not generate a group that has this algebra. Received: an "
                    f"element, number {number} (from 0), that leads out of {self.algebra!r}"
                )

    # --------------------------------------------------------------- what it is

    @property
    def dimension(self) -> int:
        """The dimension of the algebra."""
        return self.algebra.dimension

    @property
    def matrix_size(self) -> int:
        """The size `n` of the matrices."""
        return self.algebra.matrix_size

    @property
    def generators(self) -> np.ndarray:
        """The basis of the algebra, `(k, n, n)`."""
        return self.algebra.basis

    @property
    def standard(self) -> "Representation":
        """The representation on vectors of `n` numbers, by the matrices themselves."""
        from keras_lconv.algebra.constructors.representations import standard

        return standard(self)

    def trivial(self, size: int = 1) -> "Representation":
        """The representation on numbers that no element changes.

        Args:
            size: How many numbers.

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
            points: Array `(m, n)` of different points. Each element of the group takes
                each of them to one of them, as the corners of a solid.

        Returns:
            A `Representation` by permutations, of size `m`.

        Raises:
            TypeError: If `points` is no array of real numbers.
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

    def __repr__(self) -> str:
        parts = [f"{self.matrix_size}x{self.matrix_size} matrices"]
        if self.dimension:
            parts.insert(0, f"dimension {self.dimension}")
        name = self.name
        if name is None:
            parts.insert(0, f"{len(self.elements)} further elements")
            name = f"of {self.algebra.identify().name}" if self.dimension else "discrete"
        return f"<MatrixGroup {name}: {', '.join(parts)}>"

    @property
    def is_abelian(self) -> bool:
        """Whether all elements commute."""
        matrices = np.concatenate([self.generators, self.elements])
        return commute(matrices, ELEMENT_PRECISION)

    @property
    def is_finite(self) -> bool:
        """Whether there are at most 20,000 elements, and these differ clearly.

        Of a group that is nearly finite, since `elements` have errors above 1e-7, products
        come near to each other: where these are seen the answer is `False`.
        """
        return self._enumerated is not None

    @cached_property
    def order(self) -> float:
        """The number of elements, infinite where there is an algebra.

        Raises:
            ValueError: If the group is discrete and has more than 20,000 elements.
        """
        return math.inf if self.dimension else len(self.tree.letters)

    @cached_property
    def is_compact(self) -> bool:
        """Whether some inner product does not change: then the group is in some `O(n)`.

        It is a statement about these matrices: those of the torus that is dense in a larger
        one count as compact too.
        """
        return self.inner_product() is not None

    def inner_product(self) -> np.ndarray | None:
        """A positive definite form `(n, n)` that the group does not change, or `None`.

        For orthogonal matrices it is the identity.
        """
        from keras_lconv.algebra.forms import invariant_forms

        return positive_form(invariant_forms(self))

    # ------------------------------------------------------------- its elements

    @cached_property
    def _enumerated(self) -> Tree | None:
        determinants = np.abs(np.linalg.det(self.elements))
        if self.dimension or np.any(np.abs(determinants - 1) > DETERMINANTS):
            return None
        return enumerated(self.elements, LARGEST_ORDER)

    @property
    def tree(self) -> Tree:
        """The elements of a finite group as products of `elements`, for representations."""
        if self._enumerated is None:
            raise ValueError(
                f"The elements can be listed of finite groups only, up to {LARGEST_ORDER} "
                f"elements, which differ clearly. Received: {self!r}. `elements` with "
                "errors above 1e-7 may generate infinitely many: give more digits"
            )
        return self._enumerated

    @property
    def words(self) -> np.ndarray:
        """The elements of a finite group as products of `elements`, `(order, length)`.

        They are numbers of `elements`, and the one after the last for the identity.
        """
        return self.tree.words(np.arange(len(self.tree.letters)))

    @cached_property
    def _list(self) -> np.ndarray:
        return self.tree.products(self.elements)

    def all_elements(self) -> np.ndarray:
        """All elements of a finite group.

        Returns:
            Array `(order, n, n)`, the identity first.

        Raises:
            ValueError: If the group has an algebra, or more than 20,000 elements.

        Example:
        ```python
        from keras_lconv.algebra import symmetric

        assert symmetric(4).all_elements().shape == (24, 4, 4)
        ```
        """
        return self._list

    def random_elements(self, number: int, seed: int = 0) -> np.ndarray:
        """Random elements.

        Of finite groups each is as likely as the others. Of compact groups they follow
        Haar's measure, up to what a random walk of 16 steps remembers, less than 1e-6 of a
        mean. Of others they are `exp(X)`, for normally distributed `X`, times random
        products of `elements`.

        Args:
            number: How many.
            seed: Of the random numbers.

        Returns:
            Array `(number, n, n)`.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import O

        turns = O(3).random_elements(5)
        assert np.allclose(turns @ turns.swapaxes(1, 2), np.eye(3))
        ```
        """
        return self.walk(number, seed).follow(self.generators, self.elements)

    def walk(self, number: int, seed: int = 0) -> Walk:
        """Random elements as products, for representations to follow.

        Args:
            number: How many.
            seed: Of the random numbers.

        Returns:
            A `Walk`, whose `follow` makes matrices of any representation.
        """
        return random_walk(self, positive_int("number", number), seed)

    def contains(self, matrix: ArrayLike) -> bool:
        """Whether a matrix is an element of the group.

        The elements of a finite group are listed. Of others the matrix is moved towards the
        identity by elements of each component in turn, from several starts. An answer
        `True` is certain, up to rounding. Of a group that is dense in a larger one, as a
        line that winds around a torus, elements far along are not seen to be some.

        Args:
            matrix: Array `(n, n)`.

        Returns:
            Whether it is an element.

        Raises:
            ValueError: If the matrix is of another size, or the components of the group are
                too many to be listed.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import O, SO

        reflection = np.diag([1.0, 1.0, -1.0])
        assert O(3).contains(reflection)
        assert not SO(3).contains(reflection)
        ```
        """
        matrix = finite_array("matrix", matrix)
        if matrix.shape != (self.matrix_size, self.matrix_size):
            raise ValueError(
                f"`matrix` must be a {self.matrix_size}x{self.matrix_size} matrix. "
                f"Received: shape {matrix.shape}"
            )
        answer = self.tells(matrix)
        if answer is None:
            raise ValueError(
                f"Elements of {self!r} are too many, or its components are, to tell "
                "whether `matrix` is one"
            )
        return answer

    def tells(self, matrix: np.ndarray) -> bool | None:
        """Whether a matrix `(n, n)` is an element, or `None` where this is not known."""
        if self.dimension:
            return self._components.contains(matrix)
        if not self.is_finite:
            return None
        distances = np.abs(self.all_elements() - matrix).max(axis=(1, 2))
        return bool(distances.min() <= ELEMENT_PRECISION * max(1, np.abs(matrix).max()))

    @cached_property
    def _components(self) -> Components:
        return Components(self.generators, self.elements)


def as_group(name: str, value: GroupLike) -> MatrixGroup:
    """The group that is given as one, as an algebra, or as a basis of one."""
    if isinstance(value, MatrixGroup):
        return value
    if isinstance(value, LieAlgebra):
        return MatrixGroup(value)
    return MatrixGroup(square_matrices(name, value))
