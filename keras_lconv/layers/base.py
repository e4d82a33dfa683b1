"""Base classes of layers: data format, masks and generators."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv import generators as generators_lib
from keras_lconv._layout import (
    channels_first_shape,
    channels_last_shape,
    checked_data_format,
    flatten,
    from_channels_last,
    masked,
    to_channels_last,
    to_features,
    unflatten,
)
from keras_lconv._typing import GeneratorsLike, Shape, Tensor
from keras_lconv._validation import spatial_shape
from keras_lconv._weights import BoundedWeights
from keras_lconv.generators.registry import named


class FeatureLayer(BoundedWeights):
    """Base of layers that map features of any layout to features.

    It brings inputs to `(batch, *spatial, channels)` in a floating-point dtype, sets masked
    positions to zero, and brings the result back to the data format. A subclass implements

    - `_transform(f, mask)`: maps `f` of shape `(batch, *spatial, channels)`, which is zero
      where masked, to the output;
    - `_feature_output_shape(feature_shape)`: the shape of that output, if it differs from
      that of `f`.

    Args:
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.
    """

    # Whether `(batch, d)` becomes `(batch, d')` instead of `(batch, d', channels)`.
    _keeps_vectors = True

    def __init__(self, *, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = checked_data_format(data_format)
        self.supports_masking = True

    @property
    def _owner(self) -> str:
        """The name of the layer in messages."""
        return f"{type(self).__name__} {self.name!r}"

    # ---------------------------------------------------------------- shapes

    def _feature_shape(self, input_shape: Shape) -> Shape:
        """The shape of the feature map; a vector `(batch, d)` gets one channel."""
        shape = channels_last_shape(input_shape, self.data_format)
        return (*shape, 1) if len(shape) == 2 else shape

    def _fix_channels(self, input_shape: Shape, channels: int | None) -> None:
        """From now on, refuses inputs whose number of channels does not fit the weights."""
        axes = {1 if self.data_format == "channels_first" else -1: channels}
        self.input_spec = keras.layers.InputSpec(ndim=len(input_shape), axes=axes)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output."""
        shape = self._feature_output_shape(self._feature_shape(tuple(input_shape)))
        if self._keeps_vectors and len(input_shape) == 2:
            return shape[:-1]
        return channels_first_shape(shape, self.data_format)

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        return feature_shape

    # ------------------------------------------------------------------ call

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Applies the layer."""
        is_vector = len(inputs.shape) == 2
        f = to_channels_last(inputs, self.data_format)
        f = masked(to_features(f, self.compute_dtype), mask)
        f = self._transform(f, mask)
        if self._keeps_vectors and is_vector:
            return ops.squeeze(f, -1)
        return from_channels_last(f, self.data_format)

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        """The output for `f` of shape `(batch, *spatial, channels)`, zero where masked."""
        name = type(self).__name__
        raise NotImplementedError(f"{name} does not implement `_transform`")

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the input, where the output has the same positions."""
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), "data_format": self.data_format}


