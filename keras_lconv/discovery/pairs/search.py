"""The search for the generators of pairs: Gauss-Newton steps from coarse to fine."""

import math
from dataclasses import dataclass

import keras
import numpy as np

from keras_lconv.discovery.gap import clearest_gap
from keras_lconv.discovery.null_space import NUM_GROUPS, jackknife_errors, tilt
from keras_lconv.discovery.pairs.low_rank import NormalEquations
from keras_lconv.discovery.pairs.motion import BATCH_SIZE, Motion

# Sizes of coefficients up to this multiple of the noise count as noise, and a gap is at
# least this ratio.
LARGEST_NOISE = 3.0
SMALLEST_GAP = 2.0
# The number of steps on each level of detail, and the relative change of the coefficients
# that ends them.
MOST_STEPS = 3
SMALLEST_CHANGE = 1e-3
# The same on the last level of vectors, where motions are exact.
MOST_EXACT_STEPS, SMALLEST_EXACT_CHANGE = 50, 1e-9
# This number of pairs is enough to choose the start, and to test whether pairs fit by
# chance, which is assumed above this probability.
FEW = 100
CHANCE = 1e-3
TINY = float(np.finfo("float64").tiny)
# The largest motion along several generators, where half a turn is pi.
LARGEST_MOTION = 1.5


class Search:
    """The state of a search: coefficients `c`, `(batch, p)`, of the motion of each pair.

    Args:
        motion: The search space and its motions.
        x: Samples.
        y: The samples after the motion.
        known: The parameters, if they are known.
        dimension: The number of generators, if it is known.
        start: The start.
    """

    def __init__(
        self,
        motion: Motion,
        x: np.ndarray,
        y: np.ndarray,
        known: np.ndarray | None,
        dimension: int | None,
        start: "Start",
    ):
        self._motion = motion
        self._levels = motion.levels[start.level :]
        self._x, self._y = x, y
        self._known = known
        self._dimension = start.dimension if start.is_held else dimension
        self._first_guess = start.dimension
        self.coefficients = np.zeros((len(x), motion.size))

    def run(self, verbose: bool = False) -> NormalEquations:
        """Searches, and returns the equations about the solution."""
        bar = keras.utils.Progbar(
            len(self._levels), verbose=int(verbose), unit_name="level"
        )
        for level in self._levels:
            x = self._motion.smoothed(self._x, level)
            y = self._motion.smoothed(self._y, level)
            self._descend(x, y, level)
            bar.add(1)
        return self._linearised(x, y)

    def distances(self) -> np.ndarray:
        """The squared distance between each `exp(c) x` and `y`, at the finest level."""
        x, y = (self._motion.smoothed(f, self._levels[-1]) for f in (self._x, self._y))
        moved = self._motion.move(x, self.coefficients / 2)
        aim = self._motion.move(y, -self.coefficients / 2)
        return np.sum(self._motion.observed(aim - moved) ** 2, axis=1)

    def _descend(self, x: np.ndarray, y: np.ndarray, level: float) -> None:
        """Gauss-Newton steps on one level of detail."""
        exact = self._motion.is_exact
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
        """The normal equations for `c`, about the current values."""
        motion, p = self._motion, self._motion.size
        x = motion.move(x, self.coefficients / 2)
        y = motion.move(y, -self.coefficients / 2)
        matrices, sides = np.zeros((len(x), p, p)), np.zeros((len(x), p))
        squares = np.zeros(len(x))
        for start in range(0, len(x), BATCH_SIZE):
            rows = slice(start, start + BATCH_SIZE)
            acted = motion.act((x[rows] + y[rows]) / 2)
            left = motion.observed(y[rows] - x[rows])
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
        dimension = self._dimension or _dimension(equations)[0]
        # Equations for coarse details are dependent, so their noise is larger than it
        # seems. If all sizes are above it, this means nothing there.
        if dimension == 0 or (coarse and dimension == self._motion.size):
            dimension = self._dimension or self._first_guess
        return equations.factorised(dimension)

    def _bounded(self, coefficients: np.ndarray, rank: int) -> np.ndarray:
        """Coefficients, limited to motions that are not too large, unless they are given.

        A single generator moves by half a turn at most. Several of them would leave little
        to compare.
        """
        if self._known is not None:
            return coefficients
        limit = math.pi if rank == 1 else LARGEST_MOTION
        sizes = self._motion.sizes(coefficients)
        return coefficients * (limit / np.maximum(sizes, limit))[:, None]

    def _follow(self, x: np.ndarray, y: np.ndarray, row: np.ndarray, level: float) -> None:
        """Follows one generator through half a turn, and stops where `x` is closest to `y`.

        Gauss-Newton steps find only near solutions.
        """
        motion = self._motion
        target = motion.observed(y)

        def distances(moved: np.ndarray) -> np.ndarray:
            # The distance is relative to the content, so shrinking a sample to nothing does
            # not bring it closer.
            squares = np.sum(target**2, axis=1) + np.sum(
                motion.observed(moved) ** 2, axis=1
            )
            left = np.sum((target - motion.observed(moved)) ** 2, axis=1)
            return left / np.maximum(squares, TINY)

        smallest = distances(motion.move(x, self.coefficients))
        resolution = motion.resolution(level)
        for sign in (1, -1):
            stride = sign * resolution * row / motion.sizes(row)
            move = motion.mover(stride, x.shape[1:])
            moved = x
            for number in range(1, math.ceil(math.pi / resolution) + 1):
                moved = move(moved)
                found = distances(moved)
                closer = found < smallest
                self.coefficients[closer] = number * stride
                smallest = np.minimum(found, smallest)


