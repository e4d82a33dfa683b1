"""The exponential of generators, `exp(sum_i t_i L_i) f`, for every family.

Layers call `exponential`, on flat features. `Generators.transform` does the same on any
layout. Three functions dispatch on the family, with defaults for all: `linear_combination`,
the operator itself; `operator_norm`, a bound of its norm; and `traced_norm_bound`, the
bound that is assumed if the values of parameters are unknown.
"""

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import concrete_value
from keras_lconv._layout import flatten
from keras_lconv._ops import maximum, working_dtype
from keras_lconv._typing import Data, Tensor
from keras_lconv._validation import not_negative
from keras_lconv.generators.series import chebyshev, taylor

# A series takes at least one product for each unit of the norm. At this norm float32 has
# one digit left.
LARGEST_NORM = 1e6

if TYPE_CHECKING:
    from keras_lconv.generators.base import Generators


# --------------------------------------------------- what families may specialise


@functools.singledispatch
def linear_combination(generators: "Generators", t: Tensor) -> Callable[[Tensor], Tensor]:
    """The operator `sum_i t_i L_i`.

    Args:
        generators: Built square generators.
        t: Tensor of shape `(k,)` or `(batch, k)`.

    Returns:
        A function that maps `f` of shape `(batch, d, channels)` to `sum_i t_i L_i f`, of
        the same shape.
    """
    formula = "bdkc,k->bdc" if len(t.shape) == 1 else "bdkc,bk->bdc"
    return lambda f: ops.einsum(formula, generators.apply(f), t)


@functools.singledispatch
def operator_norm(generators: "Generators", t: Tensor) -> Tensor:
    """An upper bound of `|sum_i t_i L_i|`.

    Args:
        generators: Built generators.
        t: Tensor of shape `(k,)` or `(batch, k)`.

    Returns:
        Tensor of shape `()` or `(batch,)`.
    """
    return ops.sum(ops.abs(t) * ops.cast(generators.norm_bounds(), t.dtype), axis=-1)


@functools.singledispatch
def traced_norm_bound(generators: "Generators") -> float:
    """The bound of `|sum_i t_i L_i|` that is assumed if it is unknown.

    By default it is `pi sum_i |L_i|`. Learned generators count with their initial norm, but
    at least with 1.
    """
    return math.pi * float(np.sum(floored_norm_bounds(generators)))


# ----------------------------------------------------------------------- for all


def floored_norm_bounds(generators: "Generators") -> np.ndarray:
    """`initial_norm_bounds`, and at least 1 for learned generators, which may grow."""
    floor = 1.0 if generators.is_learned else 0.0
    return np.maximum(generators.initial_norm_bounds(), floor)


def within(generators: "Generators", t: Tensor, norm_bound: float) -> Tensor:
    """Parameters, scaled back so that `|sum_i t_i L_i|` is at most `norm_bound`."""
    if norm_bound == 0:
        return ops.zeros_like(t)
    scale = norm_bound / maximum(operator_norm(generators, t), norm_bound)
    return t * ops.expand_dims(scale, -1)


def exponential(
    generators: "Generators", f: Tensor, t: Tensor, norm_bound: float | None = None
) -> Tensor:
    """`exp(sum_i t_i L_i) f` for flat features.

    Args:
        generators: Built square generators.
        f: Tensor `(batch, d, channels)`, of the working dtype.
        t: Tensor `(k,)` or `(batch, k)`, of the same dtype.
        norm_bound: A bound of `|sum_i t_i L_i|` that holds. By default it is computed if
            values are known. Otherwise parameters are scaled back to `traced_norm_bound`.

    Returns:
        Tensor of the shape of `f`.

    Raises:
        ValueError: If the computed bound is not finite, or above `LARGEST_NORM`.
    """
    if norm_bound is None:
        t, norm_bound = _bounded(generators, t)
    if norm_bound > LARGEST_NORM:
        raise ValueError(
            f"`|sum_i t_i L_i|` must be at most {LARGEST_NORM:,.0f}: the number of "
            "products and the rounding errors grow with it. Use smaller parameters `t`, "
            f"if possible less by whole periods. Received: a bound of {norm_bound:.3g} for "
            f"{generators.name!r}"
        )
    series = chebyshev if generators.is_antisymmetric else taylor
    dtype = keras.backend.standardize_dtype(f.dtype)
    return series(linear_combination(generators, t), f, norm_bound, dtype)


def _bounded(generators: "Generators", t: Tensor) -> tuple[Tensor, float]:
    """Parameters `t`, and a bound of `|sum_i t_i L_i|` that holds for them."""
    known = concrete_value(operator_norm(generators, t))
    if known is None:
        bound = traced_norm_bound(generators)
        return within(generators, t, bound), bound
    bound = float(np.max(known, initial=0.0))
    if not math.isfinite(bound):
        raise ValueError(
            "`t` and the generators must be finite. "
            f"Received: bounds {known} of the norm of `sum_i t_i L_i`"
        )
    return t, bound


def transform(
    generators: "Generators", f: Data, t: Data, norm_bound: float | None = None
) -> Tensor:
    """`Generators.transform`: the exponential on inputs of any layout."""
    if not generators.is_square:
        raise ValueError(
            f"Only square generators have an exponential. Received: {generators.name!r}, "
            "which maps between different spatial shapes"
        )
    if norm_bound is not None:
        norm_bound = not_negative("norm_bound", norm_bound)
    given = _to_tensor(generators, f)
    if not generators.built:
        generators.build(tuple(given.shape))
    shape = generators.require_built("transform")
    is_vector = tuple(given.shape[1:]) == shape and len(shape) == 1
    if not is_vector and tuple(given.shape[1:-1]) != shape:
        raise ValueError(
            f"`f` must have the spatial shape {shape} of the generators. "
            f"Received: f of shape {tuple(given.shape)}"
        )
    dtype = working_dtype(given)
    flat = flatten(ops.expand_dims(given, -1) if is_vector else given)
    moved = exponential(
        generators, ops.cast(flat, dtype), _to_parameters(generators, t, dtype), norm_bound
    )
    return ops.reshape(ops.cast(moved, given.dtype), (-1, *given.shape[1:]))


def _to_tensor(generators: "Generators", value: Data) -> Tensor:
    """Floating-point tensors keep their dtype. Everything else gets the dtype of the
    generators.
    """
    if ops.is_tensor(value) or isinstance(value, keras.Variable):
        tensor = ops.convert_to_tensor(value)
        if keras.backend.is_float_dtype(tensor.dtype):
            return tensor
    return ops.convert_to_tensor(value, dtype=generators.compute_dtype)


def _to_parameters(generators: "Generators", t: Data, dtype: str) -> Tensor:
    found = ops.cast(_to_tensor(generators, t), dtype)
    k = generators.num_generators
    if len(found.shape) == 0 and k == 1:
        found = ops.reshape(found, (1,))
    if len(found.shape) not in (1, 2) or found.shape[-1] != k:
        raise ValueError(
            f"`t` must have shape `(k,)` or `(batch, k)` with k={k} generators. "
            f"Received: t of shape {tuple(found.shape)}"
        )
    return found
