"""Solves the equations for symmetries of a function, from its derivatives."""

import functools
import reprlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._layout import data_format_of
from keras_lconv._typing import Data, Function
from keras_lconv._validation import (
    count,
    finite_array,
    one_of,
    optional,
    positive_int,
    progress,
)
from keras_lconv.discovery.fields.library import is_library
from keras_lconv.discovery.functions.derivatives import (
    AnyDerivatives,
    finite_differences,
    given_derivatives,
)
from keras_lconv.discovery.functions.grid_equations import GridEquations
from keras_lconv.discovery.functions.grouping import Grouping, Hints, other_groupings
from keras_lconv.discovery.functions.inquiry import Inquiry
from keras_lconv.discovery.functions.library_equations import LibraryEquations
from keras_lconv.discovery.functions.polynomial_equations import PolynomialEquations
from keras_lconv.discovery.functions.question import Question
from keras_lconv.discovery.functions.table_equations import TableEquations
from keras_lconv.discovery.functions.vector_equations import OUTPUTS, VectorEquations
from keras_lconv.discovery.report import SymmetryReport

KINDS = ("invariance", "equivariance")

# From this many batches on there is a progress bar.
BATCHES_WITH_BAR = 20


def symmetries_of(
    function: Function | None,
    x: Data,
    question: Question,
    *,
    members: int = 1,
    fit_error: float = 0.0,
    derivatives: ArrayLike | str | None = None,
    data_format: str | None = None,
    batch_size: int = 512,
    verbose: bool | None = None,
    names: tuple[str, ...] | None = None,
) -> SymmetryReport:
    """The work of `find_symmetries`, for one function or several that should be equal.

    Args:
        function: A function to `(batch, ...)`, or to `(batch, members, ...)`.
        x: As for `find_symmetries`.
        question: The question.
        members: The number of functions.
        fit_error: Their relative error.
        derivatives: As for `find_symmetries`.
        data_format: As for `find_symmetries`.
        batch_size: As for `find_symmetries`.
        verbose: As for `find_symmetries`.
        names: Names of the columns, if `x` has none.
    """
    verbose = progress(verbose)
    samples, inquiry = inquiry_about(
        function, x, question, derivatives, data_format, batch_size, members, names
    )
    batches = inquiry.batches(samples)
    if verbose is None:
        verbose = len(batches) >= BATCHES_WITH_BAR
    bar = keras.utils.Progbar(len(batches), verbose=int(verbose), unit_name="batch")
    for batch in batches:
        inquiry.add(batch)
        bar.add(1)
    return inquiry.report(fit_error)


def inquiry_about(
    function: Function | None,
    x: Data,
    question: Question,
    derivatives: ArrayLike | str | None,
    data_format: str | None,
    batch_size: int,
    members: int = 1,
    names: tuple[str, ...] | None = None,
) -> tuple[np.ndarray, Inquiry]:
    """The different samples of `x`, and an inquiry without samples.

    The arguments are those of `symmetries_of`.
    """
    batch_size = positive_int("batch_size", batch_size)
    table, question = question.about(x)
    samples = distinct_rows(table.values)
    data_format = data_format_of(function, data_format)
    equations = equations_for(samples, question, data_format, table.names)
    hints = _hints(samples, question, table.names or names)
    evaluation = functools.partial(_evaluation, function, derivatives, table.values)
    return samples, Inquiry(question, equations, hints, evaluation, batch_size, members)


def _hints(samples: np.ndarray, question: Question, names: tuple[str, ...] | None) -> Hints:
    """Other groupings of a table, if the question does not name vectors."""
    is_named = isinstance(question.search, str) and not is_polynomial(question.search)
    is_open = question.search is None or is_named
    search = question.search if isinstance(question.search, str) else None
    is_asked = is_open and question.kind == "invariance" and question.dimension is None
    groupings: list[Grouping] = []
    if samples.ndim == 2 and is_asked:
        scalars = count("scalars", question.scalars)
        groupings = other_groupings(samples.shape[1], question.blocks, scalars, names)
    return Hints(samples, groupings, search, names)


