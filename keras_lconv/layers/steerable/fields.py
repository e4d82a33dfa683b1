"""Groups and representations as arguments and in configurations."""

from typing import Any, TypeAlias, TypeGuard

import numpy as np

from keras_lconv._typing import Shape
from keras_lconv.algebra import LieAlgebra, MatrixGroup, Representation, named_group
from keras_lconv.algebra.group import as_group

# A name, a group, or its configuration.
GroupArgument: TypeAlias = str | MatrixGroup | LieAlgebra | dict[str, Any]
# A name, the largest degree of functions on the sphere, or a representation.
FieldArgument: TypeAlias = str | int | Representation | dict[str, Any]

FIELDS = ("trivial", "regular", "standard", "sign")


def group_of(value: GroupArgument) -> MatrixGroup:
    """The group from a name, an object or a configuration."""
    if isinstance(value, str):
        return named_group(value)
    if _is_configuration(value):
        return MatrixGroup(*_matrices(value), name=value["name"])
    if isinstance(value, (MatrixGroup, LieAlgebra)):
        return as_group("group", value)
    raise TypeError(
        "`group` must be the name of a group, such as 'c8' or 'so2', or a `MatrixGroup`. "
        f"Received: group={value!r} (of type {type(value).__name__})"
    )


def representation_of(
    name: str, value: FieldArgument, group: MatrixGroup
) -> Representation:
    """The representation of a group from a name, a degree or an object."""
    if isinstance(value, Representation):
        same = _numbers(value.group) == _numbers(group)
        if not same:
            raise ValueError(
                f"`{name}` must be a representation of {group!r}. Received: {value!r}"
            )
        return value
    if _is_configuration(value):
        return Representation(group, *_matrices(value), name=value["name"])
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return group.harmonics(value)
    if isinstance(value, str) and value in FIELDS:
        made = getattr(group, value)
        return made if isinstance(made, Representation) else made()
    listed = ", ".join(repr(field) for field in FIELDS)
    raise ValueError(
        f"`{name}` must be one of {listed}, a degree of functions on the sphere, or a "
        f"`Representation`. Received: {name}={value!r}"
    )


def is_scalar(representation: Representation) -> bool:
    """Whether a representation is trivial of size 1. Such fields have no axis of
    components.
    """
    still = not np.any(representation.generators) and np.all(representation.elements == 1)
    return representation.size == 1 and bool(still)


def field_shape(feature_shape: Shape, representation: Representation, owner: str) -> Shape:
    """The shape of fields with the axis of `m`, after a check of the features."""
    rank = representation.group.matrix_size
    fibre = () if is_scalar(representation) else (representation.size,)
    fits = len(feature_shape) == rank + len(fibre) + 2
    if not fits or tuple(feature_shape[rank + 1 : -1]) != fibre:
        axes = ", ".join(("batch", *["size"] * rank, *map(str, fibre), "channels"))
        raise ValueError(
            f"{owner} expects an input of shape ({axes}), for {representation!r}. "
            f"Received: shape {feature_shape}, channels last"
        )
    return (*feature_shape[: rank + 1], representation.size, feature_shape[-1])


def configuration(value: Any) -> Any:
    """The configuration of a group or a representation."""
    if isinstance(value, LieAlgebra):
        value = as_group("group", value)
    if isinstance(value, (MatrixGroup, Representation)):
        return {
            "generators": value.generators.tolist(),
            "elements": value.elements.tolist(),
            "size": value.generators.shape[1],
            "name": value.name,
        }
    return value


def _is_configuration(value: Any) -> TypeGuard[dict[str, Any]]:
    keys = {"generators", "elements", "size", "name"}
    return isinstance(value, dict) and keys <= value.keys()


def _matrices(config: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Matrices of generators and of elements. Either may be empty."""
    shape = (-1, config["size"], config["size"])
    generators, elements = (
        np.array(config[key], dtype="float64").reshape(shape)
        for key in ("generators", "elements")
    )
    return generators, elements


def _numbers(group: MatrixGroup) -> tuple[bytes, bytes]:
    return group.generators.tobytes(), group.elements.tobytes()
