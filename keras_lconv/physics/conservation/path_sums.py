"""The variation of quantities along trajectories and between them, as sums that can be
merged.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from keras_lconv.discovery.null_space import NUM_GROUPS

# Trajectories with fewer points tell nothing about noise.
SMOOTH_POINTS = 10
# The estimate of the noise has errors, so only this part of it is subtracted.
SURE_NOISE = 0.9
TINY = float(np.finfo("float64").tiny)


@dataclass(frozen=True)
class PathSums:
    """Sums over points and trajectories of products of values `(p,)`, and of a constant.

    Args:
        points: Products of values and 1 at all points of each group of trajectories,
            `(groups, p + 1, p + 1)`.
        along: Products of values minus the mean over a trajectory, `(groups, p, p)`.
        noise: Products of rows whose squares approximate those of the noise, `(groups, p,
        p)`.
        lines: Products of straight lines in time through these differences, `(p, p)`.
        paths: Products of the means over each trajectory, 1, and the slopes of these lines,
            `(2 p + 1, 2 p + 1)`.
        steps: Products of values before a step, 1, and values after it, `(2 p + 1, 2 p +
        1)`.
        duration: The total time of all steps.
        extremes: The negative of the shortest step, the longest one, and the largest
            number of steps of a trajectory.
    """

    points: np.ndarray
    along: np.ndarray
    noise: np.ndarray
    lines: np.ndarray
    paths: np.ndarray
    steps: np.ndarray
    duration: float
    extremes: np.ndarray

    @classmethod
    def of(
        cls, values: np.ndarray, clocks: list[np.ndarray], groups: np.ndarray
    ) -> "PathSums":
        """The sums over some trajectories.

        Args:
            values: The quantities at all points `(points, p)`, one trajectory after the
                other.
            clocks: Times of each trajectory.
            groups: The group of each trajectory, `(trajectories,)`.
        """
        course, clock = _Course([len(each) for each in clocks]), np.concatenate(clocks)
        one = np.ones((len(values), 1))
        centred, slopes = course.centred(values), course.slopes(values, clock)
        line = course.lines(slopes, clock)
        before, after = course.steps
        steps = clock[after] - clock[before]
        return cls(
            points=course.products(np.hstack([values, one]), groups),
            along=course.products(centred, groups),
            noise=course.products(course.noise(values, clock), groups),
            lines=line.T @ line,
            paths=_products(np.hstack([course.means(values), one[: len(clocks)], slopes])),
            steps=_products(np.hstack([values[before], one[: len(before)], values[after]])),
            duration=float(np.sum(steps)),
            extremes=np.array(
                [
                    np.max(-steps, initial=-np.inf),
                    np.max(steps, initial=-np.inf),
                    max(len(each) for each in clocks) - 1,
                ]
            ),
        )

    def merged(self, other: "PathSums") -> "PathSums":
        """The sums over the trajectories of both."""
        return PathSums(
            self.points + other.points,
            self.along + other.along,
            self.noise + other.noise,
            self.lines + other.lines,
            self.paths + other.paths,
            self.steps + other.steps,
            self.duration + other.duration,
            np.maximum(self.extremes, other.extremes),
        )

    @property
    def num_points(self) -> int:
        """The number of points."""
        return round(float(np.sum(self.points[:, -1, -1])))

    def leading(self, number: int) -> "PathSums":
        """The sums of the first quantities only."""
        size = self.lines.shape[0]
        first = np.arange(number)
        twice = np.concatenate([first, [size], size + 1 + first])
        ended = np.append(first, size)
        return PathSums(
            self.points[:, ended[:, None], ended],
            self.along[:, :number, :number],
            self.noise[:, :number, :number],
            self.lines[:number, :number],
            self.paths[twice[:, None], twice],
            self.steps[twice[:, None], twice],
            self.duration,
            self.extremes,
        )

    def standardised(self) -> tuple["PathSums", np.ndarray]:
        """The sums of quantities with mean zero and spread 1, and the scales `(p,)`.

        Scales are zero for constant quantities.
        """
        total = self.points.sum(axis=0)
        mean = total[-1, :-1] / total[-1, -1]
        variances = np.diag(total)[:-1] / total[-1, -1] - mean**2
        sizes = np.sqrt(np.maximum(variances, 0.0))
        scales = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        scale, size = np.diag(scales), len(scales)
        # This maps values and 1 to `(v - mean) * scales` and 1.
        ended = np.block([[scale, np.zeros((size, 1))], [-mean * scales, np.ones(1)]])
        of_paths = np.pad(ended, ((0, size), (0, size)))
        of_steps = of_paths.copy()
        of_paths[size + 1 :, size + 1 :] = of_steps[size + 1 :, size + 1 :] = scale
        of_steps[size, size + 1 :] = -mean * scales
        standard = PathSums(
            ended.T @ self.points @ ended,
            scale @ self.along @ scale,
            scale @ self.noise @ scale,
            scale @ self.lines @ scale,
            of_paths.T @ self.paths @ of_paths,
            of_steps.T @ self.steps @ of_steps,
            self.duration,
            self.extremes,
        )
        return standard, scales


class _Course:
    """Statistics of values `(points, p)` along trajectories, which come one after the
    other.

    Args:
        lengths: The number of points of each trajectory.
    """

    def __init__(self, lengths: list[int]):
        self._lengths = np.array(lengths)
        self._ends = np.cumsum(self._lengths)
        self._starts = self._ends - self._lengths

    @property
    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the points before each step, and of those after it."""
        number = np.arange(self._ends[-1])
        is_last = np.isin(number, self._ends - 1)
        return number[~is_last], number[~is_last] + 1

    def products(self, rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Sums of the products of rows in each group, `(groups, p, p)`."""
        own = np.repeat(groups, self._lengths)
        return np.stack([_products(rows[own == group]) for group in range(NUM_GROUPS)])

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over each trajectory, `(trajectories, p)`."""
        return np.add.reduceat(values, self._starts, axis=0)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means over each trajectory, `(trajectories, p)`."""
        return self.sums(values) / self._lengths[:, None]

    def centred(self, values: np.ndarray) -> np.ndarray:
        """Values minus the mean over each trajectory, `(points, p)`."""
        return values - np.repeat(self.means(values), self._lengths, axis=0)

    def slopes(self, values: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """Slopes in time of the straight lines through values, `(trajectories, p)`."""
        time = self.centred(clock[:, None])
        squares = self.sums(time**2)
        return self.sums(time * values) / np.where(squares > 0, squares, 1.0)

    def lines(self, slopes: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """These lines, about the mean over each trajectory, `(points, p)`."""
        return self.centred(clock[:, None]) * np.repeat(slopes, self._lengths, axis=0)

    def noise(self, values: np.ndarray, clock: np.ndarray) -> np.ndarray:
        """Rows whose squares approximate those of the noise in values, `(points, p)`.

        Differences of fourth order, divided if times are not even, leave little of smooth
        functions. With weights of norm 1 they keep the variance of noise.
        """
        rough, order = np.zeros_like(values), 4
        if len(values) > order:
            weights = _divided_differences(clock, order)
            windows = sliding_window_view(values, order + 1, axis=0)
            rough[:-order] = np.einsum("sk,spk->sp", weights, windows)
        # The last differences reach into the next trajectory.
        left = np.repeat(self._ends, self._lengths) - np.arange(len(values))
        rows = np.maximum(self._lengths - order, 1)
        factors = np.sqrt(SURE_NOISE * self._lengths / rows)
        factors = np.where(self._lengths < SMOOTH_POINTS, 0.0, factors)
        return (
            rough * np.where(left > order, np.repeat(factors, self._lengths), 0.0)[:, None]
        )


def _products(rows: np.ndarray) -> np.ndarray:
    return rows.T @ rows


def _divided_differences(clock: np.ndarray, order: int) -> np.ndarray:
    """Weights of norm 1 that map polynomials of a lower degree to zero.

    Args:
        clock: Times `(n,)`.
        order: The order.

    Returns:
        Array `(n - order, order + 1)`, zeros where two times are the same.
    """
    windows = sliding_window_view(clock, order + 1)
    apart = windows[:, :, None] - windows[:, None]
    apart = apart / np.maximum(np.ptp(windows, axis=1), TINY)[:, None, None]
    products = np.prod(apart + np.eye(order + 1), axis=2)
    differ = np.all(products != 0, axis=1)
    weights = np.divide(1.0, products, out=np.zeros_like(products), where=differ[:, None])
    return weights / np.maximum(np.linalg.norm(weights, axis=1), TINY)[:, None]
