"""Data augmentation along the flows of vector fields."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import count, finite_array, positive_int, positive_number
from keras_lconv.algebra import VectorFields


@keras.saving.register_keras_serializable(package="keras_lconv")
class FieldAugmentation(keras.layers.Layer):
    """Moves samples by random times along vector fields, in training only.

    Each sample moves along `sum_i t_i v_i` for the time 1, with `t_i` uniform between
    `-max_time` and `max_time`, by `steps` steps of Runge-Kutta of order 4. The error is of
    fourth order in `max_time / steps`. Samples that would reach infinity do not move.

    Args:
        powers: Exponents of the monomials, `(K, v)`.
        coefficients: Coefficients of the fields, `(k, v, K)`.
        max_time: The largest parameter.
        blocks: Number of vectors in a sample, which move alike.
        scalars: Number of components before them, which do not move.
        origin: The fields are about this point, `(v,)`; by default about zero.
        steps: Number of steps.
        seed: Seed of the times.
        **kwargs: Arguments of Keras layers, such as `name`.

    Input shape:
        `(batch, scalars + blocks * v)`.

    Output shape:
        As the input.

    Raises:
        ValueError: If shapes do not fit.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.discovery import find_symmetries

    x = np.random.default_rng(0).normal(size=(400, 2))
    report = find_symmetries(
        lambda x: x[:, 0] ** 2 + x[:, 1] ** 4, x, search="polynomial", degree=3
    )
    layer = report.to_augmentation(0.3, seed=0)
    moved = ops.convert_to_numpy(layer(x, training=True))
    assert np.max(np.abs(moved - x)) > 0.1
    values, others = (z[:, 0] ** 2 + z[:, 1] ** 4 for z in (x, moved))
    assert np.allclose(values, others, rtol=1e-2, atol=1e-3)
    ```
    """

    def __init__(
        self,
        *,
        powers: ArrayLike,
        coefficients: ArrayLike,
        max_time: float = 0.1,
        blocks: int = 1,
        scalars: int = 0,
        origin: ArrayLike | None = None,
        steps: int = 8,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.fields = VectorFields(powers, coefficients)
        self.max_time = positive_number("max_time", max_time)
        self.blocks, self.scalars = (
            positive_int("blocks", blocks),
            count("scalars", scalars),
        )
        self.steps = positive_int("steps", steps)
        size = self.fields.size
        given = np.zeros(size) if origin is None else finite_array("origin", origin)
        if given.shape != (size,):
            raise ValueError(
                f"`origin` must be a point of {size} components. "
                f"Received: shape {given.shape}"
            )
        self.origin = given
        self.seed = seed
        self._seeds = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Shape) -> None:
        """Checks the number of components."""
        expected = self.scalars + self.blocks * self.fields.size
        if len(input_shape) != 2 or input_shape[1] != expected:
            raise ValueError(
                f"{self.name} needs inputs `(batch, {expected})`. "
                f"Received: shape {tuple(input_shape)}"
            )
        super().build(input_shape)

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """Moved samples in training, otherwise the samples."""
        if not training:
            return x
        shape = (ops.shape(x)[0], 1, self.fields.dimension)
        dtype = self.compute_dtype
        t = keras.random.uniform(
            shape, -self.max_time, self.max_time, dtype=dtype, seed=self._seeds
        )
        origin = ops.convert_to_tensor(self.origin, dtype=dtype)
        kept = x[:, : self.scalars]
        start = ops.reshape(x[:, self.scalars :], (-1, self.blocks, self.fields.size))
        z, h = start - origin, 1 / self.steps
        for _ in range(self.steps):
            a = self._velocity(z, t)
            b = self._velocity(z + h / 2 * a, t)
            c = self._velocity(z + h / 2 * b, t)
            d = self._velocity(z + h * c, t)
            z = z + h / 6 * (a + 2 * b + 2 * c + d)
        stays = ops.all(ops.isfinite(z), axis=(1, 2), keepdims=True)
        moved = ops.where(stays, z + origin, start)
        moved = ops.reshape(moved, (-1, self.blocks * self.fields.size))
        return ops.concatenate([kept, moved], axis=1)

    def _velocity(self, z: Tensor, t: Tensor) -> Tensor:
        """`sum_i t_i v_i` at vectors `(batch, blocks, v)`, for `t` of each sample."""
        columns = []
        for power in self.fields.powers.tolist():
            product = ops.ones_like(z[..., 0])
            for axis, exponent in enumerate(power):
                for _ in range(exponent):
                    product = product * z[..., axis]
            columns.append(product)
        coefficients = ops.convert_to_tensor(self.fields.coefficients, dtype=z.dtype)
        values = ops.einsum("sbp,kvp->sbvk", ops.stack(columns, axis=-1), coefficients)
        return ops.sum(values * t[:, :, None], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of the input."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for saving."""
        return {
            **super().get_config(),
            "powers": self.fields.powers.tolist(),
            "coefficients": self.fields.coefficients.tolist(),
            "max_time": self.max_time,
            "blocks": self.blocks,
            "scalars": self.scalars,
            "origin": self.origin.tolist(),
            "steps": self.steps,
            "seed": self.seed,
        }
