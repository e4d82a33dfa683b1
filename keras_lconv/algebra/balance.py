"""Units of coordinates in which matrices have entries of like sizes."""

import numpy as np

# An entry that is zero counts as this part of what no units change: else a block triangular
# matrix has no best units.
FLOOR = 0.1
SWEEPS = 60


def unit_ratios(matrices: np.ndarray) -> np.ndarray:
    """Ratios `s_a / s_b` of units, powers of two, that balance rows and columns.

    With `S = diag(s)`, the matrices `S^-1 L S` have for each coordinate a row and a column
    of about one size, as far as zeros allow (Osborne's method).

    Args:
        matrices: Array `(k, n, n)`.

    Returns:
        Array `(n, n)`: entries divided by it are those in the new units.
    """
    sizes = np.sqrt(np.sum(matrices**2, axis=0))
    # In any units, the product of opposite entries is the same.
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
