"""One table of all public layers: how to make each, what it takes, what it promises.

`tests/layers/test_contract.py` holds every row to the contract of a layer. A new layer gets
a row, and all the tests; one with generators also a row for those of any family. Being a
table, the file grows with the layers.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.linalg import expm

from keras_lconv import generators as g
from keras_lconv import layers
from keras_lconv.algebra import so

# Moves an array `(batch, *spatial, channels)`.
Motion = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Row:
    """What the contract needs to know of a layer.

    `make` passes keyword arguments on: `dtype`, `data_format`. `shape` is that of an input
    without its batch, channels last; a list of shapes, for a list of inputs. `motion` moves
    the inputs, one function for each, and `moved` is what the output does then, as the
    docstring states it; without it the output stays as it is. `error` bounds how far that
    is from true, relative to the output. `mask_axes` is the number of axes of a mask after
    the batch; None for layers that take none.
    """

    make: Callable
    shape: tuple[int, ...] | list[tuple[int, ...]]
    motion: Motion | list[Motion] | None = None
    moved: Motion | None = None
    error: float = 1e-5
    mask_axes: int | None = None

    @property
    def shapes(self):
        return self.shape if isinstance(self.shape, list) else [self.shape]

    @property
    def motions(self):
        return self.motion if isinstance(self.motion, list) else [self.motion]


def unmoved(f):
    return f


def turned_fibres(algebra, seed=0):
    """An element of the group, near the identity, on the axis before the channels."""
    basis = np.asarray(algebra)
    t = 0.4 * np.random.default_rng(seed).normal(size=len(basis))
    element = expm(np.tensordot(t, basis, 1))
    return lambda f: np.einsum("ij,...jc->...ic", element, f)


def tensor_square(algebra):
    """The generators of an algebra on pairs of components."""
    basis = np.asarray(algebra)
    one = np.eye(basis.shape[1])
    return np.array([np.kron(L, one) + np.kron(one, L) for L in basis])


def turned_grid(ndim=2, angle=0.7):
    """The flow of the rotation of a grid, whose matrix is exact on it."""

    def motion(f):
        generators = g.rotation(ndim, dtype="float64")
        generators.build((None, *f.shape[1:-1], 1))
        matrix = expm(angle * generators.matrices()[0])
        flat = f.reshape(len(f), -1, f.shape[-1])
        return np.einsum("ij,bjc->bic", matrix, flat).reshape(f.shape)

    return motion


def rolled(*steps):
    """Whole steps on a periodic grid."""
    return lambda f: np.roll(f, steps, axis=tuple(range(1, len(steps) + 1)))


def quarter_turn(f):
    """Of an image."""
    return np.rot90(f, axes=(1, 2))


def quarter_turn_of_orientations(f):
    """Of features on positions and orientations."""
    return np.roll(np.rot90(f, axes=(2, 3)), f.shape[1] // 4, axis=1)


def quarter_turn_of_frames(f):
    """Of features on orientations, sizes and positions."""
    return np.roll(np.rot90(f, axes=(3, 4)), f.shape[1] // 4, axis=1)


def quarter_turn_of_functions(f):
    """Of regular fields of the four turns, which are functions on them."""
    return np.roll(quarter_turn(f), 1, axis=3)


def quarter_turn_of_waves(f):
    """Of the coefficients of functions on the circle up to degree 1."""
    turned = quarter_turn(f)
    matrix = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    return np.einsum("ij,...jc->...ic", matrix, turned)


def shifts():
    return g.ShiftGenerators([(0, 1), (1, 0)], boundary="periodic")


def dilations(dtype=None, **_):
    """Scalings of a periodic line."""
    return g.LeftInvariantGenerators([[1.0]], steps=0.3, derivative="fourier", dtype=dtype)


IMAGE = (5, 5, 2)
EVEN_IMAGE = (4, 4, 2)
REGULAR = (5, 5, 4, 2)  # of the quarter turns
WAVES = (5, 5, 3, 2)  # degrees 0 and 1 on the circle
VECTORS = (3, 2)
FIELD = (4, 4, 3, 2)  # vectors at the positions of an image

TURNED = turned_fibres(so(3))
TURNED_IMAGE = turned_grid()
TENSORS = tensor_square(so(3))
TURNED_TENSORS = turned_fibres(TENSORS)


def moved_points(x):
    """Positions that are turned, and then moved."""
    return TURNED(x[..., None])[..., 0] + 0.3


def fifth_turn(f):
    """One of the elements over which an orbit of five samples is pooled."""
    element = expm(2 * np.pi / 5 * so(2).basis[0])
    return np.einsum("ij,...jc->...ic", element, f)


ROWS = {
    "ActionRegularization": Row(
        lambda **k: layers.ActionRegularization("translation", weight=0.1, **k),
        IMAGE,
        mask_axes=2,
    ),
    "ActionRegularization, learned": Row(
        lambda **k: layers.ActionRegularization("translation", form="learned", **k),
        IMAGE,
        mask_axes=2,
    ),
    "CasimirPooling": Row(
        lambda **k: layers.CasimirPooling("rotation", tau=0.05, trainable_tau=True, **k),
        IMAGE,
        TURNED_IMAGE,
        TURNED_IMAGE,
        mask_axes=2,
    ),
    "StridedPooling": Row(
        lambda **k: layers.StridedPooling(shifts(), strides=2, **k),
        EVEN_IMAGE,
        rolled(2, 2),
        rolled(1, 1),
        mask_axes=2,
    ),
    "StridedPooling, average": Row(
        lambda **k: layers.StridedPooling(shifts(), strides=2, reduction="average", **k),
        EVEN_IMAGE,
        rolled(2, 2),
        rolled(1, 1),
        mask_axes=2,
    ),
    "ClusterPooling": Row(
        lambda **k: layers.ClusterPooling(shifts(), clusters=np.arange(16) % 4, **k),
        EVEN_IMAGE,
        rolled(0, 1),
        rolled(1),
        mask_axes=2,
    ),
    "LearnedPooling": Row(
        lambda **k: layers.LearnedPooling(
            shifts(), output_dim=(2, 3), defect_weight=0.1, **k
        ),
        EVEN_IMAGE,
        mask_axes=2,
    ),
    "EquivariantDense": Row(
        lambda **k: layers.EquivariantDense(4, so(3), **k),
        VECTORS,
        TURNED,
        TURNED,
        mask_axes=1,
    ),
    "EquivariantDense, to numbers": Row(
        lambda **k: layers.EquivariantDense(
            4, TENSORS, generators_out="trivial", activation="relu", **k
        ),
        (9, 2),
        TURNED_TENSORS,
        mask_axes=1,
    ),
    "EquivariantDense, shifts": Row(
        lambda **k: layers.EquivariantDense(4, shifts(), **k),
        EVEN_IMAGE,
        rolled(1, 3),
        rolled(1, 3),
        mask_axes=2,
    ),
    "FieldDropout": Row(
        lambda **k: layers.FieldDropout(0.5, "c4", "regular", **k),
        REGULAR,
        quarter_turn_of_functions,
        quarter_turn_of_functions,
        mask_axes=2,
    ),
    "FieldNormalization": Row(
        lambda **k: layers.FieldNormalization("c4", "regular", **k),
        REGULAR,
        quarter_turn_of_functions,
        quarter_turn_of_functions,
        mask_axes=2,
    ),
    "FieldNormalization, layer": Row(
        lambda **k: layers.FieldNormalization("so2", 1, kind="layer", **k),
        WAVES,
        quarter_turn_of_waves,
        quarter_turn_of_waves,
        mask_axes=2,
    ),
    "FourierActivation": Row(
        lambda **k: layers.FourierActivation("so2", 1, **k),
        WAVES,
        quarter_turn_of_waves,
        quarter_turn_of_waves,
        mask_axes=2,
    ),
    "GatedActivation, positions": Row(
        lambda **k: layers.GatedActivation(**k),
        [WAVES, IMAGE],
        [quarter_turn_of_waves, quarter_turn],
        quarter_turn_of_waves,
        mask_axes=2,
    ),
    "GroupLift": Row(
        lambda **k: layers.GroupLift(3, "sim2", num_samples=(4, 2), **k),
        IMAGE,
        quarter_turn,
        quarter_turn_of_frames,
        mask_axes=2,
    ),
    "GroupLift, line": Row(
        lambda **k: layers.GroupLift(3, dilations(**k), num_samples=3, order=1, **k),
        IMAGE[1:],
        rolled(2),
        rolled(0, 2),
        mask_axes=1,
    ),
    "GroupProjection": Row(
        lambda **k: layers.GroupProjection(num_coordinates=2, **k),
        (4, 2, *IMAGE),
        quarter_turn_of_frames,
        quarter_turn,
        mask_axes=4,
    ),
    "GroupPooling": Row(
        lambda **k: layers.GroupPooling("c4", "regular", **k),
        REGULAR,
        quarter_turn_of_functions,
        quarter_turn,
        mask_axes=2,
    ),
    "GroupPooling, norm of averages": Row(
        lambda **k: layers.GroupPooling(
            "so2", 1, reduction="norm", positions="average", **k
        ),
        WAVES,
        quarter_turn_of_waves,
        mask_axes=2,
    ),
    "SteerableConv": Row(
        lambda **k: layers.SteerableConv(
            3, 3, group="c4", representation_out="regular", activation="relu", **k
        ),
        IMAGE,
        quarter_turn,
        quarter_turn_of_functions,
        mask_axes=2,
    ),
    "SteerableConv, strides": Row(
        lambda **k: layers.SteerableConv(
            3, 3, group="so2", representation_in=1, strides=2, **k
        ),
        WAVES,
        quarter_turn_of_waves,
        quarter_turn,
        mask_axes=2,
    ),
    "SteerablePool": Row(
        lambda **k: layers.SteerablePool("c4", "regular", **k),
        REGULAR,
        quarter_turn_of_functions,
        quarter_turn_of_functions,
        mask_axes=2,
    ),
    "SteerablePool, longest": Row(
        lambda **k: layers.SteerablePool("so2", 1, reduction="max", **k),
        WAVES,
        quarter_turn_of_waves,
        quarter_turn_of_waves,
        mask_axes=2,
    ),
    "SteerableUpSampling": Row(
        lambda **k: layers.SteerableUpSampling("so2", 1, **k),
        WAVES,
        quarter_turn_of_waves,
        quarter_turn_of_waves,
        mask_axes=2,
    ),
    "GatedActivation": Row(
        lambda **k: layers.GatedActivation(**k),
        [VECTORS, (2,)],
        [TURNED, unmoved],
        TURNED,
        mask_axes=1,
    ),
    "InvariantPooling, linear": Row(
        lambda **k: layers.InvariantPooling("rotation", kind="linear", **k),
        IMAGE,
        TURNED_IMAGE,
        mask_axes=2,
    ),
    "InvariantPooling, rings": Row(
        lambda **k: layers.InvariantPooling(
            "rotation", method="rings", num_invariants=6, **k
        ),
        IMAGE,
        quarter_turn,
        mask_axes=2,
    ),
    "InvariantPooling, spectrum": Row(
        lambda **k: layers.InvariantPooling("rotation", **k),
        IMAGE,
        TURNED_IMAGE,
        mask_axes=2,
    ),
    "LConv": Row(
        lambda **k: layers.LConv(3, "rotation", use_bias=False, **k),
        IMAGE,
        TURNED_IMAGE,
        TURNED_IMAGE,
        mask_axes=2,
    ),
    "LConv, learned": Row(
        lambda **k: layers.LConv(3, 2, rank=3, activation="relu", **k),
        IMAGE,
        mask_axes=2,
    ),
    "LConv, wide": Row(
        lambda **k: layers.LConv(
            3,
            g.translation(derivative="fourier", dtype=k.get("dtype")),
            order=2,
            smoothing=(0.5, 2.0),
            activation="relu",
            **k,
        ),
        IMAGE,
        rolled(1, 3),
        rolled(1, 3),
        mask_axes=2,
    ),
    "LConv, wide and learned": Row(
        lambda **k: layers.LConv(3, 2, rank=3, order=2, smoothing=0.1, **k),
        IMAGE,
        mask_axes=2,
    ),
    "LieBlock": Row(
        lambda **k: layers.LieBlock(3, "rotation", num_layers=2, use_bias=False, **k),
        IMAGE,
        TURNED_IMAGE,
        TURNED_IMAGE,
        mask_axes=2,
    ),
    "LieExponential": Row(
        lambda **k: layers.LieExponential(
            3, "rotation", num_elements=2, use_bias=False, **k
        ),
        IMAGE,
        TURNED_IMAGE,
        TURNED_IMAGE,
        mask_axes=2,
    ),
    "LieMaxPooling": Row(
        lambda **k: layers.LieMaxPooling(shifts(), **k),
        EVEN_IMAGE,
        rolled(1, 3),
        rolled(1, 3),
        mask_axes=2,
    ),
    "NormActivation": Row(
        lambda **k: layers.NormActivation(so(3), **k),
        FIELD,
        TURNED,
        TURNED,
        mask_axes=2,
    ),
    "NormMaxPooling": Row(
        lambda **k: layers.NormMaxPooling(so(3), pool_size=2, **k),
        FIELD,
        TURNED,
        TURNED,
        mask_axes=2,
    ),
    "GradientNorm": Row(
        lambda **k: layers.GradientNorm(
            g.translation(derivative="fourier", dtype=k.get("dtype")), **k
        ),
        IMAGE,
        rolled(1, 3),
        rolled(1, 3),
        mask_axes=2,
    ),
    "FibreNorm": Row(
        lambda **k: layers.FibreNorm(so(3), **k),
        FIELD,
        TURNED,
        mask_axes=2,
    ),
    "OrbitPooling": Row(
        lambda **k: layers.OrbitPooling(
            so(2), reduction="max", num_samples=5, period=2 * np.pi, **k
        ),
        (2, 3),
        fifth_turn,
        mask_axes=1,
    ),
    "PointConv": Row(
        lambda **k: layers.PointConv(
            3,
            so(3),
            representation_in="standard",
            representation_out="standard",
            radius=4.0,
            aggregation="sum",
            **k,
        ),
        [(4, *VECTORS), (4, 3)],
        [TURNED, moved_points],
        TURNED,
        mask_axes=1,
    ),
    "PointPooling": Row(
        lambda **k: layers.PointPooling(reduction="sum", **k),
        (4, *VECTORS),
        TURNED,
        TURNED,
        mask_axes=1,
    ),
    "Rearrange": Row(
        lambda **k: layers.Rearrange(
            np.arange(16).reshape(4, 4).T.ravel(), output_dim=(4, 4), **k
        ),
        EVEN_IMAGE,
        rolled(1, 2),
        rolled(2, 1),
        mask_axes=2,
    ),
    "SE2Lift": Row(
        lambda **k: layers.SE2Lift(3, num_orientations=4, **k),
        IMAGE,
        quarter_turn,
        quarter_turn_of_orientations,
        mask_axes=2,
    ),
    "SE2Projection": Row(
        lambda **k: layers.SE2Projection(**k),
        (4, *IMAGE),
        quarter_turn_of_orientations,
        quarter_turn,
        mask_axes=3,
    ),
    "TensorProduct": Row(
        lambda **k: layers.TensorProduct(**k),
        [VECTORS, VECTORS],
        [TURNED, TURNED],
        TURNED_TENSORS,
        mask_axes=1,
    ),
}

# How layers are made of generators of a size, on three positions or components, and the
# shape of their input: `tests/generators/test_subclass.py`.
FIXED_FAMILY = {
    "InvariantPooling": (lambda L, s: layers.InvariantPooling(L), (3, 2)),
    "EquivariantDense": (lambda L, s: layers.EquivariantDense(4, L), (3, 2)),
}
LEARNED_FAMILY = {
    "LConv": (lambda L, s: layers.LConv(4, L), (3, 2)),
    "LConv, channels first": (lambda L, s: layers.LConv(2, L), (3, 5)),
    "LConv, steps": (lambda L, s: layers.LConv(2, L, num_steps=3), (3, 2)),
    "LConv, smoothed products": (
        lambda L, s: layers.LConv(2, L, order=2, smoothing=0.1 / s**2),
        (3, 2),
    ),
    "LieBlock": (lambda L, s: layers.LieBlock(4, L, num_layers=2), (3, 2)),
    "LieExponential": (
        lambda L, s: layers.LieExponential(4, L, num_elements=2, max_parameter=6.0 / s),
        (3, 2),
    ),
    "OrbitPooling": (
        lambda L, s: layers.OrbitPooling(
            L, reduction="average", num_samples=2, max_parameter=2.0 / s
        ),
        (3, 2),
    ),
    "CasimirPooling": (lambda L, s: layers.CasimirPooling(L, tau=0.2 / s**2), (3, 2)),
    "LieMaxPooling": (lambda L, s: layers.LieMaxPooling(L, hops=2), (3, 2)),
    "GradientNorm": (lambda L, s: layers.GradientNorm(L), (3, 2)),
    "FibreNorm": (lambda L, s: layers.FibreNorm(L), (5, 3, 2)),
    "NormMaxPooling": (lambda L, s: layers.NormMaxPooling(L), (4, 3, 2)),
    "NormActivation": (lambda L, s: layers.NormActivation(L), (5, 3, 2)),
    "StridedPooling": (lambda L, s: layers.StridedPooling(L), (3, 2)),
    "ClusterPooling": (lambda L, s: layers.ClusterPooling(L, clusters=[0, 1, 0]), (3, 2)),
    "LearnedPooling": (
        lambda L, s: layers.LearnedPooling(L, output_dim=2, defect_weight=1.0),
        (3, 2),
    ),
    "ActionRegularization": (lambda L, s: layers.ActionRegularization(L), (3, 2)),
}
ANY_FAMILY = {**LEARNED_FAMILY, **FIXED_FAMILY}

# What does not hold yet, `test: {row: reason}`: a strict xfail. A reason for a part of the
# backends begins with their names.
KNOWN_FAILURES: dict[str, dict[str, str]] = {}
