"""From a report of symmetries to a network that has them."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from scipy.linalg import block_diag

from keras_lconv.algebra import (
    LieAlgebra,
    direct_sum,
    intertwiners,
    tensor_product,
    trivial,
)
from keras_lconv.discovery import SymmetryReport
from keras_lconv.discovery.standard import fixed_point
from keras_lconv.models import equivariant_mlp

# Of maps and directions of unit length: parts that are smaller are errors, and those
# within two error bars, up to a limit.
NEGLIGIBLE, LARGEST_DOUBT = 0.1, 0.3
# Relative to the largest: smaller singular values are zero.
ROUNDING = 1e-6


def plain_network(x: np.ndarray, outputs: int, hidden_units: Sequence[int]) -> keras.Model:
    """A perceptron for rows `(batch, n)`."""
    inputs = keras.Input(x.shape[1:])
    features = _normalized(inputs, np.mean(x, axis=0), spread(x))
    return keras.Model(inputs, _perceptron(features, outputs, hidden_units))


def symmetric_network(
    report: SymmetryReport,
    x: np.ndarray,
    outputs: int,
    hidden_units: Sequence[int],
    vectors: int,
) -> keras.Model:
    """A network for rows of a table, invariant to what was found.

    Coordinates along which nothing changes are left out. The algebra that moves the others
    goes into an `equivariant_mlp`, about its fixed point.

    Args:
        report: Of the invariances of a function of these rows.
        x: The rows, `(batch, scalars + blocks * v)`.
        outputs: Number of outputs.
        hidden_units: Of `equivariant_mlp`.
        vectors: Of `equivariant_mlp`.

    Returns:
        A model, not compiled.

    Raises:
        ValueError: If there is no such network.
    """
    v, scalars, blocks = report.unidentified.shape[1], report.scalars, report.blocks
    points = x[:, scalars:].reshape(-1, v)
    is_affine = report.basis.shape[2] > v
    origin = np.mean(points, axis=0) if is_affine else np.zeros(v)
    scale = spread(points)
    doubt = 2 * float(np.max(report.errors, initial=0.0))
    doubt = min(LARGEST_DOUBT, max(NEGLIGIBLE, doubt))
    frame, maps = _without_translations(report, origin, scale, doubt)
    mix = np.eye(blocks)
    if blocks > 1 and len(frame) < v:
        if len(frame):
            raise ValueError("several vectors may be shifted along some axes, not all")
        # Differences of vectors move by the linear parts.
        linear = _in_units(report, origin, scale)[..., :-1]
        frame, maps = np.eye(v), _independent(linear, doubt)
        maps = np.pad(maps, ((0, 0), (0, 0), (0, 1)))
        mix = np.eye(blocks)[1:] - np.eye(blocks)[0]
    centre = fixed_point(maps) if len(maps) else np.zeros(len(frame))
    if centre is None:
        raise ValueError("translations and other maps have no common fixed point")
    matrix = block_diag(np.eye(scalars), np.kron(mix, frame))
    offset = np.concatenate([np.zeros(scalars), -np.tile(centre, len(mix))])
    if not len(matrix):
        raise ValueError("nothing depends on any column")
    algebra = LieAlgebra(maps[..., :-1]).nearest_closed() if len(maps) else None
    if algebra is not None and not _has_enough_invariants(algebra.basis, len(mix)):
        raise ValueError("it has too few invariant polynomials")

    inputs = keras.Input(x.shape[1:])
    rows = _normalized(
        inputs,
        np.concatenate([np.mean(x[:, :scalars], axis=0), np.tile(origin, blocks)]),
        np.concatenate([spread(x[:, :scalars]), np.tile(scale, blocks)]),
    )
    coordinates = keras.layers.Dense(len(matrix), trainable=False, name="coordinates")
    features = coordinates(rows)
    coordinates.set_weights([matrix.T, offset])
    if algebra is None:
        return keras.Model(inputs, _perceptron(features, outputs, hidden_units))
    network = equivariant_mlp(
        algebra,
        blocks=len(mix),
        scalars=scalars,
        outputs=outputs,
        hidden_units=hidden_units,
        vectors=vectors,
    )
    return keras.Model(inputs, network(features))


def spread(x: np.ndarray) -> np.ndarray:
    """The standard deviation of each column, 1 where nothing varies."""
    found = np.std(x, axis=0)
    return np.where(found > 0, found, 1.0)


def _normalized(inputs: Any, mean: np.ndarray, scale: np.ndarray) -> Any:
    return keras.layers.Normalization(mean=mean, variance=scale**2)(inputs)


def _perceptron(features: Any, outputs: int, hidden_units: Sequence[int]) -> Any:
    for units in hidden_units:
        features = keras.layers.Dense(units, activation="swish")(features)
    return keras.layers.Dense(outputs)(features)


def _in_units(report: SymmetryReport, origin: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The maps `[A | b]`, `(k, v, v + 1)`, of vectors `(x - origin) / scale`."""
    v = len(scale)
    linear = report.basis[:, :v, :v]
    moved = linear @ origin
    if report.basis.shape[2] > v:
        moved = moved + report.basis[:, :v, v]
    return np.concatenate([linear * scale, moved[..., None]], axis=2) / scale[:, None]


def _independent(maps: np.ndarray, doubt: float) -> np.ndarray:
    """A basis of the span of maps, without directions that errors make."""
    flat = maps.reshape(len(maps), math.prod(maps.shape[1:]))
    _, values, rows = np.linalg.svd(flat, full_matrices=False)
    rank = int(np.sum(values > doubt * max(values, default=0.0)))
    return rows[:rank].reshape(rank, *maps.shape[1:])


def _without_translations(
    report: SymmetryReport, origin: np.ndarray, scale: np.ndarray, doubt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates `(r, v)` that no translation changes, and the maps of these."""
    maps = _independent(_in_units(report, origin, scale), ROUNDING)
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
    # Maps along the directions that were left out are zero now.
    left = left[np.linalg.norm(left, axis=(1, 2)) > doubt]
    return frame, _independent(left, doubt)


def _has_enough_invariants(matrices: np.ndarray, blocks: int) -> bool:
    """Whether polynomials of degree 2 tell orbits of vectors apart, near most of them."""
    k, v = matrices.shape[:2]
    source = direct_sum(matrices, tensor_product(matrices, matrices))
    functionals = intertwiners(source, trivial(k))[:, 0]
    points = np.random.default_rng(0).normal(size=(blocks, v))
    gradients = [np.kron(np.eye(blocks), functionals[:, None, :v]).reshape(-1, blocks * v)]
    for form in functionals[:, v:].reshape(-1, v, v):
        for i in range(blocks):
            for j in range(blocks):
                gradient = np.zeros((blocks, v))
                gradient[i] += form @ points[j]
                gradient[j] += form.T @ points[i]
                gradients.append(gradient.reshape(1, -1))
    orbit = (points @ np.swapaxes(matrices, 1, 2)).reshape(k, -1)
    needed = points.size - np.linalg.matrix_rank(orbit, rtol=ROUNDING)
    return bool(np.linalg.matrix_rank(np.concatenate(gradients), rtol=ROUNDING) >= needed)
