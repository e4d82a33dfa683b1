"""Data in batches, which need not fit into memory together."""

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import keras
import numpy as np


def is_stream(value: object) -> bool:
    """Whether a value is an iterable of batches, instead of an array, table or list."""
    if isinstance(value, keras.utils.PyDataset) or inspect.isgeneratorfunction(value):
        return True
    is_iterable = isinstance(value, Iterable)
    is_collection = isinstance(value, Sequence | Mapping | Set)
    is_array = any(hasattr(value, each) for each in ("__array__", "shape", "columns"))
    return is_iterable and not (is_collection or is_array or isinstance(value, type))


def batches_of(name: str, stream: Any) -> Iterator[Any]:
    """The inputs in each batch of a stream.

    Args:
        name: Name of the argument, for messages.
        stream: An iterable of batches, a generator function, or a `PyDataset`. A batch is
            an array, a tensor or a data frame. Of a tuple or list of these, such as
            `(x, y)`, the first counts.
    """
    return map(_inputs, whole_batches_of(name, stream))


def whole_batches_of(name: str, stream: Any) -> Iterator[Any]:
    """Each batch of a stream, with all of its parts."""
    is_empty = True
    for batch in _iterated(name, stream):
        is_empty = False
        yield batch
    if is_empty:
        raise ValueError(
            f"`{name}` must give batches. Received: an iterable without any. An iterator "
            "can be used only once"
        )


def _iterated(name: str, stream: Any) -> Iterable[Any]:
    if inspect.isgeneratorfunction(stream):
        return stream()
    if isinstance(stream, keras.utils.PyDataset):
        if stream.num_batches is None:
            raise ValueError(
                f"`{name}` must be finite. Received: a `PyDataset` whose `num_batches` is "
                "None"
            )
        return (stream[index] for index in range(stream.num_batches))
    return stream


def _inputs(batch: Any) -> Any:
    is_several = isinstance(batch, list | tuple) and len(batch) > 0
    return batch[0] if is_several and hasattr(batch[0], "shape") else batch


def require_same_kind(sums: Any, other: Any) -> None:
    """Whether sums over samples may be merged with others, by their class."""
    if not isinstance(other, type(sums)):
        raise TypeError(
            f"`other` must be `{type(sums).__name__}`. "
            f"Received: an object of type {type(other).__name__}"
        )


def require_same_question(
    asked: tuple[Any, np.ndarray], other: tuple[Any, np.ndarray], samples: str
) -> None:
    """Whether sums are about the same question, in the units of the same first samples.

    Args:
        asked: The arguments of sums, and the samples that determine their units.
        other: Those of the sums to be merged with them.
        samples: What samples are called.
    """
    if asked[0] != other[0] or not np.array_equal(asked[1], other[1]):
        raise ValueError(
            f"`other` must have the same arguments and the same first {samples}. "
            "Received: sums for another question, or in other units. Make it by "
            "`fresh`"
        )
