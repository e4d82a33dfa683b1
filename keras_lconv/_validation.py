"""Checks of arguments, with one wording for all error messages."""

import reprlib
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

# The limit of repeated passes and of orders of derivatives. More is a mistake, or does not
# end.
MOST_STEPS = 1000
MOST_ORDER = 20
# The limit of generators: gl(100) has this many.
MOST_GENERATORS = 10_000
# The limit of classes, hidden units and columns of models.
MOST_UNITS = 1_000_000
# The limit of positions along an axis in a window or a step.
MOST_WINDOW = 100
# The limit of axes of arrays.
MOST_AXES = 32


def boolean(name: str, value: object) -> bool:
    """Returns `value` as a `bool`, and raises an error if it is not one."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(
            f"`{name}` must be True or False. "
            f"Received: {name}={value!r} (of type {type(value).__name__})"
        )
    return bool(value)


def require_function(value: object) -> None:
    """Raises an error unless the argument `function` can be called."""
    if not callable(value):
        raise TypeError(
            "`function` must be a model, a layer or a function. "
            f"Received: {value!r} (of type {type(value).__name__})"
        )


def optional(check: Callable[[str, Any], T], name: str, value: object) -> T | None:
    """Returns `None`, or the result of `check` for any other value."""
    return None if value is None else check(name, value)


def progress(value: object) -> bool | None:
    """Returns whether to show progress: `None`, a `bool`, or Keras' 0, 1 and 2."""
    if type(value) is int and value in (0, 1, 2):
        return bool(value)
    return optional(boolean, "verbose", value)


def positive_int(name: str, value: object, most: int | None = None) -> int:
    """Returns `value` as an `int`, and raises an error if it is not in 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"`{name}` must be a positive integer. "
            f"Received: {name}={value!r} (of type {type(value).__name__})"
        )
    if value <= 0:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return _at_most(name, int(value), most)


def count(name: str, value: object, most: int | None = None) -> int:
    """Returns `value` as an `int`, and raises an error if it is not an integer from 0 to
    `most`.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(
            f"`{name}` must be an integer that is not negative. "
            f"Received: {name}={value!r} (of type {type(value).__name__})"
        )
    if value < 0:
        raise ValueError(
            f"`{name}` must be an integer that is not negative. Received: {name}={value!r}"
        )
    return _at_most(name, int(value), most)


def _at_most(name: str, value: int, most: int | None) -> int:
    if most is not None and value > most:
        raise ValueError(f"`{name}` must be at most {most:,}. Received: {name}={value!r}")
    return value


def positive_ints(name: str, value: object, most: int | None = None) -> tuple[int, ...]:
    """Returns one positive integer up to `most`, or one for each axis, as a tuple."""
    if not isinstance(value, (list, tuple)):
        return (positive_int(name, value, most),)
    if not value:
        raise ValueError(f"`{name}` must not be empty. Received: {name}={value!r}")
    return tuple(positive_int(name, n, most) for n in value)


