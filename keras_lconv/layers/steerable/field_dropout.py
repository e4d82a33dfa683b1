"""Dropout of whole fields."""

from typing import Any

import keras

from keras_lconv._typing import Tensor
from keras_lconv._validation import count, one_of, optional, share
from keras_lconv.layers.steerable.field_layer import FieldLayer
from keras_lconv.layers.steerable.fields import FieldArgument, GroupArgument

KINDS = ("position", "channel")


@keras.saving.register_keras_serializable(package="keras_lconv")
class FieldDropout(FieldLayer):
    """Sets whole fields to zero while training: all components, or none.

    **Equivariance.** Exact for every representation: whether a vector is kept does not
    depend on its direction.

    Args:
        rate: The fraction of fields that is set to zero, from 0 to below 1; others grow
            by `1 / (1 - rate)`.
        group: As for `SteerableConv`.
        representation: How the fields turn.
        kind: `"position"`: each position separately. `"channel"`: all positions of a
            channel together, as in Keras' spatial dropout.
        seed: Seed of the random numbers.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, m, channels)`, without the axis of `m` for trivial fields.
        Masked positions count as zero.

    Output shape:
        That of the input.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv import FieldDropout

    dropped = FieldDropout(0.5, "c4", "regular")(np.ones((1, 5, 5, 4, 3)), training=True)
    assert np.ptp(ops.convert_to_numpy(dropped), axis=3).max() == 0
    ```
    """

    _drops = False  # while training

    def __init__(
        self,
        rate: float,
        group: GroupArgument,
        representation: FieldArgument,
        *,
        kind: str = "position",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(group, representation, data_format=data_format, **kwargs)
        self.rate = share("rate", rate)
        self.kind = one_of("kind", kind, KINDS)
        self.seed = optional(count, "seed", seed)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(
        self, inputs: Tensor, mask: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        """The fields, some set to zero in training."""
        self._drops = bool(training)
        return super().call(inputs, mask)

    def _transform_fields(self, f: Tensor) -> Tensor:
        if not (self._drops and self.rate):
            return f
        shape = tuple(keras.ops.shape(f))
        positions = shape[1:-2] if self.kind == "position" else (1,) * self.rank
        return keras.random.dropout(
            f,
            self.rate,
            noise_shape=(shape[0], *positions, 1, shape[-1]),
            seed=self.seed_generator,
        )

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = {"rate": self.rate, "kind": self.kind, "seed": self.seed}
        return {**super().get_config(), **config}
