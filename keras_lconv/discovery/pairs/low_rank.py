"""Least squares for generators and parameters, as a factorisation of low rank.

Sample `s` has the normal equations `G_s c_s = b_s` for `p` coefficients, and its weight.
All `c_s = sum_i t_si W_i` lie in the span of `k` rows `W_i`.
"""

from dataclasses import dataclass

import numpy as np

# Relative to the largest eigenvalue. Directions that are less constrained count as
# unconstrained.
RANK_TOLERANCE = 1e-10
MOST_SWEEPS = 200
# Sweeps end when the loss falls by a smaller part.
SMALLEST_STEP = 1e-6


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations of all samples.

    Args:
        matrices: `G`, `(batch, p, p)`.
        sides: `b`, `(batch, p)`.
        squares: The sum of squares to be explained, `(batch,)`.
        count: Number of equations of each sample.
        weights: The weight of each sample, `(batch,)`.
    """

    matrices: np.ndarray
    sides: np.ndarray
    squares: np.ndarray
    count: int
    weights: np.ndarray

    def subset(self, kept: np.ndarray) -> "NormalEquations":
        """The equations of some of the samples."""
        return NormalEquations(
            self.matrices[kept],
            self.sides[kept],
            self.squares[kept],
            self.count,
            self.weights[kept],
        )

    def parameters(self, rows: np.ndarray) -> np.ndarray:
        """The best `t`, `(batch, k)`, for given `W`."""
        squares = np.einsum("ip,spq,jq->sij", rows, self.matrices, rows, optimize=True)
        inverses = np.linalg.pinv(squares, rcond=RANK_TOLERANCE, hermitian=True)
        return np.einsum("sij,sj->si", inverses, self.sides @ rows.T)

    def rows(self, parameters: np.ndarray) -> np.ndarray:
        """The best `W`, `(k, p)`, for given `t`."""
        k, p = parameters.shape[1], self.sides.shape[1]
        weighted = self.weights[:, None] * parameters
        # The sum over samples as one product.
        pairs = np.einsum("si,sj->sij", weighted, parameters).reshape(-1, k * k)
        total = (pairs.T @ self.matrices.reshape(-1, p * p)).reshape(k, k, p, p)
        total = total.transpose(0, 2, 1, 3).reshape(k * p, k * p)
        sides = (weighted.T @ self.sides).ravel()
        return np.linalg.lstsq(total, sides, rcond=RANK_TOLERANCE)[0].reshape(k, p)

    def unexplained(self, coefficients: np.ndarray) -> np.ndarray:
        """Sums of squares that remain with coefficients `(batch, p)`, `(batch,)`."""
        explained = 2 * np.einsum("sp,sp->s", coefficients, self.sides) - np.einsum(
            "sp,spq,sq->s", coefficients, self.matrices, coefficients, optimize=True
        )
        return np.maximum(self.squares - explained, 0.0)

    def spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Sizes of the coefficients along principal directions, and the directions, `(p,
        p)`.

        The sizes decrease. Their unit is the error of a coefficient, so 1 is noise.
        Directions are orthonormal with respect to the mean of `G`, like the errors.
        """
        root, inverse = self._roots()
        k = len(inverse)
        ridge = 1e-9 * np.trace(np.mean(self.matrices, axis=0)) / k * np.eye(k)
        each = np.linalg.solve(self.matrices + ridge, self.sides[..., None])[..., 0]
        total = np.sum(self.weights)
        whitened = each @ root * np.sqrt(self.weights / total)[:, None]
        _, sizes, directions = np.linalg.svd(whitened, full_matrices=False)
        left = np.maximum(self.count - k, 1)
        noise = np.sum(self.weights * self.unexplained(each)) / (total * left)
        # Without noise there is still rounding.
        noise = max(noise, 1e-12 * np.sum(self.weights * self.squares) / (total * left))
        return sizes / np.sqrt(max(noise, np.finfo("float64").tiny)), directions @ inverse

    def factorised(self, dimension: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows `W`, `(k, p)`, and parameters `t`, `(batch, k)`, with the best fit.

        Starting from the principal directions, each is found from the other in turn.
        """
        root, inverse = self._roots()
        rows = self.spectrum()[1][:dimension]
        before = np.inf
        for _ in range(MOST_SWEEPS):
            rows = self.rows(self.parameters(rows))
            rows = np.linalg.qr((rows @ root).T)[0].T @ inverse
            parameters = self.parameters(rows)
            loss = np.sum(self.weights * self.unexplained(parameters @ rows))
            if loss >= (1 - SMALLEST_STEP) * before:
                break
            before = loss
        return rows, parameters

    def _roots(self) -> tuple[np.ndarray, np.ndarray]:
        """The square root of the mean of `G`, and its inverse."""
        mean = np.tensordot(self.weights / np.sum(self.weights), self.matrices, 1)
        values, vectors = np.linalg.eigh(mean)
        values = np.maximum(values, RANK_TOLERANCE * max(values[-1], 1e-300))
        return (vectors * np.sqrt(values)) @ vectors.T, (
            vectors / np.sqrt(values)
        ) @ vectors.T
