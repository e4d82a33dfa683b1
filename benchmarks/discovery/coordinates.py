"""Is the answer the same in all coordinates?"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_lconv import algebra
from keras_lconv.discovery import find_symmetries


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array), dtype=keras.config.floatx())


def random_waves(size, seed):
    """A function without symmetry: a sum of waves in random directions."""
    rng = np.random.default_rng(seed)
    waves, phases = rng.normal(size=(size, 12)), rng.uniform(0, 6, 12)
    weights = rng.normal(size=12)

    def function(u):
        return ops.einsum(
            "bn,n->b",
            ops.sin(ops.matmul(u, tensor(waves)) + tensor(phases)),
            tensor(weights),
        )

    return function


def square(u, signs):
    return ops.sum(u**2 * tensor(signs), axis=1)


def dot(u, v):
    return ops.sum(u * v, axis=1)


@dataclass(frozen=True)
class Function:
    """A function of `blocks` vectors of `size` components, with its affine symmetries.

    Args:
        name: What is expected: the name of its algebra, `"0"` for none.
        size: Components of a vector.
        blocks: Number of vectors.
        function: The function of tensors `(batch, blocks size)`.
        dimension: The dimension of its algebra.
    """

    name: str
    size: int
    blocks: int
    function: object
    dimension: int


def bell(u):
    return ops.exp(-square(u, np.ones(u.shape[1])) / 4)


def product(u):
    return ops.tanh(u[:, 0] * u[:, 1])


def two_lengths(u):
    return ops.sin(square(u[:, :2], [1, 1])) + ops.cos(u[:, 2] + u[:, 2] ** 2 / 2)


def distance(u):
    """Of two points of the plane: rotations and translations."""
    return ops.tanh(square(u[:, :2] - u[:, 2:], [1, 1]) / 4)


def distance_3(u):
    return ops.tanh(square(u[:, :3] - u[:, 3:], [1, 1, 1]) / 6)


def area(u):
    """Of a triangle in the plane: all affine maps that keep areas."""
    a, b = u[:, 2:4] - u[:, :2], u[:, 4:] - u[:, :2]
    return ops.tanh((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 3)


def ratio_of_areas(u):
    a, b, c = (u[:, k : k + 2] - u[:, :2] for k in (2, 4, 6))
    return ops.arctan2(
        a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], a[:, 0] * c[:, 1] - a[:, 1] * c[:, 0]
    )


def lengths_and_angle(u):
    a, b = u[:, :3], u[:, 3:]
    return ops.sin(dot(a, a)) - dot(b, b) / 3 + ops.tanh(dot(a, b))


FUNCTIONS = [
    Function("so(2)", 2, 1, bell, 1),
    Function("so(3)", 3, 1, bell, 3),
    Function("so(4)", 4, 1, bell, 6),
    Function("so(5)", 5, 1, bell, 10),
    Function("so(1,1)", 2, 1, product, 1),
    Function("so(2,1)", 3, 1, lambda u: ops.sin(square(u, [1, 1, -1])), 3),
    Function("so(3,1)", 4, 1, lambda u: ops.sin(square(u, [1, 1, 1, -1]) / 2), 6),
    Function("so(2,2)", 4, 1, lambda u: ops.sin(square(u, [1, 1, -1, -1]) / 2), 6),
    Function("so(2)", 3, 1, two_lengths, 1),
    Function("so(3)", 3, 2, lengths_and_angle, 3),
    Function("se(2)", 2, 2, distance, 3),
    Function("se(3)", 3, 2, distance_3, 6),
    Function("saff(2)", 2, 3, area, 5),
    Function("aff(2)", 2, 4, ratio_of_areas, 6),
    Function("0", 2, 1, random_waves(2, 0), 0),
    Function("0", 3, 1, random_waves(3, 1), 0),
    Function("0", 4, 1, random_waves(4, 2), 0),
    Function("0", 5, 1, random_waves(5, 3), 0),
    Function("0", 6, 1, random_waves(6, 4), 0),
    Function("0", 3, 2, random_waves(6, 5), 0),
]


def change_of_coordinates(size, rng):
    """`x = P u + c`: rotated, nearly collinear, scaled by 1e-6 to 1e6, far away.

    Returns:
        `P` as a rotation and scales, and the offset.
    """
    left, right = (np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(2))
    stretched = left * 10 ** rng.uniform(-1, 1, size) @ right
    scales = 10 ** rng.uniform(-6, 6, size)
    offsets = rng.choice([0, 1, 10, 100, 1000]) * rng.uniform(-1, 1, size)
    spread = np.linalg.norm(stretched, axis=1)
    return stretched, scales, offsets * spread


def in_coordinates(task, u, rng, constant_column):
    """The function and its samples in new coordinates, and the map back."""
    stretched, scales, offsets = change_of_coordinates(task.size, rng)
    blocks = u.reshape(len(u), task.blocks, task.size)
    x = (blocks @ stretched.T + offsets) * scales
    back = np.linalg.inv(stretched)
    extra = 1 if constant_column else 0
    if extra:
        x = np.concatenate([x, np.full((*x.shape[:2], 1), 273.15)], axis=2)

    def function(x):
        vectors = ops.reshape(x, (-1, task.blocks, task.size + extra))[..., : task.size]
        moved = vectors / tensor(scales) - tensor(offsets)
        moved = ops.matmul(moved, tensor(back.T))
        return task.function(ops.reshape(moved, (-1, task.blocks * task.size)))

    affine = np.eye(task.size + extra + 1)
    affine[: task.size, : task.size] = scales[:, None] * stretched
    affine[: task.size, -1] = scales * offsets
    return function, x.reshape(len(x), -1), affine


def angle_to(report, reference, affine, size):
    """The largest angle between the result in other units, converted back, and that in the
    original units.
    """
    back = np.linalg.solve(affine, report.basis @ affine)
    keep = [*range(size), -1]
    back = back[:, keep][:, :, keep]
    return np.degrees(np.max(algebra.principal_angles(back, reference.algebra)))


def coordinates(full):
    """Functions in many coordinates: is the answer the same?"""
    number = 100 if full else 10
    rows = []
    for index, task in enumerate(FUNCTIONS):
        rng = np.random.default_rng(index)
        u = 0.7 + rng.normal(size=(400, task.blocks * task.size))
        reference = find_symmetries(task.function, u, blocks=task.blocks, search="affine")
        same = named = 0
        angles = [0.0]
        for draw in range(number):
            function, x, affine = in_coordinates(task, u, rng, draw % 4 == 0)
            report = find_symmetries(function, x, blocks=task.blocks, search="affine")
            same += report.dimension == task.dimension
            named += report.name == reference.name
            if report.dimension == reference.dimension > 0:
                angles.append(angle_to(report, reference, affine, task.size))
        rows.append(
            {
                "function": f"{task.name}, {task.blocks} x {task.size}",
                "name": reference.name,
                "dimension": reference.dimension,
                "expected": task.dimension,
                "same dimension": f"{same}/{number}",
                "same name": f"{named}/{number}",
                "largest angle": f"{max(angles):.1e}",
            }
        )
    return rows
