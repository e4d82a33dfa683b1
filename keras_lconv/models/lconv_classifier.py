"""A classifier that is invariant to transformations of its input."""

from collections.abc import Sequence

import keras
from keras import layers, ops
from numpy.typing import ArrayLike

from keras_lconv._typing import Activation, GeneratorsLike, Tensor
from keras_lconv._validation import (
    MOST_UNITS,
    boolean,
    one_of,
    positive_int,
    positive_ints,
    share,
)
from keras_lconv.generators import Generators, translation
from keras_lconv.generators.registry import named
from keras_lconv.layers import CasimirPooling, InvariantPooling, LConv

POOLINGS = (None, "avg", "linear", "max", "spectrum")
# The refinement of the invariants of rotations.
REFINEMENTS = {"linear": "radius", "spectrum": ("radius", "wavenumber")}
# Names by the number of spatial axes.
AVERAGES = {
    1: layers.GlobalAveragePooling1D,
    2: layers.GlobalAveragePooling2D,
    3: layers.GlobalAveragePooling3D,
}
MAXIMA = {
    1: layers.GlobalMaxPooling1D,
    2: layers.GlobalMaxPooling2D,
    3: layers.GlobalMaxPooling3D,
}


def lconv_classifier(
    include_top: bool = True,
    input_shape: tuple[int, ...] | None = None,
    classes: int = 10,
    classifier_activation: Activation = "softmax",
    pooling: str | None = None,
    name: str = "lconv_classifier",
    *,
    generators: GeneratorsLike = "rotation",
    filters: Sequence[int] = (16, 16),
    activation: Activation = "gated",
    downsampling: int = 1,
    refine: ArrayLike | Sequence[str] | None = "auto",
    num_invariants: int | None = None,
    hidden_units: int | None = 512,
    dropout: float = 0.5,
) -> keras.Model:
    """L-convs, invariant pooling and one hidden layer.

    Each stage is an `LConv` and a nonlinearity. Their output is pooled to numbers,
    `InvariantPooling` by default, which a hidden layer classifies.

    **Invariance.** The model is invariant to `exp(t L)` on the grid, to rounding, for one
    antisymmetric generator (or several that commute) with `activation="gated"`,
    `downsampling=1` and `pooling` `"spectrum"` or `"linear"`: the defaults. Each of the
    other choices makes it invariant only as far as features are smooth:

    - a pointwise activation, because it does not commute with interpolation between
      positions;
    - `downsampling`, because strides leave out positions;
    - the pooling `"avg"` and `"max"`, except for whole shifts on a periodic grid.

    For an image with one channel, gates only weight the numbers of the pooling and add no
    information. With `filters=()` there are no stages, and the model is often as good.
    Pointwise activations mix angular orders, and add information.

    Args:
        include_top: Whether to include the hidden layer and the layer of classes.
        input_shape: Shape of an input without the batch, such as `(28, 28, 1)`. All sizes
            must be given.
        classes: Number of classes.
        classifier_activation: Activation of the layer of classes. `None` returns logits.
        pooling: How the feature map becomes numbers. `"spectrum"` and `"linear"`: the
            kinds of `InvariantPooling`. `"avg"` and `"max"`: over all positions. `None`:
            with the top `"spectrum"`, or `"avg"` for learned generators; without the top
            no pooling, and the model returns the feature map.
        name: Name of the model.
        generators: The generators, as for `LConv`, shared by all stages on one grid. An
            integer for learned ones.
        filters: Number of channels of each stage.
        activation: `"gated"`: each channel is multiplied by a number from 0 to 1, a
            function of the norms of all channels, which are invariant. Or any pointwise
            activation of Keras.
        downsampling: Between stages, a Gaussian blur of this width and a stride,
            `CasimirPooling` of translations. Grids of odd sizes keep their centre.
        refine: The argument of `InvariantPooling`. `"auto"`: for `"rotation"`, by radius
            and wavenumber (by radius alone if the pooling is `"linear"`); none for others.
        num_invariants: The argument of `InvariantPooling`.
        hidden_units: Number of units of the hidden layer; `None` for no hidden layer.
        dropout: Dropout rate after the hidden layer.

    Returns:
        A `keras.Model`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the generators do not fit the
            input or have no invariants.

    Example:
    ```python
    import numpy as np
    from keras_lconv.metrics import invariance_error
    from keras_lconv.models import lconv_classifier

    model = lconv_classifier(input_shape=(9, 9, 3), classes=5, hidden_units=16)
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 3))
    report = invariance_error(model, "rotation", images, np.linspace(0.5, 3, 3))
    assert model.output_shape == (None, 5) and report.max < 1e-4
    ```
    """
    shape = _checked_shape(input_shape)
    one_of("pooling", pooling, POOLINGS)
    downsampling = positive_int("downsampling", downsampling)
    widths = (
        ()
        if isinstance(filters, (list, tuple)) and not filters
        else positive_ints("filters", filters)
    )
    classes = positive_int("classes", classes, most=MOST_UNITS)
    include_top = boolean("include_top", include_top)
    if hidden_units is not None:
        hidden_units = positive_int("hidden_units", hidden_units, most=MOST_UNITS)
    dropout = share("dropout", dropout)
    ndim = max(len(shape) - 1, 1)
    acting = named("generators", generators)

    inputs = keras.Input(shape)
    x = inputs
    for number, width in enumerate(widths):
        if number and downsampling > 1:
            blur = translation(ndim)
            x = CasimirPooling(blur, tau=downsampling**2 / 8, strides=downsampling)(x)
            acting = another(acting)
        x = _stage(x, width, acting, activation, ndim)
    if include_top and pooling is None:
        pooling = "avg" if acting.is_learned else "spectrum"
    if pooling in ("linear", "spectrum"):
        x = InvariantPooling(
            acting,
            kind=pooling,
            num_invariants=num_invariants,
            refine=refinement(refine, generators, pooling, ndim),
        )(x)
    elif pooling is not None:
        x = (AVERAGES if pooling == "avg" else MAXIMA)[ndim]()(x)
    if include_top:
        x = layers.BatchNormalization()(x)
        if hidden_units is not None:
            x = layers.Dense(hidden_units, activation="relu")(x)
        x = layers.Dropout(dropout)(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    return keras.Model(inputs, x, name=name)


def _checked_shape(input_shape: object) -> tuple[int, ...]:
    is_open = isinstance(input_shape, (list, tuple)) and None in input_shape
    if input_shape is None or is_open:
        raise ValueError(
            "`input_shape` must state all sizes, such as (28, 28, 1), because generators "
            f"act on a grid of given size. Received: input_shape={input_shape}"
        )
    shape = positive_ints("input_shape", input_shape)
    if len(shape) > 4:
        raise ValueError(
            "`input_shape` must have one to three spatial axes, and one for the channels. "
            f"Received: input_shape={shape}"
        )
    return shape


def _stage(
    x: Tensor, width: int, generators: Generators, activation: Activation, ndim: int
) -> Tensor:
    """An L-conv and its nonlinearity."""
    if activation != "gated":
        return LConv(width, generators, activation=activation)(x)
    # A bias is a constant image. Groups change it on a grid with zeros outside.
    x = LConv(width, generators, use_bias=False)(x)
    # The mean square is invariant, because `exp(t L)` is orthogonal for antisymmetric `L`.
    gates = layers.BatchNormalization()(AVERAGES[ndim]()(ops.square(x)))
    gates = layers.Dense(width, activation="sigmoid")(gates)
    axes = (1,) * ndim
    last = keras.config.image_data_format() == "channels_last"
    gates = layers.Reshape((*axes, width) if last else (width, *axes))(gates)
    return layers.Multiply()([x, gates])


def refinement(
    refine: ArrayLike | Sequence[str] | None,
    generators: GeneratorsLike,
    kind: str,
    ndim: int,
) -> ArrayLike | Sequence[str] | None:
    """The argument `refine` of `InvariantPooling`. `"auto"` sets it for the rotation of
    images only.
    """
    if not (isinstance(refine, str) and refine == "auto"):
        return refine
    is_rotation = isinstance(generators, str) and generators == "rotation"
    return REFINEMENTS.get(kind) if is_rotation and ndim == 2 else None


def another(generators: Generators) -> Generators:
    """New generators of the same kind, for a different grid."""
    config = generators.get_config()
    del config["name"]
    return type(generators).from_config(config)
