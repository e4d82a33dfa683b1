"""Equivariant smoothing by the Casimir operator."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import flatten, unflatten
from keras_lconv._typing import ArrayLike, GeneratorsLike, Shape, Tensor
from keras_lconv._validation import boolean, for_each_axis, positive_ints, positive_number
from keras_lconv.generators.smoothing import ROOM_FOR_TAU, Smoothing, form_of_smoothing
from keras_lconv.layers.base import GeneratorLayer
from keras_lconv.layers.forms import checked_form


@keras.saving.register_keras_serializable(package="keras_lconv")
class CasimirPooling(GeneratorLayer):
    """Equivariant smoothing, `y = exp(-tau C) f`, with strides.

    `C = -sum_ij h_ij L_i L_j` is the quadratic Casimir operator, where `h` is an invariant
    form on the algebra. For one generator `C = -L^2`, and for generators that commute
    `C = -sum_i L_i^2`. For others `h` is the inverse of `B_ij = -tr(L_i L_j)`, in units in
    which the eigenvalues of `B` have the mean size 1. If `B` is degenerate, `h` is the
    invariant form nearest to the identity, a positive semidefinite one if there is any. For
    translations with rotations, se(n), `C` is then minus the Laplacian.

    So `tau` has the unit of a squared parameter (radians squared for rotations, grid steps
    squared for translations). If the `L_i` commute, `y` is the mean of `exp(t . L) f` over
    normally distributed `t` of variance `2 tau`. For translations this is a Gaussian blur,
    for a rotation of images a blur along circles.

    **Equivariance.** `C` commutes with every `L_i`, so `exp(-tau C)` commutes with all
    `exp(t L)`, also for non-compact algebras. This holds up to rounding, for any number of
    terms of the series. On a grid, the brackets of vector fields such as `rotation(3)`
    close for smooth features only. With strides the layer commutes with motions of the
    remaining positions, such as translations by whole strides.

    No matrix is formed. For antisymmetric generators, with `C >= 0`, the layer uses a
    Chebyshev series of about `6 sqrt(max_tau |C|)` products with `C`. For others parts of
    the signal may grow. Then it uses a Taylor series, and `max_tau` is bounded so that
    nothing overflows.

    Args:
        generators: The generators, as for `LConv`.
        tau: The amount of smoothing, a positive number. `max_tau |C|` is at most `10^9`.
        strides: Every n-th position is kept, with one `n` for all spatial axes or one for
            each. The kept positions lie symmetrically about the centre, if the size allows
            it. Against aliasing, `tau` of translations should be about `strides**2 / 8`.
        trainable_tau: Whether `tau` is learned.
        max_tau: The largest value that `tau` may take. The number of terms follows from it.
            By default `tau`, or `4 tau` if it is learned.
        form: `h`, a symmetric matrix `(k, k)`, instead of the default. The default for
            learned generators is the identity, because the trace form would change with
            them. The layer is then equivariant for one generator, or for generators that
            commute.
        data_format: `"channels_last"` or `"channels_first"`; by default the one of the
            Keras configuration.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)` with any number of spatial axes
        (`(batch, channels, *spatial)` with `data_format="channels_first"`), or
        `(batch, d)`. Masked positions count as zero.

    Output shape:
        That of the input; with strides, with fewer positions.

    Attributes:
        generators: The generators, a Keras layer.
        tau: The weight `tau`, a scalar.
        form: `h`, an array `(k, k)`, once the layer is built.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, the generators are not square or do
            not fit the input, there is no invariant form, or `max_tau` is so large that a
            part of the signal could overflow.

    Example:
    ```python
    import numpy as np
    from keras_lconv import CasimirPooling
    from keras_lconv.generators import translation

    blur = CasimirPooling(translation(derivative="fourier"), tau=0.5, strides=2)
    assert tuple(blur(np.ones((1, 9, 9, 3))).shape) == (1, 5, 5, 3)
    ```

    Reference:
        R. Zhang, "Making convolutional networks shift-invariant again", ICML 2019, for
        blurring before strides.
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        tau: float,
        strides: int | Sequence[int] = 1,
        trainable_tau: bool = False,
        max_tau: float | None = None,
        form: ArrayLike | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(generators, data_format=data_format, **kwargs)
        self._initial_tau = positive_number("tau", tau)
        self.strides = positive_ints("strides", strides)
        self.trainable_tau = boolean("trainable_tau", trainable_tau)
        if max_tau is None:
            max_tau = self._initial_tau * (ROOM_FOR_TAU if self.trainable_tau else 1.0)
        self.max_tau = positive_number("max_tau", max_tau)
        if self.max_tau < self._initial_tau:
            raise ValueError(
                f"`max_tau` must be at least tau={tau!r}. Received: max_tau={max_tau!r}"
            )
        self._given_form = checked_form(form, ())

    # ----------------------------------------------------------------- build

    def _build(self, feature_shape: Shape) -> None:
        generators = self.generators
        self._require_square("only such have an exponential")
        for_each_axis("strides", self.strides, len(generators.require_built("build")))
        self.form = self._find_form()
        self._smoothing = Smoothing(generators, self.form, self.max_tau, self._norm_bound)
        self._fix_norm_bound(self._smoothing.bound)
        self._smoothing.check("max_tau", self._owner, self.compute_dtype)
        self.tau = self.add_weight(
            name="tau",
            shape=(),
            # Keras' `Constant` has the precision of float32 only.
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(
                np.full(shape, self._initial_tau), dtype=dtype
            ),
            constraint=lambda tau: ops.clip(tau, 0.0, self.max_tau),
            trainable=self.trainable_tau,
        )

    def _find_form(self) -> np.ndarray:
        k = self.generators.num_generators
        if self._given_form is not None:
            if self._given_form.shape != (k, k):
                raise ValueError(
                    f"`form` of {self._owner} must have shape {(k, k)}, for {k} "
                    f"generators. Received: shape {self._given_form.shape}"
                )
            return self._given_form
        try:
            return form_of_smoothing(self.generators)
        except ValueError as error:
            raise ValueError(
                f"{error}. Give {self._owner} a `form`: any symmetric matrix smooths, "
                "without equivariance"
            ) from error

    def _slices(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """The positions that are kept, as symmetric about the centre as possible."""
        steps = for_each_axis("strides", self.strides, len(shape))
        pairs = zip(shape, steps, strict=True)
        return tuple(slice((n - 1) % step // 2, n, step) for n, step in pairs)

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        pairs = zip(self._slices(shape), shape, strict=True)
        return tuple(len(range(*window.indices(n))) for window, n in pairs)

    # ------------------------------------------------------------------ call

    def _act(self, f: Tensor) -> Tensor:
        y = self._smoothing(f, self.tau)
        shape = self.generators.require_built("call")
        kept = unflatten(y, shape)[(slice(None), *self._slices(shape))]
        return flatten(kept)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the positions that are kept."""
        if previous_mask is None:
            return None
        slices = self._slices(self.generators.require_built("compute_mask"))
        return previous_mask[(slice(None), *slices[: len(previous_mask.shape) - 1])]

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        form = self._given_form
        return {
            **super().get_config(),
            "tau": self._initial_tau,
            "strides": list(self.strides),
            "trainable_tau": self.trainable_tau,
            "max_tau": self.max_tau,
            "form": None if form is None else form.tolist(),
        }
