"""Conserved quantities of known Hamiltonians, and of their trajectories."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv.algebra import principal_angles, so
from keras_lconv.physics import (
    ConservedQuantity,
    find_conserved_quantities,
    fit_conserved_quantities,
)
from keras_lconv.physics.conservation.quantities import symplectic_form
from tests.physics.conservation.kepler import angular_momenta, kepler, kepler_orbits, points


@pytest.mark.parametrize("source", ["hamiltonian", "trajectories", "noisy trajectories"])
def test_kepler_conserves_angular_momentum(source, unseen):
    if source == "hamiltonian":
        found = find_conserved_quantities(kepler, points(6))
    else:
        orbits = kepler_orbits(40, 3, seed=1)
        if source == "noisy trajectories":
            orbits += 1e-3 * np.random.default_rng(2).normal(size=orbits.shape)
        found = fit_conserved_quantities(orbits)
    formulas = [quantity.formula() for quantity in found.quantities]
    assert formulas == ["q1 p2 - q2 p1", "q1 p3 - q3 p1", "q2 p3 - q3 p2"]
    assert found.algebra.identify().name == "so(3)"
    assert found.confidence > 0.9
    drift = np.abs(found.drift(unseen)).max()
    assert drift < (1e-3 if source == "noisy trajectories" else 2e-8)
    for number, quantity in enumerate(found.quantities):
        true = angular_momenta(unseen)[..., number].ravel()
        assert np.corrcoef(quantity(unseen).ravel(), true)[0, 1] > 0.9999


@pytest.mark.parametrize(
    ("n", "name", "also"), [(2, "so(3) + R", "u(2)"), (3, "su(3) + R", "u(3)")]
)
def test_isotropic_oscillator_has_the_hidden_symmetries(n, name, also):
    found = find_conserved_quantities(lambda z: ops.sum(z**2, axis=1) / 2, points(2 * n))
    assert len(found) == n * n
    identification = found.algebra.identify()
    assert identification.name == name
    assert also in identification.isomorphic_to
    # Each commutes with the flow of the Hamiltonian, which is J itself.
    flow = symplectic_form(n)
    for quantity in found.quantities:
        assert np.allclose(flow @ quantity.quadratic, quantity.quadratic @ flow, atol=1e-5)


def test_coupled_masses_conserve_total_momentum():
    def springs(z):
        q, p = z[:, :3], z[:, 3:]
        stretched = (q[:, 0] - q[:, 1]) ** 4 + 2 * (q[:, 1] - q[:, 2]) ** 4
        return ops.sum(p**2, axis=1) / 2 + stretched

    found = find_conserved_quantities(springs, points(6))
    # The total momentum, and its square.
    assert [len(quantity.linear.nonzero()[0]) for quantity in found.quantities] == [0, 3]
    assert found.quantities[1].formula() == "p1 + p2 + p3"
    names = ["a", "b", "c", "u", "v", "w"]
    assert found.quantities[1].formula(names) == "u + v + w"
    # A linear map is no translation: then the square alone is left.
    assert len(find_conserved_quantities(springs, points(6), action="linear")) == 1


def test_charge_in_a_magnetic_field():
    def energy(z):  # field 2, symmetric gauge, and a potential around the origin
        x, y, px, py = (z[:, i] for i in range(4))
        return ((px + y) ** 2 + (py - x) ** 2) / 2 + ops.sqrt(1 + x**2 + y**2)

    found = find_conserved_quantities(energy, points(4))
    assert [quantity.formula() for quantity in found.quantities] == ["q1 p2 - q2 p1"]

    def free(z):
        x, y, px, py = (z[:, i] for i in range(4))
        return ops.tanh(((px + y) ** 2 + (py - x) ** 2) / 2)

    found = find_conserved_quantities(free, points(4))
    # Momenta along both axes with what the field adds, and all products of them, one of
    # which makes angular momentum of the energy.
    assert len(found) == 6
    spans = np.array([quantity.linear for quantity in found.quantities])
    expected = np.array([[0, -1, 1, 0], [1, 0, 0, 1.0]])
    assert np.linalg.matrix_rank(np.vstack([spans, expected]), tol=1e-4) == 2


def test_no_symmetry():
    def potential(z):
        q, p = z[:, :2], z[:, 2:]
        wells = ops.cos(q[:, 0]) + ops.sin(1.3 * q[:, 1] + 0.4 * q[:, 0] ** 2)
        return ops.sum(p**4, axis=1) + wells + p[:, 0] * q[:, 1] ** 3

    found = find_conserved_quantities(potential, points(4))
    assert len(found) == 0
    assert "no conserved quantity" in found.summary()
    assert found.drift(points(4)[None]).shape == (1, 500, 0)


def test_model_as_hamiltonian():
    """A model is called in inference mode: dropout would break each symmetry."""
    inputs = keras.Input((4,))
    q_and_p = keras.layers.Dropout(0.5)(inputs)
    squares = ops.stack(
        [ops.sum(q_and_p[:, :2] ** 2, axis=1), ops.sum(q_and_p[:, 2:] ** 2, axis=1)], axis=1
    )
    energy = keras.layers.Dense(1)(keras.layers.Dense(16, "softplus")(squares))
    found = find_conserved_quantities(keras.Model(inputs, energy), points(4))
    assert [quantity.formula() for quantity in found.quantities] == ["q1 p2 - q2 p1"]


def test_given_generators():
    on_positions = find_conserved_quantities(kepler, points(6), search=so(3))
    assert len(on_positions.singular_values) == 3
    assert len(on_positions) == 3
    lifted = np.array([np.kron(np.eye(2), matrix) for matrix in so(3).basis])
    on_phase_space = find_conserved_quantities(
        kepler, points(6), search=lifted, action="linear"
    )
    angles = principal_angles(on_phase_space.algebra, lifted)
    assert np.max(angles) < 1e-5
    only_one = find_conserved_quantities(
        kepler, points(6), search=np.diag([1.0, 2, 3])[None]
    )
    assert len(only_one) == 0


def test_generators_on_positions_act_on_momenta_by_the_dual():
    def squeezed(z):
        return (z[:, 0] * z[:, 2] + z[:, 1] * z[:, 3]) ** 2

    found = find_conserved_quantities(squeezed, points(4), search=np.eye(2)[None])
    assert [quantity.formula() for quantity in found.quantities] == ["q1 p1 + q2 p2"]


def test_units_do_not_matter():
    def oscillator(z):  # positions of 1000, momenta of 0.001
        return ops.sum((z[:, :2] / 1000) ** 2 + (z[:, 2:] * 1000) ** 2, axis=1)

    z = points(4) * np.array([1000, 1000, 0.001, 0.001])
    found = find_conserved_quantities(lambda z: kepler(z / 1000), 1000 * points(4))
    assert [quantity.formula() for quantity in found.quantities] == ["q1 p2 - q2 p1"]
    trajectories = np.stack(
        [
            np.concatenate(
                [
                    z[:30, :2] * np.cos(t) + 1e6 * z[:30, 2:] * np.sin(t),
                    z[:30, 2:] * np.cos(t) - 1e-6 * z[:30, :2] * np.sin(t),
                ],
                axis=1,
            )
            for t in np.linspace(0, 3, 20)
        ],
        axis=1,
    )
    assert float(np.ptp(ops.convert_to_numpy(oscillator(trajectories[0])))) < 1e-3
    assert len(fit_conserved_quantities(trajectories)) == 4


def test_flow_of_a_quantity_is_its_generator():
    rng = np.random.default_rng(0)
    quadratic = rng.normal(size=(4, 4))
    quantity = ConservedQuantity(quadratic + quadratic.T, rng.normal(size=4))
    z = rng.normal(size=4)
    step = 1e-6
    slopes = [
        (quantity(z + step * e) - quantity(z - step * e)) / (2 * step) for e in np.eye(4)
    ]
    flow = quantity.generator @ np.append(z, 1)
    assert np.allclose(flow, np.append(symplectic_form(2) @ slopes, 0), atol=1e-6)
    tensor = ops.convert_to_tensor(z[None], dtype="float32")
    value = float(ops.convert_to_numpy(quantity(tensor))[0])
    assert abs(value - quantity(z)) < 1e-5


def test_formula():
    quadratic = np.zeros((2, 2))
    quadratic[0, 0], quadratic[0, 1], quadratic[1, 0] = 3, -1, -1
    assert ConservedQuantity(quadratic, np.array([0, 1e-9])).formula() == "1.5 q1^2 - q1 p1"
    assert ConservedQuantity(-quadratic, np.array([2.0, 0])).formula() == (
        "-1.5 q1^2 + q1 p1 + 2 q1"
    )
    assert ConservedQuantity(np.zeros((2, 2)), np.zeros(2)).formula() == "0"
    with pytest.raises(ValueError, match="`names` must hold one name for each of 2"):
        ConservedQuantity(quadratic, np.zeros(2)).formula(["q"])


def test_plot_of_the_drift(unseen):
    found = find_conserved_quantities(kepler, points(6))
    (ax,) = found.plot_drift(unseen[0], np.linspace(0, 10, 60)).axes
    assert len(ax.lines) == 3
    assert ax.get_xlabel() == "time"


@pytest.mark.parametrize(
    ("error", "message", "source", "arguments"),
    [
        (TypeError, "`hamiltonian` must be a model", np.ones((2, 3, 4)), {"x": points(4)}),
        (ValueError, "n positions, then n momenta", kepler, {"x": points(3)}),
        (ValueError, "`action` must be", kepler, {"x": points(4), "action": "all"}),
        (
            ValueError,
            "matrices of shape `\\(k, 2, 2\\)` on positions",
            kepler,
            {"x": points(4), "search": np.ones((1, 3, 3))},
        ),
        (
            ValueError,
            "preserve its symplectic form",
            kepler,
            {"x": points(4), "search": np.eye(4)[None]},
        ),
    ],
)
def test_errors(error, message, source, arguments):
    with pytest.raises(error, match=message):
        find_conserved_quantities(source, **arguments)


def test_drift_is_relative_to_the_size_of_the_quantity():
    found = find_conserved_quantities(kepler, points(4))
    z = np.zeros((3, 4))
    z[:, 0], z[:, 3] = 1, [2, 3, 6]  # q1 p2 - q2 p1 is 2, 3, 6
    assert np.allclose(
        found.drift(z)[:, 0], np.array([0, 1, 4]) / 7 * np.sqrt(3), atol=1e-6
    )
    assert np.all(found.drift(np.zeros((3, 4))) == 0)


def test_drift_names_the_shape():
    found = find_conserved_quantities(kepler, points(4))
    with pytest.raises(ValueError, match="`trajectories` must have shape"):
        found.drift(np.ones((3, 6)))
