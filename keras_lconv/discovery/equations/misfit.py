"""Whether fields on a grid obey given equations."""

from typing import NamedTuple

import numpy as np

from keras_lconv.discovery.equations.equation import Equations
from keras_lconv.discovery.equations.rivals import EXPLAINED
from keras_lconv.discovery.equations.samples import Grid
from keras_lconv.discovery.equations.solution_set import LEAST_KEPT

# The number of jets.
MOST_JETS = 2000
# Rounding is at most this.
ROUNDING = 1e-6


class Misfit(NamedTuple):
    """How far fields are from solving equations.

    Args:
        size: The residual of the equations, relative to the size of their terms.
        is_explained: Whether errors of derivatives may explain it.
    """

    size: float
    is_explained: bool


def misfit_of(equations: Equations, grid: Grid) -> Misfit:
    """How far fields are from solving equations, and whether derivatives explain it.

    The unit of an equation is its change if each coordinate of jets changes by its spread.
    Less smooth curves tell how exact derivatives are.

    Args:
        equations: The equations.
        grid: The fields.
    """
    space, jets = grid.jets(equations.space.order)
    _, others = grid.jets(space.order, is_finer=True)
    every = -(-len(jets) // MOST_JETS)
    jets, others = jets[::every], others[::every]
    sizes = np.sqrt(np.mean(jets**2, axis=0))
    variables = space.orders == 0
    sizes[variables] = np.std(jets[:, variables], axis=0)
    units = np.where(sizes > 0, sizes, 1.0)
    wholes = np.sum((equations.gradients(jets, units) * sizes) ** 2, axis=2)
    values, finer = equations.values(jets), equations.values(others)
    known = np.all(np.isfinite(values) & np.isfinite(wholes), axis=1)
    if np.mean(known) < LEAST_KEPT:
        raise ValueError(
            "`equation` must have values and derivatives where `fields` are. Received: an "
            f"equation that has them at {np.mean(known):.0%} of the points"
        )
    totals = np.mean(wholes[known], axis=0)
    with np.errstate(all="ignore"):
        left, changes = (
            np.nan_to_num(np.sqrt(np.nanmean(each[known] ** 2, axis=0) / totals))
            for each in (values, values - finer)
        )
    explained = np.maximum(EXPLAINED * changes, max(ROUNDING, equations.precision))
    return Misfit(float(np.max(left)), bool(np.all(left <= explained)))
