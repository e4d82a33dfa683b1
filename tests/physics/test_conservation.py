"""Conserved quantities of known systems, from Hamiltonians and from trajectories."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from keras_lconv.algebra import principal_angles, so
from keras_lconv.physics import (
    ConservedQuantity,
    find_conserved_quantities,
    fit_conserved_quantities,
)
from keras_lconv.physics.quantities import symplectic_form


def points(size, num=500, seed=0):
    return np.random.default_rng(seed).normal(size=(num, size))


def kepler(z):
    n = z.shape[1] // 2
    q, p = z[:, :n], z[:, n:]
    return ops.sum(p**2, axis=1) / 2 - 1 / ops.sqrt(ops.sum(q**2, axis=1))


def kepler_orbits(num, ndim, seed, eccentricities=(0.2, 0.6), axes=(0.7, 1.3)):
    """Ellipses in all orientations, integrated to 1e-11."""
    rng = np.random.default_rng(seed)

    def velocity(_, z):
        return np.concatenate([z[ndim:], -z[:ndim] / np.linalg.norm(z[:ndim]) ** 3])

    orbits = []
    for _ in range(num):
        eccentricity, axis = rng.uniform(*eccentricities), rng.uniform(*axes)
        start = np.zeros((2, ndim))
        start[0, 0] = axis * (1 - eccentricity)
        start[1, 1] = np.sqrt((1 + eccentricity) / (1 - eccentricity) / axis)
        start = start @ np.linalg.qr(rng.normal(size=(ndim, ndim)))[0]
        times = np.linspace(0, 10, 60)
        solution = solve_ivp(
            velocity, (0, 10), start.ravel(), "DOP853", times, rtol=1e-11, atol=1e-12
        )
        orbits.append(solution.y.T)
    return np.array(orbits)


def angular_momenta(z):
    """`q x p` for three dimensions, without the library."""
    cross = np.cross(z[..., :3], z[..., 3:])
    return np.stack([cross[..., 2], -cross[..., 1], cross[..., 0]], axis=-1)


@pytest.fixture(scope="module")
def unseen():
    return kepler_orbits(5, 3, seed=7)


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


def test_amplitudes_may_differ():
    """Two oscillators of one frequency; the second one hardly moves."""
    start = points(4, num=40) * np.array([1, 1e-3, 1, 1e-3])
    times = np.linspace(0, 3, 20)[:, None]
    q, p = start[:, None, :2], start[:, None, 2:]
    moves = [q * np.cos(times) + p * np.sin(times), p * np.cos(times) - q * np.sin(times)]
    found = fit_conserved_quantities(np.concatenate(moves, axis=2))
    assert len(found) == 4
    assert found.algebra.identify().name == "so(3) + R"


def test_what_hardly_varies_is_not_conserved():
    """Nearly circular orbits of one size: everything is conserved up to the noise."""
    orbits = kepler_orbits(40, 2, 1, eccentricities=(0.005, 0.02), axes=(1, 1))
    assert np.std(np.linalg.norm(orbits[..., :2], axis=-1)) < 0.02
    orbits += 1e-3 * np.random.default_rng(0).normal(size=orbits.shape)
    # Neither the distance to the star, nor what varies by less than the noise.
    assert len(fit_conserved_quantities(orbits)) == 0


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
    with pytest.raises(ValueError, match="`names` must be one for each of 2 coordinates"):
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
            "keep its symplectic form",
            kepler,
            {"x": points(4), "search": np.eye(4)[None]},
        ),
    ],
)
def test_errors(error, message, source, arguments):
    with pytest.raises(error, match=message):
        find_conserved_quantities(source, **arguments)


@pytest.mark.parametrize(
    ("error", "message", "trajectories", "arguments"),
    [
        (ValueError, "at least 2 trajectories", np.ones((1, 3, 4)), {}),
        # The same one twice tells no more.
        (ValueError, "at least 2 trajectories", np.ones((2, 3, 4)), {}),
        (ValueError, "n positions, then n momenta", np.ones((2, 3, 5)), {}),
        (ValueError, "the same coordinates", [np.ones((3, 4)), np.ones((3, 2))], {}),
        (ValueError, "one for each point", points(4).reshape(5, 100, 4), {"times": [1, 2]}),
        (TypeError, "belongs to `find_conserved_quantities`", kepler, {}),
        (TypeError, "`trajectories` must be an array", "kepler", {}),
    ],
)
def test_errors_of_trajectories(error, message, trajectories, arguments):
    with pytest.raises(error, match=message):
        fit_conserved_quantities(trajectories, **arguments)


def test_drift_is_relative_to_the_size_of_the_quantity():
    found = find_conserved_quantities(kepler, points(4))
    z = np.zeros((3, 4))
    z[:, 0], z[:, 3] = 1, [2, 3, 6]  # q1 p2 - q2 p1 is 2, 3, 6
    assert np.allclose(
        found.drift(z)[:, 0], np.array([0, 1, 4]) / 7 * np.sqrt(3), atol=1e-6
    )


def test_drift_names_the_shape():
    found = find_conserved_quantities(kepler, points(4))
    with pytest.raises(ValueError, match="`trajectories` must have shape"):
        found.drift(np.ones((3, 6)))


# ------------------------------------------------------------------ real trajectories


def test_a_soft_spring_in_si_units_has_both_terms():
    """1 gram, 0.1 N/m: terms are left out by what they contribute."""
    rng = np.random.default_rng(0)
    mass, stiffness = 1e-3, 0.1
    frequency, times = np.sqrt(stiffness / mass), np.linspace(0, 2, 100)
    size, phase = rng.uniform(0.01, 0.05, (50, 1)), rng.uniform(0, 6.28, (50, 1))
    q = size * np.cos(frequency * times + phase)
    p = -size * mass * frequency * np.sin(frequency * times + phase)
    found = fit_conserved_quantities(np.stack([q, p], axis=-1))
    assert [quantity.formula() for quantity in found.quantities] == [
        "5e-05 q1^2 + 0.5 p1^2"
    ]


@pytest.mark.parametrize("dimension", [1, 2])
def test_what_decays_is_not_conserved(dimension):
    """Damped oscillators: their energies fall by 18 percent along each trajectory."""
    damping, step = 0.01, 0.25
    start = np.random.default_rng(0).normal(size=(50, dimension, 2))
    move = expm(np.array([[0.0, 1.0], [-1.0, -damping]]) * step)
    path = [start]
    for _ in range(80):
        path.append(path[-1] @ move.T)
    z = np.swapaxes(np.stack(path, axis=1), 2, 3).reshape(50, 81, 2 * dimension)
    found = fit_conserved_quantities(z, times=step * np.arange(81))
    assert len(found) == 0
    assert len(found.drifting) == dimension**2
    for drift in found.drifting:
        assert abs(drift.rate - damping) < 0.1 * damping
        assert drift.size > 0.01
    assert "decays at rate 0.0099" in found.summary()
    # Without damping all of them are conserved.
    move = expm(np.array([[0.0, 1.0], [-1.0, 0.0]]) * step)
    path = [start]
    for _ in range(80):
        path.append(path[-1] @ move.T)
    z = np.swapaxes(np.stack(path, axis=1), 2, 3).reshape(50, 81, 2 * dimension)
    found = fit_conserved_quantities(z)
    assert (len(found), len(found.drifting)) == (dimension**2, 0)


def test_trajectories_of_different_lengths_with_gaps(unseen):
    orbits = list(kepler_orbits(40, 3, seed=1))
    orbits = [orbit[: 20 + number] for number, orbit in enumerate(orbits)]
    orbits[3][5] = np.nan
    orbits[7][2:4, 1] = np.nan
    found = fit_conserved_quantities([*orbits, orbits[0]])
    assert found.name == "so(3)"
    assert np.abs(found.drift(unseen)).max() < 1e-6


def test_far_from_the_origin():
    """Orbits about a star at (1000, 0): angular momentum about it."""
    orbits = kepler_orbits(40, 2, seed=1)
    star = np.array([1000.0, 0.0, 0.0, 0.0])
    found = fit_conserved_quantities(orbits + star)
    assert len(found) == 1
    true = orbits[..., 0] * orbits[..., 3] - orbits[..., 1] * orbits[..., 2]
    values = found.quantities[0](orbits + star)
    assert np.corrcoef(values.ravel(), true.ravel())[0, 1] > 1 - 1e-9


def test_a_percent_of_noise():
    orbits = kepler_orbits(60, 2, seed=1)
    noise = np.random.default_rng(0).normal(size=orbits.shape)
    found = fit_conserved_quantities(orbits + 0.01 * np.std(orbits) * noise)
    assert [quantity.formula(digits=2) for quantity in found.quantities] == [
        "q1 p2 - q2 p1"
    ]
    true = orbits[..., 0] * orbits[..., 3] - orbits[..., 1] * orbits[..., 2]
    assert np.corrcoef(found.quantities[0](orbits).ravel(), true.ravel())[0, 1] > 0.999


def test_linear_coordinates_do_not_matter():
    """Trajectories in a skewed basis: the same number, in the new coordinates."""
    orbits = kepler_orbits(40, 2, seed=1)
    change = np.diag([1e3, 1.0, 1e-3, 1.0]) @ (
        np.eye(4) + 0.3 * np.random.default_rng(0).normal(size=(4, 4))
    )
    moved = orbits @ change.T + 5.0
    found = fit_conserved_quantities(moved)
    assert len(found) == 1
    true = orbits[..., 0] * orbits[..., 3] - orbits[..., 1] * orbits[..., 2]
    assert np.corrcoef(found.quantities[0](moved).ravel(), true.ravel())[0, 1] > 1 - 1e-9
    assert found.plot().axes
