"""Spans of generators on a grid, in which symmetries of images are searched."""

import math
from collections.abc import Callable

import numpy as np
from keras import ops

from keras_lconv._typing import GeneratorsLike
from keras_lconv.discovery.search_space import SearchSpace
from keras_lconv.generators import Generators, MatrixGenerators, VectorFieldGenerators
from keras_lconv.generators.polynomials import DEGREES, exponents, monomials
from keras_lconv.generators.registry import NAMES, named

# Fields whose values differ by less, relative to their size, are equal.
SAME_FIELD = 1e-5
# Quadratic flows reach infinity in finite time. They are followed up to this many half
# widths of the grid from its centre, with this precision.
FARTHEST, FLOW_TOLERANCE = 4.0, 1e-6


class GridSpace(SearchSpace):
    """Generators on a grid, for samples `(batch, *spatial, channels)`.

    Derivatives along polynomial vector fields also move samples along flows. Lengths are in
    units of half of the grid's width.

    Args:
        generators: The elements, built.
    """

    def __init__(self, generators: Generators):
        super().__init__(generators.num_generators)
        self.shape = generators.spatial_shape or ()
        self.radius = max((max(self.shape) - 1) / 2, 0.5)
        self.fields = generators.vector_fields()
        self.derivative = generators.derivative
        self._generators = generators
        self.kind, self.coefficients = self._polynomials()

    def _polynomials(self) -> tuple[str | None, np.ndarray | None]:
        """The simplest kind of polynomials that contains all fields, and the
        coefficients.
        """
        if self.fields is None:
            return None, None
        ndim = len(self.shape)
        flat = np.swapaxes(self.fields.reshape(self.size, -1, ndim), 1, 2) / self.radius
        points = self._points().reshape(-1, ndim)
        preferred = getattr(self._generators, "field", None)
        for kind in (preferred, *DEGREES) if preferred in DEGREES else DEGREES:
            values = monomials(kind, points)
            columns = flat.reshape(-1, flat.shape[-1]).T
            found = np.linalg.lstsq(values.T, columns, rcond=None)[0]
            rest = np.linalg.norm(values.T @ found - columns)
            if rest <= SAME_FIELD * np.linalg.norm(columns):
                return kind, found.T.reshape(self.size, ndim, -1)
        return "free", flat

    @property
    def has_flows(self) -> bool:
        """Whether samples can be moved along flows."""
        return self.kind in DEGREES

    def act(self, f: np.ndarray) -> np.ndarray:
        """All `E_a f`, with a further axis `p`."""
        tensor = ops.convert_to_tensor(f, dtype=self._generators.compute_dtype)
        moved = ops.convert_to_numpy(self._generators(tensor)).astype("float64")
        return np.moveaxis(moved, -2, -1)

    def move(self, f: np.ndarray, c: np.ndarray) -> np.ndarray:
        """`exp(sum_a c_a E_a) f`, with coefficients `(batch, p)`."""
        from scipy.ndimage import map_coordinates

        # Content comes from the place of the flow at an earlier time. Smoothed samples lose
        # nothing by splines, and the computing time does not grow with the motion.
        places = self._flow(-c).transpose(0, 2, 1).reshape(len(f), -1, *self.shape)
        mode = "grid-wrap" if self.derivative == "fourier" else "grid-constant"
        moved = np.empty_like(f)
        for sample, coordinates in enumerate(places):
            for channel in range(f.shape[-1]):
                moved[sample, ..., channel] = map_coordinates(
                    f[sample, ..., channel], coordinates, order=3, mode=mode
                )
        return moved

    def mover(
        self, c: np.ndarray, shape: tuple[int, ...]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """The same motion for many samples of a shape."""
        size = math.prod(shape[:-1])
        columns = np.eye(size).reshape(size, *shape[:-1], 1)
        matrix = self.move(columns, np.tile(c, (size, 1))).reshape(size, size)

        def move(f: np.ndarray) -> np.ndarray:
            flat = f.reshape(len(f), size, -1)
            return np.einsum("ji,bjc->bic", matrix, flat, optimize=True).reshape(f.shape)

        return move

    def _points(self) -> np.ndarray:
        """The grid points `(d, ndim)`, centred, in units of half of the width."""
        shape = np.array(self.shape)
        grid = np.indices(self.shape).reshape(len(shape), -1).T
        return (grid - (shape - 1) / 2) / self.radius

    def _flow(self, c: np.ndarray) -> np.ndarray:
        """The places to which the flows of fields move grid points in unit time, `(batch,
        d, ndim)`.

        They are in grid steps from the corner. Flows of affine fields are matrix
        exponentials.
        """
        points = self._points()
        fields = np.tensordot(c, self._known_coefficients(), 1)
        if self.kind == "quadratic":
            ends = self._quadratic_flow(fields, points)
        else:
            from scipy.linalg import expm

            maps = expm(self._homogeneous(fields))[:, :-1]
            ends = np.einsum("svw,dw->sdv", maps[..., :-1], points) + maps[:, None, :, -1]
        corner = (np.array(self.shape) - 1) / 2
        return ends * self.radius + corner

    def _quadratic_flow(self, fields: np.ndarray, points: np.ndarray) -> np.ndarray:
        from scipy.integrate import solve_ivp

        shape = (len(fields), *points.shape)

        def velocity(_: float, state: np.ndarray) -> np.ndarray:
            inside = np.clip(state.reshape(shape), -FARTHEST, FARTHEST)
            values = monomials("quadratic", inside)
            return np.einsum("sap,psd->sda", fields, values, optimize=True).ravel()

        start = np.tile(points, (len(fields), 1, 1)).ravel()
        # The tolerance applies to the root mean square over all points of the batch.
        solved = solve_ivp(
            velocity,
            (0.0, 1.0),
            start,
            method="DOP853",
            t_eval=[1.0],
            rtol=FLOW_TOLERANCE,
            atol=FLOW_TOLERANCE,
        )
        return solved.y[:, -1].reshape(shape)

    def _homogeneous(self, fields: np.ndarray) -> np.ndarray:
        """Linear and affine fields `(k, ndim, p)` as matrices `[[A, b], [0, 0]]`."""
        if self.kind == "linear":
            return np.pad(fields, ((0, 0), (0, 1), (0, 1)))
        return np.pad(np.roll(fields, -1, axis=2), ((0, 0), (0, 1), (0, 0)))

    def sizes(self, c: np.ndarray) -> np.ndarray:
        """How far motions go, `(batch,)`: pi for a half turn."""
        if self.fields is None:
            raise ValueError(
                "`search` must hold vector fields here. Received: generators without flows"
            )
        fields = np.tensordot(c, self.fields.astype("float64"), 1)
        lengths = np.linalg.norm(fields.reshape(len(c), -1, len(self.shape)), axis=-1)
        return np.max(lengths, axis=1) / self.radius

    @property
    def _shape(self) -> tuple[int, int]:
        ndim = len(self.shape)
        return (ndim, self.size // ndim) if self.size % ndim == 0 else (1, self.size)

    def generators(self, coefficients: np.ndarray) -> Generators:
        """Fixed generators `sum_a c_ia E_a`, built."""
        found: Generators
        if self.fields is None:
            matrices = ops.convert_to_numpy(self._generators.to_dense())
            found = MatrixGenerators(np.tensordot(coefficients, matrices, 1))
        else:
            assert self.kind is not None
            found = VectorFieldGenerators.from_coefficients(
                np.tensordot(coefficients, self._known_coefficients(), 1),
                self.shape,
                self.kind,
                derivative=self.derivative,
            )
        found.build((None, *self.shape, 1))
        return found

    def _known_coefficients(self) -> np.ndarray:
        assert self.coefficients is not None
        return self.coefficients

    def lengths(self) -> np.ndarray:
        """The size of each element, `(p,)`, positive."""
        norms = ops.convert_to_numpy(self._generators.norm_bounds()).astype("float64")
        return np.where(norms > 0, norms, 1.0)


def generators_among(
    search: GeneratorsLike, shape: tuple[int, ...], owner: str
) -> Generators:
    """The built generators on a grid from an argument `search`.

    Args:
        search: A kind of vector field, a name, matrices, an algebra or `Generators`.
        shape: Shape of the samples, channels last.
        owner: The caller, for messages.

    Returns:
        An instance of `Generators`.
    """
    if isinstance(search, str) and search in DEGREES:
        ndim = max(len(shape) - 2, 1)
        number = len(exponents(search, ndim))
        every = np.eye(ndim * number).reshape(-1, ndim, number)
        found: Generators = VectorFieldGenerators.from_coefficients(
            every, tuple(shape[1 : ndim + 1]), search
        )
    elif isinstance(search, str) and search not in NAMES:
        raise ValueError(
            f"`search` must be one of {sorted({*DEGREES, *NAMES})}, or generators. "
            f"Received: search={search!r}"
        )
    else:
        found = named("search", search)
    if not found.is_square:
        raise ValueError(
            f"`search` must hold square generators. Received: generators {found.name!r}, "
            "which lead to another grid"
        )
    try:
        found.build_for(shape, owner)
    except ValueError as error:
        raise ValueError(f"`search` must fit the grid of the samples. {error}") from error
    return found
