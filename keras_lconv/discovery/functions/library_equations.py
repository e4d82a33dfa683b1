"""The equations for the vector fields of a library, on the vectors in a table."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv.discovery.fields.library import FieldLibrary
from keras_lconv.discovery.fields.report import FieldReport
from keras_lconv.discovery.functions.field_equations import FieldEquations


class LibraryEquations(FieldEquations):
    """`J(x) v(x) = K F(x)` for mixtures of given fields.

    Args:
        x: Samples `(batch, n)`, each of them once.
        kind: `"invariance"` or `"equivariance"`.
        blocks: Number of vectors in a sample.
        scalars: Number of components before them, which do not transform.
        search: The functions, a list or a dictionary.
        output: The kind of `K`.
        names: Names of the components of a vector, or `None`.
    """

    def __init__(
        self,
        x: np.ndarray,
        kind: str,
        blocks: int,
        scalars: int,
        search: Any,
        output: ArrayLike,
        names: tuple[str, ...] | None = None,
    ):
        super().__init__(x, kind, blocks, scalars, output, names)
        self._library = FieldLibrary(search, self._all_vectors, names)

    @property
    def num_searched(self) -> int:
        """The dimension of the search."""
        return len(self._library)

    def _extended(self, vectors: np.ndarray) -> np.ndarray:
        return self._library.functions(vectors)

    @property
    def _elements(self) -> np.ndarray:
        return np.einsum("rv,pvw->prw", self._standard.whiten, self._library.elements)

    def report(self, dimension: int | None, fit_error: float = 0.0) -> FieldReport:
        """The report from the equations of all samples."""
        space, changes, counted = self._solved(dimension, fit_error)
        number = self._number(space, dimension, fit_error)
        found = self._library.fields(space.solutions[:, :number].T)
        report = self._told(
            space,
            number,
            fields=found.canonical(self._noise(space)),
            in_standard=found,
            searched="fields of a library",
            origin=np.zeros(self._all_vectors.shape[1]),
        )
        judged = self._judged(report, changes, counted)
        assert isinstance(judged, FieldReport)
        return judged
