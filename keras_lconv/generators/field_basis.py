"""Vector fields on a grid by coefficients: of monomials, or at each point separately."""

import math

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_lconv._typing import Tensor
from keras_lconv._validation import finite_array
from keras_lconv.generators.polynomials import (
    DEGREES,
    centred_points,
    exponents,
    monomials,
    radius,
    units,
)


class FieldBasis:
    """The basis of the components `v^a = r sum_p c_p m_p(x / r)` of fields on a grid.

    Args:
        field: Kind of the fields. `"free"` has one coefficient for each point.
        shape: Spatial shape of the grid.

    Attributes:
        radius: Half of the width of the grid, `r`, in grid steps.
        units: The unit of each coefficient in grid steps, an array `(p,)`.
        size: The number `p` of coefficients of a component.
    """

    def __init__(self, field: str, shape: tuple[int, ...]):
        self.radius = radius(shape)
        if field == "free":
            self._monomials = None
            self.units = np.full(math.prod(shape), self.radius)
        else:
            self._monomials = monomials(field, centred_points(shape) / self.radius)
            self.units = units(field, shape)
        self.size = len(self.units)

    def initial_stddev(self, norm: float, ndim: int) -> float:
        """The spread of normal coefficients for which `|v^a d_a|` hardly exceeds `norm`."""
        # |L| <= sum_a max |v^a| |D| with |D| <= pi. A component with p normal coefficients
        # is at most about 3 stddev sqrt(p) at its largest point.
        num_monomials = 1 if self._monomials is None else self.size
        largest = 3 * self.radius * math.sqrt(num_monomials)
        return norm / (math.pi * ndim * largest)

    def values(self, coefficients: np.ndarray) -> np.ndarray:
        """Fields `(k, ndim, d)` in grid steps, in NumPy."""
        fields = self.radius * coefficients
        return fields if self._monomials is None else fields @ self._monomials

    def tensor_values(self, coefficients: Tensor) -> Tensor:
        """The same for a tensor."""
        fields = self.radius * coefficients
        if self._monomials is None:
            return fields
        table = ops.convert_to_tensor(self._monomials, dtype=fields.dtype)
        return ops.einsum("kap,pd->kad", fields, table)


def checked_coefficients(
    coefficients: ArrayLike | None, num: int, field: str
) -> np.ndarray | None:
    """Coefficients `(k, ndim, p)` of `num` fields of a kind, if any, in float64."""
    if coefficients is None:
        return None
    given = finite_array("coefficients", coefficients)
    if given.ndim != 3 or len(given) != num:
        raise ValueError(
            "`coefficients` must have shape `(k, ndim, p)` with "
            f"k={num}. Received: shape {given.shape}"
        )
    if field in DEGREES:
        ndim = given.shape[1]
        expected = len(exponents(field, ndim))
        if given.shape[2] != expected:
            raise ValueError(
                f"A {field} field on {ndim} spatial axes has p={expected} monomials. "
                f"Received: `coefficients` of shape {given.shape}"
            )
    return given


def check_fit(
    owner: str, given: tuple[int, ...], expected: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    """Raises an error if coefficients do not have the shape that a grid needs."""
    if given[1] != expected[1]:
        raise ValueError(
            f"The fields of {owner!r} need an input with {given[1]} spatial axes and an "
            f"axis of channels. Received: an input of spatial shape {shape}. A name such "
            "as `'rotation'` stands for images. Use `rotation(3)` for volumes and "
            "`translation(1)` for signals"
        )
    if given != expected:
        raise ValueError(
            f"The `coefficients` of {owner!r} must have shape {expected} for an input of "
            f"spatial shape {shape}. Received: shape {given}"
        )


def nearest_coefficients(values: ArrayLike, field: str) -> np.ndarray:
    """Coefficients, in grid steps, of the field of a kind that is nearest to given values.

    Args:
        values: Array `(k, *spatial, ndim)`, in grid steps.
        field: The kind of the fields. `"free"` keeps the values.

    Returns:
        Array `(k, ndim, p)`.

    Raises:
        ValueError: If `values` have a different shape.
    """
    array = finite_array("values", values)
    if array.ndim < 3 or array.shape[-1] != array.ndim - 2 or 0 in array.shape:
        raise ValueError(
            "`values` must have shape `(k, *spatial, ndim)` with `ndim` spatial axes. "
            f"Received: shape {array.shape}"
        )
    shape = array.shape[1:-1]
    flat = np.swapaxes(array.reshape(len(array), -1, len(shape)), 1, 2)
    if field not in DEGREES:
        return flat
    columns = monomials(field, centred_points(shape) / radius(shape)).T
    found = np.linalg.lstsq(columns, flat.reshape(-1, flat.shape[-1]).T, rcond=None)
    # Converts coordinates in units of the radius to grid steps.
    scaled = found[0].T.reshape(*flat.shape[:2], -1) / radius(shape)
    return scaled * units(field, shape)
