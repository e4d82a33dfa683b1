"""What layers that act by generators have in common."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv import generators as generators_lib
from keras_lconv._serialization import serialize_shared
from keras_lconv._validation import one_of

DATA_FORMATS = ("channels_first", "channels_last")


class GeneratorLayer(keras.layers.Layer):
    """Base of layers that own generators and a data format.

    It brings inputs of any layout to `(batch, *spatial, channels)`. A subclass implements

    - `_build(owner, feature_shape)`: creates its weights, once the generators are built;
    - `_act(f, mask)`: maps `f` of shape `(batch, *spatial, channels)` to its output;
    - `_feature_output_shape(feature_shape)`: the shape of that output, if it is another
      than that of `f`.

    Args:
        generators: What `keras_lconv.generators.get` takes.
        rank: Rank of learned generators.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.
    """

    # Whether `(batch, d)` becomes `(batch, d')`, and not `(batch, d', channels)`.
    _keeps_vectors = True

    def __init__(
        self,
        generators: Any,
        rank: Any = None,
        *,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.data_format = one_of(
            "data_format", data_format or keras.config.image_data_format(), DATA_FORMATS
        )
        self.generators = generators_lib.get(generators, rank, dtype=self.dtype_policy)
        self.supports_masking = True

    # ---------------------------------------------------------------- shapes

    def _to_channels_last(self, shape: tuple[int | None, ...]) -> tuple:
        """The shape of the feature map; a vector `(batch, d)` gets one channel."""
        if len(shape) == 2:
            return (*shape, 1)
        if self.data_format == "channels_first" and len(shape) > 2:
            return (shape[0], *shape[2:], shape[1])
        return tuple(shape)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Shape of the output."""
        shape = self._feature_output_shape(self._to_channels_last(tuple(input_shape)))
        if self._keeps_vectors and len(input_shape) == 2:
            return shape[:-1]
        if self.data_format == "channels_first":
            return (shape[0], shape[-1], *shape[1:-1])
        return shape

    def _feature_output_shape(self, feature_shape: tuple) -> tuple:
        return feature_shape

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Builds the generators, if they are not yet, and creates the weights."""
        feature_shape = self._to_channels_last(tuple(input_shape))
        owner = f"{type(self).__name__} {self.name!r}"
        self.generators.build_for(self._generator_shape(feature_shape), owner)
        self._build(owner, feature_shape)
        self.input_spec = keras.layers.InputSpec(
            ndim=len(input_shape),
            axes={axis: size for axis, size in enumerate(input_shape) if axis},
        )

    def _generator_shape(self, feature_shape: tuple) -> tuple:
        """Shape of what the generators act on: that of the feature map."""
        return feature_shape

    def _build(self, owner: str, feature_shape: tuple) -> None:
        """Creates the weights; there are none by default."""

    def _add_constant(self, name: str, values: np.ndarray) -> Any:
        """A weight that is not trained, with these values."""
        return self.add_weight(
            name=name,
            shape=values.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(
                values.astype("float64"), dtype=dtype
            ),
            trainable=False,
        )

    def _require_fixed(self, generators: generators_lib.Generators, found: str) -> None:
        """Raises if generators are learned, and with them what is found from them."""
        if generators.is_learned:
            raise ValueError(
                f"{type(self).__name__} needs fixed generators: the {found} of learned "
                "ones move while they are learned. "
                f"Received: learned generators {generators.name!r}. Fix what was "
                "learned by `MatrixGenerators(generators.to_dense())`. An integer asks "
                "for learned ones; an algebra is given as an object, such as "
                "`keras_lconv.algebra.so(3)`"
            )

    # ------------------------------------------------------------------ call

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Applies the layer."""
        f = inputs
        if is_vector := len(f.shape) == 2:
            f = ops.expand_dims(f, -1)
        elif self.data_format == "channels_first":
            f = ops.moveaxis(f, 1, -1)
        if mask is not None:
            mask = expand_to_rank(ops.cast(mask, f.dtype), len(f.shape))
        f = self._act(f, mask)
        if self._keeps_vectors and is_vector:
            return ops.squeeze(f, -1)
        if self.data_format == "channels_first":
            f = ops.moveaxis(f, -1, 1)
        return f

    def _act(self, f: Any, mask: Any) -> Any:
        """The output for `f` of shape `(batch, *spatial, channels)`.

        `mask` is `None`, or of zeros and ones, with as many axes as `f`.
        """
        raise NotImplementedError

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the input, where the output has the same positions."""
        return previous_mask if self.generators.is_square else None

    # ----------------------------------------------------------- persistence

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "generators": serialize_shared(self.generators),
            "data_format": self.data_format,
        }


def expand_to_rank(mask: Any, rank: int) -> Any:
    """Appends axes of size one."""
    while len(mask.shape) < rank:
        mask = ops.expand_dims(mask, -1)
    return mask
