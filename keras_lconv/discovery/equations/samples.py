"""From fields on grids to the derivatives at their points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_lconv._validation import finite_array
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.smoothing import (
    DEGREE,
    UNIFORM,
    AxisFit,
    fit_axis,
)

# The noise along an axis is judged again when the other axes are smooth.
SWEEPS = 2
# Of an axis that is not periodic these parts at both ends are left out: splines err there.
MARGIN = 0.1
# Jets are drawn within so many standard deviations of the data.
SPREADS = 1.5
# Fields that differ by less, relative to their spread, from sums of others are these.
SAME = 1e-7
# Points that are looked at.
MOST_POINTS = 20_000
LEAST_POINTS = 2 * (DEGREE + 1)


@dataclass(frozen=True)
class Grid:
    """Fields on a grid, in some runs.

    Args:
        independent: Names of the axes.
        dependent: Names of the fields.
        axes: The coordinate along each axis.
        is_periodic: For each axis, whether it is periodic.
        values: Array `(q, runs, *axes)`.
    """

    independent: tuple[str, ...]
    dependent: tuple[str, ...]
    axes: tuple[np.ndarray, ...]
    is_periodic: tuple[bool, ...]
    values: np.ndarray

    def require_variation(self) -> None:
        """Raises if a field is constant, so that it has no unit."""
        for name, field in zip(self.dependent, self.values, strict=True):
            if np.ptp(field) == 0:
                raise ValueError(
                    f"`fields` must vary. Received: {field.flat[0]:.3g} everywhere for "
                    f"{name!r}"
                )

    def require_independence(self) -> None:
        """Raises if a field follows from others, so that no equation is the only one."""
        flat = self.values.reshape(len(self.values), -1)
        flat = flat - np.mean(flat, axis=1, keepdims=True)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        if np.linalg.svd(flat @ flat.T)[1][-1] < SAME**2:
            raise ValueError(
                "`fields` must not depend on each other linearly: leave one out, or add "
                f"runs in which they differ. Received: {', '.join(self.dependent)}, of "
                "which one is a sum of multiples of others"
            )

    def points(self) -> np.ndarray:
        """Points of the graphs of the fields, coordinates first, `(n, p + q)`."""
        shape = self.values.shape[1:]
        meshes = np.meshgrid(*self.axes, indexing="ij")
        columns = [np.broadcast_to(mesh, shape).ravel() for mesh in meshes]
        points = np.stack([*columns, *(field.ravel() for field in self.values)], axis=1)
        return points[:: max(1, len(points) // MOST_POINTS)]

    @cached_property
    def fits(self) -> list[list[AxisFit]]:
        """How each field is smoothed along each axis."""
        return [self._fits_of(field) for field in self.values]

    def _fits_of(self, field: np.ndarray) -> list[AxisFit]:
        number = len(self.axes)
        fits: list[AxisFit | None] = [None] * number
        for _ in range(SWEEPS if number > 1 else 1):
            for own in range(number):
                smooth = field
                for other, fit in enumerate(fits):
                    if fit is not None and other != own:
                        smooth = fit(smooth, other + 1)
                fits[own] = fit_axis(smooth, own + 1, self.axes[own], self.is_periodic[own])
        return [fit for fit in fits if fit is not None]

    def jets(self, order: int) -> tuple[JetSpace, np.ndarray]:
        """Points and derivatives up to an order, `(n, size)`, run by run."""
        space = JetSpace(self.independent, self.dependent, order)
        chosen = self._chosen()
        places = np.unravel_index(chosen, self.values.shape[1:])
        columns = [axis[place] for axis, place in zip(self.axes, places[1:], strict=True)]
        for field, fits in zip(self.values, self.fits, strict=True):
            for index in space.indices:
                smooth = field
                for axis, fit in enumerate(fits):
                    smooth = fit(smooth, axis + 1, int(index[axis]))
                columns.append(smooth.ravel()[chosen])
        return space, np.stack(columns, axis=1)

    def ranges(self, space: JetSpace) -> tuple[np.ndarray, np.ndarray]:
        """Between which values points and derivatives lie, `(size,)` each.

        Derivatives are as large as their order and the first ones let expect, since noise
        makes high ones larger.
        """
        first, jets = self.jets(1)
        x, u = first.split(jets)
        low, high = np.min(x, axis=0), np.max(x, axis=0)
        rates = (
            np.sqrt(np.mean(u[..., 1:] ** 2, axis=0)) / np.std(u[..., 0], axis=0)[:, None]
        )
        bottoms, tops = [low], [high]
        for number, rate in enumerate(rates):
            values = u[:, number, 0]
            sizes = SPREADS * np.std(values) * np.prod(rate**space.indices, axis=1)
            middle = np.zeros(len(sizes))
            middle[0] = np.mean(values)
            bottoms.append(middle - sizes)
            tops.append(middle + sizes)
        return np.concatenate(bottoms), np.concatenate(tops)

    def _chosen(self) -> np.ndarray:
        """Points away from the ends of axes, at most some number of them."""
        inside = np.ones(self.values.shape[1:], dtype=bool)
        for number, (axis, is_periodic) in enumerate(
            zip(self.axes, self.is_periodic, strict=True)
        ):
            if not is_periodic:
                rim = max(1, int(MARGIN * len(axis)))
                kept = np.zeros(len(axis), dtype=bool)
                kept[rim:-rim] = True
                shape = [1] * inside.ndim
                shape[number + 1] = -1
                inside &= kept.reshape(shape)
        chosen = np.flatnonzero(inside)
        if len(chosen) > MOST_POINTS:
            rng = np.random.default_rng(0)
            chosen = np.sort(rng.choice(chosen, MOST_POINTS, replace=False))
        return chosen


def read_grid(fields: Any, coordinates: Any, periodic: Sequence[str]) -> Grid:
    """Checks fields on a grid.

    Args:
        fields: Mapping from names to arrays `(*axes)` or `(runs, *axes)`.
        coordinates: Mapping from the names of the axes to their points.
        periodic: Names of the axes that are periodic.
    """
    for argument, given in (("fields", fields), ("coordinates", coordinates)):
        is_named = isinstance(given, Mapping) and all(isinstance(n, str) for n in given)
        if not is_named or not given:
            raise TypeError(
                f"`{argument}` must map names to arrays, as fields={{'u': u}} and "
                f"coordinates={{'t': t, 'x': x}}. Received: {type(given).__name__}"
            )
    axes = {name: finite_array("coordinates", each) for name, each in coordinates.items()}
    for name, axis in axes.items():
        steps = np.diff(axis) if axis.ndim == 1 else np.zeros(1)
        if axis.ndim != 1 or len(axis) < LEAST_POINTS or np.any(steps <= 0):
            raise ValueError(
                f"`coordinates` must be at least {LEAST_POINTS} growing numbers for each "
                f"axis. Received: shape {axis.shape} for {name!r}"
            )
        if name in periodic and np.ptp(steps) > UNIFORM * np.ptp(axis):
            raise ValueError(
                "An axis in `periodic` must have equal steps. Received: steps from "
                f"{np.min(steps):.3g} to {np.max(steps):.3g} for {name!r}"
            )
    if set(periodic) - set(axes):
        raise ValueError(
            f"`periodic` must name axes of `coordinates`, {', '.join(axes)}. "
            f"Received: {', '.join(sorted(set(periodic) - set(axes)))}"
        )
    shape = tuple(len(axis) for axis in axes.values())
    values = []
    for name, field in fields.items():
        array = finite_array("fields", field)
        array = array[None] if array.shape == shape else array
        if array.shape[1:] != shape or not len(array):
            raise ValueError(
                f"`fields` must have shape {shape}, or (runs, {str(shape)[1:]}, that of "
                f"`coordinates`. Received: shape {np.shape(field)} for {name!r}"
            )
        values.append(array)
    if len({len(each) for each in values}) != 1:
        raise ValueError(
            "`fields` must hold fields of as many runs. Received: "
            f"{[len(each) for each in values]}"
        )
    return Grid(
        tuple(axes),
        tuple(fields),
        tuple(axes.values()),
        tuple(name in periodic for name in axes),
        np.array(values),
    )
