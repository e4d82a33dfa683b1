"""A span of square matrices, and the brackets in it."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy.sparse.linalg import LinearOperator, eigsh

from keras_lconv._memory import require_memory
from keras_lconv._validation import finite_array, fraction
from keras_lconv.algebra.balance import unit_ratios
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.algebra.tolerance import LARGEST_TOLERANCE, rounding

# With more matrices, the brackets of all pairs take longer than Lanczos' method.
MANY = 100


class Span:
    """The span of independent square matrices.

    Computations run in an orthonormal frame of the span, in the Frobenius inner product.
    Answers are translated to the given basis where they refer to it.

    Args:
        basis: Array `(k, n, n)`.
        tolerance: The precision to which the matrices are known. By default the root of
            the closure error, or of rounding errors.
    """

    def __init__(self, basis: ArrayLike, tolerance: float | None = None):
        self._basis = _checked(basis)
        self._basis.flags.writeable = False
        self._epsilon = rounding(basis)
        self._frame, self._coordinates = _orthonormal_frame(self._basis, self._epsilon)
        self._given_tolerance = (
            None if tolerance is None else fraction("tolerance", tolerance)
        )

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

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray:
        return np.array(self._basis, dtype=dtype)

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

    def coordinates(self, x: ArrayLike) -> np.ndarray:
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

    def contains(self, other: ArrayLike) -> bool:
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
        """The precision to which the matrices themselves count as known.

        The default `tolerance` may be larger, because it separates noise from structure
        constants that are far above it.
        """
        if self._given_tolerance is not None:
            return self._given_tolerance
        noise = max(self.closure_error, self._epsilon)
        return float(min(np.sqrt(noise), LARGEST_TOLERANCE))

    def _brackets_of_frame(self) -> Iterator[np.ndarray]:
        """For each `i` the brackets `[E_i, E_j]` of the frame with all `j > i`, as rows."""
        n, frame = self.matrix_size, self._frame
        beside = np.moveaxis(frame, 0, 1)
        for i in range(self.dimension - 1):
            # With all that follow, one product of matrices is enough.
            left = (frame[i] @ beside[:, i + 1 :].reshape(n, -1)).reshape(n, -1, n)
            right = (frame[i + 1 :].reshape(-1, n) @ frame[i]).reshape(-1, n, n)
            yield (np.moveaxis(left, 1, 0) - right).reshape(-1, n * n)

    @cached_property
    def _constants_of_frame(self) -> np.ndarray:
        """Structure constants in the frame, `(k, k, k)`."""
        require_memory(
            f"Structure constants of dimension {self.dimension}",
            2 * self.dimension**3,
            "`identify()`, `contains` and `closure_error` need none",
        )
        constants = np.zeros((self.dimension,) * 3)
        for i, brackets in enumerate(self._brackets_of_frame()):
            constants[i, i + 1 :] = brackets @ self._rows.T
        return constants - np.swapaxes(constants, 0, 1)

    @cached_property
    def _scale(self) -> float:
        """The size of the brackets of such matrices, if these do not vanish.

        Unlike the size of the brackets themselves, it does not vanish for commuting
        matrices. Repeating the representation does not change it.
        """
        n = self.matrix_size
        below = self._frame.reshape(-1, n)
        beside = np.moveaxis(self._frame, 0, 1).reshape(n, -1)
        largest = [np.linalg.eigvalsh(m)[-1] for m in (below.T @ below, beside @ beside.T)]
        return float(np.sqrt(max(largest)))

    @property
    def structure_constants(self) -> np.ndarray:
        """`c[i, j, k]` with `[L_i, L_j] = sum_k c[i, j, k] L_k`, of shape `(k, k, k)`.

        They are the least squares solution where the span is not quite closed.
        """
        constants, coordinates = self._constants_of_frame, self._coordinates
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
        This unit has the size of the brackets of a semisimple algebra, and is not zero for
        an abelian one. An exact algebra has an error of rounding size, a span of random
        matrices one of order 1.
        """
        find = self._largest_outside if self.dimension <= MANY else self._iterated_outside
        return float(np.sqrt(max(find(), 0.0))) / (self._scale or 1.0)

    def _largest_outside(self) -> float:
        """The square of the norm of the map from pairs to brackets outside of the span."""
        outside = np.linalg.qr(self._rows.T, mode="complete")[0][:, self.dimension :]
        squares = np.zeros((outside.shape[1],) * 2)
        for brackets in self._brackets_of_frame():
            parts = brackets @ outside
            squares += parts.T @ parts
        # Only the norm of the map is needed, not its singular vectors.
        return np.linalg.eigvalsh(squares)[-1] if len(squares) else 0.0

    def _iterated_outside(self) -> float:
        """The same by Lanczos' method, without a bracket of each pair."""
        n, frame = self.matrix_size, self._frame
        transposed = np.swapaxes(frame, 1, 2)

        def outer_part(v: np.ndarray) -> np.ndarray:
            return v - self._rows.T @ (self._rows @ v)

        def squares(v: np.ndarray) -> np.ndarray:
            V = outer_part(v.ravel()).reshape(n, n)
            # <[E_i, E_j], V> = <E_j, E_i^T V - V E_i^T>, for all pairs twice.
            along = (transposed @ V - V @ transposed).reshape(-1, n * n) @ self._rows.T
            sums = (along @ self._rows).reshape(-1, n, n)
            brackets = np.einsum("iab,ibc->ac", frame, sums, optimize=True)
            brackets -= np.einsum("iab,ibc->ac", sums, frame, optimize=True)
            return outer_part(brackets.ravel()) / 2

        start = outer_part(np.random.default_rng(0).normal(size=n * n))
        if not np.any(squares(start)):
            return 0.0
        operator = LinearOperator((n * n, n * n), matvec=squares, dtype="float64")
        return eigsh(operator, 1, v0=start, tol=1e-3, return_eigenvectors=False)[0]

    # --------------------------------------------------------------- checks

    def _matrix(self, name: str, value: ArrayLike) -> np.ndarray:
        array = finite_array(name, value)
        if array.shape != self._basis.shape[1:]:
            raise ValueError(
                f"`{name}` must be a {self.matrix_size}x{self.matrix_size} matrix. "
                f"Received: shape {array.shape}"
            )
        return array


