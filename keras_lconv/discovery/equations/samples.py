"""Fields on grids, and the derivatives at their points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_lconv._validation import finite_array, real_array
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.smoothing import (
    DEGREE,
    UNIFORM,
    AxisFit,
    fit_axis,
)

# The noise along an axis is estimated again after the other axes are smoothed.
SWEEPS = 2
# These parts at both ends of an axis that is not periodic are left out, because splines err
# there.
MARGIN = 0.1
# Jets are drawn within this many standard deviations of the data.
SPREADS = 1.5
# A field is dependent if it differs by less, relative to its spread, from a mixture of
# others.
SAME = 1e-7
# The largest number of points that are used.
MOST_POINTS = 20_000
LEAST_POINTS = 2 * (DEGREE + 1)
# If curves close, second differences across the end are at most this many times as large as
# others.
LARGEST_JUMP = 3.0
# Removing a repeated point reduces the square of short waves at least to this part. The
# squared step between the two points is at most this part of that of others.
REPEATED = 0.1


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
        """Raises an error if a field is constant, or all fields are constant
        along an axis.
        """
        for name, field in zip(self.dependent, self.values, strict=True):
            if np.ptp(field) == 0:
                raise ValueError(
                    f"`fields` must vary. Received: {field.flat[0]:.3g} everywhere for "
                    f"{name!r}"
                )

        for number, name in enumerate(self.independent):
            steps = np.diff(self.values, axis=number + 2)
            if np.max(np.abs(steps)) <= SAME * np.max(np.ptp(self.values, axis=(1, 2))):
                raise ValueError(
                    "`fields` must change along each axis. Received: fields that stay the "
                    f"same along {name!r}. Take them at one point of this axis, and leave "
                    "it out of `coordinates`"
                )

    def require_independence(self) -> None:
        """Raises an error if a field follows from others, because equations are then not
        unique.
        """
        flat = self.values.reshape(len(self.values), -1)
        flat = flat - np.mean(flat, axis=1, keepdims=True)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        if np.linalg.svd(flat @ flat.T)[1][-1] < SAME**2:
            raise ValueError(
                "`fields` must be linearly independent. Received: "
                f"{', '.join(self.dependent)}, of which one is a mixture of others. Leave "
                "one out, or add runs in which they differ"
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

    def jets(self, order: int, is_finer: bool = False) -> tuple[JetSpace, np.ndarray]:
        """Points and derivatives up to an order, `(n, size)`, run by run.

        Args:
            order: The order.
            is_finer: Whether curves have more parameters than the best fit.
        """
        space = JetSpace(self.independent, self.dependent, order)
        chosen = self._chosen()
        places = np.unravel_index(chosen, self.values.shape[1:])
        columns = [axis[place] for axis, place in zip(self.axes, places[1:], strict=True)]
        for field, fits in zip(self.values, self.fits, strict=True):
            for index in space.indices:
                smooth = field
                for axis, fit in enumerate(fits):
                    own = fit.finer() if is_finer else fit
                    smooth = own(smooth, axis + 1, int(index[axis]))
                columns.append(smooth.ravel()[chosen])
        return space, np.stack(columns, axis=1)

    def ranges(self, space: JetSpace) -> tuple[np.ndarray, np.ndarray]:
        """The values between which points and derivatives lie, `(size,)` each.

        The size of higher derivatives is extrapolated from the first ones, because noise
        makes them too large.
        """
        first, jets = self.jets(1)
        x, u = first.split(jets)
        low, high = np.min(x, axis=0), np.max(x, axis=0)
        rates = (
            np.sqrt(np.mean(u[..., 1:] ** 2, axis=0)) / np.std(u[..., 0], axis=0)[:, None]
        )
        # A field that is constant along an axis has no rate there.
        rates = np.where(rates > SAME * np.max(rates, axis=0), rates, np.max(rates, axis=0))
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
                f"`{argument}` must map names to arrays, such as fields={{'u': u}} and "
                f"coordinates={{'t': t, 'x': x}}. Received: {type(given).__name__}"
            )
    axes = {name: _axis(name, each, name in periodic) for name, each in coordinates.items()}
    if set(periodic) - set(axes):
        raise ValueError(
            f"`periodic` must name axes of `coordinates`, {', '.join(axes)}. "
            f"Received: {', '.join(sorted(set(periodic) - set(axes)))}"
        )
    shape = tuple(len(axis) for axis in axes.values())
    values = [_field(name, field, shape) for name, field in fields.items()]
    if len({len(each) for each in values}) != 1:
        raise ValueError(
            "All `fields` must have the same number of runs. Received: "
            f"{[len(each) for each in values]}"
        )
    for number, name in enumerate(axes):
        if name in periodic:
            _require_period(name, np.moveaxis(np.array(values), number + 2, 0))
    return Grid(
        tuple(axes),
        tuple(fields),
        tuple(axes.values()),
        tuple(name in periodic for name in axes),
        np.array(values),
    )


def _axis(name: str, given: Any, is_periodic: bool) -> np.ndarray:
    """The points along an axis."""
    if np.asarray(given).dtype.kind in "mM":
        raise TypeError(
            f"`coordinates` must be numbers. Received: {np.asarray(given).dtype} for "
            f"{name!r}. Convert times to numbers of a unit, such as `({name} - {name}[0]) "
            "/ np.timedelta64(1, 's')`"
        )
    axis = finite_array("coordinates", given)
    steps = np.diff(axis) if axis.ndim == 1 else np.zeros(1)
    if axis.ndim != 1 or len(axis) < LEAST_POINTS:
        raise ValueError(
            f"`coordinates` must hold at least {LEAST_POINTS} increasing numbers for each "
            f"axis. Received: shape {axis.shape} for {name!r}"
        )
    if np.any(steps <= 0):
        way_out = "leave out points that repeat others, and sort the rest with the fields"
        if np.all(steps < 0):
            way_out = f"reverse it and the fields, by `{name}[::-1]` and `np.flip`"
        raise ValueError(
            f"`coordinates` must increase along each axis: {way_out}. Received: steps from "
            f"{np.min(steps):.3g} to {np.max(steps):.3g} for {name!r}"
        )
    if is_periodic and np.ptp(steps) > UNIFORM * np.ptp(axis):
        raise ValueError(
            "An axis in `periodic` must have equal steps. Received: steps from "
            f"{np.min(steps):.3g} to {np.max(steps):.3g} for {name!r}"
        )
    return axis


def _field(name: str, given: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A field `(runs, *axes)` on a grid of a shape."""
    array = real_array("fields", given)
    array = array[None] if array.shape == shape else array
    if array.shape[1:] != shape or not len(array):
        raise ValueError(
            f"`fields` must have shape {shape}, or (runs, {str(shape)[1:]}, that of "
            f"`coordinates`. Received: shape {np.shape(given)} for {name!r}"
        )
    missing = ~np.isfinite(array)
    if np.any(missing):
        raise ValueError(
            "`fields` must be finite. Received: NaN or infinite values at "
            f"{np.sum(missing)} of {missing.size} points for {name!r}. Take a part of the "
            "grid or the runs without missing values, or interpolate these"
        )
    return array


