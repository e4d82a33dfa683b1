"""Trajectories from arrays, lists of arrays, and batches of these."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_lconv._ops import to_numpy
from keras_lconv._streams import whole_batches_of
from keras_lconv._validation import finite_array, real_array
from keras_lconv.physics.conservation.canonical import phase_space

# A trajectory that moves less, relative to its largest coordinate, is at rest.
STILL = 1e-12
ARRAYS = (list, tuple, np.ndarray)


def paths_of(
    trajectories: Any, times: Any, is_canonical: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The different trajectories, without unknown points, and their times."""
    trajectories, times = to_numpy(trajectories), to_numpy(times)
    if not isinstance(trajectories, ARRAYS) or not getattr(trajectories, "ndim", 1):
        raise TypeError(
            "`trajectories` must be an array `(trajectories, times, 2n)`, a list of "
            "arrays, or batches of these. Received: an object of type "
            f"{type(trajectories).__name__}. For a Hamiltonian use "
            "`find_conserved_quantities`"
        )
    paths, clocks, seen = [], [], set()
    for number, given in enumerate(trajectories):
        path = real_array("trajectories", given)
        clock = _clock(times, number, len(path)) if path.ndim else np.zeros(0)
        if path.ndim == 2 and len(path):
            known = ~np.any(np.isnan(path), axis=1)
            path = finite_array("trajectories", path[known])
            clock = finite_array("times", clock[known])
            if not len(path):
                continue
        path = phase_space("trajectories", path, 2, is_canonical)
        if path.tobytes() not in seen:
            seen.add(path.tobytes())
            paths.append(path)
            clocks.append(clock)
    if len({path.shape[1] for path in paths}) > 1:
        raise ValueError(
            "`trajectories` must all have the same coordinates. Received: numbers of "
            f"coordinates {sorted({path.shape[1] for path in paths})}"
        )
    return paths, clocks


def require_several(number: int) -> None:
    """Raises an error unless there are enough trajectories."""
    if number < 2:
        raise ValueError(
            "`trajectories` must hold at least 2 different trajectories: a single one "
            f"cannot distinguish conserved quantities from constants. Received: {number}"
        )


def require_motion(paths: list[np.ndarray]) -> None:
    """Raises an error if no trajectory moves."""
    if all(np.all(np.ptp(path, axis=0) <= STILL * np.max(np.abs(path))) for path in paths):
        raise ValueError(
            "`trajectories` must move: at rest every quantity is conserved. Received: the "
            f"same point at all times, in each of {len(paths)} trajectories"
        )


def batches_of_paths(stream: Any) -> Iterator[tuple[Any, Any]]:
    """The trajectories in each batch, and their times or `None`.

    A batch has trajectories `(trajectories, times, n)` or a list of arrays, or one of them,
    `(times, n)`. In a tuple or list whose second entry has one dimension less, that is the
    times. Anything else besides an array `(trajectories, times, n)` is ignored.
    """
    for batch in whole_batches_of("trajectories", stream):
        times = None
        if isinstance(batch, list | tuple) and batch:
            first = _dimensions(batch[0])
            if len(batch) == 2 and _dimensions(batch[1]) == first - 1:
                batch, times = batch
            elif first == 3:
                batch = batch[0]
        trajectories = to_numpy(batch)
        if _dimensions(trajectories) == 2:
            trajectories, times = [trajectories], None if times is None else [times]
        yield trajectories, times


def _dimensions(value: Any) -> int:
    """The dimensions of an array, or of nested lists."""
    if hasattr(value, "shape"):
        return len(value.shape)
    is_list = isinstance(value, list | tuple) and len(value) > 0
    return 1 + _dimensions(value[0]) if is_list else 0


def _clock(times: Any, number: int, length: int) -> np.ndarray:
    if times is None:
        return np.arange(length, dtype="float64")
    is_listed = isinstance(times, ARRAYS) and getattr(times, "ndim", 1) > 0
    is_nested = is_listed and len(times) > number and isinstance(times[0], ARRAYS)
    own = times[number] if is_nested else times
    clock = real_array("times", own)
    if clock.shape != (length,):
        raise ValueError(
            f"`times` must hold one time for each point. Received: shape {clock.shape} for "
            f"the {length} points of trajectory {number}"
        )
    return clock
