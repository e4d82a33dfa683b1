"""The equations for generators that act on images."""

import copy
import itertools
import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._typing import GeneratorsLike
from keras_lconv._validation import finite_array, one_of
from keras_lconv.discovery.grid_space import GridSpace, generators_among
from keras_lconv.discovery.null_space import NormalMatrices, groups_of
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.generators import Generators, VectorFieldGenerators

OUTPUTS = ("free", "same")

# Fields in float32 that differ by less, relative to their size, are equal.
SAME_FIELD = 1e-4


class GridEquations:
    """`J(x) L_a x = K_a F(x)` for generators `L_a`, summed with unknown coefficients.

    Lie derivatives `L_a x` differ in length: those of a rotation grow with the distance
    from the centre, and images have more long waves than short ones. So a coefficient is
    measured by its effect if the derivatives of the function had the same length and random
    directions. The unit is therefore the Gram matrix of the Lie derivatives.

    Args:
        x: Samples `(batch, *spatial, channels)`, or `(batch, d)`.
        kind: `"invariance"`, where `K = 0`, or `"equivariance"`.
        search: Where to search.
        output: The kind of `K`.
        data_format: The position of the channels.
    """

    def __init__(
        self,
        x: np.ndarray,
        kind: str,
        search: GeneratorsLike | None,
        output: ArrayLike,
        data_format: str,
    ):
        if x.ndim < 2 or 0 in x.shape:
            raise ValueError(
                "`x` must have shape `(batch, *spatial, channels)` or `(batch, d)`. "
                f"Received: shape {x.shape}"
            )
        self.samples = x
        self._kind = kind
        self._channels_first = data_format == "channels_first" and x.ndim > 2
        shape = self._channels_last(x[:1]).shape
        if isinstance(search, int):
            raise TypeError(
                "`search` must be known: a name, matrices, or an instance of `Generators`. "
                f"Received: search={search!r}"
            )
        search = "affine" if search is None else search
        self._searched = f"{search} fields" if isinstance(search, str) else "given"
        generators = generators_among(search, shape, "`find_symmetries`")
        self._space = GridSpace(generators)
        # Fields are scaled to one size, so that small values can be recognised.
        self._scale = 1 / self._space.lengths()
        self._output = output if isinstance(output, str) else "matrices"
        self._actions = self._checked_actions(output)
        self._is_free = kind == "equivariance" and self._output == "free"
        self._normal: NormalMatrices | None = None
        self.depends_on_input = False
        self._moves_samples = self._is_streamed = False

    def _checked_actions(self, output: ArrayLike) -> np.ndarray | None:
        if self._kind == "invariance":
            return None
        if isinstance(output, str):
            one_of("output", output, OUTPUTS)
            return None
        actions = finite_array("output", output)
        if actions.ndim != 3 or len(actions) != self.num_searched:
            raise ValueError(
                f"`output` must be one of {OUTPUTS}, or matrices of shape "
                f"({self.num_searched}, m, m): one for each generator of `search`. "
                f"Received: shape {actions.shape}"
            )
        return actions * self._scale[:, None, None]

    @property
    def num_searched(self) -> int:
        """The dimension of the search."""
        return self._space.size

    def _channels_last(self, f: np.ndarray) -> np.ndarray:
        return np.moveaxis(f, 1, -1) if self._channels_first else f

    def _lie_derivatives(self, f: np.ndarray) -> np.ndarray:
        """The Lie derivatives `(batch, size, p)` of feature maps, flattened in their
        layout.
        """
        moved = self._space.act(self._channels_last(f))
        if self._channels_first:
            moved = np.moveaxis(moved, -2, 1)
        return moved.reshape(len(f), -1, self._space.size) * self._scale

    def add(
        self,
        x: np.ndarray,
        values: np.ndarray,
        derivatives: np.ndarray,
        each: np.ndarray | None = None,
    ) -> None:
        """Adds the equations of samples.

        Args:
            x: Samples `(batch, *inputs)`.
            values: `F(x)`, `(batch, *outputs)`.
            derivatives: `J(x)`, `(batch, m, *inputs)`.
            each: Derivatives of several functions that should be the same; not used.
        """
        size = derivatives.shape[1]
        if self._normal is None:
            self._check_output(x, values)
            self._normal = NormalMatrices(self.num_searched, size * self._is_free)
        along = self._lie_derivatives(x)
        derivatives = derivatives.reshape(len(x), size, -1)
        rows = np.einsum("smd,sdp->smp", derivatives, along, optimize=True)
        # The square that a derivative of the same length and random direction would give.
        gram = np.einsum("sdp,sdq->spq", along, along, optimize=True)
        lengths = np.sum(derivatives**2, axis=2) / derivatives.shape[2]
        squares = lengths * np.trace(gram, axis1=1, axis2=2)[:, None]
        self.depends_on_input |= bool(np.any(lengths > 0))
        self._moves_samples |= bool(np.any(along))
        moved = self._moved(values)
        if moved is not None:
            rows = rows - moved
            squares = squares + np.sum(moved**2, axis=2)
        if self._is_free:
            # The equations of a sample share `K`, so they share a scale.
            squares = np.repeat(np.mean(squares, axis=1, keepdims=True), size, axis=1)
        # As for vectors, an equation counts by its size, not by its square.
        weights = np.sqrt(squares)
        scale = np.sqrt(1 / np.where(weights > 0, weights, 1.0))
        expected = np.sum(lengths * scale**2, axis=1)[:, None, None] * gram
        if moved is not None:
            scaled = moved * scale[..., None]
            expected = expected + np.einsum("smp,smq->spq", scaled, scaled, optimize=True)
        flat = values.reshape(len(x), size)
        eliminated = flat * scale[:, :1] if self._is_free else None
        groups = groups_of(x) if self._is_streamed else None
        self._normal.add(rows * scale[..., None], expected, eliminated, groups=groups)

    def settle(self) -> None:
        """Forgets the samples so far, because units do not depend on them."""
        self._normal, self._is_streamed = None, True
        self.depends_on_input = self._moves_samples = False

    def merged(self, other: Self) -> Self:
        """The sums over the samples of both."""
        merged = copy.copy(self)
        both = [each for each in (self._normal, other._normal) if each is not None]
        merged._normal = (
            both[0].merged(both[1]) if len(both) > 1 else next(iter(both), None)
        )
        merged.depends_on_input |= other.depends_on_input
        merged._moves_samples |= other._moves_samples
        return merged

    def _moved(self, values: np.ndarray) -> np.ndarray | None:
        """`K_a F(x)` if it is known, `(batch, m, p)`."""
        if self._actions is not None:
            flat = values.reshape(len(values), -1)
            return np.einsum("pmn,sn->smp", self._actions, flat, optimize=True)
        if self._kind == "equivariance" and self._output == "same":
            return self._lie_derivatives(values)
        return None

    def _check_output(self, x: np.ndarray, values: np.ndarray) -> None:
        if self._actions is not None:
            size = math.prod(values.shape[1:])
            if self._actions.shape[1:] != (size, size):
                raise ValueError(
                    f"`output` must hold matrices on the {size} outputs of the function. "
                    f"Received: matrices of shape {self._actions.shape[1:]}"
                )
        elif self._kind == "equivariance" and self._output == "same":
            spatial = self._space.shape
            found = self._channels_last(values).shape
            found = found[1:] if x.ndim == 2 else found[1:-1]
            if found != spatial:
                raise ValueError(
                    f"output='same' needs a function with outputs on the grid {spatial} "
                    f"of its inputs. Received: spatial shape {found}"
                )

    def report(self, dimension: int | None, fit_error: float = 0.0) -> SymmetryReport:
        """The report from the equations of all samples."""
        assert self._normal is not None
        if not self._moves_samples:
            raise ValueError(
                "The generators of `search` must change some sample of `x`. Received: "
                "samples whose Lie derivatives are all zero"
            )
        space = self._normal.solve(dimension, fit_error=fit_error)
        found = self._generators(space.basis.T * self._scale)
        return SymmetryReport(
            basis=self._no_matrices() if found is None else found.algebra().basis,
            kind=self._kind,
            output=self._output if self._kind == "equivariance" else None,
            blocks=1,
            singular_values=space.singular_values,
            gap=space.gap,
            confidence=space.confidence,
            errors=space.errors,
            unidentified=space.unreached * self._scale,
            generators=found,
            sensitivities=self._sensitivities(),
            searched=self._searched,
            is_determined=space.is_determined,
        )

    def _generators(self, mixtures: np.ndarray) -> Generators | None:
        """Generators `sum_a mixtures[i, a] E_a`; `None` if there are none.

        Fields are scaled such that their largest component moves the border of the grid by
        half of its width. So the parameter of a rotation is its angle in radians.
        """
        if not len(mixtures):
            return None
        if self._space.fields is not None:
            values = np.tensordot(mixtures, self._space.fields, 1)
            largest = np.max(np.abs(values), axis=tuple(range(1, values.ndim)))
            mixtures = mixtures * (self._space.radius / largest)[:, None]
        return self._space.generators(mixtures)

    def _no_matrices(self) -> np.ndarray:
        """An empty stack of matrices."""
        size = math.prod(self._space.shape)
        if self._space.fields is not None:
            ndim = len(self._space.shape)
            size = {"linear": ndim, "affine": ndim + 1}.get(str(self._space.kind), size)
        return np.zeros((0, size, size))

    def _sensitivities(self) -> dict[str, float]:
        """The relative size of the equations for each named direction."""
        assert self._normal is not None
        named = _named_directions(self._space)
        directions = np.array(list(named.values())) / self._scale
        sizes = self._normal.relative_sizes(directions)
        return dict(zip(named, sizes.tolist(), strict=True))


