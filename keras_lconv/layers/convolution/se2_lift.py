"""From images to features on positions and orientations."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import (
    Activation,
    Constraint,
    Initializer,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import (
    MOST_ORDER,
    positive_int,
    positive_number,
    whole_blocks,
)
from keras_lconv.generators.derivatives import derivative_matrix
from keras_lconv.generators.families.se2 import SE2Generators, orientations
from keras_lconv.layers.convolution.kernel_layer import KernelLayer

# The largest number of orientations: steps of less than a tenth of a degree. Each is a copy
# of the image.
MOST_ORIENTATIONS = 4096


@keras.saving.register_keras_serializable(package="keras_lconv")
class SE2Lift(KernelLayer):
    """Lifts images to features on positions and orientations `(theta, y, x)`.

    At each of the `n` orientations `theta_j = 2 pi j / n` the layer takes derivatives of
    the smoothed image along `e = cos(theta) e_0 + sin(theta) e_1` and across it. The
    features are mixtures of these derivatives, up to `order`:

    `F(theta) = sum_pq (e . d)^p (e' . d)^q G f W_pq + b`, with `p + q <= order`,

    where `e'` is `e` after a quarter turn, and `G` a Gaussian blur of width `scale`. This
    is a convolution with one kernel, which is turned to each orientation without
    interpolation. The layer learns the coefficients of its Gaussian derivatives.

    **Equivariance.** If the image is turned, the lifted features turn in the plane and are
    shifted in `theta` by the same angle. The fields of `SE2Generators` commute with this
    action of SE(2). On the grid it is exact for quarter turns, if `n` is a multiple of 4
    and the image is square: `numpy.rot90` of the image is `numpy.rot90` and `numpy.roll` by
    `n / 4` of the features. It is exact for translations on a periodic grid, and for
    content that stays away from the border.

    **Reflections.** With `reflections=True` each orientation has its mirror image, for
    which `e'` points to the other side: the features are on E(2), `(2 n, y, x)`, the `n`
    mirror images after the orientations. If the image is flipped along its second axis,
    features are flipped there, `theta` becomes `-theta`, and the halves are exchanged. On
    the grid this is exact for any `n`. For flips along the first axis it is exact for even
    `n`.

    Args:
        filters: Number of output channels.
        num_orientations: Number `n` of orientations, up to 4096.
        reflections: Whether each orientation also has its mirror image.
        order: The highest order of derivatives, at most 20.
        scale: Width (standard deviation) of the blur, in grid steps. The reach of the
            kernel is about three times the width.
        strides: The size of blocks of positions, along both axes, that are averaged to one.
            It must divide the size of the image. A `scale` of half the stride keeps
            aliasing small.
        derivative: `"spectral"` (zero outside of the grid, most accurate), `"fourier"`
            (periodic) or `"central"`. The blur is a function of it, too.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        activation: Activation function.
        use_bias: Whether there is a bias.
        kernel_initializer: Initializer of the kernel.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, y, x, channels)`, or `(batch, channels, y, x)` with
        `data_format="channels_first"`. Masked positions count as zero.

    Output shape:
        `(batch, theta, y, x, filters)`, or `(batch, filters, theta, y, x)`, with the sizes
        of the image divided by `strides`, and `n` or, with `reflections`, `2 n` on the axis
        `theta`.

    Attributes:
        generators: The `SE2Generators` of the features, for the layers that follow.
        kernel: `W`, of shape `(terms, channels, filters)`. The terms `(p, q)` are ordered
            by `p + q`, and then by `q`. They are scaled such that no wave grows.
        bias: `b`, of shape `(filters,)`, or `None`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the input is not an image of
            defined size.

    Example:
    ```python
    import keras
    from keras_lconv import LConv, SE2Lift, SE2Projection

    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        SE2Lift(8, num_orientations=8, activation="relu"),
        LConv(8, "se2", activation="relu"),
        SE2Projection(reduction="max"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10),
    ])
    assert model.layers[1].output.shape == (None, 8, 28, 28, 8)
    ```

    Reference:
        W. Freeman, E. Adelson, "The design and use of steerable filters", IEEE Transactions
        on Pattern Analysis and Machine Intelligence 13 (1991). E. Bekkers et al.,
        "Roto-translation covariant convolutional networks", MICCAI 2018.
    """

    def __init__(
        self,
        filters: int,
        *,
        num_orientations: int = 8,
        reflections: bool = False,
        order: int = 2,
        scale: float = 1.0,
        strides: int = 1,
        derivative: str = "spectral",
        data_format: str | None = None,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(
            filters,
            SE2Generators(
                reflections=reflections, derivative=derivative, dtype=kwargs.get("dtype")
            ),
            data_format=data_format,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.num_orientations = positive_int(
            "num_orientations", num_orientations, most=MOST_ORIENTATIONS
        )
        self.order = positive_int("order", order, most=MOST_ORDER)
        self.scale = positive_number("scale", scale)
        self.strides = positive_int("strides", strides)

    # ---------------------------------------------------------------- shapes

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) != 2:
            raise ValueError(
                f"{self._owner} needs images of shape (batch, y, x, channels). Received: "
                f"an input of spatial shape {shape}"
            )
        blocks = whole_blocks(shape, self.strides, self._owner, "image")
        return (self._num_views, *blocks)

    @property
    def _num_views(self) -> int:
        """The number of orientations, including mirror images."""
        return self.num_orientations * (1 + self.generators.reflections)

    def _generator_shape(self, feature_shape: Shape) -> Shape:
        return self._feature_output_shape(feature_shape)

    def _add_kernel(self, channels: int) -> None:
        _, *sizes = self.generators.require_built("build")
        self._filters = tuple(
            _block_averages(
                _gaussian_derivatives(
                    n * self.strides, self.generators.derivative, self.scale, self.order
                ),
                self.strides,
            )
            for n in sizes
        )
        self._steering = _steering(
            self.num_orientations, self.order, self.generators.reflections
        )
        self.kernel = self._add_kernel_weight(
            (self._steering.shape[1], channels, self.filters)
        )

    # ------------------------------------------------------------------ call

    def _act(self, f: Tensor) -> Tensor:
        rows, columns = (ops.convert_to_tensor(m, dtype=f.dtype) for m in self._filters)
        f = ops.reshape(f, (-1, rows.shape[-1], columns.shape[-1], f.shape[-1]))
        # All derivatives along the axes, up to the order in each: `(b, p, q, y, x, c)`.
        f = ops.einsum("pyi,bixc->bpyxc", rows, f)
        f = ops.einsum("qxi,bpyic->byxpqc", columns, f)
        # The orientations turn the kernel, not the image.
        steering = ops.convert_to_tensor(self._steering, dtype=f.dtype)
        kernel = ops.einsum("jtpq,tcf->pqcjf", steering, ops.cast(self.kernel, f.dtype))
        num_terms = math.prod(kernel.shape[:3])
        f = ops.reshape(f, (-1, math.prod(f.shape[1:3]), num_terms))
        kernel = ops.reshape(kernel, (num_terms, *kernel.shape[3:]))
        lifted = ops.einsum("bpt,tjf->bjpf", f, kernel)
        return self._add_bias(ops.reshape(lifted, (-1, self.generators.size, self.filters)))

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the image at every orientation, if all positions are kept."""
        if previous_mask is None or self.strides > 1:
            return None
        return ops.repeat(previous_mask[:, None], self._num_views, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["generators"]
        return {
            **config,
            "num_orientations": self.num_orientations,
            "reflections": self.generators.reflections,
            "order": self.order,
            "scale": self.scale,
            "strides": self.strides,
            "derivative": self.generators.derivative,
        }


def _gaussian_derivatives(size: int, kind: str, scale: float, order: int) -> np.ndarray:
    """The blur of an axis and its derivatives, `(order + 1, n, n)`, with norms of at most
    1.

    A wave of number `k` changes by `k^p exp(-scale^2 k^2 / 2)`, which is largest for
    `k = sqrt(p) / scale`.
    """
    derivative = derivative_matrix(size, kind)
    # `D` is antisymmetric, so `i D` has real eigenvalues, the wave numbers.
    waves, vectors = np.linalg.eigh(1j * derivative)
    gains = []
    for p in range(order + 1):
        peak = (p / (math.e * scale**2)) ** (p / 2) if p else 1.0
        gains.append((-1j * waves) ** p * np.exp(-((scale * waves) ** 2) / 2) / peak)
    return np.einsum("in,pn,jn->pij", vectors, np.array(gains), vectors.conj()).real


def _block_averages(matrices: np.ndarray, size: int) -> np.ndarray:
    """Averages over blocks of rows of matrices `(p, n, n)`: `(p, n / size, n)`."""
    num, rows, columns = matrices.shape
    return matrices.reshape(num, rows // size, size, columns).mean(axis=2)


def _steering(num: int, order: int, reflections: bool) -> np.ndarray:
    """Directional derivatives in terms of those along the axes, `(n, terms, order + 1,
    order + 1)`.

    `(c d_0 + s d_1)^p (-s d_0 + c d_1)^q = sum_mn steering[j, (p, q), m, n] d_0^m d_1^n`.
    In mirror images, derivatives of odd order across have the opposite sign.
    """
    terms = [(total - q, q) for total in range(order + 1) for q in range(total + 1)]
    steering = np.zeros((num, len(terms), order + 1, order + 1))
    peaks = np.array([(p / math.e) ** (p / 2) if p else 1.0 for p in range(order + 1)])
    for j, angle in enumerate(orientations(num)):
        along, across = (np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))
        for t, (p, q) in enumerate(terms):
            # Coefficients by the power of `d_1`.
            product = np.ones(1)
            for factor in [along] * p + [across] * q:
                product = np.convolve(product, factor)
            for n, coefficient in enumerate(product):
                m = p + q - n
                # On both sides derivatives are in units of their largest gain.
                unit = peaks[m] * peaks[n] / (peaks[p] * peaks[q])
                steering[j, t, m, n] = unit * coefficient
    if not reflections:
        return steering
    signs = np.array([(-1.0) ** q for _, q in terms])
    return np.concatenate([steering, signs[:, None, None] * steering])
