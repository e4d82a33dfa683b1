"""The rotation that relates pairs of images, turned through the whole circle."""

import gzip
import pathlib
import time

import numpy as np
from scipy.ndimage import rotate

from keras_lconv.discovery import fit_generators

# A turn, in the coefficients of affine fields `(constant, x0, x1)` of both axes.
TURN = np.array([0, 0, 1, 0, -1, 0]) / np.sqrt(2)


def images_of(folder):
    """The images to test with, of Fashion-MNIST or MNIST."""
    (path,) = pathlib.Path(folder).glob("t10k-images*")
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28) / 255


def pairs(full, folder):
    """One generator, the rotation, from a few pairs: how far is it off?"""
    images, rows = images_of(folder), []
    for number in (60, 150):
        for seed in range(3 if full else 1):
            rng = np.random.default_rng(seed)
            x = images[rng.choice(len(images), number, replace=False)]
            angles = rng.uniform(-180, 180, number)
            y = [
                rotate(each, by, reshape=False) for each, by in zip(x, angles, strict=True)
            ]
            start = time.process_time()
            report = fit_generators(x[..., None], np.array(y)[..., None], search="affine")
            off = None
            if report.dimension == 1:
                found = report.coefficients[0] / np.linalg.norm(report.coefficients[0])
                off = f"{np.degrees(np.arccos(min(1.0, abs(found @ TURN)))):.2f}"
            rows.append(
                {
                    "pairs": number,
                    "seed": seed,
                    "generators": report.dimension,
                    "degrees off": off,
                    "gap": f"{report.gap:.0f}",
                    "confidence": f"{report.confidence:.2f}",
                    "seconds": f"{time.process_time() - start:.0f}",
                }
            )
            print(rows[-1], flush=True)
    return rows
