"""Generators from pairs of images: the estimators of the paper, and ours, side by side.

Pairs are white noise and the same image turned, with bilinear interpolation. The angle is
one and known, or random in a range and unknown. A dense matrix is learned from the pairs by
gradients through `(1 + t L / n)^n` or through the exponential, where unknown angles are
those of least squares; low-rank matrices in the same way; vector fields by
`fit_generators`, without training.
"""

import time

import keras
import numpy as np
from keras import ops
from scipy.linalg import expm, logm

from keras_lconv.algebra import correlation
from keras_lconv.datasets import image_pairs
from keras_lconv.discovery import fit_generators
from keras_lconv.generators import DenseGenerators, LowRankGenerators, get

# The range of angles in radians, and whether they are known.
ANGLES = {
    "fixed": (np.pi / 10, np.pi / 10, True),
    "random": (-np.pi / 10, np.pi / 10, True),
    "random, unknown": (-np.pi / 10, np.pi / 10, False),
    "large": (-np.pi, np.pi, True),
}
BATCH_SIZE, RATE, TESTED = 100, 3e-3, 200
# The exponential of a dense matrix takes a hundred products: minutes for larger images.
LARGE = 10


class Motion(keras.layers.Layer):
    """Moves images along learned generators, by steps or, with `num_steps=0`, exactly.

    Without `t` the angles are found by least squares, to first order.

    Args:
        generators: One learned generator.
        num_steps: Steps of the recursion.
        norm_bound: Of the exponential.
    """

    def __init__(self, generators, num_steps, norm_bound):
        super().__init__()
        self.generators, self.num_steps = generators, num_steps
        self.norm_bound = norm_bound

    def call(self, x, y, t=None):
        if t is None:
            moved = ops.squeeze(self.generators(x), axis=-2)
            axes = (1, 2, 3)
            size = ops.sum(moved**2, axis=axes)
            t = ops.sum(moved * (y - x), axis=axes) / ops.maximum(size, 1e-12)
            t = ops.stop_gradient(t)
        if not self.num_steps:
            return self.generators.transform(x, t[:, None], self.norm_bound)
        step = t[:, None, None, None] / self.num_steps
        for _ in range(self.num_steps):
            x = x + step * ops.squeeze(self.generators(x), axis=-2)
        return x


class Fit(keras.Model):
    """The squared distance of moved images from their partners, as a loss."""

    def __init__(self, motion, is_known):
        super().__init__()
        self.motion, self.is_known = motion, is_known

    def call(self, inputs):
        x, y, t = inputs
        self.add_loss(ops.mean((self.motion(x, y, t if self.is_known else None) - y) ** 2))
        return x


