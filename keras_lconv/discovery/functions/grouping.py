"""Other ways to group the columns of a table into vectors, as a hint."""

import copy
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from keras_lconv.discovery.functions.table_equations import TableEquations

AXES = "xyz"
# Only answers this clear become hints.
SURE = 0.9


class Grouping(NamedTuple):
    """A grouping of columns into vectors.

    Args:
        scalars: Numbers of the columns that do not transform.
        vectors: Numbers of the columns of each vector.
    """

    scalars: list[int]
    vectors: list[list[int]]

    def told(self, names: Sequence[str] | None) -> str:
        """The arguments for this grouping, as text."""

        def labels(numbers: list[int]) -> list[str] | list[int]:
            return [names[n] for n in numbers] if names else numbers

        text = f"columns={[labels(each) for each in self.vectors]}"
        return f"{text}, scalars={labels(self.scalars)}" if self.scalars else text


def other_groupings(
    size: int, blocks: int, scalars: int, names: Sequence[str] | None
) -> list[Grouping]:
    """Groupings of a table that may have been meant.

    Args:
        size: Number of columns.
        blocks: Number of vectors, one after the other.
        scalars: Number of columns before them.
        names: Names of the columns, or `None`.
    """
    is_named = names is not None and len(names) == size
    found = _by_name(names) if names is not None and is_named else None
    if found is not None:
        given = np.arange(scalars, size).reshape(blocks, -1).tolist()
        return [] if found.vectors == given else [found]
    if blocks > 1 and size - scalars > blocks and (names is None or is_named):
        # All first components, then all second ones, and so on.
        turned = np.arange(scalars, size).reshape(-1, blocks).T
        return [Grouping(list(range(scalars)), turned.tolist())]
    return []


def _by_name(names: Sequence[str]) -> Grouping | None:
    """Columns whose names differ by an axis, such as `x`, `y` and `vx`, `vy`."""
    alike: dict[str, dict[str, int]] = {}
    for number, name in enumerate(names):
        for place, letter in enumerate(name):
            if letter.lower() in AXES:
                key = f"{name[:place]}*{name[place + 1 :]}"
                alike.setdefault(key, {})[letter.lower()] = number
    best: list[list[int]] = []
    for axes in (AXES, AXES[:2]):
        vectors = [
            [each[axis] for axis in axes]
            for each in alike.values()
            if set(each) == set(axes)
        ]
        columns = {number for each in vectors for number in each}
        is_clear = len(vectors) > 1 and len(columns) == len(vectors) * len(axes)
        if is_clear and len(vectors) * len(axes) > sum(map(len, best)):
            best = vectors
    if not best:
        return None
    used = {number for each in best for number in each}
    return Grouping([n for n in range(len(names)) if n not in used], best)


class Hints:
    """Groupings in which a function has symmetries, if it has none in the given one.

    Args:
        samples: The table `(batch, n)`.
        groupings: The groupings to try.
        search: `"linear"`, `"affine"` or `None`.
        names: Names of the columns, or `None`.
    """

    def __init__(
        self,
        samples: np.ndarray,
        groupings: Iterable[Grouping],
        search: str | None,
        names: Sequence[str] | None,
    ):
        self._names = names
        self._asked = []
        for each in groupings:
            order = [*each.scalars, *chain.from_iterable(each.vectors)]
            equations = TableEquations(
                samples[:, order],
                "invariance",
                len(each.vectors),
                len(each.scalars),
                search,
                "free",
            )
            self._asked.append((each, order, equations))

    def add(
        self,
        x: np.ndarray,
        values: np.ndarray,
        derivatives: np.ndarray,
        each: np.ndarray | None = None,
    ) -> None:
        """Adds the equations of samples, like `TableEquations`."""
        for _, order, equations in self._asked:
            turned = None if each is None else each[..., order]
            equations.add(x[:, order], values, derivatives[..., order], turned)

    def settle(self) -> None:
        """Takes units from the samples so far, like `TableEquations`."""
        for _, _, equations in self._asked:
            equations.settle()

    def merged(self, other: "Hints") -> "Hints":
        """The equations of both, which have settled on the same units."""
        merged = copy.copy(self)
        merged._asked = [
            (grouping, order, mine.merged(others))
            for (grouping, order, mine), (_, _, others) in zip(
                self._asked, other._asked, strict=True
            )
        ]
        return merged

    def told(self, fit_error: float) -> tuple[str, ...]:
        """The groupings with symmetries, in words."""
        notes = []
        for grouping, _, equations in self._asked:
            report = equations.report(None, fit_error)
            if report.dimension and report.confidence > SURE:
                notes.append(
                    f"grouped otherwise there is a symmetry, {report.name}: "
                    f"{grouping.told(self._names)}"
                )
        return tuple(notes)
