"""The data of the benchmarks on points, and that each of them runs."""

import importlib
import pathlib
import sys

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "benchmarks" / "points"


@pytest.fixture(scope="module")
def module():
    """Modules of the folder by their names, which are importable meanwhile."""
    sys.path.insert(0, str(FOLDER))
    yield importlib.import_module
    sys.path.remove(str(FOLDER))


@pytest.mark.backend_free
def test_charges_repel_as_their_potential_says(module):
    bodies = module("charged_bodies")
    rng = np.random.default_rng(0)
    x, charges = rng.normal(size=(3, 5, 2)), rng.choice([-1.0, 1.0], (5, 2))

    def potential(x):
        total = 0.0
        for i in range(5):
            for j in range(i):
                distance = np.linalg.norm(x[:, i] - x[:, j], axis=0)
                total = total + charges[i] * charges[j] / distance
        return total

    forces = bodies.forces(x, charges[bodies.FIRST] * charges[bodies.SECOND])
    for place in np.ndindex(3, 5):
        shift = np.zeros((3, 5, 1))
        shift[place] = 1e-6
        slope = (potential(x + shift) - potential(x - shift)) / 2e-6
        np.testing.assert_allclose(-forces[place], slope, rtol=1e-6, atol=1e-7)


@pytest.mark.backend_free
def test_motion_keeps_momentum_and_energy(module):
    bodies = module("charged_bodies")
    motion = bodies.simulate(20, seed=0, before=300)
    assert [each.shape for each in motion] == [(20, 5, 1), *3 * [(20, 5, 3)]]
    assert np.all(np.abs(motion.charges) == 1)
    centre = motion.positions.mean(axis=1) + motion.velocities.mean(axis=1)
    # But where the limit of forces was met.
    away = np.abs(motion.targets.mean(axis=1) - centre).max(axis=1)
    assert np.median(away) < 1e-6
    # Two bodies that repel each other, with 1 / 2 of potential energy; others far away.
    x, v = np.zeros((2, 3, 5, 1))
    x[0, :, 0] = [0, 2, 1e6, -1e6, 3e6]
    products = np.ones((10, 1))
    x, v = bodies.moved(x, v, products, 2000)
    distance = x[0, 1, 0] - x[0, 0, 0]
    assert distance > 2.5
    assert 1 / distance + 0.5 * np.sum(v**2) == pytest.approx(0.5, rel=1e-4)


@pytest.mark.backend_free
def test_jets_differ_only_in_their_rest_frame(module):
    """Not in what depends on the frame, nor in mass or number; boosts keep products."""
    toy = module("toy_jets")
    jets = toy.generate(3000, seed=1)
    momenta = jets.momenta.astype("float64")
    number, total = jets.exist.sum(axis=(1, 2)), momenta.sum(axis=1)
    assert number.min() == 10
    assert number.max() == 40
    lengths = np.linalg.norm(momenta[..., :3], axis=-1)
    np.testing.assert_allclose(lengths, momenta[..., 3], rtol=1e-5)
    np.testing.assert_allclose(toy.invariant_mass(total), jets.masses, rtol=1e-4)
    hardest = momenta[..., 3].max(axis=1) / total[:, 3]
    for told in (number, jets.masses, total[:, 3], hardest):
        assert abs(toy.area(told, jets.labels) - 0.5) < 0.04
    at_rest = toy.boosts(-total[:, :3] / jets.masses[:, None])
    for seen in (jets, jets.boosted(2.0, seed=2)):
        moved = seen.momenta.astype("float64")
        assert np.all(seen.labels == jets.labels)
        np.testing.assert_allclose(
            toy.invariant_mass(moved.sum(axis=1)), jets.masses, rtol=1e-3
        )
    still = np.einsum("bij,bnj->bni", at_rest, momenta)
    tensors = np.einsum(
        "bni,bnj,bn->bij", *2 * [still[..., :3]], 1 / (still[..., 3] + 1e-9)
    )
    longest = np.linalg.eigvalsh(tensors)[:, -1] / jets.masses
    assert 0.9 < toy.area(longest, jets.labels) < 0.97


@pytest.mark.thorough
def test_jets_run(module):
    rows = module("jets").jets(False)
    assert [row["network"] for row in rows] == list(module("jets").NETWORKS)
    symmetric = rows[0]
    assert symmetric["rapidity 0"] == pytest.approx(symmetric["rapidity 3"], abs=0.02)


@pytest.mark.backend_free
def test_springs_pull_as_their_energy_says(module):
    conformations = module("conformations")
    x = conformations.REST + 0.1 * np.random.default_rng(0).normal(size=(2, 4, 3))
    _, forces = conformations.springs(x)
    for place in np.ndindex(4, 3):
        shift = np.zeros((1, 4, 3))
        shift[(0, *place)] = 1e-6
        up, down = (conformations.springs(x + sign * shift)[0] for sign in (1, -1))
        slope = (up - down)[:, 0] / 2e-6
        np.testing.assert_allclose(-forces[(..., *place)], slope, rtol=1e-6, atol=1e-7)


@pytest.mark.backend_free
def test_conformations_are_read_and_scaled(module, tmp_path):
    conformations = module("conformations")
    kinds, parts = conformations.of_springs()
    arrays = {
        f"{name}_{key}": each
        for name, part in zip(conformations.PARTS, parts, strict=True)
        for key, each in part._asdict().items()
    }
    path = tmp_path / "springs.npz"
    np.savez(path, numbers=[6, 8, 8, 8], **arrays)
    found, again = conformations.read(path)
    assert np.array_equal(found, kinds)
    for part, same in zip(parts, again, strict=True):
        for each, other in zip(part, same, strict=True):
            assert np.array_equal(each, other)
    scale = conformations.Scale.of(parts[0])
    inner = scale.inwards(parts[0])
    assert abs(inner.energy.mean()) < 1e-6
    assert np.mean(inner.forces**2) == pytest.approx(1, rel=1e-5)
    energy, forces = scale.outwards(inner.energy, inner.forces)
    np.testing.assert_allclose(energy, parts[0].energy, rtol=1e-5)
    np.testing.assert_allclose(forces, parts[0].forces, atol=1e-5)
    with pytest.raises(SystemExit, match=r"xtb\.py ethanol"):
        conformations.read(tmp_path / "ethanol.npz")


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["charges", "growth", "molecules"])
def test_each_runs(module, name, tmp_path):
    rows = getattr(module(name), name)(False)
    assert len(rows) > 1
    numbers = [v for row in rows for v in row.values() if isinstance(v, (int, float))]
    assert np.all(np.isfinite(numbers))
    module("plots").PLOTS[name](rows, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").exists()
