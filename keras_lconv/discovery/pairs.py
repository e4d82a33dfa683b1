"""From pairs of samples to the generators of what relates them."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._validation import finite_array, not_negative, positive_int, spatial_shape
from keras_lconv.discovery._ambient import (
    BATCH_SIZE,
    Ambient,
    FieldAmbient,
    MatrixAmbient,
)
from keras_lconv.discovery._low_rank import NormalEquations
from keras_lconv.discovery._null_space import (
    NUM_GROUPS,
    clearest_gap,
    jackknife_errors,
    tilt,
)
from keras_lconv.discovery.generator_report import GeneratorReport
from keras_lconv.generators import (
    DenseGenerators,
    Generators,
    MatrixGenerators,
    VectorFieldGenerators,
    get,
)
from keras_lconv.generators.polynomials import DEGREES

# Sizes of coefficients count as noise up to this multiple of it, and a gap in them is at
# least this ratio.
LARGEST_NOISE = 3.0
SMALLEST_GAP = 2.0
# Steps on each level of detail, and the relative change of the coefficients that ends them.
MOST_STEPS = 3
SMALLEST_CHANGE = 1e-3
# On the last level of vectors, where all is exact.
MOST_EXACT_STEPS, SMALLEST_EXACT_CHANGE = 50, 1e-9
# So many pairs are enough to choose where to start, and to see whether pairs fit by chance,
# which is taken to be so above this probability.
FEW = 100
CHANCE = 1e-3
TINY = float(np.finfo("float64").tiny)
# By how much several generators may move, where half a turn is pi.
LARGEST_MOTION = 1.5
# Floats in the normal matrices of all pairs.
MOST_NUMBERS = 2e8


def fit_generators(
    x: Any,
    y: Any,
    generators: Any,
    parameters: Any = None,
    *,
    dimension: int | None = None,
    smoothing: float = 1.0,
    border: int | None = None,
    verbose: bool = False,
) -> GeneratorReport:
    """Finds the generators `L_i` of pairs `y = exp(sum_i t_i L_i) x`.

    Each pair has its own parameters `t`, known or not. The generators are sought among
    the combinations of given ones, `L_i = sum_a W_ia E_a`. Both samples of a pair are
    moved half way towards each other, `x' = exp(A / 2) x` and `y' = exp(-A / 2) y` with
    what is known of `A = sum_i t_i L_i` so far, first zero. What is left, to second
    order, is linear in its correction: `y' - x' = dA (x' + y') / 2`. All pairs together
    are a least squares problem for `A = sum_ia t_i W_ia E_a`. It has a closed form where
    `t` is known, and is a factorisation of low rank where it is not. A few such
    steps (Gauss-Newton's) solve it for large motions as well. Pairs that fit badly count
    less.

    On grids the details are found from coarse to fine. A single generator is followed
    through half a turn for each pair, so that the parameters may be large.

    Where the parameters are not known, the generators are a basis of the span that was
    found, made to be read: sign and scale, and of several generators the basis, are a
    matter of convention.

    Args:
        x: Samples `(batch, *spatial, channels)` or `(batch, d)`.
        y: What became of them, of the same shape.
        generators: Where to search. The kind of a vector field, `"linear"`, `"affine"`,
            `"quadratic"`; other names, arrays, a `LieAlgebra` or fixed generators as
            in layers: all combinations of these. Or learned generators, which then hold the
            result: `VectorFieldGenerators` of these kinds, `DenseGenerators`
            (all matrices), or the number of the latter.
        parameters: Those of each pair, `(batch, k)`, or `(batch,)` for one generator.
            `None`: unknown, and different in each pair. `"common"`: unknown, and the same
            in all pairs; since the scale of a generator is a convention, it is 1.
        dimension: Number of generators, where it is known. By default it is found, or is
            that of `parameters` or of learned `generators`.
        smoothing: On grids, the width of a Gaussian in grid steps that `x` and `y` are
            smoothed with: interpolation errs on the finest details, which tell little.
        border: On grids, number of points next to each border that are not compared, as
            their content came from outside. By default a tenth of each side.
        verbose: Whether to show progress.

    Returns:
        A `GeneratorReport`.

    Raises:
        TypeError: If an argument has a wrong type, or the generators are not linear in
            their weights.
        ValueError: If a value or a shape does not fit, if `parameters` depend linearly on
            each other, or if a pair has fewer equations than there are unknowns and
            `dimension` is not given.

    Example:
    ```python
    from keras_lconv.datasets import image_pairs
    from keras_lconv.discovery import fit_generators

    x, y, angles = image_pairs(200, size=9, field="rotation", seed=0)
    report = fit_generators(x, y, "affine")  # the angles are not told
    assert report.dimension == 1
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021, section 5, for the task. B. D. Lucas, T. Kanade, "An
        iterative image registration technique", IJCAI 1981, for registration by
        derivatives from coarse to fine.
    """
    x, y = _checked_pairs(x, y)
    ambient, learned = _ambient(generators, x, smoothing, border)
    if learned is not None:
        dimension = _agreed("generators", learned.num_generators, dimension)
    known = _known_parameters(parameters, len(x))
    if known is not None:
        dimension = _agreed("parameters", known.shape[1], dimension)
    count = ambient.observed(x[:1]).size
    if dimension is None and ambient.size >= count:
        raise ValueError(
            f"`dimension` must be given where a pair has fewer equations ({count}) than "
            f"there are unknowns ({ambient.size}). Received: dimension=None"
        )
    if dimension is not None and not 0 < dimension <= ambient.size:
        raise ValueError(
            f"`dimension` must be from 1 to {ambient.size}, that of what is searched. "
            f"Received: dimension={dimension!r}"
        )
    if len(x) * ambient.size**2 > MOST_NUMBERS:
        raise ValueError(
            f"{len(x)} pairs are too many for {ambient.size} unknowns in each. Take at "
            f"most {int(MOST_NUMBERS / ambient.size**2)}, or search among fewer generators"
        )
    start = _Start() if known is not None else _best_start(ambient, x, y, dimension)
    search = _Search(ambient, x, y, known, dimension, start)
    if isinstance(parameters, str) and isinstance(ambient, MatrixAmbient):
        search.coefficients = np.tile(ambient.logarithm(x, y), (len(x), 1))
    equations = search.run(verbose)
    left, before = search.distances(), _distances(ambient, x, y)
    residuals = np.sqrt(left / before)
    values = gap = None
    confidence, given = 1.0, dimension
    if known is None and ambient.size < count:
        dimension, gap, confidence, values = _judged(equations, given)
    if given is None and dimension and not _is_related(ambient, x, y, start, dimension):
        dimension, confidence = 0, 0.0
    found = _Found(ambient, equations, known, dimension or 0)
    made = ambient.generators(found.rows) if dimension else None
    if made is not None:
        made.build((None, *x.shape[1:]))
    report = GeneratorReport(
        generators=made,
        parameters=found.parameters,
        coefficients=found.rows,
        singular_values=values,
        gap=gap,
        confidence=confidence,
        errors=found.errors(),
        residuals=residuals,
        fit_error=math.sqrt(np.sum(left) / np.sum(before)),
        searched=ambient.size,
    )
    if learned is not None:
        _assign(learned, report, x.shape)
    return report


class _Search:
    """The state of a search: coefficients `c`, `(batch, p)`, of what moves each pair.

    Args:
        ambient: What is searched.
        x: Samples.
        y: What became of them.
        known: The parameters, if they are known.
        dimension: The number of generators, if it is known.
        start: Where to start.
    """

    def __init__(
        self,
        ambient: Ambient,
        x: np.ndarray,
        y: np.ndarray,
        known: np.ndarray | None,
        dimension: int | None,
        start: "_Start",
    ):
        self._ambient = ambient
        self._levels = ambient.levels[start.level :]
        self._x, self._y = x, y
        self._known = known
        self._dimension = dimension
        self._first_guess = start.dimension
        self.coefficients = np.zeros((len(x), ambient.size))

    def run(self, verbose: bool = False) -> NormalEquations:
        """Searches, and returns the equations about what was found."""
        bar = keras.utils.Progbar(
            len(self._levels), verbose=int(verbose), unit_name="level"
        )
        for level in self._levels:
            x = self._ambient.smoothed(self._x, level)
            y = self._ambient.smoothed(self._y, level)
            self._descend(x, y, level)
            bar.add(1)
        return self._linearised(x, y)

    def distances(self) -> np.ndarray:
        """Squares of what is left between each `exp(c) x` and `y`, at the finest level."""
        x, y = (self._ambient.smoothed(f, self._levels[-1]) for f in (self._x, self._y))
        moved = self._ambient.move(x, self.coefficients / 2)
        aim = self._ambient.move(y, -self.coefficients / 2)
        return np.sum(self._ambient.observed(aim - moved) ** 2, axis=1)

    def _descend(self, x: np.ndarray, y: np.ndarray, level: float) -> None:
        """Gauss-Newton steps on one level of detail."""
        exact = isinstance(self._ambient, MatrixAmbient)
        most = MOST_EXACT_STEPS if exact else MOST_STEPS
        smallest = SMALLEST_EXACT_CHANGE if exact else SMALLEST_CHANGE
        for step in range(most):
            equations = self._linearised(x, y)
            coarse = level > self._levels[-1]
            rows, parameters = self._solved(equations, coarse)
            before, self.coefficients = (
                self.coefficients,
                self._bounded(parameters @ rows, len(rows)),
            )
            if step == 0 and len(rows) == 1 and self._known is None:
                self._follow(x, y, rows, level)
            change = np.linalg.norm(self.coefficients - before)
            if change <= smallest * np.linalg.norm(self.coefficients):
                break

    def _linearised(self, x: np.ndarray, y: np.ndarray) -> NormalEquations:
        """The normal equations for `c`, about the present ones."""
        ambient, p = self._ambient, self._ambient.size
        x = ambient.move(x, self.coefficients / 2)
        y = ambient.move(y, -self.coefficients / 2)
        matrices, sides = np.zeros((len(x), p, p)), np.zeros((len(x), p))
        squares = np.zeros(len(x))
        for start in range(0, len(x), BATCH_SIZE):
            rows = slice(start, start + BATCH_SIZE)
            acted = ambient.act((x[rows] + y[rows]) / 2)
            left = ambient.observed(y[rows] - x[rows])
            target = left + np.einsum("smp,sp->sm", acted, self.coefficients[rows])
            transposed = np.swapaxes(acted, 1, 2)
            matrices[rows] = transposed @ acted
            sides[rows] = (transposed @ target[..., None])[..., 0]
            squares[rows] = np.sum(target**2, axis=1)
        count = left.shape[1]
        equal = NormalEquations(matrices, sides, squares, count, np.ones(len(x)))
        return NormalEquations(
            matrices, sides, squares, count, _weights(equal.unexplained(self.coefficients))
        )

    def _solved(
        self, equations: NormalEquations, coarse: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows `W` and parameters `t`."""
        if self._known is not None:
            return equations.rows(self._known), self._known
        dimension = self._dimension or _found(equations)[0]
        # Equations for coarse details depend on each other, and their noise is more than it
        # seems: that all sizes are above it tells nothing there.
        if dimension == 0 or (coarse and dimension == self._ambient.size):
            dimension = self._dimension or self._first_guess
        return equations.factorised(dimension)

    def _bounded(self, coefficients: np.ndarray, rank: int) -> np.ndarray:
        """Coefficients that do not move too far, where they were not given.

        A single generator moves by half a turn at most. Several of them would leave little
        to compare.
        """
        if self._known is not None:
            return coefficients
        limit = math.pi if rank == 1 else LARGEST_MOTION
        sizes = self._ambient.sizes(coefficients)
        return coefficients * (limit / np.maximum(sizes, limit))[:, None]

    def _follow(self, x: np.ndarray, y: np.ndarray, row: np.ndarray, level: float) -> None:
        """Follows one generator through half a turn, to where `x` is closest to `y`.

        Steps of Gauss and Newton only find what is near.
        """
        ambient = self._ambient
        target = ambient.observed(y)

        def distances(moved: np.ndarray) -> np.ndarray:
            # Relative to the contents: to shrink one to nothing brings it no closer.
            squares = np.sum(target**2, axis=1) + np.sum(
                ambient.observed(moved) ** 2, axis=1
            )
            left = np.sum((target - ambient.observed(moved)) ** 2, axis=1)
            return left / np.maximum(squares, TINY)

        smallest = distances(ambient.move(x, self.coefficients))
        resolution = ambient.resolution(level)
        for sign in (1, -1):
            stride = sign * resolution * row / ambient.sizes(row)
            move = ambient.mover(stride, x.shape[1:])
            moved = x
            for number in range(1, math.ceil(math.pi / resolution) + 1):
                moved = move(moved)
                found = distances(moved)
                closer = found < smallest
                self.coefficients[closer] = number * stride
                smallest = np.minimum(found, smallest)


@dataclass(frozen=True)
class _Start:
    """Where a search starts: the level, and the dimension until there is a gap."""

    level: int = 0
    dimension: int = 1


def _best_start(
    ambient: Ambient, x: np.ndarray, y: np.ndarray, dimension: int | None
) -> _Start:
    """The start after which the least is left, of those that some pairs try.

    Coarse details guide over large motions where there are any, and in small images they
    mislead.
    """
    finest = len(ambient.levels) - 1
    starts = [_Start()]
    if finest:
        starts.append(_Start(level=finest))
    if dimension is None:
        starts.append(_Start(dimension=ambient.size))
    if len(starts) == 1:
        return starts[0]
    losses = []
    for start in starts:
        search = _Search(ambient, x[:FEW], y[:FEW], None, dimension, start)
        equations = search.run()
        rank = np.linalg.matrix_rank(search.coefficients)
        left = search.distances() / max(equations.count - rank, 1)
        # Those that do not fit anyway do not decide.
        losses.append(np.mean(np.minimum(left, np.median(left))))
    return starts[int(np.argmin(losses))]


def _is_related(
    ambient: Ambient, x: np.ndarray, y: np.ndarray, start: _Start, dimension: int
) -> bool:
    """Whether pairs fit better than samples that do not belong together.

    Some generators always bring samples closer to each other.
    """
    from scipy.stats import mannwhitneyu

    x, y = x[:FEW], y[:FEW]
    ratios = []
    for other in (y, np.roll(y, 1, axis=0)):
        search = _Search(ambient, x, other, None, dimension, start)
        search.run()
        ratios.append(search.distances() / _distances(ambient, x, other))
    return bool(mannwhitneyu(*ratios, alternative="less").pvalue < CHANCE)


def _distances(ambient: Ambient, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squares of the distances of samples, at the finest level of detail."""
    level = ambient.levels[-1]
    left = ambient.observed(ambient.smoothed(y, level) - ambient.smoothed(x, level))
    return np.maximum(np.sum(left**2, axis=1), TINY)


def _judged(
    equations: NormalEquations, dimension: int | None
) -> tuple[int, float, float, np.ndarray]:
    """The dimension, the gap there, its confidence, and the spectrum."""
    values, _ = equations.spectrum()
    found, gap = _found(equations)
    same = np.ones(NUM_GROUPS)
    if dimension is not None:
        found, gap = dimension, float(values[dimension - 1] / [*values, 1.0][dimension])
    else:
        groups = np.arange(len(equations.sides)) % NUM_GROUPS
        for group in range(NUM_GROUPS):
            same[group] = _found(equations.subset(groups != group))[0] == found
    return found, gap, float(np.mean(same) * max(0.0, 1 - 1 / gap)), values


class _Found:
    """Generators `W` in a basis to be read, and parameters `t`."""

    def __init__(
        self,
        ambient: Ambient,
        equations: NormalEquations,
        known: np.ndarray | None,
        dimension: int,
    ):
        self._ambient, self._equations, self._known = ambient, equations, known
        if dimension == 0:
            self.rows = np.zeros((0, ambient.size))
            self.parameters = np.zeros((len(equations.sides), 0))
        elif known is not None:
            self.rows, self.parameters = equations.rows(known), known
        else:
            rows, parameters = equations.factorised(dimension)
            self.rows = ambient.canonical(rows)
            self.parameters = parameters @ rows @ np.linalg.pinv(self.rows)

    def errors(self) -> np.ndarray:
        """How far each generator turns, in radians, if other pairs were drawn."""
        if not len(self.rows):
            return np.zeros(0)
        groups = np.arange(len(self.parameters)) % NUM_GROUPS
        units = (self.rows / np.linalg.norm(self.rows, axis=1, keepdims=True)).T
        tilts = []
        for group in range(NUM_GROUPS):
            kept = groups != group
            others = self._equations.subset(kept)
            if self._known is None:
                rows, _ = others.factorised(len(self.rows))
                tilts.append(tilt(units, np.linalg.qr(rows.T)[0]))
                continue
            spans = others.rows(self._known[kept])
            spans = (spans / np.linalg.norm(spans, axis=1, keepdims=True)).T
            pairs = zip(units.T, spans.T, strict=True)
            tilts.append(np.concatenate([tilt(u[:, None], s[:, None]) for u, s in pairs]))
        return jackknife_errors(np.array(tilts))


def _found(equations: NormalEquations) -> tuple[int, float]:
    """The dimension at the clearest gap of the spectrum, and that gap."""
    values, _ = equations.spectrum()
    # The inverse sizes grow, and 1 is noise, as for a null space.
    return clearest_gap(1 / np.maximum(values, TINY), 1 / LARGEST_NOISE, SMALLEST_GAP)


def _weights(left: np.ndarray) -> np.ndarray:
    """How much each pair counts, from the squares that it leaves unexplained."""
    usual = np.median(left)
    if usual == 0:
        return np.ones(len(left))
    weights = 1 / (left + usual)
    return weights / np.mean(weights)


def _checked_pairs(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = (
        finite_array(name, ops.convert_to_numpy(value) if ops.is_tensor(value) else value)
        for name, value in (("x", x), ("y", y))
    )
    if x.shape != y.shape or x.ndim < 2 or len(x) < NUM_GROUPS or 0 in x.shape:
        raise ValueError(
            "`x` and `y` must both have the shape `(batch, d)` or `(batch, *spatial, "
            f"channels)`, with {NUM_GROUPS} pairs at least. "
            f"Received: shapes {x.shape} and {y.shape}"
        )
    if np.array_equal(x, y):
        raise ValueError("`y` must differ from `x`. Received: the same samples twice")
    return (x[..., None], y[..., None]) if x.ndim == 2 else (x, y)


def _known_parameters(parameters: Any, num: int) -> np.ndarray | None:
    if parameters is None:
        return None
    if isinstance(parameters, str):
        if parameters != "common":
            raise ValueError(
                "`parameters` must be `None`, 'common' or an array. "
                f"Received: parameters={parameters!r}"
            )
        return np.ones((num, 1))
    known = finite_array("parameters", parameters)
    known = known[:, None] if known.ndim == 1 else known
    if known.ndim != 2 or len(known) != num or known.shape[1] == 0:
        raise ValueError(
            f"`parameters` must have shape `(batch,)` or `(batch, k)`, with batch={num}. "
            f"Received: shape {np.shape(parameters)}"
        )
    if np.linalg.matrix_rank(known) < known.shape[1]:
        raise ValueError(
            "`parameters` of different generators must not depend linearly on each other. "
            f"Received: rank {np.linalg.matrix_rank(known)} of {known.shape[1]}"
        )
    return known


def _agreed(name: str, stated: int, dimension: int | None) -> int:
    if dimension is not None and dimension != stated:
        raise ValueError(
            f"`dimension` must be that of `{name}`, {stated}. "
            f"Received: dimension={dimension!r}"
        )
    return stated


def _ambient(
    generators: Any, x: np.ndarray, smoothing: float, border: int | None
) -> tuple[Ambient, Generators | None]:
    """What is searched, and the learned generators that are to hold the result."""
    shape = spatial_shape(x.shape, "fit_generators")
    learned = None
    if isinstance(generators, str) and generators in DEGREES:
        found: Generators = _all_fields(generators, "spectral", shape)
    else:
        found = get(generators)
        learned = found if found.is_learned else None
    if learned is not None and isinstance(learned, VectorFieldGenerators):
        if learned.field not in DEGREES:
            raise ValueError(
                f"`generators` must be of a kind of field among {sorted(DEGREES)}. "
                f"Received: field={learned.field!r}"
            )
        found = _all_fields(learned.field, learned.derivative, shape)
    elif learned is not None:
        if not isinstance(learned, DenseGenerators):
            raise TypeError(
                "`generators` that are learned must be `VectorFieldGenerators` or "
                f"`DenseGenerators`. Received: {type(learned).__name__}"
            )
        size = math.prod(shape)
        return MatrixAmbient(np.eye(size * size).reshape(-1, size, size)), learned
    found.build_for(x.shape, "fit_generators")
    if isinstance(found, VectorFieldGenerators):
        width = not_negative("smoothing", smoothing)
        return FieldAmbient(found, width, _border(border, shape)), learned
    return MatrixAmbient(found.matrices()), learned


def _all_fields(field: str, derivative: str, shape: tuple[int, ...]) -> Generators:
    """A basis of all fields of one kind, in units of half of the grid's width."""
    one = VectorFieldGenerators(1, field, derivative=derivative)
    one.build((None, *shape, 1))
    size = math.prod(one.coefficients.shape)
    basis = VectorFieldGenerators(size, field, derivative=derivative, dtype="float32")
    basis.build((None, *shape, 1))
    basis.coefficients.assign(np.eye(size).reshape(size, *one.coefficients.shape[1:]))
    return basis


def _border(border: int | None, shape: tuple[int, ...]) -> int:
    if border is None:
        return round(min(shape) / 10)
    if border == 0 and not isinstance(border, bool):
        return 0
    border = positive_int("border", border)
    if 2 * border >= min(shape):
        raise ValueError(
            f"`border` must leave points of a grid of shape {shape}. "
            f"Received: border={border}"
        )
    return border


def _assign(learned: Generators, report: GeneratorReport, shape: tuple[int, ...]) -> None:
    """Gives learned generators the values that were found."""
    learned.build_for(shape, "fit_generators")
    found = report.to_generators()
    found.build((None, *shape[1:]))
    if isinstance(found, VectorFieldGenerators):
        learned.coefficients.assign(found.coefficients)
    elif isinstance(found, MatrixGenerators):
        learned.L.assign(found.L)
