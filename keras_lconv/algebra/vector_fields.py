"""Vector fields with polynomial components, and their brackets."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import (
    count,
    finite_array,
    fraction,
    integer_array,
    positive_int,
)
from keras_lconv.algebra.field_formulas import (
    field_formula,
    shifted_names,
    whole_numbers,
)
from keras_lconv.algebra.flows import affine_flow, integrated
from keras_lconv.algebra.monomials import (
    along,
    exponents_up_to,
    monomials,
    substituted,
    united,
)
from keras_lconv.algebra.naming.identification import Identification, clearest, identify
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.algebra.structure import StructureConstants
from keras_lconv.algebra.tolerance import Tolerance, plausible_tolerances

# If brackets of exact symmetries up to a degree leave the span, they leave it by more.
NOT_CLOSED = 0.05
# Fields of norm 1 are dependent if a mixture of them is smaller than this.
DEPENDENT = 1e-9


class VectorFields:
    """Polynomial vector fields `v_i = sum_a v_i^a(x) d/dx_a` on `R^n`.

    Their components are `v_i^a(x) = sum_k c[i, a, k] x^powers[k]`. The bracket is that of
    derivations, `[v, w]^a = sum_b (v^b d_b w^a - w^b d_b v^a)`, and is exact. For linear
    fields `v = A x` and `w = B x` it is the field of the matrix `-[A, B]`.

    The coefficients determine the size of a field. So choose units in which the variables
    are of order 1 for closure and names.

    Args:
        powers: Exponents of the monomials, `(K, n)`, without repetitions.
        coefficients: Array `(k, n, K)`.

    Raises:
        ValueError: If shapes do not fit, or an exponent is negative or repeated.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import VectorFields

    # d/dx, x d/dx and x^2 d/dx: the Moebius transformations of a line.
    fields = VectorFields([[0], [1], [2]], np.eye(3)[:, None])
    assert fields.identify().name == "sl(2,R)"
    assert fields.formulas("x") == ["d/dx", "x d/dx", "x^2 d/dx"]
    assert np.allclose(fields[2].flow([[1.0]], 0.5), 2.0)  # x / (1 - t x)
    ```
    """

    def __init__(self, powers: ArrayLike, coefficients: ArrayLike):
        self.powers = integer_array("powers", powers)
        self.coefficients = finite_array("coefficients", coefficients)
        if self.powers.ndim != 2 or np.any(self.powers < 0):
            raise ValueError(
                "`powers` must be exponents `(K, n)`, none of them negative. Received: "
                f"shape {self.powers.shape}, smallest {np.min(self.powers, initial=0)}"
            )
        if len(np.unique(self.powers, axis=0)) < len(self.powers):
            raise ValueError(
                "`powers` must hold each monomial once. Received: repeated ones"
            )
        expected = self.powers.shape[::-1]
        if self.coefficients.ndim != 3 or self.coefficients.shape[1:] != expected:
            raise ValueError(
                f"`coefficients` must have shape (k, {expected[0]}, {expected[1]}), for "
                f"`powers` of shape {self.powers.shape}. "
                f"Received: shape {self.coefficients.shape}"
            )

    @classmethod
    def basis(cls, size: int, degree: int) -> "VectorFields":
        """All fields `x^p d/dx_a` up to a degree, for one component after the other.

        Args:
            size: The number `n` of variables.
            degree: The largest degree of a monomial.
        """
        powers = exponents_up_to(positive_int("size", size), count("degree", degree))
        number = size * len(powers)
        return cls(powers, np.eye(number).reshape(number, size, len(powers)))

    @property
    def size(self) -> int:
        """The number `n` of variables."""
        return self.powers.shape[1]

    @property
    def dimension(self) -> int:
        """The number `k` of fields."""
        return len(self.coefficients)

    @property
    def degree(self) -> int:
        """The largest degree of a monomial."""
        return int(np.max(self.powers.sum(axis=1), initial=0))

    def __len__(self) -> int:
        return self.dimension

    def __getitem__(self, number: int | slice | np.ndarray) -> "VectorFields":
        chosen = self.coefficients[number]
        return VectorFields(self.powers, chosen[None] if chosen.ndim == 2 else chosen)

    def __repr__(self) -> str:
        return (
            f"<VectorFields: {self.dimension} in {self.size} variables, "
            f"degree {self.degree}>"
        )

    def combined(self, mixture: np.ndarray) -> "VectorFields":
        """The fields `sum_i m[l, i] v_i`, for a matrix `(l, k)`."""
        return VectorFields(self.powers, np.tensordot(mixture, self.coefficients, 1))

    def joined(self, *others: "VectorFields") -> "VectorFields":
        """These fields and others of the same variables, one after the other."""
        powers, places = united(*[each.powers for each in (self, *others)])
        parts = [
            each._placed(len(powers), own)
            for each, own in zip((self, *others), places, strict=True)
        ]
        return VectorFields(powers, np.concatenate(parts))

    def _placed(self, number: int, places: np.ndarray) -> np.ndarray:
        """Coefficients for a longer list of monomials."""
        result = np.zeros((self.dimension, self.size, number))
        result[..., places] = self.coefficients
        return result

    # ---------------------------------------------------------------- values

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """Values `v_i^a(x)` at points `(..., n)`, of shape `(..., k, n)`."""
        return self._values(self._points(x))

    def _values(self, points: np.ndarray) -> np.ndarray:
        values = monomials(self.powers, points)
        return np.einsum("...p,iap->...ia", values, self.coefficients, optimize=True)

    def jacobian(self, x: ArrayLike) -> np.ndarray:
        """Derivatives `d v_i^a / dx_b` at points `(..., n)`, of shape `(..., k, n, n)`."""
        points = self._points(x)
        each = np.eye(self.size, dtype=int).tolist()
        values = np.array([monomials(self.powers, points, orders) for orders in each])
        return np.einsum("b...p,iap->...iab", values, self.coefficients, optimize=True)

    def flow(self, x: ArrayLike, t: ArrayLike) -> np.ndarray:
        """The positions of points after the time 1 along `sum_i t_i v_i`.

        It uses the exponential of a matrix for affine fields, and Runge-Kutta of order 8
        with a relative error of 1e-9 for others.

        Args:
            x: Points `(..., n)`.
            t: Parameters `(k,)`, or one number for one field.

        Returns:
            Array of the shape of `x`. Points that reach infinity earlier are NaN.

        Raises:
            ValueError: If shapes do not fit.
        """
        points, parameters = self._points(x), finite_array("t", t)
        if parameters.size != self.dimension or parameters.ndim > 1:
            raise ValueError(
                f"`t` must hold one parameter for each of {self.dimension} fields. "
                f"Received: shape {parameters.shape}"
            )
        moving = self.combined(parameters.reshape(1, -1))
        flat = points.reshape(-1, self.size)
        if self.degree < 2:
            origin = np.zeros((1, self.size))
            moved = affine_flow(moving.jacobian(origin)[0, 0], moving(origin)[0, 0], flat)
        else:
            moved = integrated(lambda z: moving._values(z)[:, 0], flat)
        return moved.reshape(points.shape)

    def _points(self, x: ArrayLike) -> np.ndarray:
        points = finite_array("x", x)
        if points.ndim < 1 or points.shape[-1] != self.size:
            raise ValueError(
                f"`x` must be points `(..., {self.size})`. Received: shape {points.shape}"
            )
        return points

    # -------------------------------------------------------------- brackets

    def _along(self, other: "VectorFields") -> "VectorFields":
        """`sum_b v_i^b d_b w_j`, one row `i` after the other."""
        found = along(self.powers, self.coefficients, other.powers, other.coefficients)
        return VectorFields(*found)

    def bracket(self, other: "VectorFields") -> "VectorFields":
        """All `[v_i, w_j]`, `k l` fields, one row `i` after the other.

        Args:
            other: Fields `w_1..w_l` of the same variables.
        """
        if other.size != self.size:
            raise ValueError(
                f"`other` must have {self.size} variables. Received: {other.size}"
            )
        both = self._along(other).joined(other._along(self))
        shape = (self.dimension, other.dimension, *both.coefficients.shape[1:])
        half = self.dimension * other.dimension
        first = both.coefficients[:half]
        turned = (shape[1], shape[0], *shape[2:])
        second = both.coefficients[half:].reshape(turned).swapaxes(0, 1)
        return VectorFields(both.powers, first - second.reshape(first.shape))

    @cached_property
    def _frame(self) -> tuple["VectorFields", np.ndarray]:
        """Fields with orthonormal coefficients, and these fields as mixtures of them, `(k,
        k)`.
        """
        rows = self.coefficients.reshape(self.dimension, -1)
        norms = np.linalg.norm(rows, axis=1)
        sizes = np.linalg.svd(rows / np.where(norms > 0, norms, 1.0)[:, None])[1]
        if (
            not np.all(norms)
            or np.min(sizes, initial=1.0) < DEPENDENT
            or (len(rows) > rows.shape[1])
        ):
            raise ValueError(
                "The fields must be linearly independent to have structure constants. "
                f"Received: {self.dimension} dependent fields"
            )
        frame, triangle = np.linalg.qr(rows.T)
        shaped = frame.T.reshape(self.coefficients.shape)
        return VectorFields(self.powers, shaped), triangle.T

    @cached_property
    def _closure(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Structure constants in the frame, the part outside of the span, and the unit."""
        frame, k = self._frame[0], self.dimension
        along = frame._along(frame)
        both = along.joined(frame)
        rows = both.coefficients.reshape(len(both), -1)
        halves, own = rows[: k * k].reshape(k, k, -1), rows[k * k :]
        # The size of brackets that do not vanish, as for algebras of matrices.
        grams = [np.einsum(f, halves, halves) for f in ("ijm,ilm->jl", "ijm,ljm->il")]
        scale = float(np.sqrt(max(np.linalg.eigvalsh(each)[-1] for each in grams)))
        brackets = halves - halves.swapaxes(0, 1)
        constants = brackets @ own.T
        return constants, brackets - constants @ own, scale or 1.0

    @property
    def closure_error(self) -> float:
        """The largest relative part of a bracket outside of the span, as for `LieAlgebra`.

        For an algebra it is rounding error. The span of all symmetries up to a degree need
        not be closed, because brackets may have a larger degree.
        """
        if self.dimension < 2:
            return 0.0
        _, outside, scale = self._closure
        pairs = outside[np.triu_indices(self.dimension, 1)]
        return float(np.linalg.norm(pairs, 2)) / scale

    @property
    def structure_constants(self) -> np.ndarray:
        """`c[i, j, l]` with `[v_i, v_j] = sum_l c[i, j, l] v_l`, of shape `(k, k, k)`.

        They are the least squares solution if the span is not quite closed.
        """
        mixture, k = self._frame[1], self.dimension
        moved = np.einsum(
            "ia,jb,abc->ijc", mixture, mixture, self._closure[0], optimize=True
        )
        return np.linalg.solve(mixture.T, moved.reshape(k * k, k).T).T.reshape(k, k, k)

    def identify(self, tolerance: float | None = None) -> Identification:
        """A name for the algebra of the fields, as by `LieAlgebra.identify`.

        Args:
            tolerance: Numbers up to this size, where 1 is expected, count as zero. By
                default the clearest of several values between the closure error and 0.3, or
                0.05 if that error is larger.

        Returns:
            An `Identification`; for a span that is not closed its name is `"not closed"`.
        """
        values = plausible_tolerances(self.closure_error)
        if tolerance is None and self.closure_error > NOT_CLOSED:
            values = np.array([NOT_CLOSED])
        if tolerance is not None:
            values = np.array([fraction("tolerance", tolerance)])
        return clearest(self._identify_at, values)

    def _identify_at(self, tolerance: float) -> Identification:
        constants, _, scale = self._closure
        structure = StructureConstants(constants / scale, Tolerance(tolerance))
        return identify(structure, self.closure_error)

    def normalizer(self, tolerance: float = 1e-6) -> "VectorFields":
        """The fields of the span whose brackets with all of it stay in the span.

        These fields form an algebra, even if the span does not.

        Args:
            tolerance: Parts of a bracket up to this size, where 1 is expected, are zero.
        """
        frame, (_, outside, scale) = self._frame[0], self._closure
        left, sizes, _ = np.linalg.svd(outside.reshape(self.dimension, -1) / scale)
        kept = np.ones(self.dimension, dtype=bool)
        kept[: len(sizes)] = sizes <= tolerance
        return frame.combined(left[:, kept].T)

    # ----------------------------------------------------------------- words

    def canonical(
        self, units: ArrayLike | None = None, tolerance: float = 1e-9
    ) -> "VectorFields":
        """A sparse basis of the span, for reading.

        Args:
            units: The spread of each variable, `(n,)`, in which coefficients are compared;
                by default 1.
            tolerance: Coefficients up to this size, where the largest is 1, become zero.
        """
        scales = self._scales(units)
        rows = (self.coefficients * scales).reshape(self.dimension, -1)
        frame = np.linalg.svd(rows, full_matrices=False)[2]
        readable = sparse_basis(frame.reshape(self.coefficients.shape), tolerance)
        return VectorFields(self.powers, readable / scales)

    def formulas(
        self,
        names: Sequence[str] | None = None,
        units: ArrayLike | None = None,
        tolerance: float = 1e-6,
        origin: ArrayLike | None = None,
    ) -> list[str]:
        """Each field in symbols, such as `"2 t d/dx - x u d/du"`.

        Coefficients are whole numbers if their ratios are those of small whole numbers.

        Args:
            names: Names of the variables; by default `x0`, `x1` and so on.
            units: The spread of each variable, `(n,)`, by which terms are compared.
            tolerance: Terms up to this size, where the largest is 1, are left out.
            origin: The point where the variables are zero, `(n,)`, for fields of
                `x - origin`.
        """
        names = [f"x{a}" for a in range(self.size)] if names is None else names
        factors = names if origin is None else shifted_names(names, np.asarray(origin))
        texts = []
        for field in self.coefficients:
            moves = np.abs(field * self._scales(units))
            shown = np.where(moves > tolerance * np.max(moves, initial=0.0), field, 0.0)
            whole = whole_numbers(shown, tolerance)
            texts.append(field_formula(self.powers, whole, names, factors))
        return texts

    def _scales(self, units: ArrayLike | None) -> np.ndarray:
        """The size of a term with coefficient 1, in units of each variable, `(n, K)`."""
        if units is None:
            return np.ones((self.size, len(self.powers)))
        spread = finite_array("units", units)
        return monomials(self.powers, spread) / spread[:, None]

    # ----------------------------------------------------------- coordinates

    def in_coordinates(
        self, matrix: np.ndarray, offset: np.ndarray, inverse: np.ndarray
    ) -> "VectorFields":
        """Fields of `u = A x + b` as fields of `x`.

        Args:
            matrix: `A`, `(n, m)`.
            offset: `b`, `(n,)`.
            inverse: Matrix `(m, n)` that takes velocities of `u` to those of `x`.
        """
        expanded = substituted(self.powers, matrix, offset)
        coefficients = np.einsum(
            "ma,iap,pk->imk", inverse, self.coefficients, expanded, optimize=True
        )
        return VectorFields(exponents_up_to(matrix.shape[1], self.degree), coefficients)


__all__ = ["VectorFields"]
