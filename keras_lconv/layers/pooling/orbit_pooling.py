"""Pooling over the orbit of a feature map under the group."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import repeat
from keras_lconv._ops import maximum, working_dtype
from keras_lconv._typing import GeneratorsLike, Shape, Tensor
from keras_lconv._validation import one_of, optional, positive_int, positive_number
from keras_lconv.generators.exponential import exponential
from keras_lconv.layers.base import GeneratorLayer

# Each element costs an exponential in every call.
MOST_ELEMENTS = 1_000_000

REDUCTIONS = ("max", "average", "logsumexp")


@keras.saving.register_keras_serializable(package="keras_lconv")
class OrbitPooling(GeneratorLayer):
    """Pools over sampled group elements: `y = max_j exp(t_j L) f`, at each position.

    Each position pools the values that pass it while the group moves the feature map. For
    several generators the samples are a grid of parameters,
    `... exp(t_2 L_2) exp(t_1 L_1) f`: the first generator acts first.

    **Invariance.** Over a full `period`, `exp(period L) = 1`, the `n` samples are a cyclic
    group, and `y` is the same for `f` and `exp(j period / n L) f`. For elements between the
    samples, the error is the variation of `f` from sample to sample; for `"average"` only
    its frequencies `n`, `2 n`, ... count. The exponential must have this period.
    Translations on a periodic grid of odd size have it, and so do rotations of vectors.
    Rotations of images have it except at the highest frequencies on the grid.

    **Equivariance.** Over a window, `|t_j| <= max_parameter`, the layer commutes with
    `exp(s L)` if the generators commute with each other: `"average"` always, `"max"` and
    `"logsumexp"` if the action moves points to points. For features that are smooth on the
    scale of the grid this holds approximately.

    Args:
        generators: The generators, as for `LConv`.
        reduction: `"max"`, `"average"`, or `"logsumexp"`, the smooth
            `log(mean_j exp(y_j))` between them.
        num_samples: Number `n` of samples, for each generator or for all. In a window an
            odd number includes `t = 0`. Their product over all generators is at most
            1,000,000.
        period: The samples are `t_j = j period / n`, with `j` from 0 to `n - 1`: for
            example `2 pi` for a rotation, the number of grid steps for a translation. One
            number, or one for each generator.
        max_parameter: The samples are `n` equidistant numbers from `-max_parameter` to
            `max_parameter`. One number, or one for each generator. Give either this or
            `period`.
        data_format: `"channels_last"` or `"channels_first"`; by default the one of the
            Keras configuration.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)` with any number of spatial axes
        (`(batch, channels, *spatial)` with `data_format="channels_first"`), or
        `(batch, d)`. Masked positions count as zero.

    Output shape:
        That of the input.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, not exactly one of `period` and
            `max_parameter` is given, there is not one value for each generator, or the
            generators are not square or do not fit the input.

    Example:
    ```python
    import numpy as np
    from keras_lconv import OrbitPooling
    from keras_lconv.generators import translation

    pool = OrbitPooling(translation(1, derivative="fourier"), num_samples=9, period=9)
    signal = np.random.default_rng(0).normal(size=(1, 9, 2))
    assert np.allclose(pool(signal), pool(np.roll(signal, 4, axis=1)), atol=1e-5)
    ```

    Reference:
        T. Cohen, M. Welling, "Group equivariant convolutional networks", ICML 2016,
        section 6.3, for pooling over subgroups.
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        reduction: str = "max",
        num_samples: int | Sequence[int] = 8,
        period: float | Sequence[float] | None = None,
        max_parameter: float | Sequence[float] | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(generators, data_format=data_format, **kwargs)
        self.reduction = one_of("reduction", reduction, REDUCTIONS)
        self.num_samples = _for_each("num_samples", num_samples, positive_int)
        if (period is None) == (max_parameter is None):
            raise ValueError(
                "Exactly one of `period` and `max_parameter` must be given. Received: "
                f"period={period!r}, max_parameter={max_parameter!r}"
            )
        self.period = optional(_positive_for_each, "period", period)
        self.max_parameter = optional(_positive_for_each, "max_parameter", max_parameter)
        k = self.generators.num_generators
        for name in ("num_samples", "period", "max_parameter"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != k:
                raise ValueError(
                    f"`{name}` must be one number or {k}, one for each generator. "
                    f"Received: {name}={value}"
                )
        count = math.prod(_repeated(self.num_samples, k))
        if count > MOST_ELEMENTS:
            raise ValueError(
                f"`num_samples` must give at most {MOST_ELEMENTS:,} group elements, "
                "because each needs an exponential. Received: "
                f"num_samples={self.num_samples} for {k} generators, which makes "
                f"{count:.3g}"
            )

    @property
    def parameters(self) -> tuple[np.ndarray, ...]:
        """The samples `t_j` of each generator."""
        k = self.generators.num_generators
        counts = _repeated(self.num_samples, k)
        if self.period is not None:
            pairs = zip(_repeated(self.period, k), counts, strict=True)
            return tuple(np.arange(n) * period / n for period, n in pairs)
        pairs = zip(_repeated(self.max_parameter, k), counts, strict=True)
        # The samples are exactly symmetric, and an odd number contains an exact zero.
        return tuple(
            bound * (2.0 * np.arange(n) - (n - 1)) / max(n - 1, 1) for bound, n in pairs
        )

    def _build(self, feature_shape: Shape) -> None:
        self._require_square("only such have an exponential")
        # The bound of learned generators is not known yet.
        self._bounds = None
        if not self.generators.is_learned:
            self._bounds = self.generators.initial_norm_bounds()

    # ------------------------------------------------------------------ call

    def _act(self, f: Tensor) -> Tensor:
        # Each sample is made from the one before, so rounding must not add up.
        dtype = working_dtype(f)
        total = self._pooled(ops.cast(f, dtype), 0)
        count = float(np.prod([len(samples) for samples in self.parameters]))
        if self.reduction == "average":
            total = total / count
        elif self.reduction == "logsumexp":
            total = total - np.log(count).astype(dtype)
        return ops.cast(total, f.dtype)

    def _pooled(self, f: Tensor, number: int) -> Tensor:
        """Pools over the samples of this generator and of those after it."""
        if number == self.generators.num_generators:
            return f
        # Steps go outward from the identity in both directions, because content that a
        # large element moves off the grid does not come back.
        samples = self.parameters[number]
        total = self._pooled_along(f, number, samples[samples >= 0])
        if samples[0] < 0:
            backward = self._pooled_along(f, number, samples[samples < 0][::-1])
            total = self._join(total, backward)
        return total

    def _pooled_along(self, f: Tensor, number: int, samples: np.ndarray) -> Tensor:
        """Pools over equidistant samples, each made from the one before."""
        first = self._moved(f, number, samples[0]) if samples[0] else f
        total = self._pooled(first, number + 1)
        if len(samples) == 1:
            return total
        step = samples[1] - samples[0]

        def join(_: Tensor, last: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            moved = self._moved(last, number, step)
            return moved, self._join(total, self._pooled(moved, number + 1))

        return repeat(join, (first, total), len(samples) - 1)[1]

    def _moved(self, f: Tensor, number: int, parameter: float) -> Tensor:
        """`exp(t L) f` for one generator."""
        t = np.zeros(self.generators.num_generators)
        t[number] = parameter
        bound = None
        if self._bounds is not None:
            bound = abs(parameter) * float(self._bounds[number])
        t = ops.convert_to_tensor(t, dtype=f.dtype)
        return exponential(self.generators, f, t, bound)

    def _join(self, a: Tensor, b: Tensor) -> Tensor:
        if self.reduction == "average":
            return a + b
        largest = maximum(a, b)
        if self.reduction == "max":
            return largest
        # On TensorFlow the gradient of `logaddexp` is wrong for equal values.
        largest = ops.stop_gradient(largest)
        return largest + ops.log(ops.exp(a - largest) + ops.exp(b - largest))

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "num_samples": self.num_samples,
            "period": self.period,
            "max_parameter": self.max_parameter,
        }


def _for_each(name: str, value: object, check: Any) -> Any:
    """One number, or a tuple of them."""
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        return tuple(check(name, each) for each in value)
    return check(name, value)


def _positive_for_each(name: str, value: object) -> Any:
    return _for_each(name, value, positive_number)


def _repeated(value: object, times: int) -> tuple:
    return value if isinstance(value, tuple) else (value,) * times
