"""A multilayer perceptron that commutes with a Lie algebra, or a group."""

from collections.abc import Sequence
from operator import add, mul
from typing import Any

import keras
from keras import layers, ops

from keras_lconv._typing import Activation, GeneratorsLike
from keras_lconv._validation import (
    MOST_UNITS,
    boolean,
    count,
    one_of,
    positive_int,
    positive_ints,
)
from keras_lconv.algebra import (
    MatrixGroup,
    Representation,
    direct_sum,
    tensor_product,
)
from keras_lconv.generators.domain import if_known
from keras_lconv.generators.registry import named
from keras_lconv.layers import EquivariantDense, GatedActivation, TensorProduct

CHANNELS_LAST: dict[str, Any] = {"data_format": "channels_last"}
ORDERS = (1, 2)


def equivariant_mlp(
    generators: GeneratorsLike | MatrixGroup | Representation,
    *,
    blocks: int = 1,
    outputs: int = 1,
    generators_out: GeneratorsLike | MatrixGroup | Representation = "trivial",
    scalars: int = 0,
    hidden_units: int | Sequence[int] = (64, 64, 64),
    vectors: int = 8,
    order: int = 1,
    learn_frame: bool = False,
    activation: Activation = "swish",
    include_top: bool = True,
    tolerance: float | None = None,
    name: str = "equivariant_mlp",
) -> keras.Model:
    """Builds a perceptron for vectors on which an algebra acts, invariant or equivariant.

    Its hidden features are numbers `s` that the group does not change, and `vectors`
    channels of features `x` that transform: vectors, and with `order=2` also tensors
    `n x n`. A hidden layer

    1. mixes the channels of `x` and takes products of two vectors, `p = u (x) w`;
    2. maps `(x, p)` linearly to numbers, and these together with `s`, by a dense layer and
       `activation`, to the next `s`;
    3. maps `(x, p)` linearly to the next `x`, each channel times a gate made from `s`.

    `EquivariantDense` layers find and use all linear maps that commute with the algebra:
    for rotations dot products in step 2 and, in space, cross products in step 3; for the
    Lorentz group Minkowski's product; for an algebra found in data its own products. Each
    layer takes products of two vectors, so invariants of higher degree need more than one
    layer.

    **Equivariance.** `model(exp(t L) x) = exp(t K) model(x)`, from end to end, exactly,
    for any algebra, compact or not.

    Args:
        generators: Fixed generators `L_i` of one vector, `(k, n, n)`: an array, a
            `LieAlgebra` or `MatrixGenerators`. For an algebra from data use
            `report.algebra.nearest_closed()`. With reflections and other further elements,
            or for a finite group: a `MatrixGroup`, or a `Representation`.
        blocks: Number of vectors in an input, one after the other, as in
            `find_symmetries`.
        outputs: Number of outputs: numbers, or objects that transform by `generators_out`.
        generators_out: How an output transforms. By default it is invariant. Otherwise
            matrices `(k, n', n')` for the same elements of the algebra, as `generators` or
            `keras_lconv.algebra.tensor_product(generators, generators)`, or another
            representation of the group.
        scalars: Number of inputs before the vectors that do not transform.
        hidden_units: Number of `s` in each hidden layer.
        vectors: Number of channels of `x`.
        order: 1 for vectors, 2 for vectors and tensors as hidden features.
        learn_frame: Whether to learn a matrix `g` that multiplies the vectors of the input
            first, and starts as the identity (the kernel of the layer `"frame"`). The model
            then has the symmetry `g^-1 L_i g`, which is the same algebra in another frame.
            In this way training corrects the error of generators from data.
        activation: Activation of `s`. Gates are logistic functions.
        include_top: Whether there is an output layer. Without it the output is that of the
            last hidden layer: `s`, or `x` for outputs that transform.
        tolerance: Threshold for commuting, as for `EquivariantDense`.
        name: Name of the model.

    Input shape:
        `(batch, scalars + blocks * n)`.

    Output shape:
        `(batch, outputs)`, or `(batch, n', outputs)` with `generators_out`.

    Returns:
        A `keras.Model`, not compiled.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, generators are learned, or the algebra
            has no invariant numbers, or no maps to the output.

    Example:
    ```python
    from keras_lconv.algebra import so
    from keras_lconv.models import equivariant_mlp

    model = equivariant_mlp(so(3, 1), blocks=4, hidden_units=(32, 32))
    model.compile("adam", "mse")
    assert model.input_shape == (None, 16)
    assert model.output_shape == (None, 1)
    ```

    Reference:
        M. Finzi, M. Welling, A. G. Wilson, "A practical method for constructing equivariant
        multilayer perceptrons for arbitrary matrix groups", ICML 2021.
    """
    matrices = vector_matrices(generators)
    is_group = isinstance(matrices, Representation)
    size = matrices.size if is_group else matrices.shape[1]
    plus, times = (add, mul) if is_group else (direct_sum, tensor_product)
    blocks = positive_int("blocks", blocks)
    outputs = positive_int("outputs", outputs, most=MOST_UNITS)
    vectors = positive_int("vectors", vectors)
    hidden_units = positive_ints("hidden_units", hidden_units, MOST_UNITS)
    include_top = boolean("include_top", include_top)
    scalars = count("scalars", scalars, most=MOST_UNITS)
    squares = times(matrices, matrices)
    hidden = plus(matrices, squares) if one_of("order", order, ORDERS) == 2 else matrices
    is_invariant = isinstance(generators_out, str) and generators_out == "trivial"

    def linear(units: int, source: Any, target: Any, features: Any, **kwargs: Any) -> Any:
        layer = EquivariantDense(
            units,
            source,
            generators_out=target,
            tolerance=tolerance,
            **CHANNELS_LAST,
            **kwargs,
        )
        return layer(features)

    inputs = keras.Input((scalars + blocks * size,))
    # Each vector is one channel.
    x = ops.reshape(inputs[:, scalars:], (-1, blocks, size))
    x = ops.transpose(x, (0, 2, 1))
    if boolean("learn_frame", learn_frame):
        x = layers.EinsumDense(
            "bac,da->bdc", (size, blocks), kernel_initializer="identity", name="frame"
        )(x)
    s = inputs[:, :scalars] if scalars else None
    source = matrices
    for number, width in enumerate(hidden_units):
        mixed = linear(vectors, source, None, x)
        partners = linear(vectors, matrices, None, x[:, :size])
        products = TensorProduct(**CHANNELS_LAST)([mixed[:, :size], partners])
        x = ops.concatenate([mixed, products], axis=1)
        source = plus(source, squares)
        invariants = linear(width, source, "trivial", x, use_bias=False)
        s = invariants if s is None else ops.concatenate([s, invariants], axis=1)
        s = layers.Dense(width, activation=activation)(s)
        if is_invariant and number == len(hidden_units) - 1:
            break
        x = linear(vectors, source, hidden, x)
        x = GatedActivation(**CHANNELS_LAST)([x, layers.Dense(vectors)(s)])
        source = hidden
    features = s if is_invariant else x
    if include_top and is_invariant:
        features = layers.Dense(outputs)(features)
    elif include_top:
        features = linear(outputs, source, generators_out, features)
    return keras.Model(inputs, features, name=name)


def vector_matrices(generators: Any) -> Any:
    """The matrices of generators, or the representation of a group."""
    if isinstance(generators, MatrixGroup):
        return generators.standard
    if isinstance(generators, Representation):
        return generators
    found = named("generators", generators)
    matrices = None
    is_unbuilt = not found.is_learned and found.is_square and not found.built
    if not found.is_learned and found.is_square:
        matrices = if_known(found, found.matrices)
    if matrices is None:
        raise ValueError(
            "`generators` must be fixed square matrices: an array of shape `(k, n, n)`, a "
            "`LieAlgebra`, `MatrixGenerators`, a `MatrixGroup` or a `Representation`. "
            f"Received: {generators!r}"
            + (
                ", which is not built yet. Build it before: `build((None, n))`, where n is "
                "the number of components of a vector"
                if is_unbuilt
                else ""
            )
        )
    return matrices
