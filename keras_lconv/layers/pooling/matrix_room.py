"""Checks of memory and time for matrices on all positions."""

import warnings

from keras_lconv._memory import require_memory
from keras_lconv.generators import Generators

# The number of matrices that the search for invariants holds besides the generators.
COPIES = 5
# From this many positions on the search takes minutes, and there is a warning.
MANY_POSITIONS, OPERATIONS_PER_MINUTE = 6000, 1e12


def require_room(generators: Generators, owner: str) -> None:
    """Raises an error if the eigenproblem does not fit into memory, and warns if it takes
    long.
    """
    size = generators.size
    way_out = (
        "Pool to fewer positions first, by `CasimirPooling(..., strides=2)` or "
        "`downsampling=2` of `lconv_classifier`, or average over positions "
        "(`pooling='avg'`). For rotations of images use `method='rings'`"
    )
    what = f"Finding the invariants of {owner} on {size} positions"
    copies = generators.num_generators + COPIES
    require_memory(what, copies * size**2, way_out)
    if size > MANY_POSITIONS:
        minutes = 10 * size**3 / OPERATIONS_PER_MINUTE
        warnings.warn(
            f"{what} takes about {minutes:.0f} minutes, once, because it is an "
            f"eigenproblem of a large matrix. {way_out}",
            stacklevel=2,
        )
