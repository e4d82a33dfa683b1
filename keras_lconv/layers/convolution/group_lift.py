"""From positions to features on positions and frames."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._memory import require_memory
from keras_lconv._typing import (
    Activation,
    Constraint,
    GeneratorsLike,
    Initializer,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import (
    MOST_ORDER,
    positive_int,
    positive_ints,
    positive_number,
    whole_blocks,
)
from keras_lconv.generators import LeftInvariantGenerators
from keras_lconv.generators.waves import Waves, gains, parities, partners
from keras_lconv.layers.convolution.kernel_layer import KernelLayer

# The largest number of frames. Each is a copy of the input.
MOST_FRAMES = 4096


@keras.saving.register_keras_serializable(package="keras_lconv")
class GroupLift(KernelLayer):
    """Lifts features on positions to features on a group, on positions and frames.

    A group of translations and linear maps `h(s)` acts on positions, as
    `LeftInvariantGenerators` describe it. One learned filter is moved to each frame and
    applied to the input:

    `F(s, x) = sum_y |det h(s)|^-1 psi(h(s)^-1 (y - x)) f(y) + b`.

    The filter is a sum of Gaussian derivatives up to some order, in the frame,

    `F(s) = sum_p (h_1 . d)^p_1 ... (h_n . d)^p_n G(s) f W_p + b`, with `|p| <= order`,

    where `h_a` are the columns of `h(s)`, and `G(s)` a Gaussian blur with the covariance
    `scale^2 h(s) h(s)^T`. The blur and its derivatives are computed from the derivatives
    along the axes: no filter is sampled or interpolated.
    `SE2Lift` gives the same numbers for rotations of the plane with fewer products, because
    a rotation mixes finitely many derivatives.

    **Equivariance.** An element `(s_0, x_0)` of the group takes `f(y)` to
    `f(h(s_0)^-1 (y - x_0))`, and its features to `F(s - s_0, h(s_0)^-1 (x - x_0))`, for
    every filter. The fields of `LeftInvariantGenerators` commute with that action. On a
    periodic grid (`derivative="fourier"`) it is exact for translations, and for whole steps
    of `s` if `h` maps the grid to itself, such as quarter turns. Other steps, such as
    scalings, have the error of sampling. It is small if the input is smooth and the blur of
    each frame is at least about 0.8 grid steps wide. Coordinates that are lines have ends,
    and features beyond the ends are missing.

    Args:
        filters: Number of output channels.
        generators: `LeftInvariantGenerators`, `SE2Generators`, or a name: `"se2"`, `"e2"`,
            `"sim2"`.
        num_samples: The number of samples of each coordinate `s_i`, in all at most 4096.
            Mirror images, as in `"e2"`, count as well.
        order: The highest order of derivatives, at most 20.
        scale: Width (standard deviation) of the blur in the first frame, `h = 1`, in grid
            steps.
        strides: The size of blocks of positions, along each axis, that are averaged to one.
            It must divide the sizes of the input.
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
        `(batch, *positions, channels)`, or `(batch, channels, *positions)` with
        `data_format="channels_first"`. Masked positions count as zero.

    Output shape:
        `(batch, *num_samples, *positions, filters)`, or
        `(batch, filters, *num_samples, *positions)`, with the sizes of positions divided by
        `strides`.

    Attributes:
        generators: The `LeftInvariantGenerators` of the features, for the layers that
            follow.
        kernel: `W`, of shape `(terms, channels, filters)`. The terms `p` are ordered by
            `|p|`, and then with `p_1` falling. They are scaled such that no wave grows.
        bias: `b`, of shape `(filters,)`, or `None`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, the generators are of another kind,
            there is not one number of samples for each coordinate, or the input has another
            number of axes.

    Example:
    ```python
    import keras
    from keras_lconv import GroupLift, GroupProjection, LConv

    # Eight orientations, and four sizes in half octaves.
    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        GroupLift(4, "sim2", num_samples=(8, 4), strides=2, activation="relu"),
        LConv(4, "sim2", activation="relu"),
        GroupProjection(num_coordinates=2, reduction="max"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10),
    ])
    assert model.layers[1].output.shape == (None, 8, 4, 14, 14, 4)
    ```

    Reference:
        E. Bekkers, "B-spline CNNs on Lie groups", ICLR 2020. T. Lindeberg, "Scale-space
        theory in computer vision" (1994).
    """

    def __init__(
        self,
        filters: int,
        generators: GeneratorsLike,
        *,
        num_samples: int | Sequence[int],
        order: int = 2,
        scale: float = 1.0,
        strides: int = 1,
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
            generators,
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
        if not isinstance(self.generators, LeftInvariantGenerators):
            raise ValueError(
                f"`generators` of {self._owner} must be left-invariant fields: "
                "`LeftInvariantGenerators`, or a name such as 'se2' or 'sim2'. "
                f"Received: {type(self.generators).__name__} {self.generators.name!r}"
            )
        self.num_samples = positive_ints("num_samples", num_samples, most=MOST_FRAMES)
        if math.prod(self.num_samples) > MOST_FRAMES:
            raise ValueError(
                f"`num_samples` must multiply to at most {MOST_FRAMES} frames, because "
                f"each is a copy of the input. Received: num_samples={self.num_samples}"
            )
        self.order = positive_int("order", order, most=MOST_ORDER)
        self.scale = positive_number("scale", scale)
        self.strides = positive_int("strides", strides)
        # This raises an error unless there is one number for each coordinate.
        self._frames = self.generators.frames(self.num_samples)

    # ---------------------------------------------------------------- shapes

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(shape) != self.generators.ndim:
            raise ValueError(
                f"{self._owner} needs an input with {self.generators.ndim} axes of "
                f"positions. Received: an input of spatial shape {shape}"
            )
        blocks = whole_blocks(shape, self.strides, self._owner, "input")
        return (*self.num_samples, *blocks)

    def _generator_shape(self, feature_shape: Shape) -> Shape:
        return self._feature_output_shape(feature_shape)

    def _add_kernel(self, channels: int) -> None:
        shape = self.generators.require_built("build")[len(self.num_samples) :]
        sizes = [n * self.strides for n in shape]
        terms = _orders(len(sizes), self.order)
        frames = self._frames.reshape(-1, len(sizes), len(sizes))
        all_parities = parities(len(sizes))
        require_memory(
            f"The filters of {self._owner} for `num_samples={self.num_samples}`",
            len(all_parities) * len(frames) * len(terms) * math.prod(sizes),
            "Take fewer samples, a lower `order`, or a smaller input",
            itemsize=16,
        )
        waves = [Waves(n, self.generators.derivative) for n in sizes]
        self._bases = [axis.basis for axis in waves]
        self._partners = np.array([partners(waves, parity) for parity in all_parities])
        self._gains = gains(
            waves, lambda k: _gaussian_derivatives(k, frames, self.scale, terms)
        )
        self.kernel = self._add_kernel_weight((len(terms), channels, self.filters))

    # ------------------------------------------------------------------ call

    def _act(self, f: Tensor) -> Tensor:
        sizes = [len(basis) for basis in self._bases]
        channels = f.shape[-1]
        # The coefficients of waves, and of their partners.
        for axis, basis in enumerate(self._bases):
            f = _along(basis.T, f, axis, sizes)
        f = take(f, self._partners.T.ravel().astype("int32"), axis=1)
        f = ops.reshape(f, (-1, math.prod(sizes), len(self._partners) * channels))
        # Each wave has its own kernel, from partners and channels to frames and filters.
        gains = ops.convert_to_tensor(self._gains, dtype=f.dtype)
        kernel = ops.einsum("pstd,tcf->dpcsf", gains, ops.cast(self.kernel, f.dtype))
        num_frames = kernel.shape[3]
        kernel = ops.reshape(kernel, (*f.shape[1:], num_frames * self.filters))
        f = ops.einsum("bdq,dqr->bdr", f, kernel)
        for axis, basis in enumerate(self._bases):
            blocks = basis.reshape(-1, self.strides, sizes[axis]).mean(axis=1)
            f = _along(blocks, f, axis, sizes)
            sizes[axis] = len(blocks)
        f = ops.reshape(f, (-1, math.prod(sizes), num_frames, self.filters))
        f = ops.transpose(f, (0, 2, 1, 3))
        return self._add_bias(ops.reshape(f, (-1, self.generators.size, self.filters)))

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the positions, repeated for every frame."""
        if previous_mask is None or self.strides > 1:
            return None
        num = len(self.num_samples)
        mask = ops.reshape(previous_mask, (-1, *(1,) * num, *previous_mask.shape[1:]))
        return ops.tile(mask, (1, *self.num_samples, *(1,) * self.generators.ndim))

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "num_samples": self.num_samples,
            "order": self.order,
            "scale": self.scale,
            "strides": self.strides,
        }


