"""Spans of affine maps of vectors, in which symmetries of tables are searched."""

import warnings
from collections.abc import Callable

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv._typing import GeneratorsLike
from keras_lconv.algebra import MatrixGroup, Representation
from keras_lconv.discovery.search_space import SearchSpace
from keras_lconv.generators import MatrixGenerators
from keras_lconv.generators.registry import given_matrices

# The number of arrays, of the squared number of unknowns, that a search holds at once.
COPIES = 45
# From this many unknowns on, those of 40 columns, a search takes minutes.
MANY_UNKNOWNS = 1600
FEWER_UNKNOWNS = (
    "Use vectors that transform alike (`blocks`), a basis of maps (`search`) or fewer "
    "columns"
)

# A map has no real logarithm if an eigenvalue is negative, up to this.
EXACT = 1e-9


class MapSpace(SearchSpace):
    """Affine maps `x -> A x + b` of the vectors that samples `(batch, blocks, v)` hold.

    Args:
        elements: The maps `[A | b]`, `(p, v, v + 1)`, linearly independent.
    """

    def __init__(self, elements: np.ndarray):
        super().__init__(len(elements))
        self.elements = elements

    @property
    def vector_size(self) -> int:
        """The number `v` of components of a vector."""
        return self.elements.shape[1]

    @property
    def is_linear(self) -> bool:
        """Whether no map has a translation."""
        return not np.any(self.elements[..., -1])

    def act(self, f: np.ndarray) -> np.ndarray:
        """All `E_a f`, with a further axis `p`."""
        linear, constant = self.elements[..., :-1], self.elements[..., -1]
        return np.einsum("pvw,sbw->sbvp", linear, f, optimize=True) + constant.T

    def move(self, f: np.ndarray, c: np.ndarray) -> np.ndarray:
        """`exp(sum_a c_a E_a) f`, with coefficients `(batch, p)`."""
        from scipy.linalg import expm

        maps = expm(self._homogeneous(c))[:, :-1]
        return np.einsum("svw,sbw->sbv", maps[..., :-1], f) + maps[:, None, :, -1]

    def mover(
        self, c: np.ndarray, shape: tuple[int, ...]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """The same motion for many samples of a shape."""
        from scipy.linalg import expm

        element = expm(self._homogeneous(c))[0, :-1]
        return lambda f: f @ element[:, :-1].T + element[:, -1]

    def sizes(self, c: np.ndarray) -> np.ndarray:
        """How far motions go, `(batch,)`: pi for a half turn."""
        return np.linalg.norm(self._homogeneous(c), 2, axis=(1, 2))

    def logarithm(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Coefficients of the principal logarithm of the map from all `x` to all `y`.

        The logarithm is projected onto the span. If the map has no logarithm, its turns are
        too large to be unique, and the result is zero.
        """
        from scipy.linalg import logm

        v = self.vector_size
        vectors = [f.reshape(-1, v) for f in (x, y)]
        if not self.is_linear:
            vectors = [np.pad(f, ((0, 0), (0, 1)), constant_values=1.0) for f in vectors]
        matrix = np.linalg.lstsq(vectors[0], vectors[1], rcond=None)[0].T
        eigenvalues = np.linalg.eigvals(matrix)
        if np.any((np.abs(eigenvalues.imag) < EXACT) & (eigenvalues.real < EXACT)):
            return np.zeros(self.size)
        found = np.zeros((1, v + 1, v + 1))
        found[0, : len(matrix), : len(matrix)] = np.real(logm(matrix))
        return self._coefficients(found)[0]

    def matrices(self, coefficients: np.ndarray) -> np.ndarray:
        """Combinations as matrices: `A`, or `[[A, b], [0, 0]]` for affine maps."""
        maps = self._homogeneous(coefficients)
        return maps[:, :-1, :-1] if self.is_linear else maps

    def generators(self, coefficients: np.ndarray) -> MatrixGenerators:
        """Fixed generators `sum_a c_ia E_a`, built."""
        found = MatrixGenerators(self.matrices(coefficients))
        found.build((None, self.vector_size + (not self.is_linear), 1))
        return found

    def _homogeneous(self, c: np.ndarray) -> np.ndarray:
        return np.pad(np.tensordot(c, self.elements, 1), ((0, 0), (0, 1), (0, 0)))

    def _coefficients(self, maps: np.ndarray) -> np.ndarray:
        """The coefficients `(k, p)` of the nearest combinations to maps."""
        rows = self.elements.reshape(self.size, -1)
        flat = maps[:, :-1].reshape(len(maps), -1)
        return np.linalg.lstsq(rows.T, flat.T, rcond=None)[0].T

    @property
    def _shape(self) -> tuple[int, int]:
        v = self.vector_size
        for columns in (v, v + 1):
            if self.size == v * columns:
                return v, columns
        return 1, self.size


def all_maps(size: int, affine: bool) -> MapSpace:
    """All linear or all affine maps of vectors of a size."""
    columns = size + 1 if affine else size
    elements = np.eye(size * columns).reshape(-1, size, columns)
    return MapSpace(elements if affine else _without_translation(elements))


def maps_among(search: GeneratorsLike, size: int) -> MapSpace:
    """The maps of vectors of a size from an argument `search`."""
    if isinstance(search, str):
        if search not in ("linear", "affine"):
            raise ValueError(
                "`search` must be 'linear', 'affine', matrices or a `LieAlgebra` for "
                "vectors, or 'polynomial' or functions where vector fields are supported. "
                f"Received: search={search!r}"
            )
        check_cost(f"all maps of {size} components", size**2)
        return all_maps(size, search == "affine")
    if isinstance(search, (MatrixGroup, Representation)):
        # The further elements of a group would be ignored.
        part = "algebra" if isinstance(search, MatrixGroup) else "generators"
        raise TypeError(
            f"`search` must be matrices or a `LieAlgebra`. Received: {search!r}. Give its "
            f"`{part}`"
        )
    array = given_matrices("search", search, size)
    shapes = ((size, size), (size, size + 1), (size + 1, size + 1))
    if array.ndim != 3 or array.shape[1:] not in shapes or not np.any(array):
        raise ValueError(
            f"`search` must be matrices of shape `(p, {size}, {size})` for vectors of size "
            f"{size}, or affine maps `[A | b]` of shape `(p, {size}, {size + 1})`, at "
            f"least one and not all zero. Received: shape {array.shape}"
        )
    if array.shape[1:] == (size, size):
        return MapSpace(_without_translation(array))
    if np.any(array[:, size:]):
        raise ValueError(
            "`search` must hold affine maps `[[A, b], [0, 0]]`. Received: matrices of "
            f"shape {array.shape} whose last row is not zero"
        )
    return MapSpace(array[:, :size])


def check_cost(searched: str, unknowns: int) -> None:
    """Raises an error if this many unknowns do not fit into memory, and warns if they take
    long.
    """
    what = f"To `search` among {searched}, with {unknowns:,} unknowns,"
    require_memory(what, COPIES * unknowns**2, FEWER_UNKNOWNS)
    if unknowns > MANY_UNKNOWNS:
        warnings.warn(
            f"{what} takes minutes: time grows with the third power of their number. "
            f"{FEWER_UNKNOWNS}",
            stacklevel=2,
        )


def require_degree(degree: int, searched: str, unknowns: int, most: int) -> None:
    """Raises an error if a degree has more unknowns than a minute or so allows.

    Args:
        degree: The requested degree.
        searched: A description of the search space.
        unknowns: The number of coefficients.
        most: The largest allowed number.
    """
    if unknowns > most:
        raise ValueError(
            f"`degree` must leave at most {most:,} unknowns. Received: degree={degree}, "
            f"which has {unknowns:,} in {searched}. Take a lower `degree`, fewer variables "
            "or fewer functions"
        )


def _without_translation(matrices: np.ndarray) -> np.ndarray:
    return np.pad(matrices, ((0, 0), (0, 0), (0, 1)))
