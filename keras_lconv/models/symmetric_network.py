"""Networks for rows of a table, with the symmetry of a report."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from scipy.linalg import block_diag

from keras_lconv._validation import MOST_UNITS, positive_ints
from keras_lconv.algebra import MatrixGroup, invariant_forms, tensor_product
from keras_lconv.discovery import GeneratorReport, SymmetryReport
from keras_lconv.discovery.standard import fixed_point
from keras_lconv.models.clean_algebra import (
    ROUNDING,
    clean_algebra,
    has_enough_invariants,
)
from keras_lconv.models.equivariant_mlp import equivariant_mlp

# In maps and directions of unit length, smaller parts than the first number are errors.
# Parts within two error bars are errors as well, up to the second number.
NEGLIGIBLE, LARGEST_DOUBT = 0.1, 0.3
HIDDEN_UNITS = (64, 64, 64)
NO_FIXED_POINT = "translations and other maps have no common fixed point"


class NoNetworkError(ValueError):
    """There is no network with the symmetry of a report. The message gives the reason."""


def plain_network(
    x: np.ndarray, outputs: int, hidden_units: int | Sequence[int] = HIDDEN_UNITS
) -> keras.Model:
    """A perceptron for rows `(batch, n)`."""
    inputs = keras.Input(x.shape[1:])
    features = normalized(inputs, np.mean(x, axis=0), spread(x))
    return keras.Model(inputs, perceptron(features, outputs, hidden_units))


def symmetric_network(
    report: SymmetryReport, x: np.ndarray, outputs: int, **settings: Any
) -> keras.Model:
    """A network for rows of a table, invariant under the symmetry of a report.

    Coordinates along which nothing changes are left out. An `equivariant_mlp` takes the
    others, with the algebra about its fixed point.

    Args:
        report: A report about the invariances of a function of these rows.
        x: The rows, `(batch, scalars + blocks * v)`.
        outputs: Number of outputs.
        **settings: Further arguments of `equivariant_mlp`.

    Returns:
        A model, not compiled.

    Raises:
        NoNetworkError: If there is no such network.
    """
    v, scalars, blocks = report.unidentified.shape[1], report.scalars, report.blocks
    origin, scale = _own_units(report, x[:, scalars:].reshape(-1, v))
    doubt = doubt_of(report)
    frame, maps = _without_translations(report, origin, scale, doubt)
    mix = np.eye(blocks)
    if blocks > 1 and len(frame) < v:
        frame, maps = np.eye(v), _of_differences(report, frame, origin, scale, doubt)
        mix = np.eye(blocks)[1:] - np.eye(blocks)[0]
    centre = fixed_point(maps) if len(maps) else np.zeros(len(frame))
    if centre is None:
        raise NoNetworkError(NO_FIXED_POINT)
    matrix = block_diag(np.eye(scalars), np.kron(mix, frame))
    offset = np.concatenate([np.zeros(scalars), -np.tile(centre, len(mix))])
    if not len(matrix):
        raise NoNetworkError("nothing depends on any column")
    algebra = clean_algebra(maps[..., :-1], largest_error(report)) if len(maps) else None
    if algebra is not None and not has_enough_invariants(algebra.basis, len(mix)):
        raise NoNetworkError("it has too few invariant polynomials")

    inputs = keras.Input(x.shape[1:])
    rows = normalized(
        inputs,
        np.concatenate([np.mean(x[:, :scalars], axis=0), np.tile(origin, blocks)]),
        np.concatenate([spread(x[:, :scalars]), np.tile(scale, blocks)]),
    )
    coordinates = keras.layers.Dense(len(matrix), trainable=False, name="coordinates")
    features = coordinates(rows)
    coordinates.set_weights([matrix.T, offset])
    if algebra is None:
        hidden_units = settings.get("hidden_units", HIDDEN_UNITS)
        return keras.Model(inputs, perceptron(features, outputs, hidden_units))
    network = equivariant_mlp(
        algebra, blocks=len(mix), scalars=scalars, outputs=outputs, **settings
    )
    return keras.Model(inputs, network(features))


def point_group(
    report: SymmetryReport, points: np.ndarray
) -> tuple[MatrixGroup, np.ndarray, np.ndarray, bool]:
    """The group that acts on points, and its coordinates.

    Args:
        report: A report about the invariances of a function of points.
        points: Their positions `(batch, v)`.

    Returns:
        A group that acts on `(x - origin) / scale`, the origin, the scale, and whether all
        translations are symmetries.

    Raises:
        NoNetworkError: If some translations are symmetries, but not all.
    """
    v = points.shape[1]
    origin, scale = _own_units(report, points)
    doubt = doubt_of(report)
    frame, maps = _without_translations(report, origin, scale, doubt)
    is_relative = len(frame) < v
    if is_relative:
        maps = _of_differences(report, frame, origin, scale, doubt)
    elif len(maps):
        centre = fixed_point(maps)
        if centre is None:
            raise NoNetworkError(NO_FIXED_POINT)
        origin = origin + scale * centre
    if not len(maps):
        return MatrixGroup(elements=[np.eye(v)]), origin, scale, is_relative
    algebra = clean_algebra(maps[..., :-1], largest_error(report))
    return MatrixGroup(algebra), origin, scale, is_relative


def unit_of_invariants(group: MatrixGroup, points: np.ndarray) -> float:
    """The length in which invariants of differences are not small, at most 1.

    Differences of fast particles have components of order one and squares that nearly
    vanish.

    Args:
        group: What acts on points.
        points: Their positions `(batch, n, v)`, of order one.
    """
    between = np.diff(points, axis=1)
    forms = invariant_forms(group.standard)
    squares = [np.sum((between @ form) * between, axis=-1) for form in forms]
    sizes = np.sqrt(sum(each**2 for each in squares)) if squares else np.zeros(0)
    sizes = sizes[sizes > 0]
    return min(1.0, float(np.sqrt(np.median(sizes)))) if sizes.size else 1.0


def equivariant_network(
    report: SymmetryReport, x: np.ndarray, **settings: Any
) -> keras.Model:
    """A network from rows to vectors or matrices that turn with them.

    Args:
        report: A report about the equivariances of a function of these rows, `"same"` or
        `"tensor2"`.
        x: The rows, `(batch, blocks * v)`.
        **settings: Further arguments of `equivariant_mlp`.

    Returns:
        A model, not compiled, with rows as output.

    Raises:
        NoNetworkError: If there is no such network.
    """
    v = report.unidentified.shape[1]
    if report.output not in ("same", "tensor2"):
        raise NoNetworkError(
            "the transformation of the output is not known in a report with "
            f"output={report.output!r}. Search with output='same' or 'tensor2'"
        )
    if report.scalars:
        raise NoNetworkError(
            "with scalars as inputs the outputs may be scalars as well. "
            "Search without `scalars`"
        )
    if report.basis.shape[2] > v and report.centre is None:
        raise NoNetworkError(NO_FIXED_POINT)
    origin = np.zeros(v) if report.centre is None else report.centre
    scale = spread(x.reshape(-1, v))
    maps = independent(in_units(report, origin, scale)[..., :-1], doubt_of(report))
    algebra = clean_algebra(maps, largest_error(report)).basis
    is_same = report.output == "same"
    inputs = keras.Input(x.shape[1:])
    blocks = report.blocks
    network = equivariant_mlp(
        algebra,
        blocks=blocks,
        outputs=blocks if is_same else 1,
        generators_out=algebra if is_same else tensor_product(algebra, algebra),
        **settings,
    )
    features = normalized(inputs, np.tile(origin, blocks), np.tile(scale, blocks))
    found = keras.layers.Permute((2, 1))(network(features))
    found = keras.layers.Flatten(data_format="channels_last")(found)
    if is_same:
        # This converts to the units of the data, about the same centre.
        units, shift = np.tile(scale, blocks), np.tile(origin, blocks)
    else:
        units, shift = np.outer(scale, scale).ravel(), np.zeros(v * v)
    return keras.Model(inputs, rescaled(found, units, shift))


def doubt_of(report: SymmetryReport | GeneratorReport) -> float:
    """Smaller parts of maps of unit length are errors."""
    return min(LARGEST_DOUBT, max(NEGLIGIBLE, 2 * largest_error(report)))


def largest_error(report: SymmetryReport | GeneratorReport) -> float:
    """The largest error of generators of unit length."""
    return float(np.max(report.errors, initial=0.0))


def _own_units(report: SymmetryReport, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The origin and the scale of vectors. Linear maps keep zero as the origin."""
    is_affine = report.basis.shape[2] > points.shape[1]
    origin = np.mean(points, axis=0) if is_affine else np.zeros(points.shape[1])
    return origin, spread(points)


