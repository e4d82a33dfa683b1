"""A Lie algebra of matrices."""

from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import fraction
from keras_lconv.algebra.closure import nearest_closed_frame
from keras_lconv.algebra.compare import principal_angles
from keras_lconv.algebra.construction import faithful_matrices, generated_matrices
from keras_lconv.algebra.forms import casimir_form, casimir_matrix, trace_form
from keras_lconv.algebra.naming.identification import (
    Identification,
    clearest,
    identify,
)
from keras_lconv.algebra.naming.large import identify_large
from keras_lconv.algebra.structured_span import StructuredSpan
from keras_lconv.algebra.tolerance import plausible_tolerances

# Up to this dimension an algebra is named by its structure, within a second or two.
LARGEST_TO_NAME = 40

# The largest angle in radians. A span further away is a different algebra.
LARGEST_ANGLE = 0.5


class LieAlgebra(StructuredSpan):
    """A real Lie algebra, spanned by square matrices.

    Everything is computed in float64 with NumPy and SciPy. Invariants do not depend on the
    basis: computations run in an orthonormal frame of the span (in the Frobenius inner
    product), and answers in the given basis are converted.

    The span of matrices from data, or with rounding errors, is closed under brackets only
    approximately. Brackets are then projected onto the span, and `tolerance` defines what
    counts as zero.

    Args:
        basis: Array `(k, n, n)` of linearly independent real matrices. For complex
            matrices see `realify`. An array of shape `(0, n, n)` is the algebra of
            dimension 0.
        tolerance: Numbers up to this size count as zero, if numbers of order 1 are
            expected: structure constants in units of the largest ones possible for matrices
            of this size, and forms and angles made from them. By default, for an exact
            basis, the root of its rounding errors. Otherwise the value between
            `closure_error` and 0.3 that separates zeros and other numbers best.

    Raises:
        TypeError: If `basis` is not an array of real numbers.
        ValueError: If `basis` is empty, not finite, not square or linearly dependent, or
            if `tolerance` is not between 0 and 1.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import LieAlgebra, so

    rng = np.random.default_rng(0)
    mixed = np.tensordot(rng.normal(size=(3, 3)), so(3).basis, 1)
    algebra = LieAlgebra(mixed)
    assert algebra.identify().name == "so(3)"
    assert algebra.is_simple
    assert algebra.rank == 1
    ```

    Reference:
        W. A. de Graaf, "Lie Algebras: Theory and Algorithms" (2000), for radical, Levi
        factor, Cartan subalgebra and direct sum decomposition.
    """

    def __repr__(self) -> str:
        named = self.dimension <= LARGEST_TO_NAME
        name = f"{self.identify().name}: " if named else ""
        size = f"{self.matrix_size}x{self.matrix_size} matrices"
        return f"<LieAlgebra {name}dimension {self.dimension}, {size}>"

    # ---------------------------------------------------------- construction

    @classmethod
    def from_structure_constants(
        cls, constants: ArrayLike, tolerance: float | None = None
    ) -> Self:
        """The algebra with given brackets of a basis, as matrices.

        Without a center these are the matrices of the adjoint representation. With one they
        have one more row and column, for a derivation that is injective on the center.

        Args:
            constants: Array `(k, k, k)` with `[e_i, e_j] = sum_k constants[i, j, k] e_k`.
            tolerance: As for the class.

        Returns:
            A `LieAlgebra` with these `structure_constants`. `basis[i]` stands for `e_i`.

        Raises:
            ValueError: If the numbers are not antisymmetric or violate Jacobi's identity,
                or if no derivation is injective on the center, as for some nilpotent
                algebras of dimension 7 and more.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import LieAlgebra

        c = np.zeros((3, 3, 3))
        c[0, 1, 2], c[1, 0, 2] = 1, -1  # [e_0, e_1] = e_2
        algebra = LieAlgebra.from_structure_constants(c)
        assert algebra.identify().name == "heisenberg(3)"
        assert np.allclose(algebra.structure_constants, c)
        ```
        """
        return cls(faithful_matrices(constants), tolerance)

    @classmethod
    def generated_by(
        cls,
        matrices: ArrayLike,
        tolerance: float | None = None,
        *,
        max_dimension: int | None = None,
    ) -> Self:
        """The smallest algebra that contains some matrices: brackets of brackets of them.

        Args:
            matrices: Array `(m, n, n)` of exact matrices. With errors they generate all
                matrices; for these there is `nearest_closed`.
            tolerance: As for the class.
            max_dimension: More than this is an error. By default there is no bound.

        Returns:
            A `LieAlgebra`, with the given matrices first in its basis, without those that
            depend on others before them.

        Raises:
            ValueError: If all matrices are zero, or the dimension exceeds `max_dimension`.

        Example:
        ```python
        from keras_lconv.algebra import LieAlgebra, so

        assert LieAlgebra.generated_by(so(3).basis[:2]).dimension == 3
        ```
        """
        return cls(generated_matrices(matrices, max_dimension), tolerance)

    # -------------------------------------------------------------- brackets

    def bracket(self, x: ArrayLike, y: ArrayLike) -> np.ndarray:
        """The commutator `[x, y] = x y - y x`.

        Args:
            x: Matrix `(n, n)`.
            y: Matrix `(n, n)`.

        Returns:
            Matrix `(n, n)`.

        Raises:
            ValueError: If a matrix has a different size.
        """
        x, y = self._matrix("x", x), self._matrix("y", y)
        return x @ y - y @ x

    @property
    def tolerance(self) -> float:
        """The threshold for zero: the given one, or the default for this basis."""
        if self._given_tolerance is not None:
            return self._given_tolerance
        values = self._tolerances()
        return float(values[0]) if len(values) == 1 else self._identification.tolerance

    def adjoint(self, x: ArrayLike | None = None) -> np.ndarray:
        """The adjoint representation: the matrix of `y -> [x, y]` in the basis.

        Args:
            x: A matrix of the algebra, `(n, n)`. By default each of the basis.

        Returns:
            Matrix `(k, k)`, or `(k, k, k)` for the whole basis.

        Raises:
            ValueError: If `x` has a different size, or is not in the algebra.
        """
        matrices = np.swapaxes(self.structure_constants, 1, 2)
        if x is None:
            return matrices
        if not self.contains(self._matrix("x", x)):
            raise ValueError(
                "`x` must lie in the algebra. Received: a matrix at a relative distance "
                f"of more than {self._precision:.1e} from it"
            )
        return np.tensordot(self.coordinates(x), matrices, 1)

    # ----------------------------------------------------------------- forms

    @property
    def killing_form(self) -> np.ndarray:
        """`tr(ad(L_i) ad(L_j))`, of shape `(k, k)`."""
        return trace_form(self.structure_constants)

    @property
    def killing_signature(self) -> tuple[int, int, int]:
        """The numbers of positive, negative and zero eigenvalues of the Killing form."""
        return self._structure.killing_signature

    @property
    def trace_form(self) -> np.ndarray:
        """`tr(L_i L_j)`, of shape `(k, k)`."""
        return trace_form(self._basis)

    @property
    def casimir(self) -> np.ndarray:
        """The quadratic Casimir operator, a matrix `(n, n)` that commutes with every `L_i`.

        `C = sum_ij (T^-1)_ij L_i L_j` with `T_ij = tr(L_i L_j)`. Its trace is `k`. For
        so(n) it is positive, for others it may have eigenvalues of both signs.

        If `T` is degenerate, another invariant form replaces `-T^-1`: the one nearest to
        the identity in an orthonormal frame of the span, among the positive semidefinite
        ones if there are any. For se(n) the result is `-sum_a P_a^2` of the translations.
        In both cases it does not depend on the basis.

        Raises:
            ValueError: If no form is invariant, for example for aff(n), which has no
                quadratic Casimir operator.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import so

        assert np.allclose(so(3, 1).casimir, 1.5 * np.eye(4))
        ```
        """
        form = casimir_form(self._frame, 1.0, self.tolerance)
        return casimir_matrix(self._frame, form)

    def identify(self, tolerance: float | None = None) -> Identification:
        """A name for the algebra, from its invariants.

        The algebra is split into ideals that are not direct sums, and each is named: simple
        algebras by dimension, rank and signature of the Killing form; solvable ones of
        dimension 3 by Bianchi's type; `se`, `sim`, `aff`, `heisenberg` and relatives by the
        action on their radical. If the invariants do not decide, the name states what is
        known, and `is_unique` is `False`.

        Beyond dimension 40 the structure takes too long. Then `gl`, `sl`, `so(p,q)` and
        `sp` are recognised, with or without dilations: all matrices of a size, those
        without trace, and all that keep a form. Other algebras are described.

        Args:
            tolerance: Numbers up to this size, where 1 is expected, count as zero. By
                default the `tolerance` of the algebra.

        Returns:
            An `Identification`. Its `str` is for reading, its `name` for programs.

        Example:
        ```python
        from keras_lconv.algebra import se, so, sl

        assert str(se(2).identify()) == "se(2) (isomorphic to Bianchi VII_0)"
        assert so(2, 1).identify().name == sl(2).identify().name == "sl(2,R)"
        assert so(3).direct_sum(so(2, 1)).identify().name == "so(3) + sl(2,R)"
        ```
        """
        if tolerance is not None:
            return self._identify_at(fraction("tolerance", tolerance))
        return self._identification

    def _identify_at(self, tolerance: float) -> Identification:
        if self.dimension > LARGEST_TO_NAME:
            return identify_large(self._basis, self.closure_error, tolerance)
        structure = self._new_structure(tolerance)
        return identify(structure, self._even.closure_error)

    @cached_property
    def _identification(self) -> Identification:
        """The identification at the given tolerance, or at the best one."""
        if self._given_tolerance is not None:
            return self._identify_at(self._given_tolerance)
        return clearest(self._identify_at, self._tolerances())

    def _tolerances(self) -> np.ndarray:
        """Candidates between the noise and 1. The clearest one is taken."""
        if self.dimension > LARGEST_TO_NAME:
            return np.array([self._precision])
        return plausible_tolerances(max(self._even.closure_error, self._epsilon))

    # ------------------------------------------------------------ new algebras

    def nearest_closed(self) -> "LieAlgebra":
        """A span nearby that is closed under brackets to rounding.

        Newton steps of least length, with damping, in the space of all spans of this
        dimension. The result is a local solution, at about the distance of the noise. It
        keeps `tolerance`, and so the invariants. With a smaller tolerance an algebra that
        is not rigid may be identified as one of its deformations, such as so(3) for se(2).

        Returns:
            A `LieAlgebra`, whose basis is close to the given one.

        Raises:
            ValueError: If no closed span is found within a principal angle of 0.5 radians.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import LieAlgebra, so

        rng = np.random.default_rng(0)
        noisy = LieAlgebra(so(3).basis + 1e-3 * rng.normal(size=(3, 3, 3)))
        assert noisy.closure_error > 1e-4
        assert noisy.nearest_closed().closure_error < 1e-12
        ```
        """
        if not self.dimension:
            return self
        frame, error = nearest_closed_frame(self._frame, self._scale)
        if error > np.sqrt(np.finfo("float64").eps):
            raise ValueError(
                "No span that is closed under brackets was found near this one. Newton's "
                f"method reduced the closure error from {self.closure_error:.1e} to "
                f"{error:.1e} only. A matrix may be missing or superfluous"
            )
        closed = LieAlgebra(np.tensordot(self._coordinates, frame, 1), self.tolerance)
        angle = principal_angles(self, closed)[0]
        if angle > LARGEST_ANGLE:
            raise ValueError(
                "No span that is closed under brackets was found near this one, whose "
                f"closure error is {self.closure_error:.1e}. The nearest closed span is at "
                f"a principal angle of {angle:.2f} radians, which is more than noise. A "
                "matrix may be missing or superfluous"
            )
        return closed

    def direct_sum(self, other: "LieAlgebra") -> "LieAlgebra":
        """The direct sum with another algebra, as block diagonal matrices.

        Args:
            other: A `LieAlgebra`.

        Returns:
            A `LieAlgebra` of the sum of both dimensions and of both matrix sizes.

        Raises:
            TypeError: If `other` is not a `LieAlgebra`.
        """
        if not isinstance(other, LieAlgebra):
            raise TypeError(
                "`other` must be a `LieAlgebra`. "
                f"Received: {other!r} (of type {type(other).__name__})"
            )
        k, n = self.dimension, self.matrix_size
        basis = np.zeros(
            (k + other.dimension, n + other.matrix_size, n + other.matrix_size)
        )
        basis[:k, :n, :n] = self._basis
        basis[k:, n:, n:] = other.basis
        tolerances = self._given_tolerance, other._given_tolerance
        given = [tolerance for tolerance in tolerances if tolerance is not None]
        return LieAlgebra(basis, max(given, default=None))
