"""Batches of earlier and later fields, moved along symmetries, to train solvers."""

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import positive_int, positive_number
from keras_lconv.algebra import VectorFields
from keras_lconv.datasets.random_batches import RandomBatches
from keras_lconv.discovery.equations.grid_motions import (
    error_between_points,
    keeping_space,
)
from keras_lconv.discovery.equations.names import names_of
from keras_lconv.discovery.equations.samples import read_grid
from keras_lconv.discovery.equations.transport import Flows, interpolated, moved_graph

# A motion that takes points from outside of the times is halved at most this often.
MOST_HALVINGS = 8
# The largest error of splines between points, in units of the fields.
LARGE_MISS = 0.01
# Generators leave the grid by rounding only.
ROUNDING = 1e-6


class SolutionWindows(RandomBatches):
    """Batches of earlier and later fields of solutions, to train surrogate solvers.

    A sample is a part of a solution: `inputs` fields, and the `targets` fields that follow.
    With `generators` the whole solution moves first, along `sum_i t_i v_i` for the time 1
    with new random `t` in each epoch. Earlier and later fields are taken from it at the
    same points. So both move by the same motion, even if it mixes time, space and fields.
    Only these fields are computed.

    All points of a sample are known: motions keep space, and a motion that needs times
    outside of the given ones is halved until it does not.

    Args:
        fields: Solutions, by name, `(*grid)` or `(runs, *grid)`.
        coordinates: The points of the grid along each axis, by name, time first.
        generators: Symmetries, `VectorFields` on coordinates and fields. They must not
            contain the coordinate of a periodic axis, and must vanish at the ends of other
            axes of space: `PointSymmetryReport.to_augmentation` finds such symmetries. By
            default nothing moves.
        periodic: Names of the axes along which fields are periodic.
        inputs: Number of earlier fields.
        targets: Number of later fields.
        step: Number of points of time from one field to the next.
        distance: The largest distance that each generator moves points of the graph, as a
            root mean square and in units of the spread of each variable.
        batch_size: Number of samples in a batch. The last one may be smaller.
        shuffle: Whether each epoch has a new order.
        seed: Seed of order and motions. A batch depends only on it, on the epoch and on the
            number of the batch, so `workers` do not change it.
        **kwargs: `workers`, `use_multiprocessing`, `max_queue_size` of
            `keras.utils.PyDataset`.

    Output shape:
        Two arrays in float32, `(batch, *space, inputs * fields)` and
        `(batch, *space, targets * fields)`: fields of one time after those of another.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If names or shapes do not fit, or generators move space.

    Example:
    ```python
    import numpy as np
    from keras_lconv.discovery import SolutionWindows

    t, x = np.linspace(0, 1, 40), 2 * np.pi * np.arange(32) / 32
    waves = [np.exp(-t)[:, None] * np.sin(x + phase) for phase in range(5)]
    data = SolutionWindows(
        fields={"u": np.array(waves)}, coordinates={"t": t, "x": x}, step=4
    )
    earlier, later = data[0]
    assert earlier.shape == later.shape == (32, 32, 1)
    assert np.allclose(later, np.exp(t[0] - t[4]) * earlier, atol=1e-6)
    # model.fit(data, epochs=10)
    ```
    """

    def __init__(
        self,
        *,
        fields: Mapping[str, ArrayLike],
        coordinates: Mapping[str, ArrayLike],
        generators: VectorFields | None = None,
        periodic: Sequence[str] = (),
        inputs: int = 1,
        targets: int = 1,
        step: int = 1,
        distance: float = 0.3,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ):
        self.grid = read_grid(fields, coordinates, names_of("periodic", periodic))
        self.grid.require_variation()
        self.inputs = positive_int("inputs", inputs)
        self.targets = positive_int("targets", targets)
        self.step = positive_int("step", step)
        self.distance = positive_number("distance", distance)
        times = len(self.grid.axes[0])
        self._num_starts = times - self.step * (self.inputs + self.targets - 1)
        if self._num_starts < 1:
            raise ValueError(
                "`inputs`, `targets` and `step` must fit into the times of the solutions, "
                f"{times}. Received: inputs={inputs}, targets={targets}, step={step}"
            )
        self.generators = generators
        self._flows = None if generators is None else self._flows_of(generators)
        runs = self.grid.values.shape[1]
        super().__init__(runs * self._num_starts, batch_size, shuffle, seed, **kwargs)

    def _flows_of(self, generators: VectorFields) -> Flows:
        """The flows of generators, each in the unit of how far it moves points."""
        grid = self.grid
        number = len(grid.independent) + len(grid.dependent)
        if not isinstance(generators, VectorFields):
            raise TypeError(
                "`generators` must be `VectorFields`, such as those of a report of "
                f"`find_point_symmetries`. Received: {generators!r} (of type "
                f"{type(generators).__name__})"
            )
        if generators.size != number or not len(generators):
            names = ", ".join(grid.independent + grid.dependent)
            raise ValueError(
                f"`generators` must be fields of {names}. Received: {len(generators)} "
                f"fields in {generators.size} variables"
            )
        if len(keeping_space(generators, grid, ROUNDING)) < len(generators):
            raise ValueError(
                "`generators` must keep space: those of a periodic axis do not contain its "
                "coordinate, and those of another one vanish at its ends, as "
                "`report.to_augmentation` chooses them. Received: "
                + ", ".join(generators.formulas(grid.independent + grid.dependent))
            )
        for axis, name in enumerate(grid.independent):
            moves = np.any(generators.coefficients[:, axis])
            miss = error_between_points(grid, axis) if moves else 0.0
            if miss > LARGE_MISS:
                warnings.warn(
                    f"Between the points of {name!r} the fields are known to about "
                    f"{miss:.0%} only, and moved solutions have such errors. Take more "
                    f"points, or generators that do not move {name!r}.",
                    stacklevel=4,
                )
        points = grid.points()
        speeds = generators(points) / np.std(points, axis=0)
        sizes = np.sqrt(np.mean(np.sum(speeds**2, axis=2), axis=0))
        return Flows(generators.combined(np.diag(1 / np.where(sizes > 0, sizes, 1.0))))

    @property
    def formulas(self) -> list[str]:
        """The generators in symbols, empty if nothing moves."""
        names = self.grid.independent + self.grid.dependent
        return [] if self.generators is None else self.generators.formulas(names)

    def _batch(
        self, samples: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        windows = []
        for run, start in zip(*np.divmod(samples, self._num_starts), strict=True):
            frames = self.inputs + self.targets
            chosen = start + self.step * np.arange(frames)
            windows.append(self._window(int(run), chosen, rng))
        # Frames `(batch, q, times, *space)` to `(batch, *space, times, q)`.
        axes = np.moveaxis(np.array(windows, dtype="float32"), (2, 1), (-2, -1))
        both = axes[..., : self.inputs, :], axes[..., self.inputs :, :]
        earlier, later = (part.reshape(*part.shape[:-2], -1) for part in both)
        return earlier, later

    def _window(self, run: int, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A window of fields `(q, times, *space)` of a solution, moved if there are
        generators.
        """
        values = self.grid.values[:, run, chosen]
        if self._flows is None:
            return values
        axes = (self.grid.axes[0][chosen], *self.grid.axes[1:])
        meshes = np.meshgrid(*axes, indexing="ij")
        targets = np.stack([mesh.ravel() for mesh in meshes], axis=1)
        own = values.reshape(len(values), -1).T
        t = rng.uniform(-self.distance, self.distance, len(self._flows.fields))
        for _ in range(MOST_HALVINGS):
            moved = moved_graph(
                self._flows.along(-t),
                self._flows.along(t),
                targets,
                own,
                self._solutions[run],
            )
            if np.all(np.isfinite(moved)):
                return moved.T.reshape(values.shape)
            # From the first time only one direction leads to times on the grid.
            t = -t / 2
        return values

    @cached_property
    def _solutions(self) -> list[Any]:
        """The interpolation of each solution to any points."""
        return [interpolated(self.grid, run) for run in range(self.grid.values.shape[1])]
