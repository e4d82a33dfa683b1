"""An abstract Lie algebra: properties that follow from the structure constants alone.

Subspaces are matrices `(k, m)` whose columns are orthonormal.
"""

from collections.abc import Callable
from functools import cached_property
from itertools import pairwise

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.algebra.constraints import candidates, defects
from keras_lconv.algebra.tolerance import Tolerance

# The number of random elements in general position. The one that separates best is kept.
DRAWS = 16
# The number of matrices `(n * n, n * n)` that a commutant needs at once.
COPIES = 5


class StructureConstants:
    """Structure constants with the invariants that follow from them.

    Args:
        constants: Array `(k, k, k)` with `[e_i, e_j] = sum_k constants[i, j, k] e_k`, of
            order 1, in a frame that is orthonormal in some inner product.
        tolerance: Decides what counts as zero.
    """

    def __init__(self, constants: np.ndarray, tolerance: Tolerance):
        self.constants = constants
        self.tolerance = tolerance

    @property
    def dimension(self) -> int:
        """The dimension `k`."""
        return len(self.constants)

    @cached_property
    def everything(self) -> np.ndarray:
        """The whole algebra as a subspace."""
        return np.eye(self.dimension)

    @cached_property
    def adjoint(self) -> np.ndarray:
        """The matrices `ad(e_i)`, of shape `(k, k, k)`."""
        return np.swapaxes(self.constants, 1, 2)

    @cached_property
    def killing_form(self) -> np.ndarray:
        """`tr(ad(e_i) ad(e_j))`."""
        return np.einsum("iab,jba->ij", self.constants, self.constants)

    # ------------------------------------------------------------- subspaces

    def restrict(self, subspace: np.ndarray) -> "StructureConstants":
        """The subalgebra on a subspace that is closed under brackets."""
        constants = np.einsum(
            "ijk,ia,jb,kc->abc", self.constants, subspace, subspace, subspace, optimize=True
        )
        return StructureConstants(constants, self.tolerance)

    def brackets(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """All `[a_i, b_j]`, of shape `(number of a, number of b, k)`."""
        return np.einsum("ijk,ia,jb->abk", self.constants, a, b, optimize=True)

    def bracket_span(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The subspace `[a, b]`."""
        return column_space(
            self.brackets(a, b).reshape(-1, self.dimension).T, self.tolerance
        )

    @cached_property
    def center(self) -> np.ndarray:
        """All `x` with `[x, y] = 0` for all `y`."""
        return null_space(
            self.constants.reshape(self.dimension, self.dimension**2).T, self.tolerance
        )

    @cached_property
    def derived_series(self) -> list[np.ndarray]:
        """`g`, `[g, g]`, `[[g, g], [g, g]]`, ... while they shrink."""
        return self._series(lambda space: self.bracket_span(space, space))

    @cached_property
    def lower_central_series(self) -> list[np.ndarray]:
        """`g`, `[g, g]`, `[g, [g, g]]`, ... while they shrink."""
        return self._series(lambda space: self.bracket_span(self.everything, space))

    def _series(self, following: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
        """The whole algebra and the terms that follow, while the dimension falls."""
        series = [self.everything]
        while series[-1].shape[1]:
            space = following(series[-1])
            if space.shape[1] == series[-1].shape[1]:
                break
            series.append(space)
        return series

    @property
    def derived(self) -> np.ndarray:
        """The derived algebra `[g, g]`."""
        series = self.derived_series
        return series[min(1, len(series) - 1)]

    @cached_property
    def radical(self) -> np.ndarray:
        """The largest solvable ideal: orthogonal to `[g, g]` in the Killing form."""
        return null_space((self.killing_form @ self.derived).T, self.tolerance)

    @cached_property
    def levi_factor(self) -> np.ndarray:
        """A semisimple subalgebra that complements the radical.

        The complement is corrected by elements of the radical, from one quotient of the
        radical's derived series to the next, where the correction is a linear problem.
        """
        radical = self.radical
        factor = complement(radical)
        if not radical.shape[1] or not factor.shape[1]:
            return factor
        within = self.restrict(radical)
        series = [radical @ ideal for ideal in within.derived_series]
        quotient = self.brackets(factor, factor) @ factor
        for ideal, smaller in pairwise(series):
            layer = ideal @ complement(ideal.T @ smaller)
            factor = factor + self._levi_correction(factor, layer, quotient)
        return np.linalg.qr(factor)[0]

    def _levi_correction(
        self, factor: np.ndarray, layer: np.ndarray, quotient: np.ndarray
    ) -> np.ndarray:
        """Elements of `layer` that, added to `factor`, close its brackets up to the rest of
        the radical.
        """
        size, width = factor.shape[1], layer.shape[1]
        excess = (
            self.brackets(factor, factor) - np.einsum("abc,kc->abk", quotient, factor)
        ) @ layer
        action = np.einsum("awk,kv->avw", self.brackets(factor, layer), layer)
        identity = np.eye(size)
        # Unknowns u[c, w]; equation (a, b, v): [a, u_b] - [b, u_a] - quotient u.
        system = (
            np.einsum("avw,bc->abvcw", action, identity)
            - np.einsum("bvw,ac->abvcw", action, identity)
            - np.einsum("abc,vw->abvcw", quotient, np.eye(width))
        )
        # Conjugations of the factor leave the system as it is. Noise turns these zero
        # directions into small ones, which must be ignored.
        unknowns = np.linalg.lstsq(
            system.reshape(-1, size * width),
            -excess.reshape(-1),
            rcond=self.tolerance.value,
        )[0]
        return layer @ unknowns.reshape(size, width).T

    # -------------------------------------------------- Cartan subalgebra

    @cached_property
    def _generic(self) -> tuple[int, Tolerance, list[np.ndarray]]:
        """Elements in general position, by the multiplicity of the eigenvalue 0 of their
        ad.

        Returns:
            The smallest multiplicity, with the decisions that led to it, and all elements
            that have it, the clearest first.
        """
        rng = np.random.default_rng(0)
        draws = []
        for _ in range(DRAWS):
            element = rng.normal(size=self.dimension)
            tolerance = Tolerance(self.tolerance.value)
            matrix = np.tensordot(element, self.adjoint, 1)
            draws.append((generalised_nullity(matrix, tolerance), tolerance, element))
        draws.sort(key=lambda draw: (draw[0], -draw[1].margin))
        rank, tolerance, _ = draws[0]
        return rank, tolerance, [element for count, _, element in draws if count == rank]

    @property
    def rank(self) -> int:
        """Dimension of a Cartan subalgebra."""
        if self.dimension == 0:
            return 0
        count, tolerance, _ = self._generic
        self.tolerance.record(tolerance.margin)
        return count

    @cached_property
    def typical_root_length(self) -> float:
        """For a simple algebra: the median of `|root|^2` in the Killing form.

        Noise moves the median, over roots and over Cartan subalgebras, the least.
        """
        return float(np.median([self._root_lengths(x) for x in self._generic[2]]))

    def _root_lengths(self, element: np.ndarray) -> np.ndarray:
        """`|root|^2` of all roots of the Cartan subalgebra of a generic element."""
        rank = self._generic[0]
        matrix = np.tensordot(element, self.adjoint, 1)
        cartan = np.linalg.svd(matrix)[2][self.dimension - rank :].T
        values, vectors = np.linalg.eig(matrix)
        commuting = np.einsum("ia,ijk->ajk", cartan, self.adjoint)
        rotated = np.linalg.solve(vectors, commuting @ vectors)
        roots = np.einsum("ajj->aj", rotated)[:, np.argsort(np.abs(values))[rank:]]
        form = np.linalg.inv(cartan.T @ self.killing_form @ cartan)
        return np.einsum("aj,ab,bj->j", roots, form, roots).real

    # -------------------------------------------------------------- ideals

    @cached_property
    def indecomposable_ideals(self) -> list[np.ndarray]:
        """Ideals whose direct sum is the algebra, as small as they can be."""
        abelian, rest = self._split_abelian_factor()
        ideals = [abelian[:, [i]] for i in range(abelian.shape[1])]
        if rest.shape[1]:
            ideals += [rest @ ideal for ideal in self.restrict(rest)._split_by_centroid()]
        return ideals

    def _split_abelian_factor(self) -> tuple[np.ndarray, np.ndarray]:
        """A central ideal outside of `[g, g]`, and an ideal that complements it."""
        center, derived = self.center, self.derived
        if self.is_abelian:
            return self.everything, self.everything[:, :0]
        outside = center - derived @ (derived.T @ center)
        _, sines, directions = np.linalg.svd(outside, full_matrices=True)
        count = self.tolerance.rank(sines)
        abelian = center @ directions[:count].T
        others = complement(np.linalg.qr(np.hstack([derived, abelian]))[0])
        return abelian, np.linalg.qr(np.hstack([derived, others]))[0]

    def _split_by_centroid(self) -> list[np.ndarray]:
        """Splits an algebra without an abelian direct factor.

        The maps that commute with all of `ad` form an algebra, whose semisimple part is
        a product of fields R and C, one for each indecomposable ideal.
        """
        count, _ = self.centroid_fields
        if count == 1:
            return [self.everything]
        rng = np.random.default_rng(0)
        maps = [
            np.tensordot(rng.normal(size=len(self._centroid)), self._centroid, 1)
            for _ in range(DRAWS)
        ]
        return max((_eigenspaces(matrix, count) for matrix in maps), key=lambda s: s[0])[1]

    @cached_property
    def _centroid(self) -> np.ndarray:
        return commutant(self.adjoint, self.tolerance)

    @cached_property
    def centroid_fields(self) -> tuple[int, int]:
        """Number of fields in the centroid, and how many of these are C."""
        # tr(x^2) is positive on R. On C it is positive on the real axis and negative on the
        # imaginary one.
        form = np.einsum("aij,bji->ab", self._centroid, self._centroid)
        values = np.linalg.eigvalsh((form + form.T) / 2)
        self.tolerance.rank(np.abs(values))
        return (
            int(np.sum(values > self.tolerance.value)),
            int(np.sum(values < -self.tolerance.value)),
        )

    # ------------------------------------------------------------ properties

    @property
    def is_abelian(self) -> bool:
        """Whether all brackets are zero."""
        return self.derived.shape[1] == 0

    @property
    def is_solvable(self) -> bool:
        """Whether the derived series ends at zero."""
        return self.derived_series[-1].shape[1] == 0

    @property
    def is_nilpotent(self) -> bool:
        """Whether the lower central series ends at zero."""
        return self.lower_central_series[-1].shape[1] == 0

    @cached_property
    def killing_signature(self) -> tuple[int, int, int]:
        """How many eigenvalues of the Killing form are positive, negative and zero."""
        values = np.linalg.eigvalsh(self.killing_form)
        nonzero = self.tolerance.rank(np.abs(values))
        positive = int(np.sum(values > self.tolerance.value))
        return positive, nonzero - positive, self.dimension - nonzero

    @property
    def is_semisimple(self) -> bool:
        """Whether the radical is zero."""
        return self.radical.shape[1] == 0

    @property
    def is_reductive(self) -> bool:
        """Whether the radical is the center."""
        return self.radical.shape[1] == self.center.shape[1]

    @property
    def is_compact(self) -> bool:
        """Whether a compact group has this algebra."""
        return self.is_reductive and self.killing_signature[0] == 0


# ------------------------------------------------------------ linear algebra


def column_space(matrix: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """An orthonormal basis of the span of the columns."""
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    return left[:, : tolerance.rank(sizes)]


def null_space(matrix: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """An orthonormal basis of the vectors that the matrix makes zero."""
    # All right singular vectors are needed, the left ones are not.
    reduced = (
        np.linalg.qr(matrix, mode="r") if matrix.shape[0] > matrix.shape[1] else matrix
    )
    _, sizes, right = np.linalg.svd(reduced, full_matrices=True)
    return right[tolerance.rank(sizes) :].T


def complement(subspace: np.ndarray) -> np.ndarray:
    """The orthogonal complement of a subspace with orthonormal columns."""
    size, dimension = subspace.shape
    return np.linalg.svd(subspace, full_matrices=True)[0][:, dimension:].reshape(
        size, size - dimension
    )


def generalised_nullity(matrix: np.ndarray, tolerance: Tolerance) -> int:
    """Multiplicity of the eigenvalue 0, in the presence of Jordan blocks.

    A rounding error moves the eigenvalues of a Jordan block of size `m` by its root of
    order `m`, so they are of no use. Instead, null spaces are removed one after the other.
    """
    count = 0
    while len(matrix):
        null = null_space(matrix, tolerance)
        if not null.shape[1]:
            break
        count += null.shape[1]
        others = complement(null)
        matrix = others.T @ matrix @ others
    return count


def commutant(matrices: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """A basis `(m, n, n)` of the matrices that commute with all the given ones."""
    require_memory(
        f"The commutant of {len(matrices)} matrices of size {matrices.shape[1]}",
        COPIES * matrices.shape[1] ** 4,
        "Smaller matrices, or those of the factors, need less",
    )
    found = candidates(matrices, matrices, tolerance.value)
    changes = defects(found, matrices, matrices)
    null = null_space(changes.reshape(len(found), -1).T, tolerance)
    return np.tensordot(null.T, found, 1)


def _eigenspaces(matrix: np.ndarray, count: int) -> tuple[float, list[np.ndarray]]:
    """Invariant subspaces of `count` clusters of eigenvalues, and the smallest gap."""
    from scipy.linalg import schur

    parts = np.sort(np.linalg.eigvals(matrix).real)
    gaps = np.diff(parts)
    last = np.sort(np.argsort(gaps)[len(gaps) - (count - 1) :])
    bounds = [-np.inf, *(parts[last] + gaps[last] / 2), np.inf]
    spaces = []
    for low, high in pairwise(bounds):
        _, vectors, size = schur(
            matrix.astype(complex),
            output="complex",
            sort=lambda z, low=low, high=high: low < z.real < high,
        )
        space = vectors[:, :size]
        real = np.linalg.svd(np.hstack([space.real, space.imag]), full_matrices=False)[0]
        spaces.append(real[:, :size])
    return float(np.min(gaps[last])), spaces