def spread(x: np.ndarray) -> np.ndarray:
    """The standard deviation of each column, 1 if it is constant."""
    found = np.std(x, axis=0)
    return np.where(found > 0, found, 1.0)


def normalized(inputs: Any, mean: np.ndarray, scale: np.ndarray) -> Any:
    """`(inputs - mean) / scale`, along the last axis."""
    return keras.layers.Normalization(mean=mean, variance=scale**2)(inputs)


def point_inputs(
    features: np.ndarray | None,
    positions: np.ndarray,
    origin: np.ndarray,
    scale: np.ndarray,
) -> tuple[Any, Any, Any]:
    """Inputs for points like these, and their features and positions of order one.

    If points have no features, there is one input, and `None` in place of features.
    """
    at = keras.Input(positions.shape[1:], name="positions")
    centred = normalized(at, origin, scale)
    if features is None:
        return at, None, centred
    of = keras.Input(features.shape[1:], name="features")
    flat = features.reshape(-1, features.shape[-1])
    return [of, at], normalized(of, np.mean(flat, axis=0), spread(flat)), centred


def rescaled(features: Any, scale: np.ndarray, shift: np.ndarray) -> Any:
    """`features * scale + shift`, along the last axis."""
    inverse = keras.layers.Normalization(mean=shift, variance=scale**2, invert=True)
    return inverse(features)


