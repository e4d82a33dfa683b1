"""Standard coordinates of vectors, in which nothing depends on units and offsets."""

from dataclasses import dataclass

import numpy as np

# The variation of a column below this, relative to its largest value, is rounding.
SMALLEST_SPREAD = 1e-6
# Directions in which columns of spread 1 vary less count as not reached.
SMALLEST_VARIATION = 1e-4
# The mean of the vectors is not zero if this multiple of its error bar is exceeded.
CLEAR_MEAN = 5.0
# In units of the spread of the data, the largest translation at a fixed point.
AT_REST = 0.05
# If this share of all maps into a direction are symmetries, all are.
ALL_MAPS = 0.95
# Samples whose spread is larger or smaller by this factor are unlike the others.
UNLIKE = 10.0
TINY = float(np.finfo("float64").tiny)


@dataclass(frozen=True)
class Standard:
    """Standard coordinates `u = whiten @ (x - mean)` of vectors `x`.

    Args:
        mean: The origin of standard coordinates, `(v,)`. It is zero for linear maps.
        whiten: Matrix `(r, v)`.
        restore: Matrix `(v, r)` with `whiten @ restore = 1`.
        scales: The spread of each component, `(v,)`.
        unreached: Orthonormal directions `(v - r, v)` in which vectors do not vary.
    """

    mean: np.ndarray
    whiten: np.ndarray
    restore: np.ndarray
    scales: np.ndarray
    unreached: np.ndarray

    def maps(self, elements: np.ndarray) -> np.ndarray:
        """Affine maps `[A | b]`, `(k, v, v + 1)`, in standard coordinates."""
        linear, constant = elements[..., :-1], elements[..., -1]
        moved = (linear @ self.mean + constant) @ self.whiten.T
        return np.concatenate(
            [self.whiten @ linear @ self.restore, moved[..., None]], axis=2
        )

    def raw(self, elements: np.ndarray) -> np.ndarray:
        """Affine maps `(k, r, r + 1)` of standard coordinates, in those of the data."""
        linear = self.restore @ elements[..., :-1] @ self.whiten
        constant = elements[..., -1] @ self.restore.T - linear @ self.mean
        return np.concatenate([linear, constant[..., None]], axis=2)


def standard_coordinates(
    vectors: np.ndarray, is_affine: bool, smallest_spread: float = SMALLEST_SPREAD
) -> Standard:
    """Standard coordinates for vectors `(n, v)`.

    Args:
        vectors: The vectors.
        is_affine: Whether maps are affine. If so, the mean is the origin.
        smallest_spread: A column that varies less, relative to its largest value, does not
            vary.
    """
    size = vectors.shape[1]
    mean = np.mean(vectors, axis=0) if is_affine else np.zeros(size)
    centred = vectors - mean
    spread = np.sqrt(np.mean(centred**2, axis=0))
    varies = spread > smallest_spread * np.max(np.abs(vectors), axis=0)
    scales = np.where(varies, spread, 1.0)
    scaled = np.where(varies, centred / scales, 0.0)
    values, directions = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    reached = values > SMALLEST_VARIATION**2
    roots, axes = np.sqrt(values[reached]), directions[:, reached]
    unreached = np.linalg.qr(directions[:, ~reached] / scales[:, None])[0].T
    return Standard(
        mean,
        (axes / roots).T / scales,
        scales[:, None] * axes * roots,
        np.where(varies, spread, 0.0),
        unreached,
    )


@dataclass(frozen=True)
class Reach:
    """The range of vectors about the mean of others, as sums that can be merged.

    Args:
        count: The number of vectors.
        squares: The sums of their products about that mean, `(v, v)`.
        largest: The largest absolute values, `(v,)`.
    """

    count: int
    squares: np.ndarray
    largest: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, standard: Standard) -> "Reach":
        """The range of vectors `(n, v)`."""
        centred = vectors - standard.mean
        return cls(len(vectors), centred.T @ centred, np.max(np.abs(vectors), axis=0))

    def merged(self, other: "Reach") -> "Reach":
        """The range of the vectors of both."""
        return Reach(
            self.count + other.count,
            self.squares + other.squares,
            np.maximum(self.largest, other.largest),
        )

    def require_like(self, standard: Standard) -> None:
        """Raises an error if the vectors are unlike those that define standard
        coordinates.
        """
        moments = self.squares / self.count
        spread = np.sqrt(np.diag(moments))
        varies = spread > SMALLEST_SPREAD * self.largest
        scales = np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)
        reached = np.linalg.eigvalsh(moments * np.outer(scales, scales))
        inside = np.linalg.eigvalsh(standard.whiten @ moments @ standard.whiten.T)
        if np.sum(reached > SMALLEST_VARIATION**2) > len(standard.whiten):
            told = "vary in directions in which the first ones do not"
        elif inside[-1] > UNLIKE**2 or inside[0] < UNLIKE**-2:
            least, most = np.sqrt(np.maximum(inside[[0, -1]], 0.0))
            told = f"have {least:.2g} to {most:.2g} times the spread of the first ones"
        else:
            return
        raise ValueError(
            "`x` must give batches in random order, because the first samples determine "
            f"the units. Received: samples that {told}. Shuffle the samples, or start "
            "`SymmetrySums` with a random part of all"
        )


def has_clear_mean(vectors: np.ndarray) -> bool:
    """Whether the mean of vectors `(n, v)` is clearly not zero."""
    mean, spread = np.mean(vectors, axis=0), np.std(vectors, axis=0)
    return bool(np.any(np.abs(mean) > CLEAR_MEAN * spread / np.sqrt(len(vectors)) + TINY))


def fixed_point(maps: np.ndarray) -> np.ndarray | None:
    """The common fixed point of all maps that is nearest to the origin, if there is one."""
    linear = maps[..., :-1].reshape(-1, maps.shape[1])
    constant = maps[..., -1].ravel()
    point = np.linalg.lstsq(linear, -constant, rcond=AT_REST / 5)[0]
    moved = np.linalg.norm((linear @ point + constant).reshape(len(maps), -1), axis=1)
    sizes = np.linalg.norm(maps, axis=(1, 2))
    return point if np.all(moved <= AT_REST * sizes) else None


def free_directions(maps: np.ndarray) -> np.ndarray:
    """Orthonormal directions `(u, r)` such that all maps into them lie in a span.

    Args:
        maps: The span, `(k, r, w)`.
    """
    if not len(maps):
        return np.zeros((0, maps.shape[1]))
    flat = maps.reshape(len(maps), -1)
    frame = np.linalg.qr(flat.T)[0].T.reshape(maps.shape)
    shares, directions = np.linalg.eigh(np.einsum("kaw,kbw->ab", frame, frame))
    used = maps.shape[2] if np.any(maps[..., -1]) else maps.shape[2] - 1
    return directions[:, shares > ALL_MAPS * used].T