def _named_directions(space: GridSpace) -> dict[str, np.ndarray]:
    """Named directions, as mixtures `(p,)` of the elements of a space.

    For vector fields these are the directions of the table below that lie in the space, and
    otherwise each generator.
    """
    directions = {}
    if space.fields is not None:
        table = _fields_with_names(len(space.shape))
        named = VectorFieldGenerators(
            len(table), "affine", coefficients=list(table.values()), trainable=False
        )
        named.build((None, *space.shape, 1))
        columns = space.fields.reshape(space.size, -1).T
        for name, field in zip(table, named.vector_fields(), strict=True):
            mixture = np.linalg.lstsq(columns, field.ravel(), rcond=None)[0]
            rest = np.linalg.norm(columns @ mixture - field.ravel())
            if rest < SAME_FIELD * np.linalg.norm(field):
                directions[name] = mixture
    if not directions:
        every = np.eye(space.size)
        return {f"generator {n}": each for n, each in enumerate(every)}
    return directions


def _fields_with_names(ndim: int) -> dict[str, np.ndarray]:
    """Affine fields `[b | A]`, of shape `(ndim, 1 + ndim)`."""
    units = np.eye(ndim)

    def linear(matrix: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros((ndim, 1)), matrix], axis=1)

    table = {
        f"translation {axis}": np.concatenate(
            [units[:, [axis]], np.zeros((ndim, ndim))], axis=1
        )
        for axis in range(ndim)
    }
    table["scaling"] = linear(units)
    for a, b in itertools.combinations(range(ndim), 2):
        plane = "" if ndim == 2 else f" {a}-{b}"
        turn = np.outer(units[b], units[a])
        table[f"rotation{plane}"] = linear(turn - turn.T)
        table[f"stretch{plane}"] = linear(np.diag(units[a] - units[b]))
        table[f"shear{plane}"] = linear(turn + turn.T)
    return table
