"""Normalization that treats all components of a field alike."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._ops import mean, working_dtype
from keras_lconv._typing import Initializer, Shape, Tensor
from keras_lconv._validation import boolean, fraction, one_of, positive_number
from keras_lconv.algebra import intertwiners
from keras_lconv.layers.steerable.field_layer import FieldLayer
from keras_lconv.layers.steerable.fields import FieldArgument, GroupArgument

KINDS = ("batch", "layer")


@keras.saving.register_keras_serializable(package="keras_lconv")
class FieldNormalization(FieldLayer):
    """Subtracts the invariant mean of fields, and divides by their length.

    `y = gamma (f - P mean(f)) / sqrt(variance + epsilon) + beta`, where `P` projects onto
    the components that the group does not change, and the variance is the mean square of
    all components of `f - P mean(f)`. There is one `gamma` for each channel, and one `beta`
    for each invariant direction and channel. For regular fields `P` is the mean over the
    group: batch normalization with statistics that all components share.

    **Equivariance.** Exact for any representation by orthogonal matrices: lengths and
    invariant components do not change. In training the statistics are those of all samples
    of a batch.

    Args:
        group: As for `SteerableConv`.
        representation: How the fields turn, as for `SteerableConv`.
        kind: `"batch"`: statistics over the batch and all positions, and their running
            averages for inference. `"layer"`: statistics over the channels, at each
            position.
        momentum: The share of a running average that remains after a step.
        epsilon: A number that is added to the variance.
        center: Whether there is a `beta`.
        scale: Whether there is a `gamma`.
        beta_initializer: Initializer of `beta`.
        gamma_initializer: Initializer of `gamma`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, *spatial, m, channels)`, without the axis of `m` for trivial fields.
        Masked positions count as zero.

    Output shape:
        That of the input.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the matrices of the representation
            are not orthogonal.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv import FieldNormalization

    fields = np.random.default_rng(0).normal(3.0, 2.0, size=(4, 9, 9, 8, 5))
    layer = FieldNormalization("c8", "regular")
    normalized = ops.convert_to_numpy(layer(fields, training=True))
    assert abs(normalized.mean()) < 1e-3 and abs(normalized.std() - 1) < 1e-2
    ```

    Reference:
        S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by
        reducing internal covariate shift", ICML 2015.
    """

    _uses_batch = False  # while training

    def __init__(
        self,
        group: GroupArgument,
        representation: FieldArgument,
        *,
        kind: str = "batch",
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initializer = "zeros",
        gamma_initializer: Initializer = "ones",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(group, representation, data_format=data_format, **kwargs)
        if not self.representation.is_orthogonal:
            raise ValueError(
                "`representation` must consist of orthogonal matrices, which keep the "
                f"length of a field. Received: {self.representation!r}"
            )
        self.kind = one_of("kind", kind, KINDS)
        self.momentum = fraction("momentum", momentum)
        self.epsilon = positive_number("epsilon", epsilon)
        self.center, self.scale = boolean("center", center), boolean("scale", scale)
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        # Orthonormal rows `(s, m)`.
        self._invariant = intertwiners(self.group.trivial(), self.representation)[..., 0]

    def _build(self, field_shape: Shape) -> None:
        channels = self._channels(field_shape)
        coordinates = (len(self._invariant), channels)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma", shape=(channels,), initializer=self.gamma_initializer
            )
        if self.center and len(self._invariant):
            self.beta = self.add_weight(
                name="beta", shape=coordinates, initializer=self.beta_initializer
            )
        if self.kind == "batch":
            self.moving_mean = self.add_weight(
                name="moving_mean",
                shape=coordinates,
                initializer="zeros",
                trainable=False,
                autocast=False,
            )
            self.moving_variance = self.add_weight(
                name="moving_variance",
                shape=(channels,),
                initializer="ones",
                trainable=False,
                autocast=False,
            )

    # ------------------------------------------------------------------ call

    def call(
        self, inputs: Tensor, mask: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """The normalized fields, by statistics of the batch in training."""
        self._uses_batch = bool(training) and self.trainable
        return super().call(inputs, mask)

    def _transform_fields(self, f: Tensor) -> Tensor:
        scale, shift = self.scale_and_shift(f)
        return f * ops.cast(scale, f.dtype) + ops.cast(shift, f.dtype)

    def scale_and_shift(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """The factor `(..., 1, c)` and the term `(..., m, c)` of the affine map
        of fields.
        """
        dtype = working_dtype(f)
        invariant = ops.convert_to_tensor(self._invariant, dtype=dtype)
        if self.kind == "layer":
            average, variance = self._statistics(ops.cast(f, dtype), (-1,), invariant)
        elif self._uses_batch:
            axes = tuple(range(self.rank + 1))
            average, variance = self._statistics(ops.cast(f, dtype), axes, invariant)
            self._remember(average, variance)
        else:
            average = ops.cast(self.moving_mean, dtype)
            variance = ops.expand_dims(ops.cast(self.moving_variance, dtype), 0)
        scale = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            scale = scale * ops.cast(self.gamma, dtype)
        shift = -self._spread(average, invariant) * scale
        if self.beta is not None:
            # The norm is the root of m, so that `beta` is added to each component of a
            # regular field.
            root = float(np.sqrt(self.representation.size))
            shift = shift + self._spread(root * ops.cast(self.beta, dtype), invariant)
        return scale, shift

    def _statistics(
        self, f: Tensor, axes: tuple[int, ...], invariant: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Invariant coordinates of the mean `(..., s, c)`, and variance `(..., 1, c)`."""
        keep = self.kind == "layer"
        first, spread = ops.moments(f, axes, keepdims=keep)
        average = ops.einsum("sm,...mc->...sc", invariant, first)
        rest = first - self._spread(average, invariant)
        # Rounding spoils a variance that is small beside the mean.
        variance = ops.relu(mean(spread + rest**2, -2))
        return average, ops.expand_dims(variance, -2)

    @staticmethod
    def _spread(coordinates: Tensor, invariant: Tensor) -> Tensor:
        """The components of invariant coordinates, `(..., m, c)`."""
        return ops.einsum("sm,...sc->...mc", invariant, coordinates)

    def _remember(self, average: Tensor, variance: Tensor) -> None:
        for weight, new in (
            (self.moving_mean, average),
            (self.moving_variance, ops.squeeze(variance, 0)),
        ):
            new = ops.cast(ops.stop_gradient(new), weight.dtype)
            weight.assign(self.momentum * weight + (1 - self.momentum) * new)

    def components(self) -> list[np.ndarray]:
        """Gamma, beta, mean and variance of each component, as for inference.

        Returns:
            Four arrays `(m * channels,)`, ordered by component.
        """
        size, channels = self.representation.size, self.moving_variance.shape[0]
        root = np.sqrt(size)

        def values(weight: Any) -> np.ndarray:
            return ops.convert_to_numpy(ops.cast(weight, working_dtype(weight)))

        average, variance = values(self.moving_mean), values(self.moving_variance)
        gamma = np.ones(channels) if self.gamma is None else values(self.gamma)
        beta = 0 * average if self.beta is None else root * values(self.beta)
        spread = [np.einsum("sm,sc->mc", self._invariant, part) for part in (beta, average)]
        same = [np.tile(part, (size, 1)) for part in (gamma, variance)]
        return [part.ravel() for part in (same[0], *spread, same[1])]

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "kind": self.kind,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": keras.initializers.serialize(self.beta_initializer),
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
        }
