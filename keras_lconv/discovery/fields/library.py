"""Vector fields that users give, as functions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_lconv._ops import to_numpy
from keras_lconv._typing import ArrayLike
from keras_lconv._validation import finite_array
from keras_lconv.algebra.field_formulas import sum_in_words, whole_numbers
from keras_lconv.algebra.flows import integrated
from keras_lconv.algebra.naming.identification import Identification, identify
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.algebra.structure import StructureConstants
from keras_lconv.algebra.tolerance import Tolerance

# The step of central differences, in units of the spread of the samples.
STEP = float(np.finfo("float64").eps ** (1 / 3))
# Brackets are compared at this many samples.
MOST_POINTS = 500
# The tolerance for structure constants from differences.
TOLERANCE = 1e-3


def is_library(search: Any) -> bool:
    """Whether functions are given, in a list or by name."""
    given = search.values() if isinstance(search, Mapping) else search
    is_listed = isinstance(search, (Mapping, list, tuple)) and len(search) > 0
    return is_listed and all(map(callable, given))


class FieldLibrary:
    """Fields `E f(x)` with functions `f` that are given.

    Args:
        search: Functions of vectors `(batch, v)`: one with values `(batch,)` is a
            coefficient, and stands for fields along each component; one with values
            `(batch, v)` is a field. A list, or a dictionary with their names.
        vectors: Samples `(N, v)`.
        names: Names of the components, or `None`.
    """

    def __init__(
        self, search: Any, vectors: np.ndarray, names: Sequence[str] | None = None
    ):
        v = vectors.shape[1]
        axes = [f"x{a}" for a in range(v)] if names is None else list(names)
        named = named_functions(search)
        self._given: list[Callable[..., Any]] = list(named.values())
        self.points = vectors[:: max(1, len(vectors) // MOST_POINTS)]
        spread = np.std(vectors, axis=0)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.labels: list[str] = []
        blocks, width = [], 0
        for name, function in named.items():
            values = values_of(name, function, vectors)
            if values.ndim == 1:
                targets, along = np.eye(v), [f"{name} d/d{axis}".strip() for axis in axes]
                block = np.zeros((v, v, 1))
                block[..., 0], columns = targets, 1
            else:
                block, along, columns = np.eye(v)[None], [str(name)], v
            blocks.append((width, block))
            self.labels += along
            width += columns
        self.elements = np.zeros((len(self.labels), v, width))
        row = 0
        for start, block in blocks:
            stop = start + block.shape[2]
            self.elements[row : row + len(block), :, start:stop] = block
            row += len(block)

    def __len__(self) -> int:
        return len(self.labels)

    def functions(self, vectors: np.ndarray) -> np.ndarray:
        """All functions of vectors `(..., v)`, `(..., w)`."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        columns = np.column_stack([to_numpy(each(flat)) for each in self._given])
        return columns.reshape(*vectors.shape[:-1], columns.shape[1])

    def fields(self, mixture: np.ndarray) -> "LibraryFields":
        """Mixtures `(k, p)` of the fields."""
        return LibraryFields(self, mixture)