def perceptron(features: Any, outputs: int, hidden_units: int | Sequence[int]) -> Any:
    """Dense layers, the last one linear."""
    for units in positive_ints("hidden_units", hidden_units, MOST_UNITS):
        features = keras.layers.Dense(units, activation="swish")(features)
    return keras.layers.Dense(outputs)(features)


def in_units(report: SymmetryReport, origin: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The maps `[A | b]`, `(k, v, v + 1)`, of vectors `(x - origin) / scale`."""
    v = len(scale)
    linear = report.basis[:, :v, :v]
    moved = linear @ origin
    if report.basis.shape[2] > v:
        moved = moved + report.basis[:, :v, v]
    return np.concatenate([linear * scale, moved[..., None]], axis=2) / scale[:, None]


def independent(maps: np.ndarray, doubt: float) -> np.ndarray:
    """A basis of the span of maps, without directions that come from errors."""
    flat = maps.reshape(len(maps), math.prod(maps.shape[1:]))
    _, values, rows = np.linalg.svd(flat, full_matrices=False)
    rank = int(np.sum(values > doubt * max(values, default=0.0)))
    return rows[:rank].reshape(rank, *maps.shape[1:])


def _without_translations(
    report: SymmetryReport, origin: np.ndarray, scale: np.ndarray, doubt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates `(r, v)` that no translation changes, and the maps of these."""
    maps = independent(in_units(report, origin, scale), ROUNDING)
    mixtures, sizes, _ = np.linalg.svd(maps[..., :-1].reshape(len(maps), -1))
    sizes = np.pad(sizes, (0, len(maps) - len(sizes)))
    directions = [mixtures[:, sizes < doubt].T @ maps[..., -1]]
    if report.independent is not None:
        directions.append(report.independent / scale)
    along = np.concatenate(directions)
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    _, sizes, axes = np.linalg.svd(along)
    frame = axes[np.sum(sizes > doubt) :]
    left = frame @ maps
    left = np.concatenate([left[..., :-1] @ frame.T, left[..., -1:]], axis=2)
    # Maps along the omitted directions are zero now.
    left = left[np.linalg.norm(left, axis=(1, 2)) > doubt]
    return frame, independent(left, doubt)


def _of_differences(
    report: SymmetryReport,
    frame: np.ndarray,
    origin: np.ndarray,
    scale: np.ndarray,
    doubt: float,
) -> np.ndarray:
    """The maps of differences of vectors, which move by the linear parts."""
    if len(frame):
        raise NoNetworkError("several vectors may be shifted along some axes only")
    linear = independent(in_units(report, origin, scale)[..., :-1], doubt)
    return np.pad(linear, ((0, 0), (0, 0), (0, 1)))
