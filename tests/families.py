"""One table of all families of generators, and their matrices by plain NumPy."""

import functools
import itertools
import math

import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import generators as g


def so3():
    """The three elementary rotations of space."""
    basis = np.zeros((3, 3, 3))
    for n, (a, b) in enumerate(itertools.combinations(range(3), 2)):
        basis[n, a, b], basis[n, b, a] = -1.0, 1.0
    return basis


def euclidean(ndim=2):
    """Translations and rotations, se(n), as vector fields."""
    shift = g.translation(ndim).get_config()["coefficients"]
    turn = np.array(g.rotation(ndim).get_config()["coefficients"])
    turn = np.pad(turn, ((0, 0), (0, 0), (1, 0)))
    coefficients = np.concatenate([shift, turn])
    return g.VectorFieldGenerators(
        len(coefficients), "affine", coefficients=coefficients, trainable=False
    )


def random_matrices(num, rows, columns, seed=0):
    values = np.random.default_rng(seed).normal(size=(num, rows, columns))
    return values / math.sqrt(columns)


def irregular_table(size, width, seed=0):
    """Random neighbours, some of them twice and some missing."""
    return np.random.default_rng(seed).integers(-1, size, (size, width))


def weighted_graph(size, seed=0):
    """Symmetric weights of a sparse random graph, with one node without edges."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((size, size)) * (rng.random((size, size)) < 0.4), 1)
    upper[-1] = upper[:, -1] = 0.0
    return upper + upper.T


# Few spatial shapes, so that code that JAX compiled for one family serves another.
COMPONENTS = (3,)
LINE = (6,)
PLANE = (4, 5)
EVEN_PLANE = (4, 4)
SPACE = (3, 4, 3)
TURNS = (4, 3, 5)  # orientations, and two axes

# name -> (makes the generators, spatial shape). Learned families get weights of order
# one, so that every term of a formula counts.
SQUARE = {
    "dense": (lambda: g.DenseGenerators(3, initializer="random_normal"), PLANE),
    "dense_vector": (lambda: g.DenseGenerators(2, initializer="random_normal"), LINE),
    "low_rank": (lambda: g.LowRankGenerators(3, 4, initializer="lecun_normal"), PLANE),
    "low_rank_chain": (
        lambda: g.LowRankGenerators(2, (7, 3), initializer="lecun_normal"),
        EVEN_PLANE,
    ),
    "matrix": (lambda: g.MatrixGenerators(random_matrices(2, 20, 20)), PLANE),
    "so3": (lambda: g.MatrixGenerators(so3()), COMPONENTS),
    "linear": (lambda: g.VectorFieldGenerators(2, "linear"), PLANE),
    "affine_learned": (lambda: g.VectorFieldGenerators(3, "affine"), EVEN_PLANE),
    "quadratic_line": (lambda: g.VectorFieldGenerators(2, "quadratic"), LINE),
    "quadratic_fourier": (
        lambda: g.VectorFieldGenerators(2, "quadratic", derivative="fourier"),
        PLANE,
    ),
    "affine_3d_central": (
        lambda: g.VectorFieldGenerators(2, "affine", derivative="central"),
        SPACE,
    ),
    "free": (lambda: g.VectorFieldGenerators(2, "free"), PLANE),
    "free_central": (
        lambda: g.VectorFieldGenerators(1, "free", derivative="central"),
        PLANE,
    ),
    "translations": (lambda: g.translation(2, derivative="fourier"), PLANE),
    "translation_line": (lambda: g.translation(1), LINE),
    "rotation": (lambda: g.rotation(), EVEN_PLANE),
    "rotation_3d": (lambda: g.rotation(3), SPACE),
    "scaling": (lambda: g.scaling(derivative="central"), PLANE),
    "shear": (lambda: g.shear(), PLANE),
    "affine": (lambda: g.affine(), EVEN_PLANE),
    "neighbor": (
        lambda: g.NeighborGenerators(
            3, g.grid_neighbors(PLANE), initializer="random_normal"
        ),
        PLANE,
    ),
    "neighbor_periodic": (
        lambda: g.NeighborGenerators(
            2, g.grid_neighbors(SPACE, (3, 1, 3), "periodic"), initializer="he_normal"
        ),
        SPACE,
    ),
    "neighbor_irregular": (lambda: g.NeighborGenerators(2, irregular_table(6, 4)), LINE),
    "neighbor_given": (
        lambda: g.NeighborGenerators(
            2, irregular_table(20, 3), values=random_matrices(20, 3, 2), trainable=False
        ),
        PLANE,
    ),
    "shifts": (lambda: g.ShiftGenerators([(0, 1), (-1, 2), (0, 0), (3, 0)]), PLANE),
    "shifts_periodic": (
        lambda: g.ShiftGenerators([(1, 0, -1), (0, -5, 0)], boundary="periodic"),
        SPACE,
    ),
    "shift_line": (lambda: g.ShiftGenerators([-1, 2]), LINE),
    "se2": (lambda: g.SE2Generators(), TURNS),
    "se2_fourier": (lambda: g.SE2Generators(derivative="fourier"), SPACE),
    "e2": (lambda: g.SE2Generators(reflections=True), TURNS),
    "left_invariant": (
        lambda: g.LeftInvariantGenerators([[[1.0]]], steps=0.3, derivative="fourier"),
        PLANE,
    ),
    "sheared": (
        lambda: g.LeftInvariantGenerators([[0.0, 1.0], [0.0, 0.0]], steps=0.5),
        SPACE,
    ),
    "graph": (lambda: g.graph(weighted_graph(6), "laplacian"), LINE),
}
RECTANGULAR = {
    "dense_strided": (lambda: g.DenseGenerators(3, output_dim=(2, 3)), PLANE),
    "low_rank_strided": (lambda: g.LowRankGenerators(2, 4, output_dim=5), EVEN_PLANE),
    "matrix_strided": (lambda: g.MatrixGenerators(random_matrices(2, 6, 20)), PLANE),
    "shifts_strided": (
        lambda: g.ShiftGenerators(
            [(0, 1), (-1, 2), (3, 0)], boundary="periodic", strides=(2, 3)
        ),
        PLANE,
    ),
    "shifts_valid": (
        lambda: g.ShiftGenerators(
            [(0, 1), (-1, 2), (0, -1)], boundary="valid", strides=(2, 1)
        ),
        PLANE,
    ),
}
ALL = {**SQUARE, **RECTANGULAR}

# One row for each class, and each of its ways to compute.
ONE_OF_EACH = (
    "dense",
    "low_rank_chain",
    "matrix_strided",
    "quadratic_fourier",
    "free_central",
    "neighbor",
    "shifts_strided",
    "left_invariant",
)


def rows(names):
    """Parameters for a product of families with something else."""
    return [
        name if name in ONE_OF_EACH else pytest.param(name, marks=pytest.mark.thorough)
        for name in names
    ]


def build(name, seed=0):
    """The built generators of the table, with random weights if they are learned."""
    make, spatial = ALL[name]
    generators = make()
    generators.build((None, *spatial, 1))
    if isinstance(generators, g.VectorFieldGenerators) and generators.is_learned:
        shape = tuple(generators.coefficients.shape)
        values = np.random.default_rng(seed).normal(size=shape)
        generators.coefficients.assign(values.astype("float32"))
    return generators, spatial


def build_in(dtype, name):
    """The built generators of the table, with their own weights, in another dtype."""
    make, spatial = ALL[name]
    generators = make()
    generators = type(generators).from_config({**generators.get_config(), "dtype": dtype})
    generators.build((None, *spatial, 1))
    return generators, spatial


def reference_derivative(size, kind):
    """The derivative matrix, entry by entry from its definition."""
    matrix = np.zeros((size, size))
    for i, j in itertools.product(range(size), repeat=2):
        if kind == "central":
            matrix[i, j] = 0.5 * ((j == i + 1) - (j == i - 1))
        elif kind == "spectral":
            matrix[i, j] = 0 if i == j else (-1) ** (i - j) / (i - j)
        else:
            # The derivative of the trigonometric interpolation, as a sum over
            # frequencies; the highest one of an even number is left out.
            frequencies = range(-((size - 1) // 2), (size - 1) // 2 + 1)
            angle = 2 * math.pi / size
            matrix[i, j] = (
                sum(-angle * n * math.sin(angle * n * (i - j)) for n in frequencies) / size
            )
    return matrix


def reference_matrices(generators):
    """The matrices `L_i` of built generators, by NumPy, float64."""
    values = [np.asarray(to_numpy(w), dtype="float64") for w in generators.weights]
    if isinstance(generators, g.DenseGenerators):
        return values[0]
    if isinstance(generators, g.LowRankGenerators):
        product = values[0]
        for factor in values[1:]:
            product = np.array([a @ b for a, b in zip(factor, product, strict=True)])
        return product
    if isinstance(generators, g.NeighborGenerators):
        return _neighbor_matrices(generators, values[0])
    if isinstance(generators, g.ShiftGenerators):
        return _shift_matrices(generators)
    if isinstance(generators, g.SE2Generators):
        return _se2_matrices(generators)
    if isinstance(generators, g.LeftInvariantGenerators):
        return _left_invariant_matrices(generators)
    return np.array([_field_matrix(generators, c) for c in values[0]])


def _neighbor_matrices(generators, weights):
    size, _, num = weights.shape
    matrices = np.zeros((num, size, size))
    for row, m in np.ndindex(generators.neighbors.shape):
        column = generators.neighbors[row, m]
        if column >= 0:
            matrices[:, row, column] += weights[row, m]
    return matrices


def _shift_matrices(generators):
    shape = generators.spatial_shape
    positions = {point: n for n, point in enumerate(np.ndindex(*shape))}
    rows = [point for point in positions if _is_kept(generators, point)]
    matrices = np.zeros((generators.num_generators, len(rows), len(positions)))
    for i, offset in enumerate(generators.offsets):
        for row, point in enumerate(rows):
            moved = tuple(a + b for a, b in zip(point, offset, strict=True))
            if generators.boundary == "periodic":
                moved = tuple(a % n for a, n in zip(moved, shape, strict=True))
            if moved in positions:
                matrices[i, row, positions[moved]] = 1.0
    return matrices


def _is_kept(generators, point):
    """Whether the output of shifts has a position at this one of the input."""
    for x, n, step, moves in zip(
        point,
        generators.spatial_shape,
        generators.strides,
        zip(*generators.offsets, strict=True),
        strict=True,
    ):
        first, last = 0, n - 1
        if generators.boundary == "valid":
            first, last = max(0, -min(moves)), n - 1 - max(0, max(moves))
        if not first <= x <= last or (x - first) % step:
            return False
    return True


def _se2_matrices(generators):
    """Minus the derivatives along and across each orientation, and by its angle."""
    shape = generators.spatial_shape
    num = shape[0] // 2 if generators.reflections else shape[0]
    kinds = ("fourier", generators.derivative, generators.derivative)
    turn, down, right = (
        reference_derivative(n, k) for n, k in zip((num, *shape[1:]), kinds, strict=True)
    )
    size = math.prod(shape)
    matrices = np.zeros((3, *shape, *shape))
    for j, y, x in np.ndindex(*shape):
        c, s = (f(2 * math.pi * j / num) for f in (math.cos, math.sin))
        side = 1 if j < num else -1
        circle = slice(0, num) if j < num else slice(num, 2 * num)
        matrices[0, j, y, x, j, :, x] -= c * down[y]
        matrices[0, j, y, x, j, y, :] -= s * right[x]
        matrices[1, j, y, x, j, :, x] += side * s * down[y]
        matrices[1, j, y, x, j, y, :] -= side * c * right[x]
        matrices[2, j, y, x, circle, y, x] -= side * num / (2 * math.pi) * turn[j % num]
    return matrices.reshape(3, size, size)


def _left_invariant_matrices(generators):
    """Of one coordinate on a line: slopes in the frame of each sample, and between them."""
    shape = generators.spatial_shape
    (step,), (A,) = generators.coordinates.steps, generators.coordinates.matrices
    kinds = ["central"] + [generators.derivative] * len(A)
    slopes = []
    for axis, (size, kind) in enumerate(zip(shape, kinds, strict=True)):
        factors = [np.eye(n) for n in shape]
        factors[axis] = reference_derivative(size, kind)
        slopes.append(functools.reduce(np.kron, factors))
    matrices = np.zeros((len(A) + 1, math.prod(shape), math.prod(shape)))
    matrices[-1] = -slopes[0] / step
    for row, (sample, *_) in enumerate(np.ndindex(*shape)):
        frame = expm(sample * step * A)
        for a, b in np.ndindex(frame.shape):
            matrices[a, row] -= frame[b, a] * slopes[1 + b][row]
    return matrices


def _field_matrix(generators, coefficients):
    shape = generators.spatial_shape
    radius = max(n - 1 for n in shape) / 2
    size = math.prod(shape)
    matrix = np.zeros((size, size))
    for axis in range(len(shape)):
        factors = [np.eye(n) for n in shape]
        factors[axis] = reference_derivative(shape[axis], generators.derivative)
        derivative = np.ones((1, 1))
        for factor in factors:
            derivative = np.kron(derivative, factor)
        for row, index in enumerate(np.ndindex(*shape)):
            x = [i - (n - 1) / 2 for i, n in zip(index, shape, strict=True)]
            basis = _monomials(generators.field, x, radius, row, size)
            speed = radius * np.dot(coefficients[axis], basis)
            matrix[row] -= speed * derivative[row]
    return matrix


def _monomials(field, x, radius, row, size):
    if field == "free":
        return np.eye(size)[row]
    u = [value / radius for value in x]
    constant, linear = [1.0], u
    quadratic = [u[a] * u[b] for a in range(len(u)) for b in range(a, len(u))]
    return {
        "linear": linear,
        "affine": constant + linear,
        "quadratic": constant + linear + quadratic,
    }[field]


def to_numpy(tensor):
    import keras

    return np.asarray(keras.ops.convert_to_numpy(tensor))


def relative_error(value, expected):
    """The error relative to the largest expected entry."""
    value, expected = to_numpy(value), to_numpy(expected)
    assert value.shape == expected.shape
    scale = max(float(np.max(np.abs(expected))), 1e-30)
    return float(np.max(np.abs(value - expected))) / scale