def by_gradient(generators, num_steps, epochs):
    """An estimator: the matrix of the generator after training."""

    def estimate(x, y, t):
        keras.utils.set_random_seed(0)
        own = generators()
        # Waves turn by half a step each, and the corners move most.
        largest = np.pi * x.shape[1] / np.sqrt(2)
        bound = largest * (1.0 if t is None else float(np.max(np.abs(t))))
        fit = Fit(Motion(own, num_steps, bound), t is not None)
        known = np.zeros(len(x), "float32") if t is None else t
        steps = epochs * -(-len(x) // BATCH_SIZE)
        rate = keras.optimizers.schedules.CosineDecay(RATE, steps)
        fit.compile(keras.optimizers.Adam(rate))
        fit.fit([x, y, known], batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
        return ops.convert_to_numpy(own.to_dense())[0]

    return estimate


def turned_matrix(x, y):
    """The matrix `R` of the best linear map `y = R x`."""
    flat_x, flat_y = (images.reshape(len(images), -1) for images in (x, y))
    return np.linalg.lstsq(flat_x, flat_y, rcond=None)[0].T


def by_regression(x, y, t):
    """`(R - 1) / theta`."""
    matrix = turned_matrix(x, y)
    return (matrix - np.eye(len(matrix))) / t[0]


def by_slopes(x, y, t):
    """The best linear map `y - x = t L x`: first order in each angle."""
    flat_x, flat_y = (images.reshape(len(images), -1) for images in (x, y))
    return np.linalg.lstsq(t[:, None] * flat_x, flat_y - flat_x, rcond=None)[0].T


def by_logarithm(x, y, t):
    """`log(R) / theta`."""
    return np.real(logm(turned_matrix(x, y))) / t[0]


def by_fields(x, y, t):
    """The vector fields of `fit_generators`."""
    report = fit_generators(x, y, parameters=t, dimension=1)
    return report.generators.matrices()[0]


def estimators(kind, size, epochs):
    """Names and functions of `(x, y, t)`, with `t=None` where angles are unknown."""
    found = {}
    if kind == "fixed":
        found |= {"(R - 1) / angle": by_regression, "logarithm of R": by_logarithm}
    if kind == "random":
        found["y - x = angle L x"] = by_slopes
    for num_steps in (1, 3, 8):
        name = f"dense, {num_steps} step{'s' if num_steps > 1 else ''}"
        found[name] = by_gradient(lambda: DenseGenerators(1), num_steps, epochs)
    if kind == "large" and size < LARGE:
        found["dense, exponential"] = by_gradient(lambda: DenseGenerators(1), 0, epochs)
    low_rank = by_gradient(lambda: LowRankGenerators(1, rank=16), 3, epochs)
    found["rank 16, 3 steps"] = low_rank
    found["vector fields"] = by_fields
    return found


def truths(size):
    """The rotation about the centre, and about the pixel beside it, as in the paper."""
    rotation, translation = get("rotation"), get("translation")
    for generators in (rotation, translation):
        generators.build((None, size, size, 1))
    centred, shifts = rotation.matrices()[0], translation.matrices()
    # Half a step away along both axes: `L' = (x_1 - 1/2) d/dx_0 - (x_0 - 1/2) d/dx_1`.
    return centred, centred + 0.5 * (shifts[0] - shifts[1])


def angle_error(matrix, true, x, y, t):
    """The root mean square error of angles in degrees, each the best of a whole turn."""
    scale = np.linalg.norm(true) / max(np.linalg.norm(matrix), 1e-30)
    matrix = matrix * scale * np.sign(np.sum(matrix * true) or 1.0)
    number = 180
    step = expm(matrix * 2 * np.pi / number)
    if not np.all(np.isfinite(step)):
        return np.nan
    moved, wanted = x.reshape(len(x), -1), y.reshape(len(y), -1)
    # Half a turn back, and from there all the way round.
    moved = (
        moved @ np.linalg.matrix_power(expm(-matrix * 2 * np.pi / number), number // 2).T
    )
    distances = []
    for _ in range(number):
        with np.errstate(all="ignore"):
            distances.append(np.sum((moved - wanted) ** 2, axis=1))
            moved = moved @ step.T
    best = np.argmin(np.nan_to_num(distances, nan=np.inf), axis=0)
    found = (best - number // 2) * 2 * np.pi / number
    off = (found - t + np.pi) % (2 * np.pi) - np.pi
    return float(np.degrees(np.sqrt(np.mean(off**2))))


def generators(full):
    """Correlations, angles to the truth, and errors of angles, for each estimator."""
    rows = []
    for size in (7, 20) if full else (7,):
        number = 10 * size**2 if full else 5 * size**2
        true, beside = truths(size)
        for kind, (least, largest, is_known) in ANGLES.items():
            x, y, t = image_pairs(number, size, "rotation", (least, largest), seed=0)
            test = image_pairs(TESTED, size, "rotation", (least, largest), seed=1)
            for name, estimate in estimators(kind, size, 60 if full else 30).items():
                start = time.process_time()
                matrix = estimate(x, y, t if is_known else None)
                seconds = time.process_time() - start
                agreement = correlation(matrix, true)
                rows.append(
                    {
                        "size": f"{size}x{size}",
                        "angles": kind,
                        "estimator": name,
                        "correlation": round(float(agreement), 3),
                        "beside the centre": round(float(correlation(matrix, beside)), 3),
                        "degrees": round(
                            float(np.degrees(np.arccos(min(agreement, 1)))), 1
                        ),
                        "error of angles": round(angle_error(matrix, true, *test), 1),
                        "seconds": round(seconds, 1),
                    }
                )
                print(rows[-1], flush=True)
    return rows