@dataclass(frozen=True)
class Start:
    """The start of a search: the level, and the dimension until there is a gap.

    The dimension may also be held fixed, because large motions along one generator can look
    like several generators on the way.
    """

    level: int = 0
    dimension: int = 1
    is_held: bool = False


def best_start(
    motion: Motion, x: np.ndarray, y: np.ndarray, dimension: int | None
) -> Start:
    """The start with the smallest residual, tried on some pairs.

    Coarse details guide over large motions, but in small images they mislead.
    """
    finest = len(motion.levels) - 1
    starts = [Start()]
    if finest:
        starts.append(Start(level=finest))
    if dimension is None:
        starts.append(Start(dimension=motion.size))
        starts += [Start(is_held=True)] if finest else []
    if len(starts) == 1:
        return starts[0]
    losses = []
    for start in starts:
        search = Search(motion, x[:FEW], y[:FEW], None, dimension, start)
        equations = search.run()
        rank = np.linalg.matrix_rank(search.coefficients)
        left = search.distances() / max(equations.count - rank, 1)
        # Pairs that do not fit anyway must not decide.
        losses.append(np.mean(np.minimum(left, np.median(left))))
    return starts[int(np.argmin(losses))]


def is_related(
    motion: Motion, x: np.ndarray, y: np.ndarray, start: Start, dimension: int
) -> bool:
    """Whether pairs fit better than samples that do not belong together.

    Some generators always bring samples closer to each other.
    """
    from scipy.stats import mannwhitneyu

    x, y = x[:FEW], y[:FEW]
    ratios = []
    for other in (y, np.roll(y, 1, axis=0)):
        search = Search(motion, x, other, None, dimension, start)
        search.run()
        ratios.append(search.distances() / distances_of(motion, x, other))
    return bool(mannwhitneyu(*ratios, alternative="less").pvalue < CHANCE)


def distances_of(motion: Motion, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squares of the distances of samples, at the finest level of detail."""
    level = motion.levels[-1]
    left = motion.observed(motion.smoothed(y, level) - motion.smoothed(x, level))
    return np.maximum(np.sum(left**2, axis=1), TINY)


def judged(
    equations: NormalEquations, dimension: int | None
) -> tuple[int, float, float, np.ndarray]:
    """The dimension, the gap there, its confidence, and the spectrum, growing."""
    values = _spectrum(equations)
    found, gap = _dimension(equations)
    same = np.ones(NUM_GROUPS)
    if dimension is not None:
        found, gap = dimension, float([*values, 1.0][dimension] / values[dimension - 1])
    else:
        groups = np.arange(len(equations.sides)) % NUM_GROUPS
        for group in range(NUM_GROUPS):
            same[group] = _dimension(equations.subset(groups != group))[0] == found
    return found, gap, float(np.mean(same) * max(0.0, 1 - 1 / gap)), values


class Solution:
    """Generators `W` in a sparse basis, and parameters `t`."""

    def __init__(
        self,
        motion: Motion,
        equations: NormalEquations,
        known: np.ndarray | None,
        dimension: int,
    ):
        self._motion, self._equations, self._known = motion, equations, known
        if dimension == 0:
            self.rows = np.zeros((0, motion.size))
            self.parameters = np.zeros((len(equations.sides), 0))
        elif known is not None:
            self.rows, self.parameters = equations.rows(known), known
        else:
            rows, parameters = equations.factorised(dimension)
            self.rows = motion.space.canonical(rows)
            self.parameters = parameters @ rows @ np.linalg.pinv(self.rows)

    def errors(self) -> np.ndarray:
        """The angle in radians by which other pairs would turn each generator."""
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


def _dimension(equations: NormalEquations) -> tuple[int, float]:
    """The dimension at the clearest gap of the spectrum, and that gap."""
    return clearest_gap(_spectrum(equations), 1 / LARGEST_NOISE, SMALLEST_GAP)


def _spectrum(equations: NormalEquations) -> np.ndarray:
    """The noise divided by the sizes. It grows, and 1 is noise, as for a null space."""
    return 1 / np.maximum(equations.spectrum()[0], TINY)


def _weights(left: np.ndarray) -> np.ndarray:
    """The weight of each pair, from its unexplained squares."""
    usual = np.median(left)
    if usual == 0:
        return np.ones(len(left))
    weights = 1 / (left + usual)
    return weights / np.mean(weights)
