"""Representations of groups, which can be added, multiplied and raised to powers."""

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import count, finite_array, positive_int
from keras_lconv.algebra import permutations, powers
from keras_lconv.algebra.action import GroupAction, require_room
from keras_lconv.algebra.group import GroupLike, as_group
from keras_lconv.algebra.invariants import PRECISION
from keras_lconv.algebra.products import (
    block_diagonal,
    copies_of,
    kronecker,
    kronecker_sum,
)

if TYPE_CHECKING:
    from keras_lconv.algebra.irreducible import IrreduciblePart


class Representation(GroupAction):
    """An action of a group on vectors of `n` numbers: a matrix for each of its elements.

    It is given by the matrices of the generators and of the further elements of the group,
    or by integers if these permute components. Representations have an arithmetic: `V + W`,
    or `sum([V, W])`, acts on pairs of vectors, `3 * V` on three, `V * W` on the entries of
    `x y^T`, `V ** 2` on matrices, `V.dual` on linear functions, and `V.pseudo` like `V`,
    with a sign that reflections change.

    Args:
        group: A `MatrixGroup`, a `LieAlgebra`, or a basis of one.
        generators: Matrices `(k, n, n)` by which the basis of the algebra acts.
        elements: Matrices `(m, n, n)` by which the further elements act.
        law: The matrix of any element, given as a matrix of the group. Without it elements
            of finite groups are looked up as products of the generating ones.
        name: What to call it.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If there is not one matrix for each generator and element, if matrices
            do not have the brackets of the algebra, or elements do not turn them as they
            turn the algebra.

    Example:
    ```python
    from keras_lconv.algebra import O, intertwiners

    V = O(3).standard
    assert (V + V.pseudo + V**2).size == 15
    # A rank-2 tensor holds a number, a pseudovector and a traceless symmetric tensor.
    sizes = [part.representation.size for part in (V**2).irreducible_parts()]
    assert sizes == [1, 3, 5]
    assert len(intertwiners(V * V, V.pseudo)) == 1  # the cross product
    ```
    """

    # ------------------------------------------------------------------ arithmetic

    @property
    def dual(self) -> "Representation":
        """The representation on linear functions `u x`: `-L^T`, and `h^-T`."""
        return Representation.built(
            (self,),
            lambda x: -x.swapaxes(-1, -2),
            lambda h: np.linalg.inv(h).swapaxes(-1, -2),
            f"{factor(self)}.dual",
            lambda images: images,
        )

    @property
    def pseudo(self) -> "Representation":
        """The representation times the sign of the determinant of the matrix of
        the group.
        """
        return self * self.group.sign()

    def __add__(self, other: "Representation") -> "Representation":
        if not isinstance(other, Representation):
            return NotImplemented
        name = f"{self.name or 'W'} + {other.name or 'W'}"
        pair = self, other
        return Representation.built(
            pair, block_diagonal, block_diagonal, name, permutations.of_sum
        )

    def __radd__(self, other: int) -> "Representation":
        # Python's `sum` starts with 0.
        return self if type(other) is int and other == 0 else NotImplemented

    def __mul__(self, other: "Representation | int") -> "Representation":
        if isinstance(other, int):
            return other * self
        if not isinstance(other, Representation):
            return NotImplemented
        pair = self, other
        require_room(self.size * other.size, pair)
        name = f"{factor(self)} * {factor(other)}"
        return Representation.built(
            pair, kronecker_sum, kronecker, name, permutations.of_product
        )

    def __rmul__(self, other: int) -> "Representation":
        if not isinstance(other, int):
            return NotImplemented
        copied = copies_of(positive_int("number", other))
        require_room(self.size * other, (self,))
        name = f"{other} * {factor(self)}"

        def of_images(images: np.ndarray) -> np.ndarray:
            return permutations.of_product(np.arange(other), images)

        return Representation.built((self,), copied, copied, name, of_images)

    def __pow__(self, power: int) -> "Representation":
        power = count("power", power, most=powers.MOST_DEGREE)
        require_room(self.size**power, [self])
        result = self.group.trivial()
        for number in range(power):
            result = result * self if number else self
        result = copy(result)
        result.name = f"{factor(self)} ** {power}"
        return result

    def symmetric_power(self, degree: int) -> "Representation":
        """The representation on homogeneous polynomials, `Sym^p`.

        The coordinates are those of `x^(x) p` in an orthonormal basis of symmetric tensors:
        monomials times the root of the multinomial coefficient. So an orthogonal
        representation has orthogonal powers.

        Args:
            degree: The degree `p`.

        Returns:
            A `Representation` of size `(n + p - 1)! / (p! (n - 1)!)`.

        Example:
        ```python
        from keras_lconv.algebra import SO

        assert SO(3).standard.symmetric_power(2).size == 6
        ```
        """
        degree = powers.checked_degree(self.size, degree)
        return self._power(degree, powers.symmetric_step, "symmetric_power")

    def alternating_power(self, degree: int) -> "Representation":
        """The representation on antisymmetric tensors.

        Args:
            degree: The order `p` of the tensors, at most `n`.

        Returns:
            A `Representation` of size `n! / (p! (n - p)!)`.

        Example:
        ```python
        from keras_lconv.algebra import SO

        assert SO(4).standard.alternating_power(2).size == 6
        ```
        """
        if count("degree", degree) > self.size:
            raise ValueError(
                f"`degree` must be at most the size {self.size}. Received: degree={degree}"
            )
        return self._power(degree, powers.alternating_step, "alternating_power")

    def harmonic_power(self, degree: int) -> "Representation":
        """The representation on harmonic polynomials: the traceless part of `Sym^p`.

        For the vectors of `O(n)` it is irreducible: `n = 2` has angular order `p`, `n = 3`
        angular momentum `p`.

        Args:
            degree: The degree `p`.

        Returns:
            A `Representation`.

        Raises:
            ValueError: If the representation is not orthogonal: the trace is not invariant.

        Example:
        ```python
        from keras_lconv.algebra import SO

        assert [SO(3).standard.harmonic_power(l).size for l in range(4)] == [1, 3, 5, 7]
        ```
        """
        if not self.is_orthogonal:
            raise ValueError(
                "Harmonic polynomials are invariant under orthogonal matrices only. "
                f"Received: {self!r}"
            )
        whole = self.symmetric_power(degree)
        part = powers.harmonic_part(self.size, degree)
        return whole.on(part, f"{factor(self)}.harmonic_power({degree})")

    def _power(
        self, degree: int, step: Callable[[int, int], powers.Step], name: str
    ) -> "Representation":
        """A part of `V (x) V (x) ...`, built by isometries from each power into
        the next.
        """
        degree = count("degree", degree)
        steps = [step(self.size, p) for p in range(1, degree + 1)]

        def of_generator(x: np.ndarray) -> np.ndarray:
            # By symmetry all factors contribute as the first one does.
            if not steps:
                return np.zeros((*x.shape[:-2], 1, 1))
            return degree * steps[-1].of_first_factor(x)

        def of_element(h: np.ndarray) -> np.ndarray:
            result = np.ones((*h.shape[:-2], 1, 1))
            for part in steps:
                result = part.of_element(h, result)
            return result

        name = f"{factor(self)}.{name}({degree})"
        return Representation.built((self,), of_generator, of_element, name)

    # ----------------------------------------------------------------- subspaces

    def on(self, basis: ArrayLike, name: str | None = None) -> "Representation":
        """The representation on an invariant subspace.

        Args:
            basis: Independent columns `(n, p)`, which span it.
            name: What to call it.

        Returns:
            A `Representation` of size `p`, of coordinates in these columns.

        Raises:
            ValueError: If the subspace is not invariant.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import symmetric

        # Numbers that are permuted, and whose sum is zero.
        zero_sum = np.linalg.svd(np.ones((1, 3)))[2][1:].T
        assert symmetric(3).standard.on(zero_sum).size == 2
        ```
        """
        columns = finite_array("basis", basis)
        fits = columns.ndim == 2 and len(columns) == self.size
        if not fits or np.linalg.matrix_rank(columns) < columns.shape[1]:
            raise ValueError(
                f"`basis` must hold independent columns of {self.size} numbers each, "
                f"`({self.size}, m)`. Received: an array of shape {columns.shape}"
            )
        inverse = np.linalg.pinv(columns)
        for matrices in (self.generators, self.elements):
            outside = matrices @ columns - columns @ (inverse @ matrices @ columns)
            scale = np.max(np.abs(matrices), initial=1) * np.max(np.abs(columns))
            if np.max(np.abs(outside), initial=0) > PRECISION * scale:
                raise ValueError(
                    f"`basis` must span an invariant subspace of {self!r}. Received: "
                    f"{columns.shape[1]} columns, whose span its matrices do not preserve"
                )

        def restricted(matrix: np.ndarray) -> np.ndarray:
            return inverse @ matrix @ columns

        name = name or f"part of {factor(self)}"
        return Representation.built((self,), restricted, restricted, name)

    def irreducible_parts(self) -> "tuple[IrreduciblePart, ...]":
        """The representation as a sum of irreducible ones.

        The maps that commute with the group are an algebra, of which a symmetric element in
        general position has the irreducible parts as eigenspaces. That needs a group with
        the transpose of every matrix among its maps' span: compact groups, in an invariant
        inner product, and groups such as so(p, q), sl(n) or gl(n) in their usual matrices.

        Returns:
            An `IrreduciblePart` for each kind of parts, by growing size.

        Raises:
            ValueError: If the representation is not a sum of irreducible ones, or this
                is not known, because commuting maps are not closed under transposition.

        Example:
        ```python
        from keras_lconv.algebra import SO

        V = SO(3).standard
        parts = (V**3).irreducible_parts()
        assert [part.representation.size for part in parts] == [1, 3, 5, 7]
        assert [part.multiplicity for part in parts] == [1, 3, 2, 1]
        ```

        Reference:
            J. D. Dixon, "Computing irreducible representations of groups", Math. Comp. 24
            (1970), for the idea.
        """
        from keras_lconv.algebra.irreducible import irreducible_parts

        return irreducible_parts(self)

    # ------------------------------------------------------------- other groups

    def restrict(self, subgroup: GroupLike) -> "Representation":
        """The same representation, of a subgroup.

        Args:
            subgroup: A `MatrixGroup` of elements of the group.

        Returns:
            A `Representation` of the subgroup.

        Raises:
            ValueError: If the algebra of the subgroup is not in that of the group, one of
                its elements is not in the group, or the representation is not known there.

        Example:
        ```python
        from keras_lconv.algebra import O, SO, intertwiners

        V = O(3).standard
        turns = (V * V).restrict(SO(3))
        assert len(intertwiners(turns, V.restrict(SO(3)))) == 1
        ```
        """
        small = as_group("subgroup", subgroup)
        algebra = self.group.algebra
        if small.matrix_size != self.group.matrix_size or not (
            not small.dimension or algebra.contains(small.generators)
        ):
            raise ValueError(
                f"`subgroup` must be a subgroup of {self.group!r}. Received: {small!r}, "
                "whose algebra is not contained in that of the group"
            )
        for element in small.elements:
            if self.group.tells(element) is False:
                raise ValueError(
                    f"`subgroup` must be a subgroup of {self.group!r}. Received: "
                    f"{small!r}, with an element that is not in the group:\n{element}"
                )
        if self.permutes_components:
            moved = [self.permutation(h) for h in small.elements]
            images = np.array(moved, int).reshape(-1, self.size)
            return Representation.permuting(small, images, self.permutation, self.name)
        coordinates = np.array([algebra.coordinates(x) for x in small.generators])
        coordinates = coordinates.reshape(small.dimension, algebra.dimension)
        return Representation.trusted(
            small,
            np.tensordot(coordinates, self.generators, 1),
            np.array([self.image(h) for h in small.elements]).reshape(
                -1, self.size, self.size
            ),
            self.image,
            self.name,
        )


def factor(representation: Representation) -> str:
    """The name as a factor, in brackets if it needs them."""
    name = representation.name or "W"
    return f"({name})" if " " in name else name