def _is_complex(basis: ArrayLike) -> bool:
    try:
        return np.iscomplexobj(basis)
    except ValueError:  # rows of different lengths are no array
        return False


def _checked(basis: ArrayLike) -> np.ndarray:
    if _is_complex(basis):
        raise TypeError(
            "`basis` must be an array of real numbers. Received complex matrices: "
            "`keras_lconv.algebra.realify` makes them real"
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
            "`basis` must be linearly independent. Received: matrix number "
            f"{int(np.argmin(norms))} (from 0), which is zero"
        )
    if len(rows) > rows.shape[1]:
        raise ValueError(
            "`basis` must be linearly independent. Received: "
            f"{len(rows)} matrices of size {basis.shape[1]}x{basis.shape[1]}, of which at "
            f"most {rows.shape[1]} are independent"
        )
    frame, triangle = np.linalg.qr((rows / norms[:, None]).T)
    # Boosts in metres and seconds are independent in units that are even.
    even = (basis / unit_ratios(basis)).reshape(rows.shape)
    even /= np.linalg.norm(even, axis=1)[:, None]
    sizes = np.linalg.svd(even, compute_uv=False)
    if len(sizes) and sizes[-1] <= np.sqrt(epsilon) * sizes[0]:
        rank = int(np.sum(sizes > np.sqrt(epsilon) * sizes[0]))
        raise ValueError(
            f"`basis` must be linearly independent. Received: {len(rows)} matrices of "
            f"rank {rank} (singular values, each matrix scaled to norm 1, from "
            f"{sizes[0]:.1e} to {sizes[-1]:.1e})"
        )
    return frame.T.reshape(basis.shape), triangle.T * norms[:, None]