def _along(matrix: np.ndarray, f: Tensor, axis: int, sizes: list[int]) -> Tensor:
    """A matrix `(n', n)` on one axis of flat features on a grid of these sizes."""
    matrix = ops.convert_to_tensor(matrix, dtype=f.dtype)
    before, after = math.prod(sizes[:axis]), math.prod(sizes[axis + 1 :])
    lines = ops.reshape(f, (-1, sizes[axis], after * f.shape[-1]))
    moved = ops.einsum("ij,bjp->bip", matrix, lines)
    return ops.reshape(moved, (-1, before * matrix.shape[0] * after, f.shape[-1]))


def _orders(ndim: int, order: int) -> list[tuple[int, ...]]:
    """The orders `p` along each axis, sorted by their sum, then by falling first order."""
    every = itertools.product(range(order, -1, -1), repeat=ndim)
    return sorted((p for p in every if sum(p) <= order), key=sum)


def _gaussian_derivatives(
    waves: np.ndarray, frames: np.ndarray, scale: float, orders: list[tuple[int, ...]]
) -> np.ndarray:
    """The factors by which Gaussian derivatives in each frame multiply waves, `(frames,
    orders, d)`.

    A wave of number `k` along an axis of a frame changes by `k^p exp(-scale^2 k^2 / 2)`,
    which is largest for `k = sqrt(p) / scale`. Each term is divided by that.

    Args:
        waves: Wave numbers `(n, d)`.
        frames: Matrices `(frames, n, n)`.
        scale: Width of the blur.
        orders: Orders of the derivatives along the axes of a frame.
    """
    seen = scale * np.einsum("sba,bd->sad", frames, waves)
    blur = np.exp(-np.sum(seen**2, axis=1) / 2)
    # With 0^0 = 1: the peak of `q^p exp(-q^2 / 2)` is `(p / e)^(p / 2)`.
    peaks = [math.prod((p / math.e) ** (p / 2) for p in each) for each in orders]
    terms = [
        math.prod((1j * seen[:, a]) ** p for a, p in enumerate(each)) / peak
        for each, peak in zip(orders, peaks, strict=True)
    ]
    return np.stack(terms, axis=1) * blur[:, None]
