"""One function for the classifier that fits the data."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_lconv._typing import Activation, GeneratorsLike
from keras_lconv._validation import MOST_UNITS, one_of, positive_int, positive_ints
from keras_lconv.algebra import MatrixGroup, Representation, so
from keras_lconv.generators import translation
from keras_lconv.layers import LConv
from keras_lconv.models.equivariant_mlp import equivariant_mlp, vector_matrices
from keras_lconv.models.lconv_classifier import lconv_classifier
from keras_lconv.models.point_network import point_network
from keras_lconv.models.steerable_blocks import spatial_sizes
from keras_lconv.models.steerable_classifier import steerable_classifier

# Invariants of all pixels take the square of their number in time, and about its power 1.5
# in weights. So larger images are averaged.
MOST_PIXELS = 32  # along an axis

# The meaning of the sizes of a sample.
SIZES = {
    "centred objects": ("height", "width", "channels"),
    "objects anywhere": ("height", "width", "channels"),
    "volume": ("depth", "height", "width", "channels"),
    "signal": ("length", "channels"),
    "points": ("points", "coordinates and features"),
    "table": ("columns",),
}


def classifier(
    data: str,
    input_shape: Sequence[int],
    classes: int = 10,
    classifier_activation: Activation = "softmax",
    name: str = "classifier",
    *,
    generators: GeneratorsLike | MatrixGroup | Representation | None = None,
) -> keras.Model:
    """The classifier of this package that fits the data, with its usual settings.

    | `data` | what it is | network, and why |
    | --- | --- | --- |
    | `"centred objects"` | images of one object near the centre, in any orientation | `lconv_classifier(filters=())`: numbers that no rotation changes and a hidden layer; trained in seconds. Of images longer than 32 pixels it sees averages of neighbours |
    | `"objects anywhere"` | images in any orientation, objects anywhere in them | `steerable_classifier`: convolutions whose kernels turn |
    | `"volume"` | volumes in any orientation | `steerable_classifier(group="so3")` |
    | `"signal"` | signals on a line, with something anywhere in them | three `LConv(filters, translation(1), order=3, smoothing=2.0)`, 16, 32 and 64 wide, between them means of two positions, and the average over positions |
    | `"points"` | positions in space, in any orientation and order, with features | `point_network`: convolutions on differences of positions |
    | `"table"` | rows of one or more vectors that `generators` act on | `equivariant_mlp(generators)` |

    Each network has its own function or layers with more settings: `point_network` accepts
    samples of different sizes, kinds of points and tables of neighbours. If all images are
    upright, there is no symmetry to use: train a plain convolutional network. If the
    symmetry of a table is not known, `keras_lconv.estimators.SymmetryClassifier` finds it.

    Args:
        data: The kind of the data, one of the names above.
        input_shape: Shape of a sample: the spatial sizes and the channels, in the order of
            the Keras configuration; `(n, 3)` for the positions of points, and
            `(n, 3 + c)` if features such as charges follow; `(n,)` for a row of a table.
        classes: Number of classes.
        classifier_activation: Activation of the output; `None` for logits.
        name: Name of the model.
        generators: The generators that act on a vector, as for `equivariant_mlp`. Needed
            for `"table"`, where a row consists of as many vectors as fit. For `"points"`
            the default is the rotations of space; with `so(3, 1)` positions are 4-vectors.

    Returns:
        A functional `keras.Model`, not compiled.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the shape does not fit the data.

    Example:
    ```python
    from keras_lconv.models import classifier

    model = classifier("objects anywhere", (16, 16, 1), classes=3)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert model.output_shape == (None, 3)
    ```
    """  # noqa: E501, rows of a table
    one_of("data", data, tuple(SIZES))
    classes = positive_int("classes", classes, most=MOST_UNITS)
    shape = positive_ints("input_shape", input_shape)
    sizes = SIZES[data]
    if len(shape) != len(sizes):
        others = [other for other, some in SIZES.items() if len(some) == len(shape)]
        raise ValueError(
            f"`input_shape` must be ({', '.join(sizes)}) for data={data!r}. "
            f"Received: input_shape={shape}"
            + (f", which fits data={' or '.join(map(repr, others))}" if others else "")
        )
    if data not in ("points", "table") and generators is not None:
        raise ValueError(
            "`generators` apply to data='table' and data='points' only. Received: "
            f"generators={generators!r} with data={data!r}"
        )
    if data == "table" and generators is None:
        raise ValueError(
            "`generators` must be given for data='table': the algebra or group that acts "
            "on a vector, such as `so(3)`. Received: generators=None. "
            "`keras_lconv.discovery.fit_symmetries` finds an algebra, and "
            "`keras_lconv.estimators.SymmetryClassifier` builds the network as well"
        )
    if data == "signal":
        return _of_signals(shape, classes, classifier_activation, name)
    if data == "points":
        return _of_points(shape, classes, classifier_activation, name, generators)
    if data == "table":
        return _of_tables(shape[0], classes, classifier_activation, name, generators)
    top: dict[str, Any] = {
        "input_shape": shape,
        "classes": classes,
        "classifier_activation": classifier_activation,
        "name": name,
    }
    if data == "centred objects":
        return _of_centred_objects(**top)
    return steerable_classifier(group="so3" if data == "volume" else "c8", **top)


def _of_centred_objects(input_shape: tuple[int, ...], name: str, **top: Any) -> keras.Model:
    window = -(-max(spatial_sizes(input_shape)) // MOST_PIXELS)
    if window == 1:
        return lconv_classifier(filters=(), input_shape=input_shape, name=name, **top)
    inputs = keras.Input(input_shape)
    x = layers.AveragePooling2D(window, padding="same")(inputs)
    network = lconv_classifier(filters=(), input_shape=tuple(x.shape[1:]), **top)
    return keras.Model(inputs, network(x), name=name)


def _of_signals(
    shape: tuple[int, ...], classes: int, activation: Activation, name: str
) -> keras.Model:
    inputs = keras.Input(shape)
    x = inputs
    for number, filters in enumerate((16, 32, 64)):
        if number and spatial_sizes(tuple(x.shape[1:]))[0] > 1:
            x = layers.AveragePooling1D(2)(x)
        # This has the width of a convolution with a window of about 13.
        x = LConv(filters, translation(1), order=3, smoothing=2.0, use_bias=False)(x)
        axis = 1 if keras.config.image_data_format() == "channels_first" else -1
        x = layers.BatchNormalization(axis=axis, momentum=0.9)(x)
        x = layers.ReLU()(x)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dense(classes, activation=activation, name="predictions")(x)
    return keras.Model(inputs, x, name=name)


def _of_points(
    shape: tuple[int, ...], classes: int, activation: Activation, name: str, generators: Any
) -> keras.Model:
    acting = vector_matrices(so(3) if generators is None else generators)
    if isinstance(acting, Representation):
        group = MatrixGroup(acting.generators, acting.elements)
    else:
        group = MatrixGroup(acting)
    size = group.matrix_size
    number, columns = shape
    if columns < size:
        raise ValueError(
            "`input_shape` must be the number of points and the number of columns: first "
            f"the {size} coordinates on which `generators` act, then features. Received: "
            f"input_shape={shape}"
        )
    inputs = keras.Input(shape)
    positions = inputs[:, :, :size]
    # Points without features are all equal.
    features = inputs[:, :, size:] if columns > size else ops.ones_like(inputs[:, :, :1])
    network = point_network(
        input_shape=(number, size),
        classes=classes,
        classifier_activation=activation,
        group=group,
        num_features=max(columns - size, 1),
    )
    return keras.Model(inputs, network([features, positions]), name=name)


def _of_tables(
    columns: int, classes: int, activation: Activation, name: str, generators: Any
) -> keras.Model:
    acting = vector_matrices(generators)
    size = acting.size if isinstance(acting, Representation) else acting.shape[1]
    if columns % size:
        raise ValueError(
            f"`input_shape` must be a multiple of the {size} components of a vector, on "
            f"which `generators` act. Received: input_shape=({columns},). For scalars "
            "besides vectors use `equivariant_mlp`"
        )
    inputs = keras.Input((columns,))
    network = equivariant_mlp(generators, blocks=columns // size, outputs=classes)
    x = layers.Activation(activation, name="predictions")(network(inputs))
    return keras.Model(inputs, x, name=name)
