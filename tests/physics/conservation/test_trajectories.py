"""Conserved quantities of trajectories as they are measured."""

import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv.physics import fit_conserved_quantities
from keras_lconv.physics.conservation.path_sums import _Course
from tests.physics.conservation.kepler import kepler, kepler_orbits, points


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


def test_one_energy_for_all_trajectories_tells_nothing():
    """On one circle the energy is the same everywhere, whether it is conserved or not."""
    angles = np.linspace(0, 6, 80) + np.arange(6)[:, None]
    found = fit_conserved_quantities(np.stack([np.cos(angles), -np.sin(angles)], axis=-1))
    assert (len(found), found.confidence, found.is_determined) == (0, 0, False)
    assert "the same value on all" in found.summary()


@pytest.mark.parametrize(
    ("error", "message", "trajectories", "arguments"),
    [
        (ValueError, "at least 2 different trajectories", np.ones((1, 3, 4)), {}),
        # The same one twice tells no more.
        (ValueError, "at least 2 different trajectories", np.ones((2, 3, 4)), {}),
        (ValueError, "n positions, then n momenta", np.ones((2, 3, 5)), {}),
        (ValueError, "the same coordinates", [np.ones((3, 4)), np.ones((3, 2))], {}),
        (ValueError, "one time for each", points(4).reshape(5, 100, 4), {"times": [1, 2]}),
        (ValueError, "`dimension` must be from", kepler_orbits(9, 9, 1), {"dimension": 99}),
        (ValueError, "must move", np.repeat(points(4)[:, None], 9, axis=1), {}),
        (
            ValueError,
            "`trajectories` must be finite",
            np.where(points(4).reshape(5, 100, 4) > 2, np.inf, 1),
            {},
        ),
        (TypeError, "use `find_conserved_quantities`", kepler, {}),
        (TypeError, "`trajectories` must be an array", "kepler", {}),
    ],
)
def test_errors_of_trajectories(error, message, trajectories, arguments):
    with pytest.raises(error, match=message):
        fit_conserved_quantities(trajectories, **arguments)


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


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_what_decays_fast_has_its_rates(noise):
    """Two damped oscillators: one decays as `q^2 + 0.5 q p + p^2` does, one creeps."""
    step, rng = 0.25, np.random.default_rng(0)
    damped = np.array([[0.0, 1.0], [-1.0, -0.5]])
    creeping = np.array([[0.0, 1.0], [-1.0, -2.5]])
    for matrix, rates in ((damped, [0.5]), (creeping, [0.5, 1.0, 2.0, 2.5, 4.0])):
        path = [rng.normal(size=(50, 2))]
        for _ in range(40):
            path.append(path[-1] @ expm(matrix * step).T)
        z = np.stack(path, axis=1)
        z = z + noise * np.std(z) * rng.normal(size=z.shape)
        found = fit_conserved_quantities(z, times=step * np.arange(41))
        assert len(found) == 0
        told = [drift.rate for drift in found.drifting]
        if noise:
            # Some quantities below the noise are missing. The others are right.
            assert told
            assert all(np.min(np.abs(np.array(rates) - r)) < 0.02 for r in told)
            continue
        assert np.allclose(told, rates)
        if len(rates) == 1:
            (drift,) = found.drifting
            form = drift.quantity.quadratic
            assert np.allclose(form / form[0, 0], [[1, 0.25], [0.25, 1]], atol=1e-6)
    # Where steps are not even, factors say nothing.
    uneven = np.cumsum(rng.uniform(0.1, 0.4, 41))
    assert not fit_conserved_quantities(z, times=uneven).drifting


def test_noise_of_a_third_leaves_nothing_sure():
    """Of oscillators with amplitudes from 0.5 to 2 the energy is conserved."""
    rng, t = np.random.default_rng(0), 0.15 * np.arange(60)
    size, phase = rng.uniform(0.5, 2, (40, 1)), rng.uniform(0, 6.28, (40, 1))
    z = size[..., None] * np.stack([np.cos(t + phase), -np.sin(t + phase)], axis=2)
    found = fit_conserved_quantities(z + 0.02 * rng.normal(size=z.shape), times=t)
    assert (len(found), found.is_rough) == (1, False)
    found = fit_conserved_quantities(z + 0.3 * rng.normal(size=z.shape), times=t)
    assert found.is_rough
    assert found.confidence < 0.5
    assert "rough from time to time" in found.summary()


def test_trajectories_of_different_lengths_with_gaps(unseen):
    orbits = list(kepler_orbits(40, 3, seed=1))
    orbits = [orbit[: 20 + number] for number, orbit in enumerate(orbits)]
    orbits[3][5] = np.nan
    orbits[7][2:4, 1] = np.nan
    lost = np.full((5, 6), np.nan)
    found = fit_conserved_quantities([*orbits, orbits[0], lost])
    assert found.name == "so(3)"
    assert np.abs(found.drift(unseen)).max() < 1e-6
    gaps = unseen.copy()
    gaps[:, [0, 3]] = np.nan
    drift = found.drift(gaps)
    assert np.array_equal(np.isnan(drift[..., 0]), np.isnan(gaps[..., 0]))
    assert np.nanmax(np.abs(drift)) < 1e-6


def test_padded_trajectories_with_padded_times():
    orbits = kepler_orbits(40, 2, seed=1)
    times = np.tile(np.arange(float(orbits.shape[1])), (40, 1))
    for number in range(40):
        orbits[number, 20 + number % 9 :] = times[number, 20 + number % 9 :] = np.nan
    found = fit_conserved_quantities(orbits, times=times)
    assert [quantity.formula() for quantity in found.quantities] == ["q1 p2 - q2 p1"]
    times[0, 3] = np.nan
    with pytest.raises(ValueError, match="`times` must be finite"):
        fit_conserved_quantities(orbits, times=times)


def test_gaps_are_no_noise():
    """Smooth functions at uneven times leave nothing in the estimate of the noise."""
    rng = np.random.default_rng(0)
    clock = np.sort(rng.uniform(0, 20, 60))
    smooth, noise = clock[:, None] ** [0, 1, 2, 3] / 20.0**3, rng.normal(size=(60, 1))
    along = _Course([60])
    assert np.max(np.abs(along.noise(smooth, clock))) < 1e-12
    variance = np.sum(along.noise(noise, clock) ** 2) / 60
    assert 0.5 < variance < 1.5


@pytest.mark.parametrize("far", [1e3, 1e6])
def test_far_from_the_origin(far):
    """Orbits about a star that is far away: angular momentum about it."""
    orbits = kepler_orbits(40, 2, seed=1)
    star = np.array([far, 0.0, 0.0, 0.0])
    found = fit_conserved_quantities(orbits + star)
    about = f"(q1 - {far:.4g}) p2 - q2 p1"
    assert [quantity.formula() for quantity in found.quantities] == [about]
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
