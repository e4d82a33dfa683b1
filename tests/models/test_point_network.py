"""Networks on points, energies and forces."""

import keras
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from keras_lconv.algebra import so
from keras_lconv.models import EnergyAndForces, point_network
from tests.autodiff import float64, run
from tests.families import relative_error, to_numpy


def energy_model(**settings):
    return EnergyAndForces(
        point_network(
            pooling="sum",
            classes=1,
            classifier_activation=None,
            num_species=2,
            filters=(4,),
            hidden_units=(8,),
            **{"input_shape": (5, 3), **settings},
        )
    )


def molecules(number=3, seed=0):
    """Kinds of atoms, of which one is padding, and positions."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(1, 3, (number, 5)).astype("int32")
    kinds[:, 4] = 0
    return kinds, rng.normal(size=(number, 5, 3))


@pytest.fixture
def wide(policy):
    """Layers and inputs of models in float64."""
    policy("float64")
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("has_bonds", [False, True])
def test_forces_are_minus_the_gradient(has_bonds):
    kinds, x = molecules()
    settings, others = {"radius": 3.0}, []
    if has_bonds:
        settings = {"neighbor_table": True, "num_edge_features": 2}
        others = [np.tile([[1, 3], [0, 2], [4, 1], [0, 1], [2, 3]], (3, 1, 1))]
        others.append(np.random.default_rng(2).normal(size=(3, 5, 2, 2)))
    with float64():
        model = energy_model(**settings)
        step, h = np.random.default_rng(1).normal(size=x.shape), 1e-5
        model.build([each.shape for each in (kinds, x, *others)])
        found = [
            run(lambda *given: model(list(given)), kinds, x + shift * step, *others)
            for shift in (0, h, -h)
        ]
        forces = to_numpy(found[0]["forces"])
        up, down = (to_numpy(each["energy"]) for each in found[1:])
    slope = (up - down)[:, 0] / (2 * h)
    assert forces.dtype == "float64"
    assert np.allclose(-np.sum(forces * step, axis=(1, 2)), slope, rtol=1e-6, atol=1e-10)
    assert np.all(forces[:, 4] == 0)
    assert np.abs(forces.sum(axis=1)).max() < 1e-10 * np.abs(forces).max() + 1e-14


@pytest.mark.thorough
def test_training_on_energies_and_forces(tmp_path):
    kinds, x = molecules(16)
    x = x.astype("float32")
    model = energy_model()
    model.compile(keras.optimizers.Adam(0.05), loss={"energy": "mse", "forces": "mse"})
    # A spring to the centre of the sample.
    there = (kinds > 0)[..., None]
    away = (x - x[:, :4].mean(axis=1, keepdims=True)) * there
    targets = {
        "energy": 0.5 * np.sum(away**2, axis=(1, 2))[:, None],
        "forces": -away,
    }
    losses = model.fit([kinds, x], targets, epochs=80, batch_size=16, verbose=0).history
    assert losses["forces_loss"][-1] < 0.5 * losses["forces_loss"][0]
    first = model.predict([kinds, x], verbose=0)
    turn = Rotation.from_rotvec([0.4, -1.0, 0.3]).as_matrix()
    order = np.array([2, 0, 1, 3, 4])
    moved = (x @ turn.T + 3)[:, order].astype("float32")
    second = model.predict([kinds[:, order], moved], verbose=0)
    assert relative_error(second["energy"], first["energy"]) < 1e-4
    assert relative_error(second["forces"], first["forces"][:, order] @ turn.T) < 1e-3
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert (
        relative_error(again.predict([kinds, x], verbose=0)["forces"], first["forces"])
        < 1e-6
    )


def test_a_network_of_the_lorentz_group():
    rng = np.random.default_rng(0)
    charges, momenta = rng.normal(size=(2, 6, 1)), rng.normal(size=(2, 6, 4))
    model = point_network(
        include_top=False, input_shape=(6, 4), group=so(3, 1), filters=(4, 4)
    )
    boost = next(L for L in so(3, 1).basis if np.allclose(L, L.T))
    g = np.eye(4) + np.sinh(1.0) * boost + (np.cosh(1.0) - 1) * boost @ boost
    first = model.predict([charges, momenta], verbose=0)
    second = model.predict([charges, momenta @ g.T], verbose=0)
    assert first.shape == (2, 6, 5, 4)
    assert relative_error(second[:, :, 0], first[:, :, 0]) < 1e-4
    turned = np.einsum("ij,bnjc->bnic", g, first[:, :, 1:])
    assert relative_error(second[:, :, 1:], turned) < 1e-4


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (5, 2)}, "the 3 coordinates"),
        ({"input_shape": 5}, "the 3 coordinates"),
        ({"pooling": "norm"}, "`pooling` must be one of"),
        ({"num_species": 0}, "`num_species` must be"),
        ({"num_species": 10**9}, "`num_species` must be"),
        ({"num_edge_features": 0}, "`num_edge_features` must be"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        point_network(**arguments)


@pytest.mark.backend_free
def test_an_energy_is_one_number():
    network = point_network(input_shape=(5, 3), classes=2, filters=(2,))
    with pytest.raises(ValueError, match="one number for each sample"):
        EnergyAndForces(network).build([(None, 5, 1), (None, 5, 3)])
    with pytest.raises(TypeError, match="must be a Keras model"):
        EnergyAndForces("network")


def test_forces_of_integer_positions_and_in_half_precision(policy):
    policy("mixed_float16")
    kinds, x = molecules()
    x = np.round(3 * x)
    model = energy_model()
    model.build([kinds.shape, x.shape])
    first, near, far, integer = (
        to_numpy(run(lambda *given: model(list(given)), kinds, positions)["forces"])
        for positions in (
            x.astype("float32"),
            (x + 1).astype("float32"),
            (x + 4097).astype("float32"),
            x.astype("int32"),
        )
    )
    assert first.dtype == "float32"
    assert np.abs(first).max() > 1e-3
    # Half precision rounds gradients. Positions are not rounded, however far they are.
    rounding = relative_error(near, first)
    assert rounding < 2e-2
    assert relative_error(far, first) < 5 * rounding + 1e-6
    assert relative_error(integer, first) < 1e-6
