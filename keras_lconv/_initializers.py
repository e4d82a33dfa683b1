"""How an L-conv starts: near a mix of channels, and keeping the variance."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

# The mix of channels keeps the variance, and derivatives add this share of it at most,
# in the mean and on any input: ten layers multiply it by a number from 1 to 1.1^10 = 2.6.
DERIVATIVES = 0.1


def activation_gain(activation: Any) -> float:
    """The factor that lets an activation keep the second moment of a normal input.

    `1 / sqrt(E[activation(z)^2])` for standard normal `z`, by Gauss-Hermite
    quadrature: `sqrt(2)` for ReLU, the rule of He et al. (2015). Only for homogeneous
    activations, as ReLU, does it hold at every scale, and so over many layers. It is 1
    where it has no meaning: for layers as activations, which have weights, and if it is
    not finite.
    """
    if isinstance(activation, keras.layers.Layer):
        return 1.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    # A channel axis of size one, so that a softmax counts as the constant it is there.
    with warnings.catch_warnings():
        # Keras warns of a softmax over one channel, which it is here only.
        warnings.simplefilter("ignore")
        values = activation(ops.convert_to_tensor(nodes[:, None], dtype="float32"))
    second_moment = float(
        weights @ ops.convert_to_numpy(values)[:, 0].astype("float64") ** 2
    ) / math.sqrt(2 * math.pi)
    if not math.isfinite(second_moment) or second_moment < 1e-6:
        return 1.0
    return 1 / math.sqrt(second_moment)


def lconv_kernel(
    norms: np.ndarray, self_interaction: str | None, gain: float, num_steps: int
) -> Callable[..., Any]:
    """The default initializer of the kernel of `LConv`.

    `W_0` is orthogonal: between equal numbers of channels it keeps the variance exactly,
    also for a few, where independent entries do so only for many. `W_i` is normal and
    scaled by the norm of `L_i`, so that derivatives add a bounded share of variance on any
    input; norms below 1 count as 1, so that small learned generators start small.

    Args:
        norms: Bounds of `|L_i|`, of shape `(k,)`.
        self_interaction: `"learned"`, `"identity"` or `None`, as in `LConv`.
        gain: Factor for the activation.
        num_steps: How often the layer is applied. The same random matrices act each
            time, so that their errors add up, not only their variances.

    Returns:
        A function of `shape` and `dtype`, as Keras' initializers are.
    """
    norms = np.asarray(norms, dtype="float64")
    if self_interaction is None:
        share = 1.0
        norms = np.where(norms > 0, norms, 1.0)
    else:
        share = DERIVATIVES / num_steps**2
        norms = np.maximum(norms, 1.0)
    # Made here, so that each draws its seed once: Keras may evaluate an initializer
    # several times, also while a graph is traced.
    orthogonal = keras.initializers.Orthogonal()
    normal = keras.initializers.RandomNormal(stddev=1.0)

    def initialize(shape: tuple[int, ...], dtype: Any = None) -> Any:
        _, channels, filters = shape
        stddevs = gain * np.sqrt(share / (len(norms) * channels)) / norms
        # In float32 first: no decomposition is done in half precision.
        kernel = normal((len(norms), channels, filters), dtype="float32")
        kernel = kernel * ops.convert_to_tensor(stddevs[:, None, None], dtype="float32")
        if self_interaction == "learned":
            # An orthogonal map to more channels spreads the variance over them.
            widening = max(1.0, math.sqrt(filters / channels))
            mixing = orthogonal((channels, filters), dtype="float32")
            kernel = ops.concatenate([gain * widening * mixing[None], kernel], axis=0)
        return ops.cast(kernel, dtype or keras.config.floatx())

    return initialize
