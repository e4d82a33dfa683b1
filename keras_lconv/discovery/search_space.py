"""The space in which symmetries are searched: a span of `p` elements `E_a`.

The elements are maps of vectors, or generators on grids. The space defines how they act on
samples, how `exp(sum_a c_a E_a)` moves samples, and which generators a combination gives.
"""

from collections.abc import Callable

import numpy as np

from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.generators import Generators

# Entries up to this part of the largest one do not decide about the sign of a generator.
SIGN_TOLERANCE = 0.2


class SearchSpace:
    """The base of all kinds of search spaces.

    Args:
        size: The number `p` of elements.
    """

    def __init__(self, size: int):
        self.size = size

    def act(self, f: np.ndarray) -> np.ndarray:
        """All `E_a f`, of the shape of the samples `f` with a further axis `p`."""
        raise NotImplementedError

    def move(self, f: np.ndarray, c: np.ndarray) -> np.ndarray:
        """`exp(sum_a c_a E_a) f`, with coefficients `(batch, p)`, a row for each sample."""
        raise NotImplementedError

    def mover(
        self, c: np.ndarray, shape: tuple[int, ...]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """`exp(sum_a c_a E_a)` with the same `c`, `(1, p)`, for many samples of a shape."""
        return lambda f: self.move(f, np.tile(c, (len(f), 1)))

    def sizes(self, c: np.ndarray) -> np.ndarray:
        """How far `exp(sum_a c_a E_a)` moves, `(batch,)`: pi for a half turn."""
        raise NotImplementedError

    def generators(self, coefficients: np.ndarray) -> Generators:
        """Fixed generators `sum_a c_ia E_a`, built, for coefficients `(k, p)`."""
        raise NotImplementedError

    def canonical(self, frame: np.ndarray) -> np.ndarray:
        """A sparse basis `(k, p)` of the span of `frame`."""
        rows, columns = self._shape
        shaped = np.linalg.qr(frame.T)[0].T.reshape(-1, rows, columns)
        basis = sparse_basis(shaped, 0.0)
        signs = np.sign(np.sum(basis * sparse_basis(shaped, SIGN_TOLERANCE), axis=(1, 2)))
        return (signs[:, None, None] * basis).reshape(len(frame), -1)

    @property
    def _shape(self) -> tuple[int, int]:
        """The shape in which coefficients are read."""
        return 1, self.size
