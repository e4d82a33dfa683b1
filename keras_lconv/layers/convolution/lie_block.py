"""A stack of L-convs that share their generators."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_lconv._typing import (
    Activation,
    DTypeLike,
    GeneratorsLike,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import MOST_STEPS, positive_int
from keras_lconv.generators.registry import named
from keras_lconv.layers.base import serialize_shared
from keras_lconv.layers.convolution.lconv import LConv

# Arguments that each layer has for itself, or that the block sets for all layers.
NOT_SHARED = ("activity_regularizer", "dtype", "filters", "generators", "name")


@keras.saving.register_keras_serializable(package="keras_lconv")
class LieBlock(keras.layers.Layer):
    """`num_layers` L-convs, one after the other, with the same generators.

    One L-conv is a small step along its generators. A stack that shares the generators
    reaches the rest of the group, and approximates a group convolution with a wide kernel.
    The block owns the generators. So they stay shared when the block is saved, loaded,
    cloned or copied in any other way.

    Without biases and activations the block is equivariant to operators that commute with
    all generators, as `LConv` is.

    Args:
        filters: Number of output channels of each layer.
        generators: The generators, as in `LConv`.
        num_layers: Number of layers, up to 1000.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        activation: Activation after each layer.
        activity_regularizer: Regularizer of the output of the block.
        name: Name of the block.
        dtype: Dtype or dtype policy of the block and its layers.
        trainable: Whether the block is trained.
        **kwargs: All other keyword arguments of `LConv`, for each of the layers.

    Input shape:
        As for `LConv`.

    Output shape:
        As for `LConv`.

    Attributes:
        generators: The generators, a Keras layer.
        layers: The `LConv` layers.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or if several layers share
            generators that lead to another grid.

    Example:
    ```python
    import numpy as np
    from keras_lconv import LieBlock

    block = LieBlock(16, generators=2, num_layers=3, rank=8, activation="relu")
    assert tuple(block(np.ones((4, 8, 8, 1))).shape) == (4, 8, 8, 16)
    assert block.layers[0].generators is block.layers[2].generators
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021, theorem 1.
    """

    def __init__(
        self,
        filters: int,
        generators: GeneratorsLike,
        *,
        num_layers: int,
        rank: int | Sequence[int] | None = None,
        activation: Activation = None,
        activity_regularizer: Regularizer = None,
        name: str | None = None,
        dtype: DTypeLike = None,
        trainable: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            activity_regularizer=activity_regularizer,
            name=name,
            dtype=dtype,
            trainable=trainable,
        )
        self.num_layers = positive_int("num_layers", num_layers, most=MOST_STEPS)
        self.generators = named(
            "generators", generators, rank=rank, dtype=self.dtype_policy
        )
        if self.num_layers > 1 and not self.generators.is_square:
            raise ValueError(
                "`generators` of LieBlock must be square if several layers share them. "
                f"Received: generators {self.generators.name!r} that lead to another grid, "
                f"with num_layers={num_layers}"
            )
        self.layers = [
            LConv(
                filters,
                self.generators,
                activation=activation,
                name=f"lconv_{n}",
                dtype=self.dtype_policy,
                **kwargs,
            )
            for n in range(self.num_layers)
        ]
        self.filters = self.layers[0].filters
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Builds the layers."""
        for layer in self.layers:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        # Errors name the block instead of its first layer.
        self.input_spec = self.layers[0].input_spec

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output."""
        return self.layers[0].compute_output_shape(input_shape)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Applies the layers."""
        for layer in self.layers:
            previous = inputs
            inputs = layer(previous, mask=mask)
            mask = layer.compute_mask(previous, mask)
        return inputs

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the input, if the output has the same positions."""
        return self.layers[0].compute_mask(inputs, previous_mask)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the block. The generators carry their rank."""
        shared = self.layers[0].get_config()
        for key in NOT_SHARED:
            del shared[key]
        return {
            **shared,
            **super().get_config(),
            "filters": self.filters,
            "generators": serialize_shared(self.generators),
            "num_layers": self.num_layers,
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
        }
