"""Equivariant kernels: polynomials of a position with values in the maps of two spaces."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import finite_array
from keras_lconv.algebra import powers
from keras_lconv.algebra.constraints import action_of
from keras_lconv.algebra.group import GroupLike, as_group
from keras_lconv.algebra.intertwiners import intertwiners
from keras_lconv.algebra.representation import Representation


@dataclass(frozen=True)
class EquivariantKernels:
    """A basis of polynomial kernels, by growing degree.

    Args:
        degrees: The degree of each kernel, `(m,)`.
        exponents: For each degree the exponents of the monomials, `(N, n)`.
        coefficients: For each degree the kernels as sums of monomials,
            `(m_p, n_out, n_in, N)`.
    """

    degrees: np.ndarray
    exponents: tuple[np.ndarray, ...]
    coefficients: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.degrees)

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """The values of all kernels.

        Args:
            x: Positions, `(..., n)`.

        Returns:
            Array `(m, ..., n_out, n_in)`.

        Raises:
            ValueError: If positions have a different number of coordinates.
        """
        points = finite_array("x", x)
        size = self.exponents[0].shape[1]
        if not points.ndim or points.shape[-1] != size:
            raise ValueError(
                f"`x` must hold positions with {size} coordinates, on the last axis. "
                f"Received: shape {points.shape}"
            )
        values = [
            np.einsum("moiN,...N->m...oi", kernels, _monomials(points, exponents))
            for exponents, kernels in zip(self.exponents, self.coefficients, strict=True)
        ]
        return np.concatenate(values)


def equivariant_kernels(
    group: GroupLike,
    representation_in: Representation,
    representation_out: Representation,
    degree: int,
    tolerance: float | None = None,
) -> EquivariantKernels:
    """All polynomial kernels with `K(g x) = rho_out(g) K(x) rho_in(g)^-1`.

    A convolution with such a kernel maps a field whose values transform by `rho_in` to one
    whose values transform by `rho_out`, and commutes with the group and with translations.
    Kernels of degree `p` are maps `T` from `Sym^p (x) V_in` to `V_out` that commute with
    the group, `K(x) v = T (x^(x) p (x) v)`: a null space for each degree, found from
    generators and further elements alone.

    For orthogonal groups only the harmonic polynomials of each degree are used. All others
    are these times powers of `|x|^2`, and functions of the radius replace those. For SO(2)
    kernels are circular harmonics, for SO(3) spherical harmonics with Clebsch-Gordan
    coefficients. Other groups have all polynomials.

    Args:
        group: A `MatrixGroup` of `n x n` matrices, an algebra or its basis. Its matrices
            act on positions `x`.
        representation_in: The `Representation` of the group on the values of the input.
        representation_out: The `Representation` on the values of the output.
        degree: The largest degree, up to 100.
        tolerance: Threshold for commuting, as for `intertwiners`.

    Returns:
        `EquivariantKernels`: a basis, orthonormal in the coefficients of each degree for
        monomials times the roots of multinomial coefficients.

    Raises:
        TypeError: If `degree` is not an integer.
        ValueError: If it is negative, or a representation is of another group.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import O, equivariant_kernels

    space = O(3)
    scalar, vector = space.trivial(), space.standard
    kernels = equivariant_kernels(space, scalar, vector, 2)
    assert len(kernels) == 1  # K(x) = x
    x = np.array([1.0, 2.0, 3.0])
    assert np.allclose(np.cross(kernels(x)[0, :, 0], x), 0)
    ```

    Reference:
        L. Lang, M. Weiler, "A Wigner-Eckart theorem for group equivariant convolution
        kernels", ICLR 2021.
    """
    group = as_group("group", group)
    position = group.standard
    for name, given in (
        ("representation_in", representation_in),
        ("representation_out", representation_out),
    ):
        numbers = [tuple(map(len, action_of(name, part))) for part in (given, position)]
        if not isinstance(given, Representation) or numbers[0] != numbers[1]:
            raise ValueError(
                f"`{name}` must be a `Representation` of {group!r}. Received: {given!r}"
            )
    size = position.size
    exponents, coefficients, degrees = [], [], []
    for p in range(powers.checked_degree(size, degree) + 1):
        table = powers.exponents(size, p)
        is_harmonic = position.is_orthogonal
        part = powers.harmonic_part(size, p) if is_harmonic else np.eye(len(table))
        if not part.shape[1]:
            break  # on a line no polynomial of degree 2 or more is harmonic
        polynomials = position.symmetric_power(p).on(part)
        maps = intertwiners(polynomials * representation_in, representation_out, tolerance)
        shape = (len(maps), representation_out.size, part.shape[1], representation_in.size)
        exponents.append(table)
        coefficients.append(
            np.einsum(
                "mopi,Np,N->moiN", maps.reshape(shape), part, powers.monomial_scales(table)
            )
        )
        degrees += [p] * len(maps)
    return EquivariantKernels(np.array(degrees), tuple(exponents), tuple(coefficients))


def _monomials(x: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """The values `(..., N)` of monomials."""
    return np.prod(x[..., None, :] ** exponents, axis=-1)
