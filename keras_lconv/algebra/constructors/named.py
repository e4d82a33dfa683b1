"""Groups by their names."""

import re
from functools import lru_cache

import numpy as np

from keras_lconv.algebra.constructors.finite import cyclic, dihedral, polyhedral
from keras_lconv.algebra.constructors.groups import SO, O
from keras_lconv.algebra.group import MatrixGroup

NAMES = "'so2', 'o2', 'so3', 'o3', 'c4', 'd4' (any number), 'cube', 'reflection'"


def named_group(name: str) -> MatrixGroup:
    """The group with a name.

    Args:
        name: `"so2"`, `"o2"`, `"so3"`, `"o3"`: rotations, and with reflections, of the
            plane or of space. `"c8"`, `"d8"`, for any number: the rotations of a regular
            polygon, and with reflections; `"c1"` is the trivial group of the plane.
            `"tetrahedron"`, `"cube"`, `"icosahedron"`: the rotations of a solid.
            `"reflection"`: the two elements of O(1), the reflection of a line.

    Returns:
        A `MatrixGroup`, the same one each time.

    Raises:
        TypeError: If the name is not a string.
        ValueError: If it is unknown.

    Example:
    ```python
    from keras_lconv.algebra import named_group

    assert named_group("d8").order == 16
    assert named_group("so3").dimension == 3
    ```
    """
    if not isinstance(name, str):
        raise TypeError(
            f"`name` must be a string. Received: name={name!r} (of type "
            f"{type(name).__name__})"
        )
    return _named(name)


@lru_cache(maxsize=64)
def _named(name: str) -> MatrixGroup:
    polygon = re.fullmatch(r"([cd])([1-9]\d*)", name)
    if polygon:
        kind, number = polygon.groups()
        return (cyclic if kind == "c" else dihedral)(int(number))
    if name in ("tetrahedron", "cube", "icosahedron"):
        return polyhedral(name)
    if name in ("so2", "so3"):
        return SO(int(name[2:]))
    if name in ("o2", "o3"):
        return O(int(name[1:]))
    if name == "reflection":
        return MatrixGroup(elements=[-np.eye(1)], name="O(1)")
    raise ValueError(
        f"`name` must be that of a group: {NAMES}, or a solid. Received: name={name!r}"
    )
