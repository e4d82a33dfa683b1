"""How near products of small steps come to a translation, on a periodic line.

The generator is exact for all waves that the line resolves. A step is `1 + t L / n`, as in
the paper, or has further terms of the series of the exponential.
"""

import math

import numpy as np

from keras_lconv.algebra import correlation
from keras_lconv.generators import translation

SIZE, SHIFT, STEPS, ORDERS = 40, 2, (1, 2, 4, 8, 16, 32), (1, 2, 3, 4)


def step(matrix, order):
    """The exponential of a matrix up to a power."""
    return sum(
        np.linalg.matrix_power(matrix, k) / math.factorial(k) for k in range(order + 1)
    )


def translations(full):
    """The correlation of `n` steps with the translation, for each order of a step."""
    generator = translation(1, derivative="fourier")
    generator.build((None, SIZE, 1))
    matrix = generator.matrices()[0]
    true = np.roll(np.eye(SIZE), SHIFT, axis=0)
    rows = []
    for number in STEPS if full else STEPS[:-1]:
        row = {"steps": number}
        for order in ORDERS:
            moved = np.linalg.matrix_power(step(matrix * SHIFT / number, order), number)
            row[f"order {order}"] = round(float(correlation(moved, true)), 3)
        rows.append(row)
    return rows
