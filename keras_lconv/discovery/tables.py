"""Tables as vectors: data frames, and arrays with columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_lconv._ops import to_numpy
from keras_lconv._typing import Columns, Data
from keras_lconv._validation import finite_array


@dataclass(frozen=True)
class Table:
    """Samples, and the meaning of their columns.

    Args:
        values: Array `(batch, n)`: scalars first, then the vectors, or samples of images.
        blocks: Number of vectors, or `None` if `columns` does not determine it.
        names: Names of the components of a vector, or `None`.
    """

    values: np.ndarray
    blocks: int | None
    names: tuple[str, ...] | None


def table_of(
    name: str, x: Data, columns: Columns = None, scalars: Sequence[str] = ()
) -> Table:
    """A table from an array or a data frame.

    Args:
        name: Name of the argument, for messages.
        x: Array, tensor, or an object with `columns` and `to_numpy`, such as a pandas data
        frame.
        columns: The columns to take, by name or number: one list, or a list for each
        vector.
        scalars: Names of the columns that do not transform, which come first.

    Returns:
        A `Table`.
    """
    labels = [str(label) for label in getattr(x, "columns", ())]
    if not labels and columns is None:
        return Table(finite_array(name, to_numpy(x)), None, None)
    array = np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x)
    if array.ndim != 2:
        raise ValueError(
            f"`columns` apply to a table `(batch, n)` only. Received: shape {array.shape}"
        )
    labels = labels or [str(number) for number in range(array.shape[1])]
    groups = _groups(columns, labels, scalars)
    chosen = [label for group in (list(scalars), *groups) for label in group]
    numbers = [_number(label, labels) for label in chosen]
    values = _numbers(name, array[:, numbers], chosen)
    return Table(values, None if columns is None else len(groups), tuple(groups[0]))


def scalar_names(scalars: int | Sequence[str]) -> tuple[str, ...]:
    """The names of the columns that do not transform, if they are given by name."""
    if isinstance(scalars, (list, tuple)):
        return tuple(str(each) for each in scalars)
    return ()


def _groups(columns: Columns, labels: list[str], scalars: Sequence[str]) -> list[list[str]]:
    """The names of the components of each vector."""
    if columns is None:
        return [[label for label in labels if label not in scalars]]
    given = list(columns)
    nested = [isinstance(each, (list, tuple)) for each in given]
    if not given or any(nested) != all(nested):
        raise ValueError(
            "`columns` must be a list of columns, or a list of such lists, one for each "
            f"vector. Received: columns={columns!r}"
        )
    groups = [[str(label) for label in each] for each in (given if nested[0] else [given])]
    if len({len(group) for group in groups}) > 1:
        raise ValueError(
            "`columns` must list equally many columns for each vector, because vectors "
            "transform alike. Received: lists of lengths "
            f"{[len(group) for group in groups]}"
        )
    return groups


def _number(label: str, labels: list[str]) -> int:
    if label not in labels:
        raise ValueError(
            f"`columns` and `scalars` must be columns of the table, {labels}. "
            f"Received: {label!r}"
        )
    return labels.index(label)


def _numbers(name: str, array: np.ndarray, chosen: list[str]) -> np.ndarray:
    """The columns as numbers. An error names the columns that are not numbers."""
    values, others = np.zeros(array.shape), []
    for column, label in enumerate(chosen):
        try:
            values[:, column] = array[:, column]
        except (TypeError, ValueError):
            others.append(label)
    if others:
        raise TypeError(
            f"`{name}` must hold numbers. Received: columns with other values, such as "
            f"text, dates or None: {others}. Choose columns by `columns`, or convert "
            "categories to numbers by `pandas.get_dummies`"
        )
    missing = np.sum(~np.isfinite(values), axis=0)
    if np.any(missing):
        told = [f"{c} ({n})" for c, n in zip(chosen, missing, strict=True) if n]
        raise ValueError(
            f"`{name}` must be finite. Received: NaN or infinite values in the columns "
            f"{', '.join(told)}. Drop these rows (`dropna`), or these columns (`columns`)"
        )
    return values
