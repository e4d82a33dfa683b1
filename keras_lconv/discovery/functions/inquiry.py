"""The search for symmetries of a function, sample by sample."""

import copy
import dataclasses
import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from keras_lconv.discovery.functions.grid_equations import GridEquations
from keras_lconv.discovery.functions.grouping import Hints
from keras_lconv.discovery.functions.question import Question
from keras_lconv.discovery.functions.vector_equations import VectorEquations
from keras_lconv.discovery.report import SymmetryReport

Evaluation = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Inquiry:
    """The equations of a function, or of several that should be equal, and hints.

    Args:
        question: The question.
        equations: The equations that symmetries fulfil.
        hints: Other groupings of the columns.
        evaluation: Makes the object that returns values and derivatives for a batch.
        batch_size: The largest batch.
        members: The number of functions.
    """

    def __init__(
        self,
        question: Question,
        equations: GridEquations | VectorEquations,
        hints: Hints,
        evaluation: Callable[[], Evaluation],
        batch_size: int,
        members: int = 1,
    ):
        self.question, self._equations, self._hints = question, equations, hints
        self._batch_size, self._members = batch_size, members
        self._evaluation = evaluation
        self._evaluate: Any = None
        self._notes: tuple[str, ...] = ()

    def batches(self, samples: np.ndarray) -> list[np.ndarray]:
        """Samples in batches for `add`."""
        return np.array_split(samples, math.ceil(len(samples) / self._batch_size))

    def add(self, batch: np.ndarray) -> None:
        """Adds the equations of a batch."""
        if self._evaluate is None:
            self._evaluate = self._evaluation()
        values, slopes = self._evaluate(batch)
        self._notes = getattr(self._evaluate, "notes", ())
        each = None
        if self._members > 1:
            slopes = slopes.reshape(len(batch), self._members, -1, *slopes.shape[2:])
            each = np.moveaxis(slopes, 1, 0)
            values, slopes = values.mean(axis=1), each.mean(axis=0)
        for asked in (self._equations, self._hints):
            asked.add(batch, values, slopes, each)

    def settle(self) -> None:
        """Takes units from the samples so far. These and later samples are not kept."""
        for asked in (self._equations, self._hints):
            asked.settle()

    def merged(self, other: Self) -> Self:
        """The equations of both, which have settled on the same units."""
        merged = copy.copy(self)
        merged._equations = self._equations.merged(other._equations)  # type: ignore[arg-type]
        merged._hints = self._hints.merged(other._hints)
        merged._notes = self._notes or other._notes
        return merged

    def report(self, fit_error: float = 0.0) -> SymmetryReport:
        """The report from the equations of all samples."""
        if not self._equations.depends_on_input:
            raise ValueError(
                "`function` must depend on its input. Received: a function whose "
                "derivatives are zero at all samples of `x`"
            )
        report = self._equations.report(self.question.dimension, fit_error)
        notes = report.notes + self._notes
        if not report.dimension:
            notes += self._hints.told(fit_error)
        return dataclasses.replace(report, notes=notes)

    def __getstate__(self) -> dict[str, Any]:
        # Compiled code of the backend is no data. It is made again when needed.
        return {**self.__dict__, "_evaluate": None}