def _require_period(name: str, values: np.ndarray) -> None:
    """Raises an error unless the step from the last point to the first one is like others.

    Args:
        name: The name of the axis.
        values: The fields, this axis first.
    """
    if _is_closed(values):
        raise ValueError(
            "An axis in `periodic` must not repeat its first point at the end. Received: "
            f"{name!r}, whose last point repeats the first. Leave the last point out of "
            "`coordinates` and `fields`"
        )
    lines = values.reshape(len(values), -1)
    around = np.concatenate([lines[-2:], lines, lines[:2]])
    bends = np.sqrt(np.mean(np.diff(around, 2, axis=0) ** 2, axis=1))
    # The first two and the last two differences reach across the end.
    across, inside = max(*bends[:2], *bends[-2:]), np.max(bends[2:-2])
    if across > LARGEST_JUMP * inside:
        raise ValueError(
            "Along an axis in `periodic`, fields must continue smoothly from the last "
            f"point to the first. Received: {name!r}, where they bend "
            f"{across / inside:.0f} times as much as anywhere else. Leave it out of "
            "`periodic`"
        )


def _is_closed(values: np.ndarray) -> bool:
    """Whether lines along the first axis become periodic only without their last point.

    If so, short waves, which smooth lines hardly contain, are much smaller without it. With
    noise they are somewhat smaller, and the step from the last point to the first has the
    size of the noise.
    """
    lines = values.reshape(len(values), -1)
    with_end, without = (_short_waves(each) for each in (lines, lines[:-1]))
    last = np.mean((lines[0] - lines[-1]) ** 2)
    share = REPEATED if last > REPEATED * np.mean(np.diff(lines, axis=0) ** 2) else 1.0
    return bool(without < share * with_end)


def _short_waves(lines: np.ndarray) -> float:
    """The mean square of the shorter half of the waves in lines `(n, ...)`."""
    spectrum = np.fft.rfft(lines, axis=0)
    return float(np.mean(np.abs(spectrum[len(spectrum) // 2 :]) ** 2) / len(lines))
