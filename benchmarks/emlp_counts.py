"""Dimensions of the spaces of equivariant maps, beside those of EMLP.

Run: KERAS_BACKEND=jax python benchmarks/emlp_counts.py
in an environment that has `emlp` too (https://pypi.org/project/emlp). It takes minutes.
"""

import numpy as np
from emlp import groups
from emlp.reps import V

from keras_lconv import algebra

GROUPS = {
    "SO(3)": (groups.SO(3), algebra.SO(3)),
    "O(3)": (groups.O(3), algebra.O(3)),
    "SO(1,3)": (groups.SO13p(), algebra.SO(1, 3)),
    "O(1,3)": (groups.O13(), algebra.O(1, 3)),
    "S(4)": (groups.S(4), algebra.symmetric(4)),
    "Z(5)": (groups.Z(5), algebra.cyclic_shifts(5)),
}
SPACES = {
    "V -> V": lambda v: (v, v),
    "V^2 -> V": lambda v: (v**2, v),
    "V^2 -> V^2": lambda v: (v**2, v**2),
    "V^3 -> 1": lambda v: (v**3, v**0),
    "V -> V^3": lambda v: (v, v**3),
    "V^2 + 2 V -> V + V^2": lambda v: (v**2 + 2 * v, v + v**2),
}


def compare():
    """A row for each group: both dimensions, and how far the spaces are apart."""
    print("group    " + "".join(f"{name:>22}" for name in SPACES))
    worst = 0.0
    for name, (theirs, ours) in GROUPS.items():
        row = f"{name:9}"
        for label, spaces in SPACES.items():
            source, target = spaces(V)
            basis = (source(theirs) >> target(theirs)).equivariant_basis()
            basis = np.asarray(basis @ np.eye(basis.shape[1]))
            maps = algebra.intertwiners(*spaces(ours.standard))
            row += f"{f'{basis.shape[-1]} {len(maps)}':>22}"
            # EMLP orders the summands of a sum on its own.
            if "+" not in label and len(maps) and len(maps) == basis.shape[-1]:
                flat = maps.reshape(len(maps), -1)
                worst = max(worst, float(np.abs(basis - flat.T @ (flat @ basis)).max()))
        print(row, flush=True)
    print(f"largest difference of the spaces: {worst:.1e}")


if __name__ == "__main__":
    compare()
