"""A network on points, of any group."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
from keras import layers

from keras_lconv._typing import Activation
from keras_lconv._validation import (
    MOST_UNITS,
    boolean,
    one_of,
    optional,
    positive_int,
    positive_ints,
)
from keras_lconv.layers import GatedActivation, PointConv, PointPooling
from keras_lconv.layers.steerable.fields import GroupArgument, group_of

LAST: dict[str, Any] = {"data_format": "channels_last"}
POOLING = (None, "average", "sum", "max")


def point_network(
    include_top: bool = True,
    input_shape: Sequence[int | None] = (16, 3),
    pooling: str | None = "average",
    classes: int = 2,
    classifier_activation: Activation = "softmax",
    name: str = "point_network",
    *,
    group: GroupArgument = "o3",
    num_features: int = 1,
    num_species: int | None = None,
    num_edge_features: int | None = None,
    neighbor_table: bool = False,
    filters: Sequence[int] = (16, 16, 16),
    num_neighbors: int | None = None,
    radius: float | None = None,
    degree: int = 2,
    hidden_units: Sequence[int] = (32,),
    aggregation: str = "average",
    relative: bool = True,
) -> keras.Model:
    """A network on points: molecules, particles, 4-vectors.

    Each layer is a `PointConv` to `filters` invariant numbers and as many vectors, times
    gates made from the numbers. Layers after the first are residual.

    **Invariance.** The output does not change if the group acts on positions, if all
    positions are translated (`relative`), or if points are permuted.

    Args:
        include_top: Whether the network ends with classes. Otherwise it ends with features
            of each point, `(batch, n, 1 + v, channels)`: the numbers, then the vectors. A
            `PointConv` to vectors after it gives velocities or forces.
        input_shape: Number of points and of coordinates. The number may be `None`, unless
            neighbours are chosen by `num_neighbors`.
        pooling: How numbers of points are combined to those of a sample: `"average"`;
            `"sum"`, as for an energy; `"max"`; or `None`, for an output at each point.
        classes: Number of classes, or of numbers, with `include_top`.
        classifier_activation: Activation of the output; `None` for logits, or for other
            numbers than classes.
        name: Name of the model.
        group: As for `PointConv`: `"o3"`, `"so3"`, or an algebra such as
            `keras_lconv.algebra.so(3, 1)` or one that was found.
        num_features: Number of features of each point.
        num_species: Number of kinds of points. The first input is then the kind of each
            point, an integer from 1; 0 stands for no point, and pads samples.
        num_edge_features: Number of features of each pair of points, such as a product of
            charges or the kind of a bond. They are a further input, the last one.
        neighbor_table: Whether a table of neighbours is a further input, after positions.
        filters: Channels of each layer.
        num_neighbors: As for `PointConv`.
        radius: As for `PointConv`.
        degree: As for `PointConv`.
        hidden_units: As for `PointConv`.
        aggregation: As for `PointConv`.
        relative: As for `PointConv`.

    Input shape:
        A list of two: features `(batch, n, num_features)`, or kinds `(batch, n)`, and
        positions `(batch, n, v)`, for every data format of the configuration. With
        `neighbor_table` integers `(batch, n, k)` follow, and with `num_edge_features`
        numbers of pairs, `(batch, n, n, num_edge_features)`, or
        `(batch, n, k, num_edge_features)` beside a table.

    Output shape:
        `(batch, classes)`, or `(batch, n, classes)` without pooling.

    Returns:
        A functional `keras.Model`, not compiled.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the group acts on another number of
            coordinates.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import so
    from keras_lconv.models import point_network

    rng = np.random.default_rng(0)
    model = point_network(
        input_shape=(6, 4), classes=1, classifier_activation=None, group=so(3, 1),
        num_features=1, filters=(8, 8),
    )
    charges, momenta = rng.normal(size=(2, 6, 1)), rng.normal(size=(2, 6, 4))
    order = rng.permutation(6)
    same = [charges[:, order], momenta[:, order]]
    first, second = (model.predict(x, verbose=0) for x in ([charges, momenta], same))
    assert np.allclose(first, second, atol=1e-5)
    ```

    Reference:
        S. Batzner, A. Musaelian, L. Sun, M. Geiger, J. Mailoa, M. Kornbluth, N. Molinari,
        T. Smidt, B. Kozinsky, "E(3)-equivariant graph neural networks for data-efficient
        and accurate interatomic potentials", Nature Communications 13 (2022).
    """
    boolean("include_top", include_top)
    one_of("pooling", pooling, POOLING)
    positive_int("classes", classes, most=MOST_UNITS)
    num_features = positive_int("num_features", num_features, most=MOST_UNITS)
    num_species = optional(
        partial(positive_int, most=MOST_UNITS), "num_species", num_species
    )
    num_edge_features = optional(
        partial(positive_int, most=MOST_UNITS), "num_edge_features", num_edge_features
    )
    boolean("neighbor_table", neighbor_table)
    widths = positive_ints("filters", filters, MOST_UNITS)
    found = group_of(group)
    number, size = _checked_shape(input_shape, found.matrix_size)
    hidden = found.trivial() + found.standard

    def conv(width: int, before: Any, after: Any, place: str, **settings: Any) -> Any:
        return PointConv(
            width,
            found,
            representation_in=before,
            representation_out=after,
            num_neighbors=num_neighbors,
            radius=radius,
            degree=degree,
            hidden_units=hidden_units,
            aggregation=aggregation,
            relative=relative,
            name=place,
            **LAST,
            **settings,
        )

    positions = keras.Input((number, size), name="positions")
    if num_species is None:
        features = keras.Input((number, num_features), name="features")
        x: Any = features
    else:
        features = keras.Input((number,), dtype="int32", name="species")
        # This brings them to order one, like features.
        x = layers.Embedding(
            num_species + 1,
            widths[0],
            embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0),
            mask_zero=True,
            name="kinds",
        )(features)
    others = _others(number, neighbor_table, num_edge_features)
    before: Any = "trivial"
    for layer, width in enumerate(widths):
        y = conv(width, before, hidden, f"conv_{layer}")([x, positions, *others])
        gates = _dense(width, f"gates_{layer}")(y[:, :, 0])
        y = GatedActivation(name=f"gated_{layer}", **LAST)([y, gates])
        is_same = layer and x.shape[-1] == width
        x = layers.Add(name=f"sum_{layer}")([x, y]) if is_same else y
        before = hidden
    if include_top:
        x = conv(widths[-1], hidden, "trivial", "numbers", activation="silu")(
            [x, positions, *others]
        )
        if pooling:
            x = PointPooling(reduction=pooling, name="pooling", **LAST)(x)
        x = _dense(widths[-1], "dense", activation="silu")(x)
        x = _dense(classes, "predictions", activation=classifier_activation)(x)
    return keras.Model([features, positions, *others], x, name=name)


def _others(
    number: int | None, has_table: bool, num_edge_features: int | None
) -> list[Any]:
    """The inputs after positions: a table of neighbours, and numbers of pairs."""
    found: list[Any] = []
    if has_table:
        found.append(keras.Input((number, None), dtype="int32", name="neighbors"))
    if num_edge_features is not None:
        ends = None if has_table else number
        found.append(keras.Input((number, ends, num_edge_features), name="edges"))
    return found


def _dense(units: int, name: str, **settings: Any) -> keras.layers.Layer:
    """A dense layer that computes in float64 if requested, on PyTorch as well."""
    return layers.EinsumDense(
        "...c,cd->...d", (units,), bias_axes="d", name=name, **settings
    )


def _checked_shape(input_shape: Any, size: int) -> tuple[int | None, int]:
    """The numbers of points and of coordinates, which must fit the group."""
    given = tuple(input_shape) if isinstance(input_shape, (list, tuple)) else ()
    if len(given) != 2 or given[1] != size:
        raise ValueError(
            f"`input_shape` must be a number of points and the {size} coordinates on which "
            f"the group acts, such as (16, {size}). Received: input_shape={input_shape}"
        )
    return optional(positive_int, "input_shape", given[0]), size
