"""The base of layers that act by generators and mix channels."""

from typing import Any

from keras import ops

from keras_lconv._typing import GeneratorsLike, Shape, Tensor
from keras_lconv.layers.base import GeneratorLayer
from keras_lconv.layers.kernel import KernelOwner


class KernelLayer(KernelOwner, GeneratorLayer):
    """Base of layers with a kernel, a bias and an activation beside their generators.

    A subclass implements `_add_kernel(channels)`, which creates its weights except the
    bias, and `_act(f)`, which maps `f` of shape `(batch, d, channels)` to `(batch, d',
    filters)` and adds the bias (`_add_bias`).

    Args:
        filters: Number of output channels.
        generators: What `keras_lconv.generators.get` takes.
        **kwargs: Arguments of the base classes.
    """

    _keeps_vectors = False

    def __init__(self, filters: int, generators: GeneratorsLike, **kwargs: Any):
        super().__init__(filters, generators=generators, **kwargs)

    # ---------------------------------------------------------------- shapes

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.generators.output_spatial_shape(shape)

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        return (*super()._feature_output_shape(feature_shape)[:-1], self.filters)

    def _build(self, feature_shape: Shape) -> None:
        channels = feature_shape[-1]
        if channels is None:
            raise ValueError(
                f"{self._owner} needs a defined number of channels. "
                f"Received: an input of shape {feature_shape}, channels last"
            )
        self._add_kernel(channels)
        self.bias = self._add_bias_weight(self._bias_shape())

    def _add_kernel(self, channels: int) -> None:
        raise NotImplementedError

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.filters,)

    # ------------------------------------------------------------------ call

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        return self.activation(super()._transform(f, mask))

    def _add_bias(self, output: Tensor) -> Tensor:
        if self.bias is None:
            return output
        return output + ops.cast(self.bias, output.dtype)
