"""Units of coordinates in which matrices have entries of similar size."""

import numpy as np

# A zero entry counts as this part of the invariant size of entries, because a block
# triangular matrix would otherwise have no best units.
FLOOR = 0.1
SWEEPS = 60


def unit_ratios(matrices: np.ndarray) -> np.ndarray:
    """Ratios `s_a / s_b` of units, powers of two, that balance rows and columns.

    With `S = diag(s)`, the row and the column of each coordinate in `S^-1 L S` have about
    equal size, as far as zeros allow (Osborne's method).

    Args:
        matrices: Array `(k, n, n)`.

    Returns:
        Array `(n, n)`. Entries divided by it are entries in the new units.
    """
    sizes = np.sqrt(np.sum(matrices**2, axis=0))
    # The product of opposite entries does not depend on units.
    floor = FLOOR * np.sqrt(np.max(sizes * sizes.T, initial=0.0))
    logarithms = np.zeros(len(sizes))
    for _ in range(SWEEPS if floor else 0):
        entries = sizes / _ratios(logarithms) + floor
        step = np.log2(entries.sum(axis=1) / entries.sum(axis=0)) / 4
        logarithms += step
        if np.ptp(step) < 0.05:
            break
    return _ratios(np.round(logarithms))


def _ratios(logarithms: np.ndarray) -> np.ndarray:
    return 2.0 ** np.subtract.outer(logarithms, logarithms)
