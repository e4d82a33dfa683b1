"""Names of solvable algebras that are not direct sums, for all up to dimension 4.

Those of dimension 3 have Bianchi's numbers, those of dimension 4 the numbers of J. Patera
and P. Winternitz, "Subalgebras of real three- and four-dimensional Lie algebras", J. Math.
Phys. 18 (1977). One linear map determines an algebra whose nilradical has one dimension
less. It acts on the nilradical and is known up to its scale.
"""

from collections.abc import Iterable

import numpy as np

from keras_lconv.algebra.naming.name import ContradictionError, Name
from keras_lconv.algebra.structure import (
    StructureConstants,
    complement,
    generalised_nullity,
    null_space,
)
from keras_lconv.algebra.tolerance import Tolerance


def solvable_name(structure: StructureConstants) -> Name:
    """The name of a solvable algebra that is not a direct sum."""
    k = structure.dimension
    if k == 2:
        return Name("aff(1)")
    if k == 3 and not structure.is_nilpotent:
        return _name_bianchi(structure)
    derived, center = structure.derived, structure.center
    if k % 2 == 1 and derived.shape[1] == 1 and center.shape[1] == 1:
        return Name(f"heisenberg({k})")
    if k == 3:
        raise ContradictionError
    if k == 4:
        return _name_of_four(structure)
    if structure.is_nilpotent:
        step = len(structure.lower_central_series) - 1
        return Name(f"nilpotent, dimension {k}, step {step}", (), False)
    series = ", ".join(str(space.shape[1]) for space in structure.derived_series)
    return Name(f"solvable, derived series {series}", (), False)


def _numbered(kind: str, tolerance: Tolerance, **parameters: float) -> Name:
    """A type with one parameter or two, shown to the known digits."""
    digits = int(np.clip(round(-np.log10(tolerance.value)), 2, 6))
    text = "".join(f", {name}={value:.{digits}g}" for name, value in parameters.items())
    values = tuple(map(float, parameters.values()))
    return Name(kind + text, parameter=values[0] if len(values) == 1 else values[:2])


def _traceless_part(action: np.ndarray, tolerance: Tolerance) -> tuple[str, float]:
    """The kind of a map of the plane, in units of half its trace, without the identity.

    Returns:
        `"zero"`, `"nilpotent"`, or `"other"` with its determinant.
    """
    traceless = 2 * action / np.trace(action) - np.eye(2)
    size = float(np.linalg.norm(traceless))
    if tolerance.is_zero(size):
        return "zero", 0.0
    if tolerance.is_zero(float(np.linalg.det(traceless / size))):
        return "nilpotent", 0.0
    return "other", float(np.linalg.det(traceless))


# --------------------------------------------------------------------- dimension 3


def _name_bianchi(structure: StructureConstants) -> Name:
    """Names a plane with an element that acts on it."""
    plane = structure.derived
    action = (structure.brackets(complement(plane), plane) @ plane)[0].T
    action = action / np.linalg.norm(action)
    tolerance = structure.tolerance
    if tolerance.is_zero(float(np.trace(action))):
        is_rotation = np.linalg.det(action) > 0
        if is_rotation:
            return Name("se(2)", ("Bianchi VII_0",))
        return Name("iso(1,1)", ("Bianchi VI_0",))
    kind, determinant = _traceless_part(action, tolerance)
    if kind != "other":
        return Name("Bianchi V" if kind == "zero" else "Bianchi IV")
    kind = "Bianchi VII_h" if determinant > 0 else "Bianchi VI_h"
    return _numbered(kind, tolerance, h=1 / determinant)


# --------------------------------------------------------------------- dimension 4


def _name_of_four(structure: StructureConstants) -> Name:
    if structure.is_nilpotent:
        return Name("A4,1")
    nilradical = _nilradical(structure)
    if nilradical.shape[1] == 2:
        # Among these only the complex numbers are not a direct sum.
        return Name("sim(2)", ("aff(1,C)", "A4,12"))
    if nilradical.shape[1] != 3:
        raise ContradictionError
    outside = complement(nilradical)
    action = (structure.brackets(outside, nilradical) @ nilradical)[0].T
    action = action / np.linalg.norm(action)
    line = structure.bracket_span(nilradical, nilradical)
    if not line.shape[1]:
        return _name_by_map_of_space(action, structure.tolerance)
    if line.shape[1] != 1:
        raise ContradictionError
    plane = complement(nilradical.T @ line)
    return _name_by_map_of_heisenberg(plane.T @ action @ plane, structure.tolerance)


