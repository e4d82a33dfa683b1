"""How a group acts on vectors: a matrix for each of its elements."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Self, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._validation import finite_array, matrices_if_any
from keras_lconv.algebra.group import GroupLike, MatrixGroup, as_group
from keras_lconv.algebra.invariants import PRECISION, asymmetry
from keras_lconv.algebra.permutations import images_of, matrices_of

# From a matrix of the group to the matrix `(n, n)` by which it acts. A permutation of
# components may be given as integers `(n,)`: the component that each one goes to.
Law: TypeAlias = Callable[[np.ndarray], np.ndarray]


class GroupAction:
    """The matrices of generators and further elements, which determine those of all
    elements.

    Elements that permute components are stored as `images`, the component that each one
    goes to, and their matrices are made on request.

    Args:
        group: A `MatrixGroup`, a `LieAlgebra`, or a basis of one.
        generators: Matrices `(k, n, n)` by which the basis of the algebra acts.
        elements: Matrices `(m, n, n)` by which the further elements act.
        law: A function from a matrix of the group to the matrix by which it acts.
        name: What to call it.
    """

    def __init__(
        self,
        group: GroupLike,
        generators: ArrayLike = (),
        elements: ArrayLike = (),
        *,
        law: Law | None = None,
        name: str | None = None,
    ):
        self.group = as_group("group", group)
        given = [
            matrices_if_any(label, part)
            for label, part in (("generators", generators), ("elements", elements))
        ]
        sizes = {part.shape[1] for part in given if part is not None}
        if len(sizes) != 1:
            raise ValueError(
                "`generators` and `elements` must be matrices of one size. "
                f"Received: sizes {sorted(sizes)}"
            )
        size = sizes.pop()
        empty = np.zeros((0, size, size))
        self.generators, self.elements = (empty if p is None else p for p in given)
        self.name = name
        self._law = law
        self._check()

    def _check(self) -> None:
        group = self.group
        for label, mine, its in (
            ("generators", self.generators, group.generators),
            ("elements", self.elements, group.elements),
        ):
            if len(mine) != len(its):
                raise ValueError(
                    f"`{label}` must hold a matrix for each of the {len(its)} {label} of "
                    f"{group!r}. Received: {len(mine)}"
                )
        if not len(self.generators):
            return
        constants = group.algebra.structure_constants
        products = self.generators[:, None] @ self.generators[None]
        brackets = products - products.swapaxes(0, 1)
        self._compare("brackets", brackets, np.tensordot(constants, self.generators, 1))
        for mine, its in zip(self.elements, group.elements, strict=True):
            moved = its @ group.generators @ np.linalg.inv(its)
            expected = np.tensordot(
                [group.algebra.coordinates(x) for x in moved], self.generators, 1
            )
            turned = mine @ self.generators @ np.linalg.inv(mine)
            self._compare("conjugations by `elements`", turned, expected)

    def _compare(self, what: str, found: np.ndarray, expected: np.ndarray) -> None:
        error = np.max(np.abs(found - expected))
        scale = max(np.max(np.abs(expected)), np.max(np.abs(self.generators)) ** 2)
        allowed = max(PRECISION, self.group.algebra.closure_error)
        if error > 10 * allowed * max(scale, 1e-300):
            raise ValueError(
                f"The {what} of a representation must be those of the group. Received: "
                f"matrices for {self.group!r} that differ by {error:.1e}"
            )

    # ------------------------------------------------------------------ what it is

    @property
    def size(self) -> int:
        """The number `n` of components."""
        return self.generators.shape[1]

    def __repr__(self) -> str:
        name = self.name or "given by matrices"
        return f"<{type(self).__name__} {name} of size {self.size}, of {self.group!r}>"

    @cached_property
    def is_orthogonal(self) -> bool:
        """Whether all elements act by orthogonal matrices."""
        if self.permutes_components:
            return True
        one = np.eye(self.size)
        turns = all(np.allclose(h @ h.T, one, atol=PRECISION) for h in self.elements)
        return turns and all(asymmetry(x, -1) <= PRECISION for x in self.generators)

    @property
    def permutes_components(self) -> bool:
        """Whether all elements permute the components, as pointwise functions allow."""
        return self.images is not None

    @cached_property
    def images(self) -> np.ndarray | None:
        """Where the further elements take each component, integers `(m, n)`.

        It is `None` if some element of the group does not permute components.
        """
        return None if np.any(self.generators) else images_of(self.elements)

    @cached_property
    def elements(self) -> np.ndarray:
        """Matrices `(m, n, n)` by which the further elements act."""
        return matrices_of(cast(np.ndarray, self.images))

    def at(self, element: ArrayLike) -> np.ndarray:
        """The matrix by which an element of the group acts.

        Args:
            element: A matrix of the group.

        Returns:
            Array `(n, n)`.

        Raises:
            ValueError: If the matrix has another shape than those of the group, or is not
                in it; or if the representation was given by matrices without a `law`, and
                the group is not finite, so that other elements are unknown. If a group has
                too many elements or components for `MatrixGroup.contains` to decide, a
                `law` accepts a matrix that shares the properties of all elements: permuting
                components, being orthogonal, mapping the algebra to itself.
        """
        matrix = finite_array("element", element)
        size = self.group.matrix_size
        if matrix.shape != (size, size):
            raise ValueError(
                f"`element` must have shape {(size, size)}, as those of {self.group!r}. "
                f"Received: shape {matrix.shape}"
            )
        if self.group.tells(matrix) is False:
            raise ValueError(f"`element` must be in {self.group!r}. Received: {matrix!r}")
        return self.image(matrix)

    def image(self, element: np.ndarray) -> np.ndarray:
        """As `at`, for a matrix that is known to be an element."""
        if self._law is not None:
            found = self._law(element)
            return matrices_of(found) if np.ndim(found) == 1 else found
        if not self.group.is_listed:
            raise ValueError(
                "The matrix at this `element` is not known. Received: a representation "
                "that is given by matrices of generators and further elements. Give it a "
                "`law`, which makes the matrix of any element"
            )
        distances = np.abs(self.group.all_elements() - element).max(axis=(1, 2))
        return self.all_elements()[int(np.argmin(distances))]

    def permutation(self, element: np.ndarray) -> np.ndarray:
        """The component that each one goes to, `(n,)`, for an element that permutes
        components.
        """
        found = self.image(element) if self._law is None else self._law(element)
        return found if np.ndim(found) == 1 else np.argmax(found, axis=0)

    def all_elements(self) -> np.ndarray:
        """Matrices of all elements of a finite group.

        Returns:
            Array `(order, n, n)`, in the order of those of the group.
        """
        return self.group.tree.products(self.elements)

    def random_elements(self, number: int, seed: int = 0) -> np.ndarray:
        """The matrices of random elements, the same elements as
        `group.random_elements(number, seed)`.

        Args:
            number: How many.
            seed: The seed of the random numbers.

        Returns:
            Array `(number, n, n)`.
        """
        walk = self.group.walk(number, seed)
        require_memory(
            f"`number={number}` matrices of {self!r}",
            3 * number * self.size**2,
            "Fewer will do, several times with another `seed`",
        )
        if self.images is not None:
            return matrices_of(walk.follow_permutations(self.images))
        return walk.follow(self.generators, self.elements)

    @classmethod
    def trusted(
        cls,
        group: MatrixGroup,
        generators: np.ndarray,
        elements: np.ndarray,
        law: Law | None,
        name: str | None,
    ) -> Self:
        """An action that needs no check, since it is one by construction."""
        self = cls.__new__(cls)
        self.group, self.name, self._law = group, name, law
        self.generators, self.elements = generators, elements
        return self

    @classmethod
    def permuting(
        cls, group: MatrixGroup, images: np.ndarray, law: Law, name: str | None
    ) -> Self:
        """An action by permutations, by construction, with the `images` of elements."""
        self = cls.__new__(cls)
        self.group, self.name, self._law = group, name, law
        size = images.shape[1]
        # One zero, broadcast, takes no memory.
        self.generators = np.broadcast_to(0.0, (group.dimension, size, size))
        self.images = images
        return self

    @classmethod
    def built(
        cls,
        parts: Sequence["GroupAction"],
        of_generators: Callable[..., np.ndarray],
        of_elements: Callable[..., np.ndarray],
        name: str,
        of_images: Callable[..., np.ndarray] | None = None,
    ) -> Self:
        """An action made from other actions of one group.

        Args:
            parts: The other actions.
            of_generators: Makes the matrices of generators from theirs.
            of_elements: Makes the matrices of elements from theirs.
            name: What to call it.
            of_images: Makes the images of components from theirs, if all parts permute
                components.
        """
        group = parts[0].group
        for part in parts[1:]:
            if not _are_same(group, part.group):
                raise ValueError(
                    "Representations must be of one group. Received: one of "
                    f"{group!r} and one of {part.group!r}"
                )
        if of_images is not None and all(part.permutes_components for part in parts):
            return cls.permuting(
                group,
                of_images(*(part.images for part in parts)),
                lambda g: of_images(*(part.permutation(g) for part in parts)),
                name,
            )
        return cls.trusted(
            group,
            of_generators(*(part.generators for part in parts)),
            of_elements(*(part.elements for part in parts)),
            lambda g: of_elements(*(part.image(g) for part in parts)),
            name,
        )


def require_room(size: int, parts: Sequence[GroupAction]) -> None:
    """Raises an error if an action of this size, made from others, does not fit into
    memory.
    """
    group = parts[0].group
    number = max(group.dimension + len(group.elements), 1)
    entries = size if all(part.permutes_components for part in parts) else size**2
    require_memory(
        f"A representation of size {size}, of {group!r},",
        3 * number * entries,
        "A lower power or fewer components need less",
    )


def _are_same(a: MatrixGroup, b: MatrixGroup) -> bool:
    return a is b or (
        np.array_equal(a.generators, b.generators)
        and np.array_equal(a.elements, b.elements)
    )
