"""Finds the variables in names of derivatives."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_lconv._validation import optional
from keras_lconv.discovery.equations.jets import JetSpace

# The largest order of derivatives and number of variables. Beyond these, jets are too
# large.
MOST_ORDER, MOST_INDEPENDENT = 4, 3


def jet_space(
    names: Iterable[str],
    independent: Sequence[str] | None,
    dependent: Sequence[str] | None,
) -> JetSpace:
    """The space of jets with coordinates such as `x`, `u` and `u_xx`.

    Args:
        names: The coordinates that an equation contains.
        independent: Names of the independent variables. By default those by which
            derivatives are taken, each of one letter.
        dependent: Names of the dependent variables. By default those with derivatives.
    """
    names = list(dict.fromkeys(names))
    for argument, given in (("independent", independent), ("dependent", dependent)):
        optional(names_of, argument, given)
    based = [name.rpartition("_") for name in names if "_" in name.strip("_")]
    if dependent is None:
        dependent = list(dict.fromkeys(base for base, _, _ in based))
        if independent is not None:
            plain = [name for name in names if "_" not in name]
            dependent += [n for n in plain if n not in (*independent, *dependent)]
    if independent is None:
        letters = [
            letter
            for name in names
            if name not in dependent
            for letter in (name.rpartition("_")[2] if "_" in name else [name])
        ]
        independent = list(dict.fromkeys(letters))
        _require_derivatives(names, independent)
    _require_names(names, independent, dependent)
    space = JetSpace(tuple(independent), tuple(dependent), 0)
    indices = [multi_index(name, space) for name in names]
    order = max((int(np.sum(index)) for _, index in indices), default=0)
    if not 1 <= order <= MOST_ORDER:
        raise ValueError(
            f"`equation` must have derivatives of order 1 to {MOST_ORDER}, named as `u_t` "
            f"and `u_xx`. Received: order {order}, of {', '.join(names)}"
        )
    return JetSpace(space.independent, space.dependent, order)


def _require_derivatives(names: list[str], independent: Sequence[str]) -> None:
    """Raises an error if a name is probably a constant, or a derivative without its `_`."""
    suffixes = "".join(name.rpartition("_")[2] for name in names if "_" in name)
    alone = [each for each in independent if each not in suffixes]
    if alone and suffixes:
        raise ValueError(
            "`equation` must contain fields, their derivatives, such as `u_t`, and the "
            f"variables of these derivatives only. Received: {', '.join(alone)}, in an "
            f"equation in {', '.join(names)}. Give a constant its value, in a function as "
            "the default value of an argument, or list a variable in `independent`"
        )


def names_of(argument: str, value: Any) -> list[str]:
    """Returns `value` as a list of names, and raises an error if it is none."""
    is_list = isinstance(value, (list, tuple))
    if not is_list or not all(isinstance(each, str) for each in value):
        raise TypeError(
            f"`{argument}` must be a list of names. Received: {argument}={value!r}"
        )
    return list(value)


def _require_names(
    names: list[str], independent: Sequence[str], dependent: Sequence[str]
) -> None:
    for argument, own in (("independent", independent), ("dependent", dependent)):
        if not own or len(set(own)) < len(own):
            raise ValueError(
                f"`{argument}` must name variables, each once. Received: "
                f"{argument}={list(own)!r}, for an equation in {', '.join(names)}"
            )
    both = set(independent) & set(dependent)
    if both:
        raise ValueError(
            "A variable must be in `independent` or in `dependent`, not in both. "
            f"Received: {', '.join(sorted(both))}"
        )
    if len(independent) > MOST_INDEPENDENT:
        raise ValueError(
            f"`independent` must be 1 to {MOST_INDEPENDENT} variables. Received: "
            f"{', '.join(independent)}. Constants get a value in the equation, and names "
            "of several letters must be listed in `independent`"
        )


def multi_index(name: str, space: JetSpace) -> tuple[int, np.ndarray]:
    """The meaning of a name.

    Returns:
        For an independent variable -1 minus its number, and no derivative. For a dependent
        variable or its derivative, the number of the variable and the multi-index.
    """
    index = np.zeros(len(space.independent), dtype=int)
    if name in space.independent:
        return -1 - space.independent.index(name), index
    if name in space.dependent:
        return space.dependent.index(name), index
    base, _, suffix = name.rpartition("_")
    rest = suffix
    # Longer names come first: `xi` is not `x` and `i`.
    known = sorted(space.independent, key=len, reverse=True)
    while base in space.dependent and rest:
        first = next((each for each in known if rest.startswith(each)), None)
        if first is None:
            break
        index[space.independent.index(first)] += 1
        rest = rest[len(first) :]
    if base not in space.dependent or rest:
        raise ValueError(
            "`equation` must contain the independent variables "
            f"({', '.join(space.independent)}), the dependent ones "
            f"({', '.join(space.dependent)}) and derivatives such as "
            f"`{space.dependent[0]}_{space.independent[0]}`. Received: {name!r}"
        )
    return space.dependent.index(base), index


def columns_of(names: Iterable[str], space: JetSpace) -> list[int]:
    """The numbers of the coordinates of jets with these names."""
    found = []
    for name in names:
        number, index = multi_index(name, space)
        if number < 0:
            found.append(-1 - number)
            continue
        place = int(np.flatnonzero(np.all(space.indices == index, axis=1))[0])
        found.append(len(space.independent) + number * len(space.indices) + place)
    return found
