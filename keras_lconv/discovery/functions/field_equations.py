"""The equations for vector fields that are not affine, on the vectors in a table."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv.discovery.fields.report import FieldReport
from keras_lconv.discovery.functions.vector_equations import VectorEquations
from keras_lconv.discovery.gap import LARGEST_NULL_VALUE
from keras_lconv.discovery.null_space import NullSpace

OUTPUTS = ("free", "same")
# Many such fields approximate any smooth one, so a field further than this from a symmetry
# is none. Symmetries of a fit are as far away as its error.
SMALLEST_LIMIT = 0.03
# Coefficients up to this may be zero, where the largest is 1: lower and upper bound.
ROUNDING, LARGEST_NOISE = 1e-9, 0.1


class FieldEquations(VectorEquations):
    """`J(x) v(x) = K F(x)` for fields `v = E f(x)`, with functions `f` of a vector.

    Args:
        x: Samples `(batch, n)`, each of them once.
        kind: `"invariance"` or `"equivariance"`.
        blocks: Number of vectors in a sample.
        scalars: Number of components before them, which do not transform.
        output: The kind of `K`.
        names: Names of the components of a vector, or `None`.
    """

    def __init__(
        self,
        x: np.ndarray,
        kind: str,
        blocks: int,
        scalars: int,
        output: ArrayLike,
        names: tuple[str, ...] | None = None,
    ):
        super().__init__(x, kind, blocks, scalars, output, names)
        if self._output not in OUTPUTS:
            raise ValueError(
                f"`output` must be one of {OUTPUTS} for fields that are not affine. "
                f"Received: {self._output}"
            )
        self._set_coordinates(is_affine=True)

    def require_outputs(self, size: int) -> None:
        """Raises an error unless `output` determines how this number of outputs moves."""
        needed = self.samples.shape[1] if self._output == "same" else size
        if self._kind == "equivariance" and size != needed:
            raise ValueError(
                f"output={self._output!r} needs a function with {needed} outputs. "
                f"Received: {size} outputs"
            )

    def _moved(self, values: np.ndarray, scaling: np.ndarray) -> np.ndarray:
        """The fields at outputs `(batch, m)`, `(batch, m, p)`."""
        functions, elements = self._extended(self._vectors(values)), self._elements
        velocities = np.einsum(
            "va,paw,sbw->sbvp", self._standard.restore, elements, functions, optimize=True
        )
        moved = np.zeros((*values.shape, len(elements)))
        moved[:, self._scalars :] = velocities.reshape(len(values), -1, len(elements))
        return np.einsum("nm,smq->snq", scaling, moved, optimize=True)

    def _number(self, space: NullSpace, dimension: int | None, fit_error: float) -> int:
        """The number of solutions that are symmetries."""
        number = space.dimension
        if dimension is None and number:
            largest = float(space.singular_values[number - 1])
            limit = min(SMALLEST_LIMIT + fit_error, LARGEST_NULL_VALUE)
            return number if largest <= limit else 0
        return number

    def _noise(self, space: NullSpace) -> float:
        """Coefficients up to this size, where the largest is 1, may be zero."""
        return float(
            np.clip(3 * np.max(space.errors, initial=0.0), ROUNDING, LARGEST_NOISE)
        )

    def _told(self, space: NullSpace, number: int, **found: Any) -> FieldReport:
        """The report about `number` solutions, some of them listed."""
        fields = found["fields"]
        errors = np.full(len(fields), np.max(space.errors[:number], initial=0.0))
        confidence = space.confidence
        if space.dimension and not number:
            # There is a gap, but the values below it are too large for symmetries.
            confidence *= 1 - SMALLEST_LIMIT / float(space.singular_values[0])
        return FieldReport(
            basis=fields.coefficients,
            kind=self._kind,
            output=self._output if self._kind == "equivariance" else None,
            blocks=self._blocks,
            scalars=self._scalars,
            singular_values=space.singular_values,
            gap=space.gap,
            confidence=max(confidence, 0.0),
            errors=errors,
            unidentified=self._standard.unreached,
            is_determined=space.is_determined,
            names=self._names,
            scales=self._standard.scales,
            num_solutions=number,
            **found,
        )
