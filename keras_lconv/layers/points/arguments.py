"""Checks of the arguments of layers on points: shapes, and groups that preserve a
distance.
"""

from functools import reduce
from math import comb
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_lconv._layout import channels_last_shape, integer_sizes
from keras_lconv._memory import require_memory
from keras_lconv._validation import count, require_channels
from keras_lconv.algebra import MatrixGroup, Representation, invariant_forms
from keras_lconv.algebra.forms import positive_form
from keras_lconv.layers.steerable.fields import is_scalar

MOST_DEGREE, MOST_MONOMIALS = 8, 400


class PointShape(NamedTuple):
    """The sizes of the inputs.

    Args:
        batch: Number of samples.
        number: Number of points.
        channels: Channels of the features.
        has_table: Whether there is a table of neighbours.
        of_edge: The number of numbers of each pair.
    """

    batch: int | None
    number: int | None
    channels: int
    has_table: bool
    of_edge: int


def point_shape(
    input_shape: Any, representation: Representation, data_format: str, owner: str
) -> PointShape:
    """The sizes of features and positions, and of neighbours and numbers of pairs if there
    are any.
    """
    given = [shape for shape in input_shape if isinstance(shape, (list, tuple))]
    shapes = [(*shape[:1], *integer_sizes(shape[1:])) for shape in given]
    size = representation.group.matrix_size
    fibre = () if is_scalar(representation) else (representation.size,)
    # While a graph is traced, PyTorch has no integers for the batch.
    batches = {shape[0] for shape in shapes if shape and type(shape[0]) is int}
    tables, edges = (
        [shape for shape in shapes[2:] if len(shape) == rank] for rank in (3, 4)
    )
    edges = [channels_last_shape(shape, data_format) for shape in edges]
    if 1 < len(shapes) == 2 + len(tables[:1]) + len(edges[:1]):
        features, positions = (
            channels_last_shape(shape, data_format) for shape in shapes[:2]
        )
        require_channels(features, owner)
        numbers = {
            shape[1] for shape in (features, positions, *tables, *edges) if len(shape) > 1
        } - {None}
        # Pairs come from a table, or from all points.
        ends = {shape[2] for shape in tables + edges} - {None}
        if not tables:
            ends = (numbers | ends) if edges else set()
        if (
            len(positions) == 3
            and len(features) == 3 + len(fibre)
            and len(batches) < 2
            and len(numbers) < 2
            and len(ends) < 2
            and positions[2] == size
            and tuple(features[2:-1]) == fibre
        ):
            of_edge = sum(shape[-1] or 0 for shape in edges)
            if features[-1] is None or len(edges) > bool(of_edge):
                raise ValueError(
                    f"{owner} needs a defined number of channels, at least one. "
                    f"Received: shapes {shapes}"
                )
            number = next(iter(numbers), None)
            return PointShape(features[0], number, features[-1], bool(tables), of_edge)
    axes = ", ".join(("batch", "n", *map(str, fibre), "channels"))
    raise ValueError(
        f"{owner} expects features of shape ({axes}), for {representation!r}, positions "
        f"of shape (batch, n, {size}), for {representation.group!r}, and, if neighbours "
        "are given, a table of shape (batch, n, neighbours). Numbers of pairs may follow, "
        "of shape (batch, n, n, e), or (batch, n, neighbours, e) with a table. With "
        "`data_format='channels_first'` the last axis of all but the table comes second. "
        f"Received: {input_shape}"
    )


def polynomial_degree(degree: Any, size: int) -> int:
    """Checks a degree: for the given coordinates kernels must be found within seconds."""
    degree = count("degree", degree, most=MOST_DEGREE)
    number = comb(size + degree - 1, degree)
    if number > MOST_MONOMIALS:
        raise ValueError(
            f"`degree` must be lower: there are {number} monomials of degree {degree} in "
            f"{size} coordinates, and more than {MOST_MONOMIALS} take minutes. "
            f"Received: degree={degree}"
        )
    return degree


def require_pairs(number: int, num_neighbors: int | None, each: int, owner: str) -> None:
    """Refuses clouds whose pairs do not fit into memory, with a given number of numbers for
    each message.
    """
    require_memory(
        f"The messages of one sample of {number} points in {owner}",
        2 * number * min(num_neighbors or number, number) * each,
        "Set `num_neighbors` to limit them",
        itemsize=4,
    )


def joint_mask(mask: Any) -> Any:
    """Whether no mask of an input hides a point, or `None` if there is no mask."""
    if not isinstance(mask, (list, tuple)):
        return mask
    given = [each for each in mask if each is not None]
    return reduce(ops.logical_and, given) if given else None


def distance_forms(
    group: MatrixGroup, radius: float | None, num_neighbors: int | None
) -> np.ndarray:
    """The invariant forms of positions. With a radius, the first one is the square of the
    distance.

    Returns:
        Array `(s, v, v)`, with entries of order one.
    """
    position = group.standard
    forms = invariant_forms(position)
    if num_neighbors is not None and not len(forms):
        raise ValueError(
            "`num_neighbors` needs a group with an invariant form, which tells the "
            f"nearest points. Received: num_neighbors={num_neighbors} for {group!r}, which "
            "has none. Give a table of neighbours"
        )
    if radius is None:
        return np.array([form / np.linalg.norm(form, 2) for form in forms]).reshape(
            -1, position.size, position.size
        )
    form = positive_form(forms)
    if form is None:
        raise ValueError(
            f"`radius` needs a group that preserves a distance. Received: radius={radius} "
            f"for {group!r}, which preserves none. Give `num_neighbors`, or a table of "
            "neighbours"
        )
    # For rotations this is the Euclidean distance.
    form = form * position.size / np.trace(form)
    return np.array([form, *(forms if len(forms) > 1 else [])])
