"""The conserved quantities of a motion, from trajectories alone."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._ops import to_numpy
from keras_lconv._validation import count, finite_array, one_of, optional, real_array
from keras_lconv.physics.conservation.canonical import ACTIONS, phase_space
from keras_lconv.physics.conservation.functions import (
    Candidates,
    ConservedFunction,
    SearchQuantities,
    is_nonlinear,
    names_of,
)
from keras_lconv.physics.conservation.independent import Independent
from keras_lconv.physics.conservation.motion import Motion, affine_motion
from keras_lconv.physics.conservation.quantities import (
    ConservationReport,
    ConservedQuantity,
    Drift,
)
from keras_lconv.physics.conservation.readable import (
    CLEAR,
    conservation_report,
    readable_basis,
)

# Rates that differ by less are equal.
SAME_RATE = 0.01
# A trajectory that moves less, relative to its largest coordinate, is at rest.
STILL = 1e-12


def fit_conserved_quantities(
    trajectories: ArrayLike | Sequence[ArrayLike],
    *,
    times: ArrayLike | Sequence[ArrayLike] | None = None,
    search: SearchQuantities = None,
    degree: int | None = None,
    action: str = "affine",
    dimension: int | None = None,
) -> ConservationReport:
    """Finds the conserved quantities of a motion, from trajectories alone.

    A quantity `G = z^T S z / 2 + c . z` is conserved if it varies between trajectories and
    not along them. The covariances of all monomials over all points and along trajectories
    give one null space. Units, offsets and linear coordinates do not matter. This function
    is `find_conserved_quantities` without a Hamiltonian, for polynomials of degree 2 at
    most, or for those that `search` adds. With such a search coordinates need not be
    canonical.

    A quantity that changes slowly and steadily is not conserved. If a straight line in time
    explains most of its variation along trajectories, it is listed under `report.drifting`
    with its rate of decay. If there is no such quantity, and steps are even, quantities
    that change by the same factor in each step are listed there. The noise of the
    coordinates is estimated from differences of neighbouring times, so these should be
    close compared with the motion. If the noise is large, the confidence is low, and the
    summary states this.

    Args:
        trajectories: Array `(trajectories, times, 2n)` in canonical coordinates, all
            positions before all momenta (or any `(trajectories, times, n)`, with a `search`
            that is not affine), or a list of arrays `(times, 2n)` of different lengths.
            Points with NaN are left out, and their times may be NaN too. Many trajectories
            are needed, with different values of the conserved quantities; repeated
            trajectories count once.
        times: Times of the points, `(times,)`, or one array for each trajectory; by default
            0, 1, 2 and so on. They determine rates, and whether steps are even.
        search: As for `find_conserved_quantities`.
        degree: As for `find_conserved_quantities`.
        action: As for `find_conserved_quantities`.
        dimension: As for `find_conserved_quantities`.

    Returns:
        A `ConservationReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a shape does not fit, `search` does not keep the symplectic form, or
            there are fewer than two different trajectories.

    Example:
    ```python
    import numpy as np
    from keras_lconv.physics import fit_conserved_quantities

    rng, t = np.random.default_rng(0), np.linspace(0, 6, 50)
    size, phase = rng.uniform(1, 2, (40, 1)), rng.uniform(0, 6, (40, 1))
    paths = [size * np.cos(t + phase), -size * np.sin(t + phase)]
    report = fit_conserved_quantities(np.stack(paths, axis=2))
    assert report.quantities[0].formula() == "0.5 q1^2 + 0.5 p1^2"
    ```

    Reference:
        V. I. Arnold, "Mathematical Methods of Classical Mechanics", chapter 8.
    """
    one_of("action", action, ACTIONS)
    dimension = optional(count, "dimension", dimension)
    is_affine = not is_nonlinear(search, degree)
    paths, clocks = _paths(trajectories, times, is_affine)
    points = np.concatenate(paths)
    if not is_affine:
        candidates = Candidates(points, search, degree, names_of(points.shape[1], False))
        return _functions(candidates, points, clocks, dimension)
    given: Any = search
    motion = affine_motion(paths, clocks, given, action)
    space = motion.solve(dimension)
    basis: np.ndarray = space.basis
    drifting: list[Drift[ConservedQuantity]] = []
    if dimension is None:
        basis, drifting = motion.without_drift(space.basis)
        drifting = drifting or motion.decaying()
    mixed = [motion.combined(column) for column in basis.T]
    tolerance = CLEAR * float(np.max(space.errors, initial=0.0))
    return conservation_report(
        mixed,
        points,
        action,
        {
            "singular_values": space.singular_values,
            "gap": space.gap,
            "confidence": space.confidence * (bool(mixed) or motion.varies),
            "errors": space.errors[: len(mixed)],
            "is_determined": space.is_determined and (bool(mixed) or motion.varies),
            "drifting": _readable_drifts(drifting, points, tolerance),
            "is_rough": motion.is_rough,
        },
    )


def _readable_drifts(
    drifts: list[Drift[ConservedQuantity]], points: np.ndarray, tolerance: float
) -> tuple[Drift[ConservedQuantity], ...]:
    """The drifts, with a sparse basis of all quantities that drift at the same rate."""
    drifts = sorted(drifts, key=lambda drift: drift.rate)
    rates = np.array([drift.rate for drift in drifts])
    alike = np.cumsum(np.abs(np.diff(rates, prepend=rates[:1])) > SAME_RATE * np.abs(rates))
    readable: list[Drift[ConservedQuantity]] = []
    for group in range(alike[-1] + 1 if drifts else 0):
        own = [
            drift for drift, number in zip(drifts, alike, strict=True) if number == group
        ]
        basis = readable_basis([drift.quantity for drift in own], points, tolerance)
        readable += [
            dataclasses.replace(drift, quantity=quantity)
            for drift, quantity in zip(own, basis, strict=True)
        ]
    return tuple(readable)


def _functions(
    candidates: Candidates,
    points: np.ndarray,
    clocks: list[np.ndarray],
    dimension: int | None,
) -> ConservationReport:
    """Conserved polynomials of coordinates and of given functions."""
    values, listed = candidates.values(points), Independent(candidates, points)
    drifting: list[Drift[ConservedFunction]] = []
    for degree, end in enumerate(candidates.ends, 1):
        motion = Motion(values[:, :end], clocks, candidates.mixed)
        asked = dimension if end == candidates.ends[-1] else None
        space = motion.solve(asked)
        basis = space.basis
        if dimension is None:
            basis, drifting = motion.without_drift(basis)
        listed.add(degree, motion.mixtures(basis), space, motion.parts)
    report = listed.report(space, basis.shape[1], tuple(drifting))
    return dataclasses.replace(report, is_rough=motion.is_rough)


def _paths(
    trajectories: Any, times: Any, is_canonical: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The different trajectories, without unknown points, and their times."""
    trajectories = to_numpy(trajectories)
    is_listed = isinstance(trajectories, (list, tuple, np.ndarray))
    if not is_listed or not getattr(trajectories, "ndim", 1):
        raise TypeError(
            "`trajectories` must be an array `(trajectories, times, 2n)`, or a list of "
            f"arrays. Received: an object of type {type(trajectories).__name__}. For a "
            "Hamiltonian use `find_conserved_quantities`"
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
    if len(paths) < 2:
        raise ValueError(
            "`trajectories` must hold at least 2 different trajectories: a single one "
            "cannot distinguish conserved quantities from constants. Received: "
            f"{len(paths)}"
        )
    if len({path.shape[1] for path in paths}) > 1:
        raise ValueError(
            "`trajectories` must all have the same coordinates. Received: numbers of "
            f"coordinates {sorted({path.shape[1] for path in paths})}"
        )
    if all(np.all(np.ptp(path, axis=0) <= STILL * np.max(np.abs(path))) for path in paths):
        raise ValueError(
            "`trajectories` must move: at rest every quantity is conserved. Received: the "
            f"same point at all times, in each of {len(paths)} trajectories"
        )
    return paths, clocks


def _clock(times: Any, number: int, length: int) -> np.ndarray:
    if times is None:
        return np.arange(length, dtype="float64")
    arrays = (list, tuple, np.ndarray)
    is_listed = isinstance(times, arrays) and getattr(times, "ndim", 1) > 0
    is_nested = is_listed and len(times) > number and isinstance(times[0], arrays)
    own = times[number] if is_nested else times
    clock = real_array("times", own)
    if clock.shape != (length,):
        raise ValueError(
            f"`times` must hold one time for each point. Received: shape {clock.shape} for "
            f"the {length} points of trajectory {number}"
        )
    return clock
