"""Models with shared generators, and a script that saves them in any backend."""

import hashlib
import pathlib
import sys

import keras
import numpy as np
import pytest

import keras_lconv
from keras_lconv import (
    ActionRegularization,
    CasimirPooling,
    ClusterPooling,
    EquivariantDense,
    FibreNorm,
    GatedActivation,
    GradientNorm,
    InvariantPooling,
    LConv,
    LearnedPooling,
    LieBlock,
    LieExponential,
    LieMaxPooling,
    NormActivation,
    NormMaxPooling,
    OrbitPooling,
    Rearrange,
    SE2Lift,
    SE2Projection,
    TensorProduct,
)
from keras_lconv import generators as g
from keras_lconv.algebra import direct_sum, so, trivial
from tests.autodiff import run
from tests.families import to_numpy


def sequential_shared():
    shared = g.LowRankGenerators(2, 3)
    return [
        LConv(4, shared, activation="relu"),
        LConv(4, shared, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(3),
    ]


def known_and_given():
    shared = g.MatrixGenerators(np.random.default_rng(0).normal(size=(2, 25, 25)) / 5)
    return [LConv(4, shared, activation="tanh"), LConv(2, shared)]


def vector_fields():
    shared = g.VectorFieldGenerators(3, "quadratic", derivative="fourier")
    return [LConv(4, shared), LConv(2, shared, self_interaction=None)]


def sparse():
    shared = g.NeighborGenerators(2, g.grid_neighbors((5, 5)))
    window = g.ShiftGenerators([(0, 1), (1, 0)], boundary="periodic")
    turned = Rearrange(np.rot90(np.arange(25).reshape(5, 5)).ravel(), output_dim=(5, 5))
    return [
        turned,
        LConv(3, shared),
        LieExponential(3, shared, num_elements=2),
        LConv(2, window),
    ]


def block():
    return [
        LieBlock(4, 2, num_layers=3, rank=(4, 2), activation="relu"),
        LieBlock(2, "rotation", num_layers=2),
    ]


def nested():
    """Shared across the border of a nested model."""
    shared = g.DenseGenerators(2)
    return [keras.Sequential([LConv(3, shared), LConv(3, shared)]), LConv(2, shared)]


def pooling():
    """From images to vectors, and to their lengths."""
    turns = g.MatrixGenerators(so(3))
    return [
        GradientNorm(g.ShiftGenerators([(0, 1), (1, 0)])),
        LieMaxPooling(g.ShiftGenerators([(0, 1), (1, 0)]), hops=2),
        ClusterPooling(g.ShiftGenerators([(1, 1)]), clusters=np.arange(25) % 9),
        LearnedPooling(g.ShiftGenerators([1]), output_dim=(2, 3), defect_weight=0.1),
        NormMaxPooling(turns, pool_size=2),
        FibreNorm(turns),
    ]


def invariants():
    """Smoothed, over an orbit, and to numbers."""
    turns = g.rotation(name="turning")
    return [
        ActionRegularization(turns, weight=0.1, form="learned"),
        CasimirPooling(turns, tau=0.01, trainable_tau=True),
        OrbitPooling(turns, reduction="logsumexp", num_samples=3, max_parameter=0.1),
        InvariantPooling(turns, num_invariants=4, refine="radius"),
    ]


def lifted():
    """To positions and orientations, and back."""
    return [
        SE2Lift(3, num_orientations=4, activation="relu"),
        LConv(4, "se2", activation="relu"),
        LieBlock(2, g.SE2Generators(derivative="central"), num_layers=2),
        SE2Projection(reduction="average"),
    ]


def equivariant():
    """Eight vectors and a number as features; bases of maps of both kinds are saved."""
    turns = g.MatrixGenerators(direct_sum(*[so(3)] * 8, trivial(3)))
    inputs = keras.Input((5, 5, 2))
    x = EquivariantDense(2, g.ShiftGenerators([(1, 0), (0, 1)], boundary="periodic"))(
        inputs
    )
    x = keras.layers.Reshape((25, 2))(x)
    x = EquivariantDense(3, turns)(x)
    x = NormActivation(turns, activation="tanh", form="nearest")(x)
    x = GatedActivation()([x, EquivariantDense(3, turns, generators_out="trivial")(x)])
    x = TensorProduct()([x[:, :3], x[:, 3:6]])
    return keras.Model(inputs, x, name="equivariant")


def functional():
    shared = g.rotation(name="turns")
    inputs = keras.Input((5, 5, 2))
    left = LConv(3, shared)(inputs)
    right = LConv(3, shared)(keras.ops.square(inputs))
    return keras.Model(inputs, LConv(1, shared)(left + right), name="functional")


MODELS = {
    maker.__name__: maker
    for maker in (
        sequential_shared,
        known_and_given,
        vector_fields,
        sparse,
        block,
        nested,
        pooling,
        invariants,
        lifted,
        equivariant,
        functional,
    )
}


# These have nearly all layers among them, and a block and a sublayer that is shared.
SOME = ("sequential_shared", "block", "pooling", "invariants", "lifted")


def rows():
    """Parameters for a test of all models: the others are thorough."""
    return [
        name if name in SOME else pytest.param(name, marks=pytest.mark.thorough)
        for name in MODELS
    ]


def make(name, seed=0):
    """A model of the table; the learned weights depend on the seed only."""
    made = MODELS[name]()
    if isinstance(made, list):
        made = keras.Sequential([keras.Input((5, 5, 2)), *made], name=name)
    rng = np.random.default_rng(seed)
    for weight in made.trainable_weights:
        weight.assign(0.3 * rng.normal(size=weight.shape))
    return made


def inputs(model):
    shape = (4, *model.input_shape[1:])
    return np.random.default_rng(5).normal(size=shape).astype("float32")


def version():
    """A hash of all that the files depend on, but for the backend."""
    digest = hashlib.sha256(keras.__version__.encode())
    package = pathlib.Path(keras_lconv.__file__).parent
    for path in [pathlib.Path(__file__), *sorted(package.rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main(folder):
    for name in MODELS:
        model = make(name)
        model.save(folder / f"{name}.keras")
        model.save_weights(folder / f"{name}.weights.h5")
        x = inputs(model)
        y = to_numpy(run(model, x))
        np.savez(folder / f"{name}.npz", inputs=x, outputs=y)
    (folder / "backend").write_text(keras.config.backend())


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
