"""A Lie algebra of matrices."""

from functools import cached_property
from typing import Any

import numpy as np

from keras_lconv._validation import finite_array, fraction
from keras_lconv.algebra.closure import nearest_closed_frame
from keras_lconv.algebra.compare import principal_angles
from keras_lconv.algebra.forms import casimir_form, casimir_matrix, trace_form
from keras_lconv.algebra.naming.identification import Identification, identify
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.algebra.structure import StructureConstants
from keras_lconv.algebra.tolerance import Tolerance

# Beyond this dimension a name takes many seconds, too long to print an algebra.
LARGEST_TO_NAME = 40

# The default tolerance: below EXACT the noise is rounding, and the geometric mean of noise
# and 1 leaves room on both sides. Above it, what is small and what is noise may be close:
# several values are tried.
EXACT = 1e-10
NOISE_FACTOR = 3
LARGEST_TOLERANCE = 0.3
NUM_TOLERANCES = 5

# In radians: what is further away is no longer the same algebra without its noise.
LARGEST_ANGLE = 0.5


class LieAlgebra:
    """A real Lie algebra, spanned by square matrices.

    Everything is computed in float64 with NumPy and SciPy. What an invariant says does
    not depend on the basis: computations run in an orthonormal frame of the span (in the
    Frobenius inner product), and are translated where an answer is in the given basis.

    The span of matrices from data, or with rounding errors, is closed under brackets
    only nearly. Brackets are then projected onto the span, and `tolerance` says what
    counts as zero.

    Args:
        basis: Array `(k, n, n)` of linearly independent real matrices. For complex
            matrices see `realify`. An array of shape `(0, n, n)` is the algebra of
            dimension 0.
        tolerance: Numbers up to this size count as zero, where numbers of order 1 are
            expected: structure constants in units of the largest ones that matrices of
            this size could have, and forms and angles made from them. By default, for an
            exact basis, the root of its rounding errors; otherwise, of some values between
            `closure_error` and 0.3, the one for which what is zero and what is not lie
            furthest apart.

    Raises:
        TypeError: If `basis` is no array of real numbers.
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

    def __init__(self, basis: Any, tolerance: float | None = None):
        self._basis = _checked(basis)
        self._basis.flags.writeable = False
        self._epsilon = _epsilon(basis)
        self._frame, self._coordinates = _orthonormal_frame(self._basis, self._epsilon)
        self._given_tolerance = (
            None if tolerance is None else fraction("tolerance", tolerance)
        )

    # ----------------------------------------------------------------- basis

    @property
    def basis(self) -> np.ndarray:
        """The given matrices, `(k, n, n)`, read-only."""
        return self._basis

    @property
    def dimension(self) -> int:
        """The dimension `k`."""
        return len(self._basis)

    @property
    def matrix_size(self) -> int:
        """The size `n` of the matrices."""
        return self._basis.shape[1]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._basis, dtype=dtype)

    def __repr__(self) -> str:
        named = self.dimension <= LARGEST_TO_NAME
        name = f"{self.identify().name}: " if named else ""
        size = f"{self.matrix_size}x{self.matrix_size} matrices"
        return f"<LieAlgebra {name}dimension {self.dimension}, {size}>"

    def orthonormalised(self) -> "LieAlgebra":
        """The same span with a basis that is orthonormal in the Frobenius product.

        Returns:
            A `LieAlgebra`.
        """
        return LieAlgebra(self._frame, self._given_tolerance)

    def canonical_basis(self) -> np.ndarray:
        """A sparse basis of the span, which a person can read.

        It is the reduced echelon form of the matrices, written out row by row: each
        basis matrix has an entry 1 where all the others have 0. The pivots are the first
        entries that are large enough, so that noise is not amplified. Up to noise the
        result depends on the span only. Each matrix is scaled to the largest entry 1, with
        the sign that makes the last nonzero entry positive: the result for rotations are
        the elementary ones, counterclockwise.

        Returns:
            Array `(k, n, n)`.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import LieAlgebra, so

        rng = np.random.default_rng(0)
        mixed = np.tensordot(rng.normal(size=(3, 3)), so(3).basis, 1)
        assert np.allclose(LieAlgebra(mixed).canonical_basis(), so(3).basis)
        ```
        """
        return sparse_basis(self._frame, self._precision)

    # -------------------------------------------------------------- brackets

    def bracket(self, x: Any, y: Any) -> np.ndarray:
        """The commutator `[x, y] = x y - y x`.

        Args:
            x: Matrix `(n, n)`.
            y: Matrix `(n, n)`.

        Returns:
            Matrix `(n, n)`.

        Raises:
            ValueError: If a matrix is of another size.
        """
        x, y = self._matrix("x", x), self._matrix("y", y)
        return x @ y - y @ x

    def coordinates(self, x: Any) -> np.ndarray:
        """Coordinates of the projection of a matrix onto the span.

        Args:
            x: Matrix `(n, n)`.

        Returns:
            Array `(k,)` with `x = sum_i coordinates[i] basis[i]` for `x` in the span.

        Raises:
            ValueError: If the matrix is of another size.
        """
        in_frame = self._rows @ self._matrix("x", x).ravel()
        return np.linalg.solve(self._coordinates.T, in_frame)

    def contains(self, other: Any) -> bool:
        """Whether a matrix, a stack of matrices or an algebra lies in the span.

        Args:
            other: Array `(n, n)` or `(l, n, n)`, or a `LieAlgebra`.

        Returns:
            Whether the relative distance of each matrix from the span is zero, up to
            `tolerance` if it was given, and up to the root of the closure error, or of
            rounding errors, if not.

        Raises:
            ValueError: If a matrix is of another size.
        """
        matrices = finite_array("other", other)
        if matrices.ndim == 2:
            matrices = matrices[None]
        if matrices.ndim != 3 or matrices.shape[1:] != self._basis.shape[1:]:
            raise ValueError(
                f"`other` must hold {self.matrix_size}x{self.matrix_size} matrices. "
                f"Received: shape {np.shape(other)}"
            )
        rows = matrices.reshape(len(matrices), self.matrix_size**2)
        distances = np.linalg.norm(rows - rows @ self._rows.T @ self._rows, axis=1)
        return bool(np.all(distances <= self._precision * np.linalg.norm(rows, axis=1)))

    @property
    def _rows(self) -> np.ndarray:
        """The orthonormal frame as vectors, `(k, n * n)`."""
        return self._frame.reshape(self.dimension, self.matrix_size**2)

    @property
    def _precision(self) -> float:
        """To which the matrices themselves are taken to be known.

        The default `tolerance` may be larger, since it also leaves room for structure
        constants that noise is far from.
        """
        if self._given_tolerance is not None:
            return self._given_tolerance
        noise = max(self.closure_error, self._epsilon)
        return float(min(np.sqrt(noise), LARGEST_TOLERANCE))

    @cached_property
    def _brackets_of_frame(self) -> tuple[np.ndarray, np.ndarray]:
        """Brackets in the frame, `(k, k, k)`, and the parts outside, `(pairs, n * n)`."""
        k, frame = self.dimension, self._frame
        rows = self._rows
        first, second = np.triu_indices(k, 1)
        brackets = frame[first] @ frame[second] - frame[second] @ frame[first]
        brackets = brackets.reshape(len(first), self.matrix_size**2)
        inside = brackets @ rows.T
        constants = np.zeros((k, k, k))
        constants[first, second] = inside
        constants[second, first] = -inside
        return constants, brackets - inside @ rows

    @cached_property
    def _scale(self) -> float:
        """Size that the brackets of such matrices have, if they do not vanish.

        Unlike the products themselves it does not vanish for commuting matrices, and
        repeating the representation does not change it.
        """
        frame = self._frame
        left = np.einsum("kij,kil->jl", frame, frame, optimize=True)
        right = np.einsum("kij,klj->il", frame, frame, optimize=True)
        return float(np.sqrt(max(np.linalg.norm(left, 2), np.linalg.norm(right, 2))))

    @property
    def structure_constants(self) -> np.ndarray:
        """`c[i, j, k]` with `[L_i, L_j] = sum_k c[i, j, k] L_k`, of shape `(k, k, k)`.

        They are the least squares solution where the span is not quite closed.
        """
        constants, coordinates = self._brackets_of_frame[0], self._coordinates
        moved = np.einsum("ia,jb,abc->ijc", coordinates, coordinates, constants)
        k = self.dimension
        solved = np.linalg.solve(coordinates.T, moved.reshape(k * k, k).T)
        return solved.T.reshape(k, k, k)

    @cached_property
    def closure_error(self) -> float:
        """The largest relative part of a bracket outside of the span.

        It is the norm of the map from pairs of matrices of the span to the part of their
        bracket that is orthogonal to the span. The unit is the norm that brackets of such
        matrices usually have, `sqrt(|sum_i E_i^T E_i|)` for an orthonormal frame `E_i`.
        That has the size of the brackets of a semisimple algebra, and is no division by
        zero for an abelian one. An exact algebra has an error of rounding size, a span of
        random matrices one of order 1.
        """
        outside = self._brackets_of_frame[1]
        if not len(outside):
            return 0.0
        return float(np.linalg.norm(outside, 2)) / self._scale

    @property
    def tolerance(self) -> float:
        """What counts as zero: as given, or the default for this basis."""
        if self._given_tolerance is not None:
            return self._given_tolerance
        values = self._tolerances()
        return float(values[0]) if len(values) == 1 else self._identification.tolerance

    def adjoint(self, x: Any = None) -> np.ndarray:
        """The adjoint representation: the matrix of `y -> [x, y]` in the basis.

        Args:
            x: A matrix of the algebra, `(n, n)`. By default each of the basis.

        Returns:
            Matrix `(k, k)`, or `(k, k, k)` for the whole basis.

        Raises:
            ValueError: If `x` is of another size, or not in the algebra.
        """
        matrices = np.swapaxes(self.structure_constants, 1, 2)
        if x is None:
            return matrices
        if not self.contains(self._matrix("x", x)):
            raise ValueError(
                f"`x` must lie in the algebra. Received: a matrix further than "
                f"{self._precision:.1e} from it, relative to its size"
            )
        return np.tensordot(self.coordinates(x), matrices, 1)

    # ----------------------------------------------------------------- forms

    @property
    def killing_form(self) -> np.ndarray:
        """`tr(ad(L_i) ad(L_j))`, of shape `(k, k)`."""
        constants = self.structure_constants
        return np.einsum("iab,jba->ij", constants, constants)

    @property
    def killing_signature(self) -> tuple[int, int, int]:
        """How many eigenvalues of the Killing form are positive, negative and zero."""
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

        Where `T` is degenerate another invariant form takes the place of `-T^-1`: in an
        orthonormal frame of the span the one nearest to the identity, positive semidefinite
        where there is such a form. For se(n) that makes `-sum_a P_a^2` of the translations.
        The result does not depend on the basis in either case.

        Raises:
            ValueError: If no form is invariant, as for aff(n): there is no quadratic
                Casimir operator then.

        Example:
        ```python
        import numpy as np
        from keras_lconv.algebra import so

        assert np.allclose(so(3, 1).casimir, 1.5 * np.eye(4))
        ```
        """
        form = casimir_form(self._frame, 1.0, self.tolerance)
        return casimir_matrix(self._frame, form)

    # ------------------------------------------------------------- structure

    def _new_structure(self, tolerance: float) -> StructureConstants:
        """The abstract algebra in the frame, with no decision taken yet."""
        constants = self._brackets_of_frame[0]
        return StructureConstants(constants / (self._scale or 1.0), Tolerance(tolerance))

    @cached_property
    def _structure(self) -> StructureConstants:
        return self._new_structure(self.tolerance)

    def _subspace(self, columns: np.ndarray) -> "LieAlgebra":
        return LieAlgebra(np.tensordot(columns.T, self._frame, 1), self.tolerance)

    @property
    def center(self) -> "LieAlgebra":
        """All elements that commute with the whole algebra."""
        return self._subspace(self._structure.center)

    @property
    def derived_series(self) -> tuple["LieAlgebra", ...]:
        """`g`, `[g, g]`, `[[g, g], [g, g]]`, ... while they shrink."""
        return tuple(self._subspace(space) for space in self._structure.derived_series)

    @property
    def lower_central_series(self) -> tuple["LieAlgebra", ...]:
        """`g`, `[g, g]`, `[g, [g, g]]`, ... while they shrink."""
        return tuple(
            self._subspace(space) for space in self._structure.lower_central_series
        )

    @property
    def radical(self) -> "LieAlgebra":
        """The largest solvable ideal."""
        return self._subspace(self._structure.radical)

    @property
    def levi_factor(self) -> "LieAlgebra":
        """A semisimple subalgebra that complements the radical (Levi decomposition)."""
        return self._subspace(self._structure.levi_factor)

    @property
    def simple_ideals(self) -> tuple["LieAlgebra", ...]:
        """The simple ideals of `levi_factor`, whose direct sum it is."""
        factor = self._structure.levi_factor
        ideals = self._structure.restrict(factor).indecomposable_ideals
        return tuple(self._subspace(factor @ ideal) for ideal in ideals)

    @property
    def indecomposable_ideals(self) -> tuple["LieAlgebra", ...]:
        """Ideals whose direct sum is the algebra, none of which is a direct sum."""
        ideals = self._structure.indecomposable_ideals
        return tuple(self._subspace(ideal) for ideal in ideals)

    @property
    def rank(self) -> int:
        """Dimension of a Cartan subalgebra."""
        return self._structure.rank

    @property
    def is_abelian(self) -> bool:
        """Whether all brackets are zero."""
        return self._structure.is_abelian

    @property
    def is_nilpotent(self) -> bool:
        """Whether the lower central series ends at zero."""
        return self._structure.is_nilpotent

    @property
    def is_solvable(self) -> bool:
        """Whether the derived series ends at zero."""
        return self._structure.is_solvable

    @property
    def is_semisimple(self) -> bool:
        """Whether the radical is zero."""
        return self._structure.is_semisimple

    @property
    def is_simple(self) -> bool:
        """Whether it is not abelian and has no ideal but zero and itself."""
        return self.is_semisimple and len(self._structure.indecomposable_ideals) == 1

    @property
    def is_reductive(self) -> bool:
        """Whether it is the direct sum of a semisimple algebra and its center."""
        return self._structure.is_reductive

    @property
    def is_compact(self) -> bool:
        """Whether some compact group has this algebra.

        Then the algebra is reductive and its Killing form has no positive eigenvalue. It is
        a statement about the abstract algebra: R^n is that of a torus, so that it counts as
        compact, also where its matrices generate translations.
        """
        return self._structure.is_compact

    def identify(self, tolerance: float | None = None) -> Identification:
        """A name for the algebra, from its invariants.

        The algebra is split into ideals that are no direct sums, and each is named: simple
        algebras by dimension, rank and signature of the Killing form; solvable ones of
        dimension 3 by Bianchi's type; `se`, `sim`, `aff`, `heisenberg` and relatives by the
        action on their radical. Where the invariants do not decide, the name says what they
        do say, and `is_unique` is `False`.

        Args:
            tolerance: Numbers up to this size, where 1 is expected, count as zero. By
                default the `tolerance` of the algebra.

        Returns:
            An `Identification`; `str` of it is for people, its `name` for programs.

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
        structure = self._new_structure(tolerance)
        return identify(structure, self.closure_error)

    @cached_property
    def _identification(self) -> Identification:
        """That of the tolerance, or of the best tolerance where none is given."""
        if self._given_tolerance is not None:
            return self._identify_at(self._given_tolerance)
        candidates = (self._identify_at(value) for value in self._tolerances())
        return max(candidates, key=lambda found: found.confidence)

    def _tolerances(self) -> np.ndarray:
        """Values between the noise and 1, of which the clearest one is taken."""
        noise = max(self.closure_error, self._epsilon)
        if noise < EXACT or self.dimension > LARGEST_TO_NAME:
            return np.array([self._precision])
        return np.geomspace(
            min(NOISE_FACTOR * noise, LARGEST_TOLERANCE), LARGEST_TOLERANCE, NUM_TOLERANCES
        )

    # ------------------------------------------------------------ new algebras

    def nearest_closed(self) -> "LieAlgebra":
        """A span nearby that is closed under brackets to rounding.

        Newton steps of least length, with damping, in the space of all spans of this
        dimension. The result is a local solution, at about the distance of the noise. It
        keeps `tolerance`, so that it has the same invariants; with a smaller tolerance an
        algebra that is not rigid may turn out to be one of its deformations: so(3), for
        example, for se(2).

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
                "No span that is closed under brackets was found near this one. The "
                f"closure error was {self.closure_error:.1e}, and {error:.1e} is left"
            )
        closed = LieAlgebra(np.tensordot(self._coordinates, frame, 1), self.tolerance)
        angle = principal_angles(self, closed)[0]
        if angle > LARGEST_ANGLE:
            raise ValueError(
                "No span that is closed under brackets was found near this one, whose "
                f"closure error is {self.closure_error:.1e}. The closest that was found "
                f"has a principal angle of {angle:.2f} radians with it"
            )
        return closed

    def direct_sum(self, other: "LieAlgebra") -> "LieAlgebra":
        """The direct sum with another algebra, as block diagonal matrices.

        Args:
            other: A `LieAlgebra`.

        Returns:
            A `LieAlgebra` of the sum of both dimensions and of both matrix sizes.

        Raises:
            TypeError: If `other` is no `LieAlgebra`.
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

    def _matrix(self, name: str, value: Any) -> np.ndarray:
        array = finite_array(name, value)
        if array.shape != self._basis.shape[1:]:
            raise ValueError(
                f"`{name}` must be a {self.matrix_size}x{self.matrix_size} matrix. "
                f"Received: shape {array.shape}"
            )
        return array


def _epsilon(basis: Any) -> float:
    """Rounding of the type that the basis came in, float64 for integers."""
    dtype = getattr(basis, "dtype", None)
    is_float = isinstance(dtype, np.dtype) and np.issubdtype(dtype, np.floating)
    return float(np.finfo(dtype if is_float else "float64").eps)


def _checked(basis: Any) -> np.ndarray:
    if np.iscomplexobj(basis):
        raise TypeError(
            "`basis` must be an array of real numbers. Received complex matrices: "
            "`keras_lconv.algebra.realify` makes real ones of them"
        )
    array = finite_array("basis", basis)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or array.shape[1] == 0:
        hint = ""
        if array.shape == (0,):
            hint = ". An empty basis needs the size of the matrices: np.zeros((0, n, n))"
        raise ValueError(
            "`basis` must be a stack of square matrices, of shape `(k, n, n)`. "
            f"Received: shape {array.shape}{hint}"
        )
    return array.copy()


def _orthonormal_frame(basis: np.ndarray, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """An orthonormal frame, and the coordinates of the basis in it, `(k, k)`."""
    rows = basis.reshape(len(basis), basis.shape[1] ** 2)
    norms = np.linalg.norm(rows, axis=1)
    if np.any(norms == 0):
        raise ValueError(
            "`basis` must be linearly independent. Received: the matrix number "
            f"{int(np.argmin(norms))} (from 0) is zero"
        )
    if len(rows) > rows.shape[1]:
        raise ValueError(
            "`basis` must be linearly independent. Received: "
            f"{len(rows)} matrices of size {basis.shape[1]}x{basis.shape[1]}, of which at "
            f"most {rows.shape[1]} are independent"
        )
    frame, triangle = np.linalg.qr((rows / norms[:, None]).T)
    sizes = np.linalg.svd(triangle, compute_uv=False)
    if len(sizes) and sizes[-1] <= np.sqrt(epsilon) * sizes[0]:
        rank = int(np.sum(sizes > np.sqrt(epsilon) * sizes[0]))
        raise ValueError(
            f"`basis` must be linearly independent. Received: {len(rows)} matrices of "
            f"rank {rank} (singular values, each matrix scaled to norm 1, from "
            f"{sizes[0]:.1e} to {sizes[-1]:.1e})"
        )
    return frame.T.reshape(basis.shape), triangle.T * norms[:, None]
