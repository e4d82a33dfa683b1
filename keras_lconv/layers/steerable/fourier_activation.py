"""Pointwise functions of fields that are functions on the circle or the sphere."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._memory import require_memory
from keras_lconv._typing import Activation, Tensor
from keras_lconv._validation import count, positive_int
from keras_lconv.algebra.constructors.representations import harmonic_values
from keras_lconv.algebra.powers import MOST_DEGREE
from keras_lconv.layers.steerable.field_layer import FieldLayer
from keras_lconv.layers.steerable.fields import GroupArgument


@keras.saving.register_keras_serializable(package="keras_lconv")
class FourierActivation(FieldLayer):
    """A pointwise function of functions, which the fields represent by coefficients.

    The `m` components of a field are the coefficients of a function on the circle or the
    sphere, up to a degree (`MatrixGroup.harmonics`). The layer samples the function at
    points, applies the activation to the samples, and finds the coefficients up to the
    degree by least squares.

    **Equivariance.** Exact for elements that permute the points: multiples of
    `2 pi / num_samples` on the circle, the symmetries of the cube on the sphere. For others
    the error is aliasing: the activation creates degrees that the samples cannot resolve.
    With the default number of samples it is about 1% for a ReLU, and less for smooth
    functions such as `"gelu"`.

    Args:
        group: As for `SteerableConv`.
        degree: The largest degree, as in `representation_out=degree`.
        activation: The pointwise function.
        num_samples: Number of points on the circle, by default `4 degree + 4`. On the
            sphere the minimum number, by default `6 (degree + 2)^2`; points are those of a
            grid on the faces of a cube.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *spatial, m, channels)`, with `m = 2 degree + 1` for images and
        `(degree + 1)^2` for volumes. Masked positions count as zero.

    Output shape:
        That of the input.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or there are fewer points than
            components.

    Example:
    ```python
    import numpy as np
    from keras_lconv import FourierActivation

    fields = np.random.default_rng(0).normal(size=(2, 9, 9, 7, 4))
    assert tuple(FourierActivation("so2", 3)(fields).shape) == (2, 9, 9, 7, 4)
    ```

    Reference:
        G. Cesa, L. Lang, M. Weiler, "A program to build E(N)-equivariant steerable CNNs",
        ICLR 2022.
    """

    def __init__(
        self,
        group: GroupArgument,
        degree: int,
        *,
        activation: Activation = "relu",
        num_samples: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        self.degree = count("degree", degree, most=MOST_DEGREE)
        super().__init__(group, self.degree, data_format=data_format, **kwargs)
        self.activation = keras.activations.get(activation)
        if num_samples is None:
            num_samples = (2, 4 * degree + 4, 6 * (degree + 2) ** 2)[self.rank - 1]
        self.num_samples = positive_int("num_samples", num_samples)
        require_memory(
            f"degree={degree} with num_samples={self.num_samples} of {type(self).__name__}",
            4 * self.num_samples * self.representation.size,
            "Degrees of 2 to 8 are usual",
        )
        points = _points(self.rank, self.num_samples)
        self._to_samples = harmonic_values(points, self.degree)
        if len(points) < self.representation.size:
            raise ValueError(
                f"`num_samples` must be at least {self.representation.size}, the number of "
                f"components. Received: num_samples={num_samples}"
            )
        self._to_components = np.linalg.pinv(self._to_samples)

    def _transform_fields(self, f: Tensor) -> Tensor:
        to_samples, to_components = (
            ops.convert_to_tensor(m, dtype=f.dtype)
            for m in (self._to_samples, self._to_components)
        )
        samples = self.activation(ops.einsum("sm,...mc->...sc", to_samples, f))
        return ops.einsum("ms,...sc->...mc", to_components, samples)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["representation"]
        return {
            **config,
            "degree": self.degree,
            "activation": keras.activations.serialize(self.activation),
            "num_samples": self.num_samples,
        }


def _points(dimension: int, least: int) -> np.ndarray:
    """Points of the unit sphere with the symmetries of a polygon or the cube."""
    if dimension == 1:
        return np.array([[1.0], [-1.0]])
    if dimension == 2:
        angles = 2 * np.pi * np.arange(least) / least
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    side = math.ceil(math.sqrt(least / 6))
    # The centres of squares that have equal size as seen from the centre of the cube.
    ticks = np.tan(np.pi / 4 * ((2 * np.arange(side) + 1) / side - 1))
    u, v = (part.ravel() for part in np.meshgrid(ticks, ticks))
    faces = [
        np.insert(np.stack([u, v], axis=1), axis, sign, axis=1)
        for axis in range(3)
        for sign in (-1.0, 1.0)
    ]
    points = np.concatenate(faces)
    return points / np.linalg.norm(points, axis=1, keepdims=True)
