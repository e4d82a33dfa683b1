"""Functions of variables from the user, which occur in fields and in fitted equations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lconv.discovery.equations.equation import named_function
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.taylor import SUPPORTED, Taylor


@dataclass(frozen=True)
class LibraryFunction:
    """A function of some variables.

    Args:
        label: Its name in formulas.
        names: The variables that it takes.
        columns: The numbers of these variables among all.
        call: The function, of arrays `(n,)` or of Taylor polynomials.
    """

    label: str
    names: tuple[str, ...]
    columns: tuple[int, ...]
    call: Callable[..., Any]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Values `(n,)` at points `(n, p + q)`, NaN where there are none."""
        with np.errstate(all="ignore"):
            values = self.call(*(points[:, column] for column in self.columns))
        return np.broadcast_to(np.asarray(values, dtype="float64"), (len(points),))

    def series(self, space: JetSpace, variables: np.ndarray) -> np.ndarray:
        """The function of Taylor polynomials `(p + q, n, j)`, as a Taylor polynomial `(n,
        j)`.
        """
        given = [Taylor(space, variables[column]) for column in self.columns]
        with np.errstate(all="ignore"):
            return given[0].of(self.call(*given)).coefficients


def read_library(argument: str, given: Any, variables: Sequence[str]) -> tuple:
    """Checks named functions from the user.

    Args:
        argument: The name of the argument.
        given: A mapping from names to functions or expressions of SymPy, or `None`.
        variables: The names of all variables.

    Returns:
        A tuple of `LibraryFunction`.
    """
    if given is None:
        return ()
    is_named = isinstance(given, Mapping) and all(isinstance(n, str) for n in given)
    if not is_named or not all(given):
        raise TypeError(
            f"`{argument}` must map names to functions, as "
            f"{argument}={{'sin t': lambda t: np.sin(t)}}. Received: {given!r} "
            f"(of type {type(given).__name__})"
        )
    return tuple(_read(argument, label, each, variables) for label, each in given.items())


def _read(
    argument: str, label: str, given: Any, variables: Sequence[str]
) -> LibraryFunction:
    function, _ = named_function(argument, given)
    unknown = [name for name in function.names if name not in variables]
    if unknown or not function.names:
        raise ValueError(
            f"`{argument}` must hold functions whose arguments are among "
            f"{', '.join(variables)}. Received: {', '.join(unknown) or 'no argument'} in "
            f"{label!r}"
        )
    columns = tuple(list(variables).index(name) for name in function.names)
    result = LibraryFunction(label, function.names, columns, function.call)
    line = JetSpace(("h",), (), 1)
    try:
        result.series(line, np.ones((len(variables), 1, 2)))
    except Exception as error:
        known = ", ".join(sorted(each.__name__ for each in SUPPORTED))
        raise ValueError(
            f"`{argument}` must hold functions that consist of sums, products, quotients, "
            f"powers and these functions of NumPy: {known}. Received: {label!r}, which "
            f"raises {type(error).__name__}: {error}"
        ) from error
    return result