def _nilradical(structure: StructureConstants) -> np.ndarray:
    """The largest nilpotent ideal of a solvable algebra with at most three roots.

    An element is in it if `tr(ad(x) a)` vanishes for all products `a` of maps `ad(y)`,
    because these products determine every root.
    """
    adjoint, k = structure.adjoint, structure.dimension
    products = [np.eye(k)[None]]
    for _ in range(2):
        products.append(np.einsum("aij,bjk->abik", products[-1], adjoint).reshape(-1, k, k))
    traces = np.einsum("xij,aji->ax", adjoint, np.concatenate(products))
    return null_space(traces, structure.tolerance)


def _name_by_map_of_space(action: np.ndarray, tolerance: Tolerance) -> Name:
    """Names an abelian nilradical by its map, which is invertible or has a Jordan block at
    0.
    """
    if generalised_nullity(action, tolerance):
        return Name("A4,3")
    mean = np.trace(action) / 3
    traceless = action - mean * np.eye(3)
    size = float(np.linalg.norm(traceless))
    if tolerance.is_zero(size):
        return _numbered("A4,5", tolerance, a=1.0, b=1.0)
    # Eigenvalues of `traceless / size` are the roots of t^3 + p t + q.
    unit = traceless / size
    p, q = -float(np.trace(unit @ unit)) / 2, -float(np.linalg.det(unit))
    if generalised_nullity(unit, tolerance) == 3:
        if tolerance.rank(np.linalg.svd(unit)[1]) == 2:
            return Name("A4,4")
        return _numbered("A4,2", tolerance, a=1.0)
    discriminant = -4 * p**3 - 27 * q**2
    if tolerance.is_zero(discriminant):
        double, single = (mean + size * t for t in (-3 * q / (2 * p), 3 * q / p))
        rank = tolerance.rank(np.linalg.svd(action - double * np.eye(3))[1])
        if rank == 2:
            return _numbered("A4,2", tolerance, a=single / double)
        return _numbered("A4,5", tolerance, **_ratios([single, double, double]))
    values = np.linalg.eigvals(action)
    if discriminant > 0:
        return _numbered("A4,5", tolerance, **_ratios(values.real))
    order = np.argsort(np.abs(values.imag))
    alone, pair = values[order[0]].real, values[order[2]]
    a, b = alone / abs(pair.imag), pair.real / abs(pair.imag)
    is_reversed = a < 0 if tolerance.is_zero(b) else b < 0
    sign = -1 if is_reversed else 1
    return _numbered("A4,6", tolerance, a=sign * a, b=abs(b))


def _ratios(values: Iterable[float]) -> dict[str, float]:
    """The two smaller of three real numbers, `a <= b`, in units of the largest.

    If two are opposite, the sign of the unit is open, and `b` is made positive.
    """
    *others, largest = sorted(values, key=abs)
    a, b = sorted(value / largest for value in others)
    if np.isclose(a, -1) and b < 0:
        a, b = -1.0, -b
    return {"a": float(a), "b": float(b)}


def _name_by_map_of_heisenberg(action: np.ndarray, tolerance: Tolerance) -> Name:
    """Names a Heisenberg algebra as nilradical by the map of its plane, which is known up
    to its scale.
    """
    action = action / np.linalg.norm(action)
    if tolerance.is_zero(float(np.trace(action))):
        if np.linalg.det(action) > 0:
            return Name("A4,10", ("oscillator algebra",))
        return Name("A4,8")
    kind, determinant = _traceless_part(action, tolerance)
    if kind == "zero":
        return _numbered("A4,9", tolerance, b=1.0)
    if kind == "nilpotent":
        return Name("A4,7")
    spread = float(np.sqrt(abs(determinant)))
    if determinant > 0:
        return _numbered("A4,11", tolerance, a=1 / spread)
    return _numbered("A4,9", tolerance, b=(1 - spread) / (1 + spread))