def equations_for(
    samples: np.ndarray,
    question: Question,
    data_format: str,
    names: tuple[str, ...] | None = None,
    num_outputs: int | None = None,
) -> GridEquations | VectorEquations:
    """Empty equations for symmetries, after a check of the arguments.

    Args:
        samples: Array `(batch, n)` or `(batch, *spatial, channels)`.
        question: The question about them.
        data_format: `"channels_last"` or `"channels_first"`.
        names: Names of the columns of a table.
        num_outputs: The number of outputs of the function of a table, if it is known.
    """
    kind, output = question.kind, question.output
    search: Any = question.search
    require_output(kind, output)
    blocks = positive_int("blocks", question.blocks)
    scalars = count("scalars", question.scalars)
    dimension = optional(count, "dimension", question.dimension)
    if question.degree is not None and not is_polynomial(search):
        raise ValueError(
            "`degree` applies to search='polynomial' only. Received: "
            f"degree={question.degree!r} with search={reprlib.repr(search)}"
        )
    equations: GridEquations | VectorEquations
    if samples.ndim > 2:
        if is_polynomial(search) or is_library(search):
            raise ValueError(
                "`search` among fields that are not affine needs a table `(batch, n)`. "
                f"Received: search={reprlib.repr(search)} with a grid"
            )
        if blocks > 1 or scalars:
            raise ValueError(
                "`blocks` and `scalars` apply to vectors in tables only. Received: "
                f"blocks={blocks!r}, scalars={scalars!r} with a grid"
            )
        equations = GridEquations(samples, kind, search, output, data_format)
    else:
        equations = _table_equations(samples, question, blocks, scalars, names)
        if num_outputs is not None:
            equations.require_outputs(num_outputs)
    if (dimension or 0) > equations.num_searched:
        raise ValueError(
            f"`dimension` must be from 0 to {equations.num_searched}, the dimension of "
            f"the search. Received: dimension={dimension!r}"
        )
    return equations


def _table_equations(
    samples: np.ndarray,
    question: Question,
    blocks: int,
    scalars: int,
    names: tuple[str, ...] | None,
) -> VectorEquations:
    """The equations for affine maps, polynomial fields, or the fields of a library."""
    asked = (samples, question.kind, blocks, scalars)
    output, degree = question.output, question.degree
    search: Any = question.search
    if is_polynomial(search):
        return PolynomialEquations(*asked, degree, output, names)
    if is_library(search):
        return LibraryEquations(*asked, search, output, names)
    return TableEquations(*asked, search, output, names)


def as_function(function: Any) -> Any:
    """The `predict` of a model that cannot be called, or the function itself."""
    if callable(function):
        return function
    predict = getattr(function, "predict", function)
    return getattr(function, "predict_proba", predict)


def is_polynomial(search: object) -> bool:
    """Whether `search` asks for polynomial fields."""
    return isinstance(search, str) and search == "polynomial"


def require_output(kind: str, output: ArrayLike) -> None:
    """Checks `kind`, and that `output` fits it."""
    one_of("kind", kind, KINDS)
    if isinstance(output, str):
        one_of("output", output, OUTPUTS)
        if kind == "equivariance" or output == "free":
            return
    else:
        finite_array("output", output)
    if kind == "invariance":
        raise ValueError(
            "`output` states how outputs move, and needs kind='equivariance'. "
            f"Received: output={reprlib.repr(output)} with kind='invariance'"
        )


def _evaluation(
    function: Any, derivatives: ArrayLike | str | None, samples: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The object that returns values and derivatives for a batch."""
    if derivatives is None:
        return AnyDerivatives(function, samples)
    if isinstance(derivatives, str):
        one_of("derivatives", derivatives, ("finite",))
        return finite_differences(function, samples)
    return given_derivatives(function, derivatives, samples)


def distinct_rows(samples: np.ndarray) -> np.ndarray:
    """Samples without repetitions, in the order of first occurrence."""
    if samples.ndim < 2:
        return samples
    first = {row.tobytes(): number for number, row in reversed(list(enumerate(samples)))}
    return samples[sorted(first.values())]
