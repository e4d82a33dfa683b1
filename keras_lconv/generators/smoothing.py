"""Smoothing by the Casimir operator, `exp(-tau C) f`, without a matrix."""

import math
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_lconv._ops import maximum, working_dtype
from keras_lconv._typing import Tensor
from keras_lconv.algebra.forms import smoothing_form
from keras_lconv.generators.exponential import floored_norm_bounds
from keras_lconv.generators.series import decay, taylor

if TYPE_CHECKING:
    from keras_lconv.generators.base import Generators

# If `C` has negative eigenvalues, `exp(-tau C)` grows at most to `exp` of this.
LARGEST_EXPONENT = {"float16": 8.0}
DEFAULT_EXPONENT = 30.0
# A series takes about 6 products with C for each unit of the root of this: some 10^5
# products.
LARGEST_BOUND = 1e9
# A learned `tau` may grow by this factor.
ROOM_FOR_TAU = 4.0


def form_of_smoothing(generators: "Generators") -> np.ndarray:
    """The default form `h` of generators in `C = -sum_ij h_ij L_i L_j`.

    For learned generators it is the identity, because the trace form would change with
    them.

    Raises:
        ValueError: If there is no invariant form.
    """
    k = generators.num_generators
    if k == 1 or generators.is_learned:
        return np.eye(k)
    return smoothing_form(generators.representation())


class Smoothing:
    """`exp(-tau C) f` for `tau` from 0 to `max_tau`, by a series of fixed length.

    For antisymmetric generators `C >= 0`, and a Chebyshev series takes about `6
    sqrt(max_tau |C|)` products with `C`. For others parts of the signal may grow, and a
    Taylor series is used.

    Args:
        generators: Built square generators.
        form: `h`, a symmetric matrix `(k, k)`.
        max_tau: The largest `tau`.
        bound: A bound of `max_tau |C|` that was saved; by default it is found.

    Attributes:
        bound: The bound of `max_tau |C|`, from which the number of terms follows.
        is_positive: Whether `C >= 0` is known.
    """

    def __init__(
        self,
        generators: "Generators",
        form: np.ndarray,
        max_tau: float,
        bound: float | None = None,
    ):
        self.generators, self.form, self.max_tau = generators, form, max_tau
        if bound is None:
            norms = floored_norm_bounds(generators)
            bound = max_tau * float(norms @ np.abs(form) @ norms)
        self.bound = bound
        lowest = np.linalg.eigvalsh(form)[0]
        rounding = np.finfo("float64").eps * np.abs(form).sum()
        self.is_positive = generators.is_antisymmetric and bool(lowest >= -rounding)

    def check(self, argument: str, owner: str, dtype: str) -> None:
        """Raises an error if a part of the signal may overflow in a dtype, or the series is
        too long.
        """
        largest = LARGEST_EXPONENT.get(dtype, DEFAULT_EXPONENT)
        if not self.is_positive and self.bound > largest:
            raise ValueError(
                f"exp(-tau C) of {owner} may overflow: these generators are not known to "
                "be antisymmetric, so C may have negative eigenvalues of a size up to "
                f"{self.bound / self.max_tau:.3g}. `{argument}` must be at most "
                f"{largest * self.max_tau / self.bound:.3g} with the dtype {dtype}. "
                f"Received: {argument}={self.max_tau}"
            )
        if self.bound > LARGEST_BOUND:
            raise ValueError(
                f"`{argument}` of {owner} must be at most "
                f"{LARGEST_BOUND * self.max_tau / self.bound:.3g}: the number of products "
                f"grows with its root. Received: {argument}={self.max_tau}"
            )

    def num_products(self, share: float) -> int:
        """The approximate number of products with `C` in the series."""
        bound = share * self.bound
        return math.ceil(6 * math.sqrt(bound) if self.is_positive else 7 * bound)

    def __call__(self, f: Tensor, tau: Tensor | float, share: float = 1.0) -> Tensor:
        """`exp(-tau C) f` of features `(batch, d, channels)`.

        Args:
            f: The features.
            tau: A number, or a scalar tensor.
            share: `tau` does not exceed this part of `max_tau`.
        """
        dtype, bound = working_dtype(f), share * self.bound
        form = self._scaled_form(tau, share * self.max_tau, bound, dtype)

        def casimir(y: Tensor) -> Tensor:
            gradient = self.generators.apply(y)
            return -self.generators.combine(ops.einsum("ij,bdjc->bdic", form, gradient))

        y = ops.cast(f, dtype)
        if self.is_positive:
            y = decay(casimir, y, bound, dtype)
        else:
            y = taylor(lambda y: -casimir(y), y, bound, dtype)
        return ops.cast(y, keras.backend.standardize_dtype(f.dtype))

    def _scaled_form(
        self, tau: Tensor | float, largest: float, bound: float, dtype: str
    ) -> Tensor:
        """`tau h`, limited so that `|tau C|` keeps the bound on which the series relies."""
        # The constraint does not apply to values that are assigned or loaded.
        tau = ops.clip(ops.cast(tau, dtype), 0.0, largest)
        form = ops.convert_to_tensor(self.form, dtype=dtype)
        if self.generators.is_learned:
            norms = ops.cast(self.generators.norm_bounds(), dtype)
            size = ops.einsum("i,ij,j->", norms, ops.abs(form), norms)
            tau = tau / maximum(tau * size / bound, 1.0)
        return tau * form
