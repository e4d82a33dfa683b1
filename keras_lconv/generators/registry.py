"""Makes an instance of `Generators` from an argument `generators`."""

import functools
import math
import reprlib
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._ops import to_numpy
from keras_lconv._typing import GeneratorsLike
from keras_lconv._validation import finite_array
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators.base import Generators
from keras_lconv.generators.families.dense import DenseGenerators
from keras_lconv.generators.families.left_invariant import LeftInvariantGenerators
from keras_lconv.generators.families.low_rank import LowRankGenerators
from keras_lconv.generators.families.matrix import MatrixGenerators
from keras_lconv.generators.families.se2 import TURN, SE2Generators
from keras_lconv.generators.ready.grid import (
    affine,
    rotation,
    scaling,
    shear,
    translation,
)

# Scalings of the plane, with a step of which two make a factor of 2.
ZOOM = ((1.0, 0.0), (0.0, 1.0))
HALF_OCTAVE = math.log(2) / 2

NAMES: dict[str, Callable[..., Generators]] = {
    "affine": affine,
    "e2": functools.partial(SE2Generators, reflections=True),
    "rotation": rotation,
    "scaling": scaling,
    "se2": SE2Generators,
    "shear": shear,
    "sim2": functools.partial(
        LeftInvariantGenerators, (TURN, ZOOM), steps=(None, HALF_OCTAVE)
    ),
    "translation": translation,
}


def get(
    identifier: GeneratorsLike,
    *,
    rank: int | Sequence[int] | None = None,
    **kwargs: Any,
) -> Generators:
    """Makes generators from a value that layers accept as their argument `generators`.

    Args:
        identifier: An integer `k`: learned `DenseGenerators(k)`, or
            `LowRankGenerators(k, rank)` with `rank`. A name, for images: `"rotation"`,
            `"translation"`, `"scaling"`, `"shear"`, `"affine"`; for images lifted to
            orientations: `"se2"`, with their mirror images `"e2"`, with sizes in half
            octaves `"sim2"`. An array `(k, d', d)` or a `LieAlgebra`: fixed
            `MatrixGenerators`. A configuration. Or an instance of `Generators`, which is
            returned unchanged, so that layers can share it.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        **kwargs: `dtype` and the like, for generators that are made here.

    Returns:
        An instance of `Generators`.

    Raises:
        TypeError: If `identifier` is of another type.
        ValueError: If it is an unknown name, a number below 1 or an array of another shape,
            or if `rank` is given without an integer.

    Example:
    ```python
    from keras_lconv import generators

    assert generators.get("rotation").num_generators == 1
    assert generators.get(3, rank=8).num_generators == 3
    ```
    """
    return named("identifier", identifier, rank=rank, **kwargs)


def _resolved(
    identifier: Any, rank: int | Sequence[int] | None = None, **kwargs: Any
) -> Generators:
    if isinstance(identifier, Integral) and not isinstance(identifier, bool):
        if rank is None:
            return DenseGenerators(int(identifier), **kwargs)
        return LowRankGenerators(int(identifier), rank, **kwargs)
    if rank is not None:
        raise ValueError(
            "`rank` applies to learned generators only, which are requested by an "
            f"integer. Received: rank={rank!r} with generators={identifier!r}"
        )
    if isinstance(identifier, Generators):
        return identifier
    if isinstance(identifier, LieAlgebra):
        return MatrixGenerators(identifier, **kwargs)
    if isinstance(identifier, str):
        if identifier not in NAMES:
            raise ValueError(
                f"Unknown name of generators. Expected one of {sorted(NAMES)}, which move "
                "points of a grid. Give an algebra of matrices as an object, such as "
                f"`keras_lconv.algebra.so(3)`. Received: generators={identifier!r}"
            )
        return NAMES[identifier](**kwargs)
    if isinstance(identifier, dict):
        instance = keras.saving.deserialize_keras_object(identifier)
        if isinstance(instance, Generators):
            return instance
    elif isinstance(identifier, tuple) and all(
        isinstance(each, Integral) for each in identifier
    ):
        raise ValueError(
            "`generators` must not be a window, because an L-conv has none. An integer is "
            "a number of learned generators. Use `ShiftGenerators` for the shifts of a "
            "window, or `SteerableConv` for a `kernel_size`. Received: "
            f"generators={identifier!r}"
        )
    elif isinstance(identifier, (list, tuple, np.ndarray)) or ops.is_tensor(identifier):
        return MatrixGenerators(np.asarray(to_numpy(identifier)), **kwargs)
    raise TypeError(
        "`generators` must be an integer, a name, an array of shape `(k, d, d)`, a "
        "`LieAlgebra`, a configuration, or an instance of "
        "`keras_lconv.generators.Generators`. Of a report or a group give its `algebra`. "
        f"Received: {reprlib.repr(identifier)} (of type {type(identifier).__name__})"
    )


def get_known(name: str, identifier: GeneratorsLike, **kwargs: Any) -> Generators:
    """Resolves generators that must be known: all that `get` takes except an integer.

    Args:
        name: Name of the argument, for the message.
        identifier: A name, an array, a `LieAlgebra`, a configuration or an instance.
        **kwargs: `dtype` and the like, for generators that are made here.

    Returns:
        An instance of `Generators`.

    Raises:
        TypeError: If `identifier` is an integer, or has a wrong type.
        ValueError: If it is an unknown name, or an array of a wrong shape.
    """
    return named(name, require_known(name, identifier), **kwargs)


def named(name: str, identifier: GeneratorsLike, **kwargs: Any) -> Generators:
    """Resolves generators like `get`, with errors that name the argument `name`."""
    try:
        return _resolved(identifier, **kwargs)
    except (TypeError, ValueError) as error:
        if any(f"`{known}`" in str(error) for known in (name, "rank")):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"`{name}` must be generators. {error}") from error


def given_matrices(name: str, given: GeneratorsLike, size: int) -> np.ndarray:
    """The array of an argument: the given one, or the matrices of fixed generators.

    Args:
        name: Name of the argument, for messages.
        given: Matrices, a `LieAlgebra`, or `Generators`.
        size: The size of the vectors for which generators that are not built are built.

    Returns:
        An array of float64, whose shape is to be checked.
    """
    if isinstance(given, Generators):
        if not given.built:
            given.build((None, size, 1))
        given = given.matrices()
    return finite_array(name, given)


def require_known(name: str, identifier: GeneratorsLike) -> GeneratorsLike:
    """Returns the identifier of generators, and raises an error if it is an integer.

    Args:
        name: Name of the argument, for the message.
        identifier: What `get` takes.

    Returns:
        `identifier`.

    Raises:
        TypeError: If it is an integer.
    """
    if isinstance(identifier, Integral):
        raise TypeError(
            f"`{name}` must be known: a name, an array, a `LieAlgebra` or an instance of "
            f"`Generators`. Received: {name}={identifier!r}"
        )
    return identifier
