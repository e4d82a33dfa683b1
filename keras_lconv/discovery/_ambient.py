"""Where generators are searched for: spans of vector fields or of matrices.

Either kind says how its `p` elements `E_a` act on samples, and how
`exp(sum_a c_a E_a)` moves them, with coefficients `c` for each sample.
"""

import math
from collections.abc import Callable

import numpy as np
from keras import ops

from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.generators import Generators, MatrixGenerators, VectorFieldGenerators
from keras_lconv.generators.vector_field import monomials

# Samples in memory at a time, with all derivatives.
BATCH_SIZE = 512
# Steps along a flow that moves by half of the grid's width, and how many of these widths
# from the centre it is followed.
FLOW_STEPS = 2
FARTHEST = 4.0
# Entries up to this part of the largest one do not decide about the sign of a generator.
SIGN_TOLERANCE = 0.2


class Ambient:
    """What both kinds have in common.

    Samples are arrays `(batch, *spatial, channels)`. Only what `observed` takes from them
    is compared.

    Args:
        size: The number `p` of elements.
        levels: How much samples are smoothed, from coarse to fine.
    """

    def __init__(self, size: int, levels: tuple[float, ...]):
        self.size = size
        self.levels = levels

    def smoothed(self, f: np.ndarray, level: float) -> np.ndarray:
        """Samples without what is smaller than a level."""
        return f

    def observed(self, f: np.ndarray) -> np.ndarray:
        """The numbers to compare, `(batch, m)`."""
        raise NotImplementedError

    def act(self, f: np.ndarray) -> np.ndarray:
        """What is observed of all `E_a f`, `(batch, m, p)`."""
        raise NotImplementedError

    def move(self, f: np.ndarray, c: np.ndarray) -> np.ndarray:
        """`exp(sum_a c_a E_a) f`, for coefficients `(batch, p)`."""
        raise NotImplementedError

    def mover(
        self, c: np.ndarray, shape: tuple[int, ...]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """`exp(sum_a c_a E_a)` with the same `c`, `(1, p)`, for many samples of a shape."""
        size = math.prod(shape[:-1])
        columns = np.eye(size).reshape(size, *shape[:-1], 1)
        matrix = self.move(columns, np.tile(c, (size, 1))).reshape(size, size)

        def move(f: np.ndarray) -> np.ndarray:
            flat = f.reshape(len(f), size, -1)
            return np.einsum("ji,bjc->bic", matrix, flat, optimize=True).reshape(f.shape)

        return move

    def sizes(self, c: np.ndarray) -> np.ndarray:
        """How far `exp(sum_a c_a E_a)` moves, `(batch,)`: pi for a half turn."""
        raise NotImplementedError

    def resolution(self, level: float) -> float:
        """The size of a motion over which samples of a level stay similar."""
        raise NotImplementedError

    def canonical(self, frame: np.ndarray) -> np.ndarray:
        """A basis `(k, p)` of the span of `frame` that a person can read."""
        rows, columns = self._shape
        shaped = np.linalg.qr(frame.T)[0].T.reshape(-1, rows, columns)
        basis = sparse_basis(shaped, 0.0)
        signs = np.sign(np.sum(basis * sparse_basis(shaped, SIGN_TOLERANCE), axis=(1, 2)))
        return (signs[:, None, None] * basis).reshape(len(frame), -1)

    @property
    def _shape(self) -> tuple[int, int]:
        """The shape in which coefficients are read."""
        return 1, self.size

    def generators(self, coefficients: np.ndarray) -> Generators:
        """Fixed generators `sum_a c_ia E_a`, for coefficients `(k, p)`."""
        raise NotImplementedError


class FieldAmbient(Ambient):
    """Vector fields on a grid.

    What is near the border comes from outside or goes there, and is not compared.

    Args:
        generators: The fields, as built `VectorFieldGenerators`.
        smoothing: The width of a Gaussian, in grid steps, at the finest level.
        border: Number of grid points next to each border that are left out.
    """

    def __init__(self, generators: VectorFieldGenerators, smoothing: float, border: int):
        self._generators = generators
        self._spatial = generators.spatial_shape or ()
        self._border = border
        self._radius = max((max(self._spatial) - 1) / 2, 0.5)
        self._values = generators.vector_fields().astype("float64")
        self._coefficients = ops.convert_to_numpy(generators.coefficients)
        # Coarse details guide the search for motions that are larger than fine ones.
        widest = max(self._radius / 3, 2 * smoothing)
        super().__init__(len(self._values), (widest, (widest + smoothing) / 2, smoothing))

    def smoothed(self, f: np.ndarray, level: float) -> np.ndarray:
        from scipy.ndimage import gaussian_filter

        widths = (0.0, *(level for _ in self._spatial), 0.0)
        return gaussian_filter(f, widths, mode="constant")

    def observed(self, f: np.ndarray) -> np.ndarray:
        inner = tuple(slice(self._border, n - self._border) for n in self._spatial)
        return f[(slice(None), *inner)].reshape(len(f), -1)

    def act(self, f: np.ndarray) -> np.ndarray:
        derivatives = ops.convert_to_numpy(self._generators(f.astype("float32")))
        derivatives = np.moveaxis(derivatives, -2, -1)
        inner = self.observed(derivatives.reshape(*f.shape[:-1], -1)).astype("float64")
        return inner.reshape(len(f), -1, self.size)

    def move(self, f: np.ndarray, c: np.ndarray) -> np.ndarray:
        from scipy.ndimage import map_coordinates

        # Content comes from where the flow was before. Smoothed samples lose nothing by
        # splines, and the time does not grow with the motion.
        places = self._flow(-c).transpose(0, 2, 1).reshape(len(f), -1, *self._spatial)
        mode = "grid-wrap" if self._generators.derivative == "fourier" else "grid-constant"
        moved = np.empty_like(f)
        for sample, coordinates in enumerate(places):
            for channel in range(f.shape[-1]):
                moved[sample, ..., channel] = map_coordinates(
                    f[sample, ..., channel], coordinates, order=3, mode=mode
                )
        return moved

    def _flow(self, c: np.ndarray) -> np.ndarray:
        """Where the flows of fields lead grid points in unit time, `(batch, d, ndim)`.

        In grid steps from the corner, by Runge and Kutta's method of fourth order.
        """
        fields = np.tensordot(c, self._coefficients, 1)
        size = float(np.max(self.sizes(c), initial=0.0))
        steps = max(1, math.ceil(FLOW_STEPS * size))

        def velocity(points: np.ndarray) -> np.ndarray:
            # Quadratic flows leave the grid for infinity in finite time.
            points = np.clip(points, -FARTHEST, FARTHEST)
            values = monomials(self._generators.field, points)
            return np.einsum("sap,psd->sda", fields, values, optimize=True) / steps

        shape = np.array(self._spatial)
        corner = (shape - 1) / 2 / self._radius
        grid = np.indices(self._spatial).reshape(len(shape), -1).T / self._radius - corner
        points = np.tile(grid, (len(c), 1, 1))
        for _ in range(steps):
            first = velocity(points)
            second = velocity(points + first / 2)
            third = velocity(points + second / 2)
            fourth = velocity(points + third)
            points = points + (first + 2 * second + 2 * third + fourth) / 6
        return (points + corner) * self._radius

    def sizes(self, c: np.ndarray) -> np.ndarray:
        fields = np.tensordot(c, self._values, 1).reshape(len(c), -1, len(self._spatial))
        return np.max(np.linalg.norm(fields, axis=-1), axis=1) / self._radius

    def resolution(self, level: float) -> float:
        return max(level, 1.0) / self._radius

    @property
    def _shape(self) -> tuple[int, int]:
        ndim = len(self._spatial)
        return (ndim, self.size // ndim) if self.size % ndim == 0 else (1, self.size)

    def generators(self, coefficients: np.ndarray) -> VectorFieldGenerators:
        return VectorFieldGenerators.from_values(
            np.tensordot(coefficients, self._values, 1),
            self._generators.field,
            self._generators.derivative,
        )


class MatrixAmbient(Ambient):
    """Matrices on the components of vectors.

    Args:
        matrices: The elements, `(p, n, n)`, linearly independent.
    """

    def __init__(self, matrices: np.ndarray):
        super().__init__(len(matrices), (0.0,))
        self._matrices = matrices

    def observed(self, f: np.ndarray) -> np.ndarray:
        return f.reshape(len(f), -1)

    def act(self, f: np.ndarray) -> np.ndarray:
        flat = f.reshape(len(f), self._matrices.shape[1], -1)
        moved = np.einsum("pij,bjc->bicp", self._matrices, flat, optimize=True)
        return moved.reshape(len(f), -1, self.size)

    def move(self, f: np.ndarray, c: np.ndarray) -> np.ndarray:
        from scipy.linalg import expm

        flat = f.reshape(len(f), self._matrices.shape[1], -1)
        moved = expm(np.tensordot(c, self._matrices, 1)) @ flat
        return moved.reshape(f.shape)

    def sizes(self, c: np.ndarray) -> np.ndarray:
        return np.linalg.norm(np.tensordot(c, self._matrices, 1), 2, axis=(1, 2))

    def resolution(self, level: float) -> float:
        return math.pi / 8

    def logarithm(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Coefficients of the principal logarithm of the map from all `x` to all `y`.

        The logarithm is projected onto the span. Where the map has none, its turns are too
        large to be told from others, and the result is zero.
        """
        from scipy.linalg import logm

        n = self._matrices.shape[1]
        vectors = [
            np.moveaxis(f.reshape(len(f), n, -1), 1, 2).reshape(-1, n) for f in (x, y)
        ]
        matrix = np.linalg.lstsq(vectors[0], vectors[1], rcond=None)[0].T
        eigenvalues = np.linalg.eigvals(matrix)
        if np.any((np.abs(eigenvalues.imag) < 1e-9) & (eigenvalues.real < 1e-9)):
            return np.zeros(self.size)
        rows = self._matrices.reshape(self.size, -1)
        return np.linalg.lstsq(rows.T, np.real(logm(matrix)).ravel(), rcond=None)[0]

    @property
    def _shape(self) -> tuple[int, int]:
        n = self._matrices.shape[1]
        return (n, n) if self.size == n * n else (1, self.size)

    def generators(self, coefficients: np.ndarray) -> MatrixGenerators:
        return MatrixGenerators(np.tensordot(coefficients, self._matrices, 1))
