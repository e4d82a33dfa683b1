"""The elements of a group of matrices, from those that generate it."""

import math
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._validation import count, finite_array, positive_int
from keras_lconv.algebra.all_permutations import AllPermutations, recognized
from keras_lconv.algebra.components import Components
from keras_lconv.algebra.enumeration import Tree, enumerated
from keras_lconv.algebra.forms import invariant_forms, positive_form
from keras_lconv.algebra.invariants import PRECISION, asymmetry, commute
from keras_lconv.algebra.lie_algebra import LieAlgebra
from keras_lconv.algebra.permutations import images_of, matrices_of
from keras_lconv.algebra.tolerance import ELEMENT_PRECISION, is_singular
from keras_lconv.algebra.walk import MOST_STEPS, AnyWalk, random_walk

# Finite groups are enumerated up to this order.
LARGEST_ORDER = 20_000
# Those of elements of a finite group are 1 or -1, up to errors.
DETERMINANTS = 1e-3


class GroupElements:
    """The group that a Lie algebra and further matrices generate: its elements listed,
    drawn, and recognised.

    Args:
        algebra: A `LieAlgebra`.
        elements: Invertible matrices `(m, n, n)`.
    """

    def __init__(self, algebra: LieAlgebra, elements: np.ndarray):
        self.algebra = algebra
        self.elements = elements
        self.elements.flags.writeable = False

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
    def is_abelian(self) -> bool:
        """Whether all elements commute."""
        matrices = np.concatenate([self.generators, self.elements])
        return commute(matrices, ELEMENT_PRECISION)

    @property
    def is_finite(self) -> bool:
        """Whether there are finitely many elements.

        This holds for permutations, and if at most 20,000 elements differ clearly. In a
        group that is only nearly finite, since `elements` have errors above 1e-7, products
        come near to each other; then the answer is `False`.
        """
        return self.images is not None or self.is_listed

    @cached_property
    def order(self) -> float:
        """The number of elements, infinite where there is an algebra.

        For all permutations of `n` things, or all even ones, it is known for any `n`.

        Raises:
            ValueError: If another group is discrete and has more than 20,000 elements.
        """
        if self.dimension:
            return math.inf
        if self.all_permutations is not None:
            return self.all_permutations.order
        return len(self.tree.letters)

    @cached_property
    def is_compact(self) -> bool:
        """Whether the group preserves some inner product: then it is in some `O(n)`.

        This concerns the matrices and their limits: a line that winds around a torus and is
        dense in it counts as compact, although only the torus is.
        """
        return self.inner_product() is not None

    def inner_product(self) -> np.ndarray | None:
        """A positive definite form `(n, n)` that the group preserves, or `None`.

        For orthogonal matrices it is the identity.
        """
        return positive_form(invariant_forms(self))

    # ------------------------------------------------------------- its elements

    @cached_property
    def images(self) -> np.ndarray | None:
        """Where `elements` take each component, `(m, n)`, if the group permutes these."""
        return None if self.dimension else images_of(self.elements)

    @cached_property
    def all_permutations(self) -> AllPermutations | None:
        """The group, if it is seen to hold all permutations or all even ones."""
        return None if self.images is None else recognized(self.images)

    @property
    def is_listed(self) -> bool:
        """Whether the elements are known one by one."""
        return self._enumerated is not None

    @cached_property
    def _enumerated(self) -> Tree | None:
        determinants = np.abs(np.linalg.det(self.elements))
        if self.dimension or np.any(np.abs(determinants - 1) > DETERMINANTS):
            return None
        if self.all_permutations and self.all_permutations.order > LARGEST_ORDER:
            return None
        return enumerated(self.elements, LARGEST_ORDER)

    @property
    def tree(self) -> Tree:
        """The elements of a finite group as products of `elements`, for representations."""
        if self._enumerated is None:
            reason = (
                ". `elements` with errors above 1e-7 may generate infinitely many: give "
                "more digits"
                if self.images is None
                else ", which has more"
            )
            raise ValueError(
                f"The elements can be listed of finite groups only, up to {LARGEST_ORDER} "
                f"elements, which differ clearly. Received: {self!r}{reason}"
            )
        return self._enumerated

    @property
    def words(self) -> np.ndarray:
        """The elements of a finite group as products of `elements`, `(order, length)`.

        The entries are numbers of `elements`; the number after the last stands for the
        identity.
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

        In finite groups up to 20,000 elements, and for all permutations or all even ones of
        any number of things, all elements are equally likely. In other large groups of
        permutations they are nearly so, by product replacement. In compact groups they
        follow Haar's measure, up to less than 1e-6 of a mean, by a random walk of 16 steps.
        In other groups they are `exp(X)`, for normally distributed `X`, times random
        products of `elements`, which need not be uniform even if the group is finite.

        Args:
            number: How many.
            seed: Of the random numbers, an integer that is not negative.

        Returns:
            Array `(number, n, n)`.

        Raises:
            TypeError: If an argument is not an integer.
            ValueError: If `number` is not positive or does not fit into memory, or `seed`
                is negative.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import O

        turns = O(3).random_elements(5)
        assert np.allclose(turns @ turns.swapaxes(1, 2), np.eye(3))
        ```
        """
        walk = self.walk(number, seed)
        if self.images is not None:
            return matrices_of(walk.follow_permutations(self.images))
        return walk.follow(self.generators, self.elements)

    def walk(self, number: int, seed: int = 0) -> AnyWalk:
        """Random elements as products, for representations to follow.

        Args:
            number: How many.
            seed: Of the random numbers.

        Returns:
            A `Walk`, whose `follow` makes matrices of any representation.
        """
        number, seed = positive_int("number", number), count("seed", seed)
        require_memory(
            f"`number={number}` random elements of {self!r}",
            number * (4 * self.matrix_size**2 + MOST_STEPS * (self.dimension + 1)),
            "Fewer will do, several times with another `seed`",
        )
        return random_walk(self, number, seed)

    def contains(self, matrix: ArrayLike) -> bool:
        """Whether a matrix is an element of the group.

        In a finite group the matrix is compared with all elements, and otherwise with each
        component. If the algebra contains the transposes of its matrices, such as those of
        `GL`, `SL`, `Sp`, `SO`, `O`, `SU` and `U`, the polar decomposition decides. In other
        compact groups a torus that commutes with the matrix decides. In the remaining
        groups, such as `E`, invariant vectors and forms exclude matrices, and a path to the
        identity is searched from several starts; if neither decides, an error is raised. In
        a line that is dense in a torus, elements beyond 1,000 turns are not recognised.

        Args:
            matrix: Array `(n, n)`.

        Returns:
            Whether it is an element.

        Raises:
            ValueError: If the matrix is of another size, or the answer is unknown: if there
                are too many elements or components, or if a path to the matrix is neither
                found nor excluded.

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
                f"It is not known whether `matrix` is in {self!r}: its elements or "
                "components are too many, or no path from the identity to `matrix` is "
                "found, and no reason that there is none. A matrix closer to the identity, "
                "as one of the factors of `matrix`, is easier to find"
            )
        return answer

    def tells(self, matrix: np.ndarray) -> bool | None:
        """Whether a matrix `(n, n)` is an element, or `None` if this is unknown."""
        if self.all_permutations is not None:
            moved = images_of(matrix, ELEMENT_PRECISION)
            return moved is not None and self.all_permutations.contains(moved)
        if self.is_listed:
            distances = np.abs(self.all_elements() - matrix).max(axis=(1, 2))
            return bool(distances.min() <= ELEMENT_PRECISION * max(1, np.abs(matrix).max()))
        answer = self._components.contains(matrix) if self.dimension else None
        return False if answer is None and self._excludes(matrix) else answer

    def _excludes(self, matrix: np.ndarray) -> bool:
        """Whether a matrix lacks what all elements of the group have in common.

        It is quick, for groups that are not listed: where it says no, a matrix may be none.
        """
        if is_singular(matrix):
            return True
        permute = self.images is not None
        turn = all(asymmetry(x, -1) <= PRECISION for x in self.generators)
        turn = turn and _is_orthogonal(self.elements)
        moved = matrix @ self.generators @ np.linalg.inv(matrix)
        return (
            (permute and images_of(matrix, ELEMENT_PRECISION) is None)
            or (turn and not _is_orthogonal(matrix))
            or (len(moved) > 0 and not self.algebra.contains(moved))
        )

    @cached_property
    def _components(self) -> Components:
        return Components(self.generators, self.elements)


def _is_orthogonal(matrices: np.ndarray) -> bool:
    """Whether a matrix, or all of several, are orthogonal."""
    defects = matrices.swapaxes(-1, -2) @ matrices - np.eye(matrices.shape[-1])
    return bool(np.abs(defects).max(initial=0.0) <= ELEMENT_PRECISION)