class LibraryFields:
    """Mixtures of the fields of a library.

    Args:
        library: The library, of `p` fields.
        coefficients: Array `(k, p)`.
    """

    def __init__(self, library: FieldLibrary, coefficients: np.ndarray):
        self.library, self.coefficients = library, coefficients

    def __len__(self) -> int:
        return len(self.coefficients)

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """Values at points `(..., v)`, of shape `(..., k, v)`."""
        mixed = np.tensordot(self.coefficients, self.library.elements, 1)
        functions = self.library.functions(finite_array("x", x))
        return np.einsum("...w,kvw->...kv", functions, mixed, optimize=True)

    def flow(self, x: ArrayLike, t: ArrayLike) -> np.ndarray:
        """The positions of points after the time 1 along `sum_i t_i v_i`.

        Args:
            x: Points `(..., v)`.
            t: Parameters `(k,)`, or one number where there is one field.

        Returns:
            Array of the shape of `x`. Points that leave for infinity before are NaN.
        """
        points, parameters = finite_array("x", x), np.ravel(finite_array("t", t))
        flat = points.reshape(-1, points.shape[-1])
        moved = integrated(lambda z: np.einsum("skv,k->sv", self(z), parameters), flat)
        return moved.reshape(points.shape)

    def canonical(self, tolerance: float) -> "LibraryFields":
        """A sparse basis of the span, with the first coefficient positive.

        Args:
            tolerance: Coefficients up to this, where the largest is 1, become zero.
        """
        sizes = self._sizes()
        rows = self.coefficients * sizes
        if not len(rows):
            return self
        frame = np.linalg.svd(rows, full_matrices=False)[2]
        readable = sparse_basis(frame[:, None], tolerance)[:, 0]
        readable *= np.sign([row[np.flatnonzero(row)[0]] for row in readable])[:, None]
        return LibraryFields(self.library, readable / np.where(sizes > 0, sizes, 1.0))

    def formulas(self, tolerance: float = 1e-6) -> list[str]:
        """Each field in symbols, with the names of the functions."""
        texts, sizes = [], self._sizes()
        for row in self.coefficients:
            moves = np.abs(row * sizes)
            shown = np.where(moves > tolerance * np.max(moves, initial=0.0), row, 0.0)
            texts.append(sum_in_words(whole_numbers(shown, tolerance), self.library.labels))
        return texts

    def _sizes(self) -> np.ndarray:
        """How far each field of the library moves the samples, in units of the spread."""
        single = LibraryFields(self.library, np.eye(len(self.library)))
        moves = single(self.library.points) / self.library.spread
        return np.sqrt(np.mean(np.sum(moves**2, axis=2), axis=0))

    def _brackets(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Structure constants at the samples, the residual of brackets, and the unit."""
        points, spread, k = self.library.points, self.library.spread, len(self)
        slopes = []
        for axis, size in enumerate(STEP * spread):
            step = np.eye(len(spread))[axis] * size
            slopes.append((self(points + step) - self(points - step)) / (2 * size))
        values = self(points)
        halves = np.einsum("siv,vsjw->ijsw", values, np.array(slopes)) / spread
        own = np.moveaxis(values / spread, 1, 0).reshape(k, -1)
        frame, triangle = np.linalg.qr(own.T)
        inverse = np.linalg.inv(triangle)
        halves = np.einsum("ia,jb,ijm->abm", inverse, inverse, halves.reshape(k, k, -1))
        scale = float(np.linalg.norm(halves)) / np.sqrt(max(k, 1)) or 1.0
        brackets = halves - halves.swapaxes(0, 1)
        constants = brackets @ frame
        return constants / scale, (brackets - constants @ frame.T) / scale, scale

    @property
    def closure_error(self) -> float:
        """The largest relative part of a bracket outside of the span, at the samples."""
        if len(self) < 2:
            return 0.0
        outside = self._brackets()[1][np.triu_indices(len(self), 1)]
        return float(np.linalg.norm(outside, 2))

    def identify(self, tolerance: float | None = None) -> Identification:
        """A name for the algebra of the fields."""
        structure = StructureConstants(
            self._brackets()[0], Tolerance(TOLERANCE if tolerance is None else tolerance)
        )
        return identify(structure, self.closure_error)


def named_functions(search: Any) -> dict[str, Callable[..., Any]]:
    """Functions by name. Functions in a list without a name get numbers."""
    if isinstance(search, Mapping):
        return dict(search)
    named = {}
    for number, function in enumerate(search):
        name = getattr(function, "__name__", "<lambda>")
        named[f"f{number}" if name == "<lambda>" or name in named else name] = function
    return named


def values_of(
    name: str, function: Callable[..., Any], x: np.ndarray, is_coefficient: bool = False
) -> np.ndarray:
    """Values of a function of vectors `(batch, v)`, checked."""
    values = finite_array(f"search: the values of {name}", to_numpy(function(x)))
    if values.shape != x.shape[:1] and (is_coefficient or values.shape != x.shape):
        fields = "" if is_coefficient else f", coefficients, or {x.shape}, fields"
        raise ValueError(
            f"`search` must hold functions of arrays {x.shape} with values {x.shape[:1]}"
            f"{fields}. Received: {name} with values of shape {values.shape}"
        )
    return values