class GeneratorOwner(FeatureLayer):
    """Base of layers that own generators, of positions or of fibres.

    A subclass implements `_transform`, as for every layer of features, and

    - `_build(feature_shape)`: creates its weights, once the generators are built;
    - `_generator_shape(feature_shape)`: the shape on which the generators act, if it
      differs from that of the feature map.

    Args:
        generators: What `keras_lconv.generators.get` takes.
        rank: Rank of learned generators.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.
    """

    # The argument that holds the generators, for messages.
    _argument = "generators"

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        rank: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(data_format=data_format, **kwargs)
        self.generators = named(
            self._argument, generators, rank=rank, dtype=self.dtype_policy
        )

    # ---------------------------------------------------------------- shapes

    def build(self, input_shape: Shape) -> None:
        """Builds the generators if necessary, and creates the weights."""
        feature_shape = self._feature_shape(tuple(input_shape))
        self.generators.build_for(self._generator_shape(feature_shape), self._owner)
        self._build(feature_shape)
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape),
            axes={axis: size for axis, size in enumerate(input_shape) if axis},
        )

    def _generator_shape(self, feature_shape: Shape) -> Shape:
        """The shape on which the generators act: by default that of the feature map."""
        return feature_shape

    def _build(self, feature_shape: Shape) -> None:
        """Creates the weights. By default there are none."""

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the input, where the output has the same positions."""
        return previous_mask if self.generators.is_square else None

    # --------------------------------------------------------------- helpers

    # A bound of the norm of the operator in the exponential. It is fixed when the layer is
    # built, so that the series has the same number of terms in a traced graph. It is saved,
    # because learned generators may have different initial values after loading.
    _norm_bound: float | None = None

    def _fix_norm_bound(self, scale: float) -> float:
        """The bound `scale`, or the saved one."""
        if self._norm_bound is None:
            self._norm_bound = scale
        return self._norm_bound

    def get_build_config(self) -> dict[str, Any]:
        """The values from which a loaded layer is built."""
        config = super().get_build_config() or {}
        if self._norm_bound is not None:
            config = {**config, "norm_bound": self._norm_bound}
        return config

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds a loaded layer."""
        self._norm_bound = config.get("norm_bound")
        super().build_from_config(config)

    def _add_constant(self, name: str, values: np.ndarray) -> Tensor:
        """A weight that is not trained, with these values."""
        return self.add_weight(
            name=name,
            shape=values.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(
                values.astype("float64"), dtype=dtype
            ),
            trainable=False,
        )

    def _require_square(self, reason: str) -> None:
        """Raises an error if the generators lead to another grid."""
        if not self.generators.is_square:
            raise ValueError(
                f"`generators` of {self._owner} must be square: {reason}. Received: "
                f"generators {self.generators.name!r} that lead to another grid"
            )

    def _require_fixed(self, generators: generators_lib.Generators, found: str) -> None:
        """Raises an error if generators are learned, because what is found from them would
        change.
        """
        if generators.is_learned:
            raise ValueError(
                f"`{self._name_of(generators)}` of {type(self).__name__} must be fixed: "
                f"the {found} of learned generators change in training. Received: learned "
                f"generators {generators.name!r}. Call `generators.frozen()` to fix them. "
                "An integer means learned generators. Give an algebra as an object, such "
                "as `keras_lconv.algebra.so(3)`"
            )

    def _name_of(self, generators: generators_lib.Generators) -> str:
        """The argument of the layer that holds these generators."""
        return self._argument if generators is self.generators else "generators_out"

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {**super().get_config(), "generators": serialize_shared(self.generators)}


class GeneratorLayer(GeneratorOwner):
    """Base of layers whose generators act on positions.

    Features are `(batch, d, channels)` inside. A subclass implements

    - `_act(f)`: maps `f` of shape `(batch, d, channels)` to `(batch, d', channels')`;
    - `_build(feature_shape)`: creates its weights, once the generators are built;
    - `_output_spatial_shape(shape)`: the spatial shape of the output, if it differs from
      that of the input;
    - `_feature_output_shape(feature_shape)`: the shape of the output, if it has another
      number of channels.
    """

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        shape = self._output_spatial_shape(spatial_shape(feature_shape, self._owner))
        return (feature_shape[0], *shape, feature_shape[-1])

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        shape = self._output_spatial_shape(tuple(f.shape[1:-1]))
        return unflatten(self._act(flatten(f)), shape)

    def _act(self, f: Tensor) -> Tensor:
        """The output for `f` of shape `(batch, d, channels)`, zero where masked."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `_act`")


def serialize_shared(layer: keras.layers.Layer) -> dict[str, Any]:
    """Serializes a sub-layer so that a saved model keeps its sharing.

    Inside a save scope Keras marks an object as shared from its second serialization on,
    and marks only the configs that it returns then. So this serializes twice, and every
    owner carries the mark, the first one too.
    """
    keras.saving.serialize_keras_object(layer)
    return keras.saving.serialize_keras_object(layer)
