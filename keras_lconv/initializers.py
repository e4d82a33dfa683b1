"""Initializers: an L-conv starts near a mix of channels, and keeps the variance."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import ArrayLike, DTypeLike, Tensor
from keras_lconv._validation import finite_array, one_of, positive_int, positive_number

__all__ = ["LConvInitializer"]

SELF_INTERACTIONS = ("learned", "identity", None)

# The mix of channels keeps the variance. On any input derivatives add at most this share of
# it in the mean, so ten layers multiply it by 1 to 1.1^10 = 2.6.
DERIVATIVES = 0.1


def activation_gain(activation: Callable[[Tensor], Tensor]) -> float:
    """The factor that lets an activation keep the second moment of a normal input.

    `1 / sqrt(E[activation(z)^2])` for standard normal `z`, by Gauss-Hermite quadrature:
    `sqrt(2)` for ReLU, the rule of He et al. (2015). For homogeneous activations such as
    ReLU it holds at every scale, and so over many layers; for others it does not. It is 1
    if it has no meaning: for layers as activations, which have weights, and if it is not
    finite.
    """
    if isinstance(activation, keras.layers.Layer):
        return 1.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    # The channel axis has size one, so that a softmax counts as a constant.
    with warnings.catch_warnings():
        # Keras warns of a softmax over one channel, which occurs only here.
        warnings.simplefilter("ignore")
        values = activation(ops.convert_to_tensor(nodes[:, None], dtype="float32"))
    second_moment = float(
        weights @ ops.convert_to_numpy(values)[:, 0].astype("float64") ** 2
    ) / math.sqrt(2 * math.pi)
    if not math.isfinite(second_moment) or second_moment < 1e-6:
        return 1.0
    return 1 / math.sqrt(second_moment)


@keras.saving.register_keras_serializable(package="keras_lconv")
class LConvInitializer(keras.initializers.Initializer):
    """The default initializer of the kernel of `LConv`.

    `W_0` is orthogonal: between equal numbers of channels it keeps the variance exactly,
    also for a few, where independent entries do so only for many. `W_i` is normal and
    scaled by the norm of `L_i`, so that derivatives add a bounded share of variance on any
    input; norms below 1 count as 1, so that small learned generators start small.

    Args:
        norm_bounds: Bounds of `|L_i|`, of shape `(k,)`.
        self_interaction: `"learned"`, `"identity"` or `None`, as in `LConv`.
        gain: Factor for the activation, `sqrt(2)` for a ReLU.
        num_steps: How often the layer is applied. The same random matrices act each
            time, so that their errors add up, not only their variances.
        seed: An integer or a `keras.random.SeedGenerator`, as for Keras' initializers.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value.

    Example:
    ```python
    from keras_lconv.initializers import LConvInitializer

    kernel = LConvInitializer([3.0])((2, 8, 8))  # one generator
    assert tuple(kernel.shape) == (2, 8, 8)
    ```

    Reference:
        A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics
        of learning in deep linear neural networks", ICLR 2014, for orthogonal matrices. K.
        He et al., "Delving deep into rectifiers", ICCV 2015, for the factor of activations.
    """

    def __init__(
        self,
        norm_bounds: ArrayLike,
        *,
        self_interaction: str | None = "learned",
        gain: float = 1.0,
        num_steps: int = 1,
        seed: int | keras.random.SeedGenerator | None = None,
    ):
        self.norm_bounds = finite_array("norm_bounds", norm_bounds)
        if self.norm_bounds.ndim != 1 or not len(self.norm_bounds):
            raise ValueError(
                "`norm_bounds` must have shape `(k,)`, one number for each generator. "
                f"Received: shape {self.norm_bounds.shape}"
            )
        self.self_interaction = one_of(
            "self_interaction", self_interaction, SELF_INTERACTIONS
        )
        self.gain = positive_number("gain", gain)
        self.num_steps = positive_int("num_steps", num_steps)
        self._seed = seed
        if isinstance(seed, dict):
            seed = keras.saving.deserialize_keras_object(seed)
        # These are made here, so that each draws its seed once: Keras may evaluate an
        # initializer several times, and while a graph is traced. The two draw different
        # numbers.
        self._orthogonal = keras.initializers.Orthogonal(seed=seed)
        other = seed + 1 if isinstance(seed, int) else seed
        self._normal = keras.initializers.RandomNormal(stddev=1.0, seed=other)

    def __call__(self, shape: tuple[int, ...], dtype: DTypeLike = None) -> Tensor:
        """The kernel.

        Args:
            shape: `(k + 1, channels, filters)`, or `(k, channels, filters)` without a
                learned self-interaction.
            dtype: The dtype of the kernel; by default that of the Keras configuration.

        Returns:
            A tensor of this shape.
        """
        _, channels, filters = shape
        norms, share = self.norm_bounds, 1.0
        if self.self_interaction is None:
            norms = np.where(norms > 0, norms, 1.0)
        else:
            norms, share = np.maximum(norms, 1.0), DERIVATIVES / self.num_steps**2
        stddevs = self.gain * np.sqrt(share / (len(norms) * channels)) / norms
        # This is in float32 first, because decompositions do not work in half precision.
        kernel = self._normal((len(norms), channels, filters), dtype="float32")
        kernel = kernel * ops.convert_to_tensor(stddevs[:, None, None], dtype="float32")
        if self.self_interaction == "learned":
            # An orthogonal map to more channels spreads the variance over them.
            widening = max(1.0, math.sqrt(filters / channels))
            mixing = self._orthogonal((channels, filters), dtype="float32")
            mixing = self.gain * widening * mixing[None]
            kernel = ops.concatenate([mixing, kernel], axis=0)
        return ops.cast(kernel, dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """The configuration of the initializer."""
        seed = self._seed
        return {
            "norm_bounds": self.norm_bounds.tolist(),
            "self_interaction": self.self_interaction,
            "gain": self.gain,
            "num_steps": self.num_steps,
            "seed": seed if seed is None else keras.saving.serialize_keras_object(seed),
        }
