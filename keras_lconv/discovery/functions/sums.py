"""Symmetries of a function, on samples that are spread over batches and workers."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._ops import to_numpy
from keras_lconv._streams import batches_of, require_same_kind, require_same_question
from keras_lconv._typing import Columns, Data, Function, Search
from keras_lconv._validation import one_of, optional, progress
from keras_lconv.discovery.functions.question import Question
from keras_lconv.discovery.functions.solve import (
    BATCHES_WITH_BAR,
    as_function,
    inquiry_about,
    is_polynomial,
)
from keras_lconv.discovery.report import SymmetryReport

# In a stream, this many first samples of a table determine the units.
FIRST_SAMPLES = 4096
IN_MEMORY = (
    "`x` must be in memory for polynomial fields, because those that vanish on the "
    "samples must be excluded. Received: batches. Take some thousand samples of them, or "
    "search for affine maps or for a library of functions"
)


class SymmetrySums:
    """The sums over samples that `find_symmetries` needs, to be updated and merged.

    Each worker updates `fresh` sums with its batches, and the merged sums are those of all
    samples, up to rounding, in any order. Their memory does not depend on the number of
    samples. They can be pickled if `function` can.

    The first samples `x` of a table determine the units: standard coordinates and the
    weights of equations. They are not counted themselves, and `result` raises an error if
    the counted samples are unlike them. A repeated sample counts each time.

    Args:
        function: As for `find_symmetries`.
        x: Some samples, such as some thousand rows from all parts of a table. Of images the
            first determine the shape.
        kind: As for `find_symmetries`.
        blocks: As for `find_symmetries`.
        scalars: As for `find_symmetries`.
        columns: As for `find_symmetries`.
        search: As for `find_symmetries`, but for `"polynomial"`.
        output: As for `find_symmetries`.
        dimension: As for `find_symmetries`.
        derivatives: `None` or `"finite"`, as for `find_symmetries`.
        data_format: As for `find_symmetries`.
        batch_size: Number of samples whose derivatives are in memory at a time.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value or a shape does not fit.

    Example:
    ```python
    import functools
    import numpy as np
    from keras import ops
    from keras_lconv.discovery import SymmetrySums

    def function(x):
        return ops.sum(x**2, axis=1)

    rng = np.random.default_rng(0)
    first = SymmetrySums(function, rng.normal(size=(100, 3)))

    def worker(batch):
        sums = first.fresh()
        sums.update(batch)
        return sums

    batches = rng.normal(size=(4, 100, 3))
    report = functools.reduce(SymmetrySums.merge, map(worker, batches)).result()
    assert report.name == "so(3)"
    ```
    """

    def __init__(
        self,
        function: Function | None,
        x: Data,
        *,
        kind: str = "invariance",
        blocks: int = 1,
        scalars: int | Sequence[str] = 0,
        columns: Columns = None,
        search: Search = None,
        output: ArrayLike = "free",
        dimension: int | None = None,
        derivatives: str | None = None,
        data_format: str | None = None,
        batch_size: int = 512,
    ):
        optional(_named, "derivatives", derivatives)
        function = as_function(function)
        if is_polynomial(search):
            raise ValueError(IN_MEMORY)
        self._question = Question(kind, blocks, scalars, columns, search, output, dimension)
        # Functions that come back from another process are different objects.
        self._asked = repr(self._question)
        self._first, inquiry = inquiry_about(
            function, x, self._question, derivatives, data_format, batch_size
        )
        # Images need no units. One image shows whether the function fits.
        some = self._first if self._first.ndim == 2 else self._first[:1]
        for batch in inquiry.batches(some):
            inquiry.add(batch)
        inquiry.settle()
        self._empty = inquiry
        self._inquiry = inquiry.merged(inquiry)
        self._count = 0

    def fresh(self) -> "SymmetrySums":
        """Sums of no samples, in the same units, for a worker of its own.

        Returns:
            New sums.
        """
        sums = copy.copy(self)
        sums._inquiry, sums._count = self._empty.merged(self._empty), 0
        return sums

    def update(self, x: Data) -> None:
        """Adds samples.

        Args:
            x: Samples like the first ones: a table, or images.

        Raises:
            TypeError: If `x` has a wrong type.
            ValueError: If a shape does not fit, or a derivative is not finite.
        """
        samples = self._question.about(x)[0].values
        if samples.shape[1:] != self._first.shape[1:] or not len(samples):
            raise ValueError(
                f"`x` must have the shape of the first samples, {self._first.shape[1:]}, "
                f"after the batch. Received: shape {samples.shape}"
            )
        for batch in self._inquiry.batches(samples):
            self._inquiry.add(batch)
        self._count += len(samples)

    def merge(self, other: "SymmetrySums") -> "SymmetrySums":
        """The sums of the samples of both, which stay as they are.

        Args:
            other: Sums with the same arguments, such as those that `fresh` makes.

        Returns:
            New sums.

        Raises:
            TypeError: If `other` is no `SymmetrySums`.
            ValueError: If it has other arguments.
        """
        require_same_kind(self, other)
        own, others = (self._asked, self._first), (other._asked, other._first)
        require_same_question(own, others, "samples")
        merged = copy.copy(self)
        merged._inquiry = self._inquiry.merged(other._inquiry)
        merged._count = self._count + other._count
        return merged

    def result(self) -> SymmetryReport:
        """The symmetries on all samples that were added.

        Returns:
            A `SymmetryReport`.

        Raises:
            ValueError: If there are no samples, the function does not depend on its input
                there, or they are unlike the first ones.
        """
        if not self._count:
            raise ValueError("`SymmetrySums` need samples: call `update` before `result`")
        return self._inquiry.report()


def streamed_symmetries(
    function: Function | None,
    stream: Any,
    question: Question,
    *,
    verbose: bool | None,
    **settings: Any,
) -> tuple[SymmetryReport, Data]:
    """The symmetries on samples in batches, and the first samples. Batches are
    read once.
    """
    verbose = progress(verbose)
    first, batches = first_samples(batches_of("x", stream))
    asked = vars(question).copy()
    if asked.pop("degree") is not None or is_polynomial(question.search):
        raise ValueError(IN_MEMORY)
    sums = SymmetrySums(function, first, **asked, **settings)
    bar = None
    for number, batch in enumerate(batches, 1):
        sums.update(batch)
        if verbose or (verbose is None and number >= BATCHES_WITH_BAR):
            bar = bar or keras.utils.Progbar(None, unit_name="batch")
            bar.update(number)
    return sums.result(), first


def first_samples(batches: Iterator[Any]) -> tuple[Any, Iterator[Any]]:
    """The first samples of batches, and all batches again."""
    waiting: list[Any] = []
    for batch in batches:
        waiting.append(batch)
        number = sum(len(each) for each in waiting)
        if np.ndim(waiting[0]) > 2 or number >= FIRST_SAMPLES:
            break
    return _first_of(waiting), itertools.chain(waiting, batches)


@dataclass(frozen=True)
class _Frame:
    """Rows of a data frame."""

    columns: Any
    values: np.ndarray

    def to_numpy(self) -> np.ndarray:
        return self.values


def _first_of(batches: list[Any]) -> Any:
    """The first samples of batches, with the names of their columns."""
    labels = getattr(batches[0], "columns", None)
    if labels is not None:
        rows = np.concatenate([each.to_numpy() for each in batches])
        return _Frame(labels, rows[:FIRST_SAMPLES])
    return np.concatenate([np.asarray(to_numpy(each)) for each in batches])[:FIRST_SAMPLES]


def _named(name: str, value: Any) -> str:
    return one_of(name, value, ("finite",))
