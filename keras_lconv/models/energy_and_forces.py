"""An energy and its forces."""

from typing import Any

import keras
from keras import ops

from keras_lconv._backend import vjp
from keras_lconv._layout import to_floats
from keras_lconv._typing import Shape, Tensor


@keras.saving.register_keras_serializable(package="keras_lconv")
class EnergyAndForces(keras.Model):
    """The energy from a network, and minus its gradient by positions.

    Such forces conserve energy, whatever the weights are. If the energy does not change
    under a group of rotations, forces turn with the positions, and if it does not change
    under translations, they add up to zero. Both outputs can be trained at once.

    Args:
        model: A `keras.Model` from a list of features and positions to one number for
            each sample, `(batch, 1)`, with smooth activations.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        The inputs of the network, with positions `(batch, n, v)` as the second one.

    Output shape:
        A dictionary: `"energy"` `(batch, 1)` and `"forces"` `(batch, n, v)`.

    Raises:
        TypeError: If `model` is not a Keras model or layer.
        ValueError: If it does not give one number for each sample.

    Example:
    ```python
    import numpy as np
    from keras_lconv.models import EnergyAndForces, point_network

    energy = point_network(
        input_shape=(4, 3), pooling="sum", classes=1, classifier_activation=None,
        num_species=2, filters=(4, 4),
    )
    model = EnergyAndForces(energy)
    model.compile("adam", loss={"energy": "mse", "forces": "mse"})
    kinds = np.ones((2, 4), "int32")
    positions = np.random.default_rng(0).normal(size=(2, 4, 3))
    found = model.predict([kinds, positions], verbose=0)
    assert found["forces"].shape == (2, 4, 3)
    assert np.allclose(found["forces"].sum(axis=1), 0, atol=1e-4)
    ```

    Reference:
        S. Chmiela, A. Tkatchenko, H. Sauceda, I. Poltavsky, K. Schuett, K.-R. Mueller,
        "Machine learning of accurate energy-conserving molecular force fields", Science
        Advances 3 (2017).
    """

    def __init__(self, model: keras.Model, **kwargs: Any):
        # Positions keep their digits, even in half precision.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        if not isinstance(model, keras.layers.Layer):
            raise TypeError(
                "`model` must be a Keras model that maps features and positions to an "
                f"energy. Received: model={model!r} (of type {type(model).__name__})"
            )
        self.model = model

    def compute_output_shape(self, input_shape: Any) -> dict[str, Shape]:
        """Shapes of the energy and of the forces."""
        energy = tuple(self.model.compute_output_shape(input_shape))
        if len(energy) != 2 or energy[1] != 1:
            raise ValueError(
                "`model` must give one number for each sample, (batch, 1). "
                f"Received: an output of shape {energy}"
            )
        return {"energy": energy, "forces": tuple(input_shape[1])}

    def build(self, input_shape: Any) -> None:
        """Builds the network."""
        self.compute_output_shape(input_shape)
        if not self.model.built:
            self.model.build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Tensor]:
        """The energy and the forces."""
        features, positions, *others = inputs
        positions = to_floats(positions, self.variable_dtype)

        def energy_at(x: Tensor) -> Tensor:
            return self.model([features, x, *others], training=training)

        energy, pullback = vjp(energy_at, positions)
        return {"energy": energy, "forces": -pullback(ops.ones_like(energy))}

    def get_config(self) -> dict[str, Any]:
        """The configuration of the model."""
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], **kwargs: Any) -> "EnergyAndForces":
        """A model from its configuration."""
        model = keras.saving.deserialize_keras_object(config["model"])
        return cls(**{**config, "model": model})