def for_each_axis(name: str, value: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Returns `value` for each of `ndim` axes. One number counts for all axes."""
    if len(value) not in (1, ndim):
        raise ValueError(
            f"`{name}` must be one number or {ndim}, one for each axis. "
            f"Received: {name}={value}"
        )
    return value * (ndim // len(value))


def real_number(name: str, value: object) -> float:
    """Returns `value` as a `float`, and raises an error if it is not a finite
    real number.
    """
    is_number = isinstance(value, (Real, np.ndarray)) or hasattr(value, "dtype")
    if isinstance(value, (bool, np.bool_)) or not is_number:
        raise TypeError(
            f"`{name}` must be a number. "
            f"Received: {name}={value!r} (of type {type(value).__name__})"
        )
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iuf":
        raise TypeError(f"`{name}` must be one real number. Received: {name}={value!r}")
    if not np.isfinite(number):
        raise ValueError(f"`{name}` must be finite. Received: {name}={value!r}")
    return float(number)


def positive_number(name: str, value: object) -> float:
    """Returns `value` as a `float`, and raises an error if it is not a positive number."""
    number = real_number(name, value)
    if number <= 0:
        raise ValueError(f"`{name}` must be a positive number. Received: {name}={value!r}")
    return number


def not_negative(name: str, value: object) -> float:
    """Returns `value` as a `float`, and raises an error if it is negative."""
    number = real_number(name, value)
    if number < 0:
        raise ValueError(
            f"`{name}` must be a number that is not negative. Received: {name}={value!r}"
        )
    return float(number)


def share(name: str, value: object) -> float:
    """Returns `value` as a `float`, and raises an error if it is not a number from 0 to
    below 1.
    """
    number = not_negative(name, value)
    if number >= 1:
        raise ValueError(
            f"`{name}` must be a number from 0 to below 1. Received: {name}={value!r}"
        )
    return number


def fraction(name: str, value: object) -> float:
    """Returns `value` as a `float`, and raises an error if it is not a number between 0 and
    1.
    """
    number = real_number(name, value)
    if not 0 < number < 1:
        raise ValueError(
            f"`{name}` must be a number between 0 and 1. Received: {name}={value!r}"
        )
    return float(number)


def one_of(name: str, value: object, options: Sequence[T]) -> T:
    """Returns the element of `options` that equals `value`, and raises an error if there is
    none.
    """
    # Arrays compare entry by entry, so they are never an option.
    is_plain = isinstance(value, (str, int, type(None))) and not isinstance(value, bool)
    if not is_plain or value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"`{name}` must be one of {listed}. Received: {name}={value!r}")
    return options[options.index(value)]


def finite_array(name: str, value: object) -> np.ndarray:
    """Returns `value` as a float64 array, and raises an error if an entry is not finite."""
    array = real_array(name, value)
    if not np.all(np.isfinite(array)):
        raise ValueError(
            f"`{name}` must be finite. "
            f"Received: {np.sum(~np.isfinite(array))} entries that are NaN or infinite"
        )
    return array


def real_array(name: str, value: Any) -> np.ndarray:
    """Returns `value` as a float64 array, in which missing numbers may be NaN."""
    try:
        array = np.asarray(value)
        # NumPy does not know the kind of bfloat16, which can be cast like any other.
        is_real = array.dtype.kind in "biufO" or array.dtype.name == "bfloat16"
        array = array.astype("float64") if is_real else array
    except (TypeError, ValueError):
        is_real = False
    if not is_real:
        kind = getattr(value, "dtype", type(value).__name__)
        raise TypeError(
            f"`{name}` must be an array of real numbers. "
            f"Received: {name}={reprlib.repr(value)} (of type {kind})"
        )
    return array


def any_array(name: str, value: object) -> np.ndarray:
    """Returns `value` as an array of numbers or labels, and raises an error if it
    is none.
    """
    try:
        return np.asarray(value)
    except ValueError:
        raise TypeError(
            f"`{name}` must be an array, with rows of one length. "
            f"Received: {name}={reprlib.repr(value)}"
        ) from None


def integer_array(name: str, value: object) -> np.ndarray:
    """Returns `value` as an array of integers, and raises an error if an entry is not an
    integer.
    """
    try:
        array = np.array(value)
        is_whole = np.issubdtype(array.dtype, np.integer) or not array.size
    except ValueError:
        is_whole = False
    if not is_whole:
        raise TypeError(
            f"`{name}` must be integers. Received: {name}={reprlib.repr(value)} "
            f"(of type {getattr(value, 'dtype', type(value).__name__)})"
        )
    return array


def square_matrices(name: str, value: object) -> np.ndarray:
    """Returns a stack `(k, n, n)` of square matrices, from a stack or one matrix."""
    array = finite_array(name, value)
    matrices = array[None] if array.ndim == 2 else array
    if (
        matrices.ndim != 3
        or matrices.shape[1] != matrices.shape[2]
        or not matrices.shape[1]
    ):
        raise ValueError(
            f"`{name}` must be square matrices, of shape `(k, n, n)`. "
            f"Received: shape {array.shape}"
        )
    return matrices


def matrices_if_any(name: str, value: object) -> np.ndarray | None:
    """Returns a stack of square matrices, or `None` for an empty array."""
    array = finite_array(name, value)
    return square_matrices(name, array) if array.size else None


def names_or_matrices(
    name: str, value: object, check: Callable[[Any], str | np.ndarray]
) -> tuple[str | np.ndarray, ...]:
    """Returns the results of `check` for each name and matrix, from one of them
    or several.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return (check(value),)
    if isinstance(value, (list, tuple)) and any(isinstance(each, str) for each in value):
        return tuple(check(each) for each in value)
    array = finite_array(name, value)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(
            f"`{name}` must be a name, a matrix of shape `(d, d)`, or a list of these. "
            f"Received: an array of shape {array.shape}"
        )
    return tuple(check(each) for each in (array if array.ndim == 3 else array[None]))


def require_channels(shape: Sequence[int | None], owner: str) -> None:
    """Raises an error if a channels-last shape has no channel, and so no numbers at all."""
    if shape[-1] == 0:
        raise ValueError(
            f"{owner} needs at least one channel. "
            f"Received: an input of shape {tuple(shape)}, channels last"
        )


def whole_blocks(
    shape: tuple[int, ...], strides: int, owner: str, what: str
) -> tuple[int, ...]:
    """The number of blocks of `strides` positions along each axis of an image or input."""
    if any(n % strides for n in shape):
        raise ValueError(
            f"`strides` of {owner} must divide the size of the {what}, so that the blocks "
            f"lie symmetrically about its centre. Received: strides={strides} for an "
            f"{what} of size {shape}"
        )
    return tuple(n // strides for n in shape)


def spatial_shape(input_shape: Sequence[int | None], owner: str) -> tuple[int, ...]:
    """Returns the spatial axes of a channels-last shape.

    `(batch, d)` is a vector without a channel axis: its spatial shape is `(d,)`.
    """
    if len(input_shape) < 2:
        raise ValueError(
            f"{owner} expects an input of shape `(batch, *spatial, channels)` or "
            f"`(batch, d)`. Received: input_shape={tuple(input_shape)}"
        )
    if len(input_shape) > 2:
        require_channels(input_shape, owner)
    shape = tuple(input_shape[1:-1] if len(input_shape) > 2 else input_shape[1:])
    if any(n is None for n in shape):
        raise ValueError(
            f"{owner} needs defined spatial dimensions: its generators are matrices "
            f"on the positions of the input. Received: input_shape="
            f"{tuple(input_shape)}. Give the sizes in `keras.Input(shape=...)`"
        )
    if any(n == 0 for n in shape):
        raise ValueError(
            f"{owner} needs at least one position along every spatial axis. "
            f"Received: input_shape={tuple(input_shape)}"
        )
    return tuple(int(n) for n in shape if n is not None)
