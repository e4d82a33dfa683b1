"""The effect of a symmetry of the data on the loss, as a function of the weights."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import hessian
from keras_lconv._ops import mean
from keras_lconv._typing import Data, Figure, MatricesLike, Tensor
from keras_lconv._validation import positive_number
from keras_lconv.generators.registry import given_matrices
from keras_lconv.report import Report

# The largest number of weights for a matrix of second derivatives.
MOST_WEIGHTS = 5000


@dataclass(frozen=True, eq=False, repr=False)
class LandscapeReport(Report):
    """The result of `flat_directions`.

    Args:
        directions: Orthonormal flat directions in the space of weights, `(m, P)`, in the
            order of `model.trainable_variables`, each flattened.
        slopes: For each generator the first derivative of the loss along its motion of the
            weights, `(k,)`, relative to the largest slope of the loss for a motion of this
            speed.
        curvatures: For each generator the second derivative of the loss along this
            direction, `(k,)`, relative to the largest eigenvalue of the Hessian.
        eigenvalues: The eigenvalues of the Hessian, growing, `(P,)`.
        zero_modes: Number of eigenvalues that are zero, relative to the largest.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv.algebra import so
    from keras_lconv.physics import flat_directions

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(50, 3))
    found = flat_directions(model, "mse", (x, np.ones((50, 2))), so(3))
    assert found.eigenvalues.shape == (8,)
    ```
    """

    directions: np.ndarray
    slopes: np.ndarray
    curvatures: np.ndarray
    eigenvalues: np.ndarray
    zero_modes: int

    def __len__(self) -> int:
        return len(self.directions)

    def summary(self) -> str:
        """The result in words."""
        count, weights = len(self.slopes), len(self.eigenvalues)
        return "\n".join(
            [
                f"flat directions from {count} generators: {len(self)}",
                f"zero modes of the Hessian: {self.zero_modes} of {weights} weights",
                f"largest slope {np.max(np.abs(self.slopes)):.1e}, "
                f"largest curvature {np.max(np.abs(self.curvatures)):.1e}",
            ]
        )

    def plot(self) -> Figure:
        """Draws the eigenvalues of the Hessian, zero modes and others, by their size.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        figure, ax = plt.subplots(layout="constrained")
        sizes = np.sort(np.abs(self.eigenvalues))
        sizes = np.maximum(sizes / max(sizes[-1], 1e-300), 1e-17)
        numbers = np.arange(1, len(sizes) + 1)
        zero = numbers <= self.zero_modes
        for chosen, marker, label in [(zero, "o", "zero modes"), (~zero, "s", "others")]:
            ax.semilogy(numbers[chosen], sizes[chosen], marker, label=label, markersize=4)
        ax.set(xlabel="number", ylabel="eigenvalue, relative to the largest")
        ax.set_title("Hessian of the loss")
        ax.legend()
        return figure


def flat_directions(
    model: keras.Model,
    loss: Any,
    data: tuple[Data, Data],
    generators: MatricesLike,
    *,
    tolerance: float = 1e-4,
) -> LandscapeReport:
    """Directions of the weights in which a symmetry of the data keeps the loss constant.

    For a network that starts with a dense layer, `F(x) = g(x W + b)`, a transformed input
    is equivalent to other weights: `F(exp(t L) x)` is the network with `exp(t L)^T W`. If
    the transformation changes neither the distribution of the data nor the targets, then
    the loss is constant along the orbit of the weights, whose direction is `dW = L^T W`. At
    a minimum such directions are zero modes of the Hessian. This function computes slope
    and curvature of the loss along each of them, exactly, and counts all zero modes. The
    others come from the network itself, or from too few data.

    On a finite sample the distribution is invariant only up to sampling error, of order
    `1 / sqrt(N)`, unless the sample or the function is symmetric itself.

    Args:
        model: A built `keras.Sequential` or functional model for vectors `(batch, d)` whose
            first layer is `Dense`, with at most 5,000 weights.
        loss: A Keras loss, its name, or a function of `(y_true, y_pred)`. Its mean is used.
        data: `(x, y)`.
        generators: A `LieAlgebra`, matrices `(k, d, d)` or fixed generators: `y` does not
            change if `x` becomes `exp(t L) x`.
        tolerance: Threshold for zero, for slopes and curvatures relative to the largest
            ones.

    Returns:
        `LandscapeReport`.

    Raises:
        TypeError: If `model` is not a Keras model.
        ValueError: If the first layer is not `Dense`, the model is too large, or shapes do
            not fit.

    Example:
    ```python
    import keras
    import numpy as np
    from keras import ops
    from keras_lconv.algebra import so
    from keras_lconv.physics import flat_directions

    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(3, activation=ops.square, use_bias=False),
            keras.layers.Dense(1, use_bias=False),
        ]
    )
    model.set_weights([np.eye(3), np.ones((3, 1))])  # the squared length of x
    x = np.random.default_rng(0).normal(size=(100, 3))
    found = flat_directions(model, "mse", (x, np.sum(x**2, axis=1, keepdims=True)), so(3))
    assert len(found) == 3
    ```

    Reference:
        B. Zhao et al., "Symmetries, flat minima, and the conserved quantities of gradient
        flow", ICLR 2023, for symmetries of the loss in the space of weights.
    """
    positive_number("tolerance", tolerance)
    kernel = _first_kernel(model)
    size = int(kernel.shape[0])
    matrices = given_matrices("generators", generators, size)
    if matrices.ndim != 3 or matrices.shape[1:] != (size, size) or not len(matrices):
        raise ValueError(
            f"`generators` must be matrices of shape `(k, {size}, {size})`, for inputs of "
            f"size {size}. Received: shape {matrices.shape}"
        )
    weights = np.concatenate([_values(each).ravel() for each in model.trainable_variables])
    tensor = ops.convert_to_tensor(weights, dtype=kernel.dtype)
    derivatives = hessian(_loss_of_weights(model, loss, data))(tensor)
    gradient, second = (_values(each) for each in derivatives)
    second = (second + second.T) / 2
    eigenvalues = np.linalg.eigvalsh(second)
    steepest = max(np.max(np.abs(eigenvalues)), np.finfo("float64").tiny)

    # The orbit is exp(t L)^T W: its velocity is L^T W, its acceleration L^T L^T W.
    kernel_values = _values(kernel)
    velocity = _in_weights(model, kernel, _transposed(matrices) @ kernel_values)
    pairs = np.einsum("iba,jcb,cu->ijau", matrices, matrices, kernel_values, optimize=True)
    pairs = (pairs + np.swapaxes(pairs, 0, 1)) / 2
    slopes = velocity @ gradient / max(np.linalg.norm(gradient), steepest)
    bends = _in_weights(model, kernel, pairs.reshape(-1, *kernel_values.shape)) @ gradient
    curvatures = velocity @ second @ velocity.T + bends.reshape(len(matrices), -1)
    curvatures = curvatures / steepest

    speeds, frame = _orthonormal(velocity)
    # Combinations of generators may be flat even if none of them is.
    conditions = np.vstack([slopes @ speeds, speeds.T @ curvatures @ speeds])
    _, values, rows = np.linalg.svd(conditions)
    flat = rows[np.sum(values > tolerance) :]
    squares = np.maximum(np.sum(velocity**2, axis=1), np.finfo("float64").tiny)
    return LandscapeReport(
        directions=flat @ frame,
        slopes=slopes / np.sqrt(squares),
        curvatures=np.diag(curvatures) / squares,
        eigenvalues=eigenvalues,
        zero_modes=int(np.sum(np.abs(eigenvalues) <= tolerance * steepest)),
    )


def _first_kernel(model: keras.Model) -> keras.Variable:
    """The kernel of the dense layer that receives the input."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a Keras model. "
            f"Received: {model!r} (of type {type(model).__name__})"
        )
    layers = [
        each for each in model.layers if not isinstance(each, keras.layers.InputLayer)
    ]
    if not layers or not isinstance(layers[0], keras.layers.Dense) or not layers[0].built:
        first = type(layers[0]).__name__ if layers else "no layer"
        raise ValueError(
            "The first layer of `model` must be a built `Dense`: only in a linear layer a "
            f"transformed input equals other weights. Received: {first}"
        )
    if not layers[0].trainable:
        raise ValueError(
            "The first layer of `model` must be trainable, because the motions act on its "
            f"weights. Received: {layers[0].name!r} with trainable=False"
        )
    if model.count_params() > MOST_WEIGHTS:
        raise ValueError(
            f"`model` must have at most {MOST_WEIGHTS} weights, because all second "
            f"derivatives are computed. Received: {model.count_params()} weights"
        )
    return layers[0].kernel


def _loss_of_weights(
    model: keras.Model, loss: Any, data: tuple[Data, Data]
) -> Callable[[Tensor], Tensor]:
    """The mean loss as a function of all trainable weights in one vector."""
    variables = model.trainable_variables
    x, y = (ops.convert_to_tensor(each, dtype=variables[0].dtype) for each in data)
    fixed = [each.value for each in model.non_trainable_variables]
    function = keras.losses.get(loss)
    sizes = [math.prod(each.shape) for each in variables]
    starts = np.cumsum([0, *sizes])

    def value(weights: Tensor) -> Tensor:
        parts = [
            ops.reshape(weights[start : start + size], each.shape)
            for start, size, each in zip(starts, sizes, variables, strict=False)
        ]
        predicted, _ = model.stateless_call(parts, fixed, x, training=False)
        return mean(function(y, predicted))

    return value


def _in_weights(
    model: keras.Model, kernel: keras.Variable, changes: np.ndarray
) -> np.ndarray:
    """Changes `(k, d, units)` of the first kernel as vectors of all weights, `(k, P)`."""
    parts = [
        changes if each is kernel else np.zeros((len(changes), *each.shape))
        for each in model.trainable_variables
    ]
    return np.concatenate([each.reshape(len(changes), -1) for each in parts], axis=1)


def _orthonormal(velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Combinations `(k, r)` of generators that move the weights along a frame `(r, P)`."""
    left, values, frame = np.linalg.svd(velocity, full_matrices=False)
    kept = values > 1e-6 * max(values[0], np.finfo("float64").tiny)
    return left[:, kept] / values[kept], frame[kept]


def _transposed(matrices: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrices, 1, 2)


def _values(tensor: Tensor) -> np.ndarray:
    return ops.convert_to_numpy(tensor).astype("float64")
