"""The report from sums over trajectories."""

import dataclasses

import numpy as np

from keras_lconv.physics.conservation.affine import AffineCandidates
from keras_lconv.physics.conservation.functions import Candidates, ConservedFunction
from keras_lconv.physics.conservation.independent import Independent
from keras_lconv.physics.conservation.motion import Motion
from keras_lconv.physics.conservation.path_sums import PathSums
from keras_lconv.physics.conservation.quantities import (
    ConservationReport,
    ConservedQuantity,
    Drift,
)
from keras_lconv.physics.conservation.readable import (
    CLEAR,
    conservation_report,
    readable_basis,
)

# Rates that differ by less are equal.
SAME_RATE = 0.01


def affine_report(
    sums: PathSums,
    candidates: AffineCandidates,
    points: np.ndarray,
    action: str,
    dimension: int | None,
) -> ConservationReport:
    """Conserved quantities of affine maps.

    Args:
        sums: The sums of the candidates over trajectories.
        candidates: The candidates for conserved quantities.
        points: Points that determine the units of formulas.
        action: `"affine"` or `"linear"`.
        dimension: The number of quantities, if it is known.
    """
    motion = Motion(sums, candidates.combined)
    space = motion.solve(dimension)
    basis: np.ndarray = space.basis
    drifting: list[Drift[ConservedQuantity]] = []
    if dimension is None:
        basis, drifting = motion.without_drift(space.basis)
        drifting = drifting or motion.decaying()
    mixed = [motion.combined(column) for column in basis.T]
    tolerance = CLEAR * float(np.max(space.errors, initial=0.0))
    return conservation_report(
        mixed,
        points,
        action,
        {
            "singular_values": space.singular_values,
            "gap": space.gap,
            "confidence": space.confidence * (bool(mixed) or motion.varies),
            "errors": space.errors[: len(mixed)],
            "is_determined": space.is_determined and (bool(mixed) or motion.varies),
            "drifting": _readable_drifts(drifting, points, tolerance),
            "is_rough": motion.is_rough,
        },
    )


def _readable_drifts(
    drifts: list[Drift[ConservedQuantity]], points: np.ndarray, tolerance: float
) -> tuple[Drift[ConservedQuantity], ...]:
    """The drifts, with a sparse basis of all quantities that drift at the same rate."""
    drifts = sorted(drifts, key=lambda drift: drift.rate)
    rates = np.array([drift.rate for drift in drifts])
    alike = np.cumsum(np.abs(np.diff(rates, prepend=rates[:1])) > SAME_RATE * np.abs(rates))
    readable: list[Drift[ConservedQuantity]] = []
    for group in range(alike[-1] + 1 if drifts else 0):
        own = [
            drift for drift, number in zip(drifts, alike, strict=True) if number == group
        ]
        basis = readable_basis([drift.quantity for drift in own], points, tolerance)
        readable += [
            dataclasses.replace(drift, quantity=quantity)
            for drift, quantity in zip(own, basis, strict=True)
        ]
    return tuple(readable)


def function_report(
    sums: PathSums, candidates: Candidates, points: np.ndarray, dimension: int | None
) -> ConservationReport:
    """Conserved polynomials of coordinates and of given functions, degree by degree."""
    listed = Independent(candidates, points)
    drifting: list[Drift[ConservedFunction]] = []
    for degree, end in enumerate(candidates.ends, 1):
        motion = Motion(sums.leading(end), candidates.mixed)
        asked = dimension if end == candidates.ends[-1] else None
        space = motion.solve(asked)
        basis = space.basis
        if dimension is None:
            basis, drifting = motion.without_drift(basis)
        listed.add(degree, motion.mixtures(basis), space, motion.parts)
    report = listed.report(space, basis.shape[1], tuple(drifting))
    return dataclasses.replace(report, is_rough=motion.is_rough)
