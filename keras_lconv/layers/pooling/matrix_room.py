"""Whether there is room and time for matrices on all positions."""

import warnings

from keras_lconv._memory import require_memory
from keras_lconv.generators import Generators

# Matrices that the search for invariants holds beside the generators.
COPIES = 5
# From so many positions on it takes minutes, and there is a warning.
MANY_POSITIONS, OPERATIONS_PER_MINUTE = 6000, 1e12


def require_room(generators: Generators, owner: str) -> None:
    """Raises if the eigenproblem does not fit into memory, and warns if it is long."""
    size = generators.size
    way_out = (
        "Pool to fewer positions before, as `CasimirPooling(..., strides=2)` and "
        "`downsampling=2` of `lconv_classifier` do, or take averages over positions "
        "(`pooling='avg'`). For rotations of images there is `method='rings'`"
    )
    what = f"Finding the invariants of {owner} on {size} positions"
    copies = generators.num_generators + COPIES
    require_memory(what, copies * size**2, way_out)
    if size > MANY_POSITIONS:
        minutes = 10 * size**3 / OPERATIONS_PER_MINUTE
        warnings.warn(
            f"{what} takes about {minutes:.0f} minutes, once: it is an eigenproblem of "
            f"a matrix. {way_out}",
            stacklevel=2,
        )
