"""The conserved quantities of trajectories that are spread over batches and workers."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._streams import require_same_kind, require_same_question
from keras_lconv._validation import count, one_of, optional
from keras_lconv.discovery.null_space import NUM_GROUPS, groups_of
from keras_lconv.discovery.standard import Reach
from keras_lconv.physics.conservation.affine import AffineCandidates
from keras_lconv.physics.conservation.canonical import ACTIONS
from keras_lconv.physics.conservation.functions import (
    Candidates,
    SearchQuantities,
    is_nonlinear,
    names_of,
)
from keras_lconv.physics.conservation.motion_report import affine_report, function_report
from keras_lconv.physics.conservation.path_sums import PathSums
from keras_lconv.physics.conservation.paths import (
    batches_of_paths,
    paths_of,
    require_motion,
    require_several,
)
from keras_lconv.physics.conservation.quantities import ConservationReport

# In a stream, first trajectories with this many points determine the units.
FIRST_POINTS = 4096
# The number of values of candidates in memory at a time, unless one trajectory has more.
MOST_VALUES = 4e6


class MotionSums:
    """The sums over trajectories that `fit_conserved_quantities` needs, to be updated and
    merged.

    Each worker updates `fresh` sums with its batches, and the merged sums are those of all
    trajectories, up to rounding, in any order. Their memory does not depend on the number
    of trajectories. They can be pickled if functions in `search` can.

    The first `trajectories` determine the units, and which candidates differ. They are not
    counted themselves, and `result` raises an error if the counted ones are unlike them. A
    repeated trajectory counts each time.

    Args:
        trajectories: Some trajectories from all parts of the data, as for
            `fit_conserved_quantities`.
        times: As for `fit_conserved_quantities`.
        search: As for `fit_conserved_quantities`.
        degree: As for `fit_conserved_quantities`.
        action: As for `fit_conserved_quantities`.
        dimension: As for `fit_conserved_quantities`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value or a shape does not fit.

    Example:
    ```python
    import functools
    import numpy as np
    from keras_lconv.physics import MotionSums

    t = np.linspace(0, 6, 50)

    def paths(seed):  # of one oscillator
        rng = np.random.default_rng(seed)
        size, phase = rng.uniform(1, 2, (40, 1)), rng.uniform(0, 6, (40, 1))
        return np.stack([size * np.cos(t + phase), -size * np.sin(t + phase)], axis=2)

    first = MotionSums(paths(0))

    def worker(seed):
        sums = first.fresh()
        sums.update(paths(seed))
        return sums

    report = functools.reduce(MotionSums.merge, map(worker, [1, 2, 3])).result()
    assert report.quantities[0].formula() == "0.5 q1^2 + 0.5 p1^2"
    ```
    """

    def __init__(
        self,
        trajectories: ArrayLike | Sequence[ArrayLike],
        *,
        times: ArrayLike | Sequence[ArrayLike] | None = None,
        search: SearchQuantities = None,
        degree: int | None = None,
        action: str = "affine",
        dimension: int | None = None,
    ):
        one_of("action", action, ACTIONS)
        self._action, self._dimension = action, optional(count, "dimension", dimension)
        self._asked = repr((search, degree, action, dimension))
        self._is_affine = not is_nonlinear(search, degree)
        self._first = paths_of(trajectories, times, self._is_affine)
        require_several(len(self._first[0]))
        require_motion(self._first[0])
        self._points = np.concatenate(self._first[0])
        self._candidates: AffineCandidates | Candidates
        if self._is_affine:
            given: Any = search
            self._candidates = AffineCandidates(self._points, given, action)
        else:
            names = names_of(self._points.shape[1], False)
            self._candidates = Candidates(self._points, search, degree, names)
        number = self._candidates.number
        require_memory(
            f"The sums for {number} candidates of `search`",
            (6 * NUM_GROUPS + 18) * number**2,
            "Take a smaller `degree`, or fewer functions or coordinates",
        )
        self._sums: PathSums | None = None
        self._reach: Reach | None = None
        self._count = 0

    def fresh(self) -> "MotionSums":
        """Sums of no trajectories, in the same units, for a worker of its own.

        Returns:
            New sums.
        """
        sums = copy.copy(self)
        sums._sums, sums._reach, sums._count = None, None, 0
        return sums

    def update(
        self,
        trajectories: ArrayLike | Sequence[ArrayLike],
        times: ArrayLike | Sequence[ArrayLike] | None = None,
    ) -> None:
        """Adds trajectories.

        Args:
            trajectories: As for `fit_conserved_quantities`, with the same coordinates as
                the first ones.
            times: As for `fit_conserved_quantities`.

        Raises:
            TypeError: If an argument has a wrong type.
            ValueError: If a shape does not fit.
        """
        paths, clocks = paths_of(trajectories, times, self._is_affine)
        groups = [int(groups_of(path.reshape(1, -1))[0]) for path in paths]
        self._add(paths, clocks, np.array(groups))

    def merge(self, other: "MotionSums") -> "MotionSums":
        """The sums of the trajectories of both, which stay as they are.

        Args:
            other: Sums with the same arguments, such as those that `fresh` makes.

        Returns:
            New sums.

        Raises:
            TypeError: If `other` is no `MotionSums`.
            ValueError: If it has other arguments.
        """
        require_same_kind(self, other)
        own, others = (self._asked, self._points), (other._asked, other._points)
        require_same_question(own, others, "trajectories")
        merged = self.fresh()
        for each in (self, other):
            merged._join(each._sums, each._reach, each._count)
        return merged

    def result(self) -> ConservationReport:
        """The conserved quantities of all trajectories that were added.

        Returns:
            A `ConservationReport`.

        Raises:
            ValueError: If there are fewer than two, or they are unlike the first ones.
        """
        require_several(self._count)
        assert self._sums is not None
        assert self._reach is not None
        self._candidates.require_like(self._reach)
        candidates, points = self._candidates, self._points
        if isinstance(candidates, AffineCandidates):
            return affine_report(
                self._sums, candidates, points, self._action, self._dimension
            )
        return function_report(self._sums, candidates, points, self._dimension)

    def add_first(self) -> None:
        """Adds the first trajectories themselves, whose groups take turns."""
        self._add(*self._first, np.arange(len(self._first[0])) % NUM_GROUPS)

    def _add(
        self, paths: list[np.ndarray], clocks: list[np.ndarray], groups: np.ndarray
    ) -> None:
        """Adds trajectories, some at a time."""
        size = self._points.shape[1]
        if any(path.shape[1] != size for path in paths):
            raise ValueError(
                f"`trajectories` must have the {size} coordinates of the first ones. "
                f"Received: {paths[0].shape[1]}"
            )
        most = MOST_VALUES / self._candidates.number
        total = np.cumsum([len(path) for path in paths])
        for _, part in itertools.groupby(range(len(paths)), lambda n: total[n] // most):
            numbers = list(part)
            points = np.concatenate([paths[n] for n in numbers])
            values = self._candidates.values(points)
            own = [clocks[n] for n in numbers]
            sums = PathSums.of(values, own, groups[numbers])
            self._join(sums, self._candidates.reach(points), len(numbers))

    def _join(self, sums: PathSums | None, reach: Reach | None, number: int) -> None:
        if sums is None or reach is None:
            return
        self._sums = sums if self._sums is None else self._sums.merged(sums)
        self._reach = reach if self._reach is None else self._reach.merged(reach)
        self._count += number


def streamed_quantities(stream: Any, times: Any, **asked: Any) -> ConservationReport:
    """The conserved quantities of trajectories in batches. Batches are read once."""
    given = batches_of_paths(stream)
    batches = ((paths, times if own is None else own) for paths, own in given)
    first, whole = _first_of(batches)
    sums = MotionSums(first[0], times=first[1], **asked)
    for paths, clocks in whole:
        sums.update(paths, clocks)
    return sums.result()


def _first_of(
    batches: Iterator[tuple[Any, Any]],
) -> tuple[tuple[list[np.ndarray], list[np.ndarray]], Iterator[tuple[Any, Any]]]:
    """The first trajectories with their times, and all batches again."""
    waiting, paths, clocks = [], [], []
    for batch in batches:
        waiting.append(batch)
        some = paths_of(*batch, is_canonical=False)
        paths += some[0]
        clocks += some[1]
        if len(paths) > 1 and sum(map(len, paths)) >= FIRST_POINTS:
            break
    return (paths, clocks), itertools.chain(waiting, batches)
