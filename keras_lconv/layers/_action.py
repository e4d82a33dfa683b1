"""The quadratic action that generators leave invariant."""

from typing import Any

import numpy as np
from keras import ops

from keras_lconv.generators import Generators
from keras_lconv.layers.form_layer import form_of_gradients


def invariant_metric(generators: Generators, given: Any) -> np.ndarray:
    """`B^ij`, `(k, k)`: the given metric or that of `NormPooling`, if it is positive.

    Raises:
        ValueError: If the metric has no invariance, another shape or a negative direction.
    """
    metric = form_of_gradients(generators, given, None, "metric")
    values = np.linalg.eigvalsh(metric)
    if values[0] < -1e-6 * np.abs(values).max():
        raise ValueError(
            "`metric` must not be negative in any direction, or the action has no minimum. "
            f"Received: {'a' if given is not None else 'by default a'} metric with the "
            f"eigenvalues {np.round(values, 4).tolist()}. Non-compact algebras have no "
            "positive invariant metric: take fewer generators"
        )
    return metric


def action_density(generators: Generators, f: Any, mass: float, metric: Any) -> Any:
    """`m^2 f^2 + B^ij (L_i f) (L_j f)`, of the shape `(batch, *spatial, channels)` of `f`.

    Args:
        generators: Built generators.
        f: Tensor `(batch, *spatial, channels)`.
        mass: The number `m`.
        metric: `B^ij`, a tensor `(k, k)` of the dtype of `f`.
    """
    gradient = generators.call(f)
    raised = ops.einsum("ij,b...jc->b...ic", metric, gradient)
    return mass**2 * ops.square(f) + ops.sum(gradient * raised, axis=-2)
