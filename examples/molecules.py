# %% [markdown]
# # Molecules: energies and forces
#
# A model of a molecule gives its energy at any positions of its atoms. The forces follow:
# minus the gradient. Here a network learns both from a few hundred conformations, and then
# drives the motion of the molecule.
#
# Run it on any backend: `KERAS_BACKEND=jax python examples/molecules.py`

# %%
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_lconv.models import EnergyAndForces, point_network

# %% [markdown]
# ## A molecule
#
# Water, with bonds as Morse potentials and the distance of both hydrogen atoms as a spring,
# in units of eV and angstrom. It stands for a program of quantum chemistry, which may take
# hours for what the network gives in a millisecond.

# %%
OXYGEN, HYDROGEN = 1, 2
KINDS = np.array([OXYGEN, HYDROGEN, HYDROGEN], "int32")
LENGTH, ANGLE, DEPTH, STEEPNESS, SPRING = 0.96, np.deg2rad(104.5), 4.6, 2.2, 6.0
APART = 2 * LENGTH * np.sin(ANGLE / 2)
REST = LENGTH * np.array(
    [[0, 0, 0], [1, 0, 0], [np.cos(ANGLE), np.sin(ANGLE), 0]], "float64"
)


def chemistry(positions):
    """Energies `(batch, 1)` and forces `(batch, 3, 3)`, by the formulas."""
    energy, forces = np.zeros(len(positions)), np.zeros_like(positions)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        between = positions[:, j] - positions[:, i]
        length = np.linalg.norm(between, axis=1)
        if i == 0:
            decay = np.exp(-STEEPNESS * (length - LENGTH))
            energy += DEPTH * (1 - decay) ** 2
            slope = 2 * DEPTH * STEEPNESS * decay * (1 - decay)
        else:
            energy += 0.5 * SPRING * (length - APART) ** 2
            slope = SPRING * (length - APART)
        pull = (slope / length)[:, None] * between
        forces[:, i] += pull
        forces[:, j] -= pull
    return energy[:, None], forces


def conformations(number, seed):
    """Disturbed positions."""
    return REST + 0.07 * np.random.default_rng(seed).normal(size=(number, 3, 3))


train, test = conformations(300, seed=0), conformations(200, seed=1)
energy, forces = chemistry(train)

# %% [markdown]
# ## A network for the energy
#
# `point_network` knows kinds of atoms, and gives one number that rotations, reflections,
# translations and exchanges of equal atoms do not change. `EnergyAndForces` adds the
# forces. There are nine numbers of forces for each energy, so they carry most of what there
# is to learn: they get a larger weight.

# %%
keras.utils.set_random_seed(0)
model = EnergyAndForces(
    point_network(
        input_shape=(3, 3),
        pooling="sum",
        classes=1,
        classifier_activation=None,
        num_species=2,
        filters=(8,),
        hidden_units=(16,),
        degree=1,
        radius=3.0,
    )
)
EPOCHS, BATCH = 40, 50
rate = keras.optimizers.schedules.CosineDecay(2e-2, EPOCHS * len(train) // BATCH)
model.compile(
    keras.optimizers.Adam(rate),
    loss={"energy": "mse", "forces": "mse"},
    loss_weights={"energy": 1.0, "forces": 10.0},
)


def inputs(positions):
    """Kinds and positions, in the precision of the network."""
    return [np.tile(KINDS, (len(positions), 1)), positions.astype("float32")]


mean, unit = energy.mean(), energy.std()
model.fit(
    inputs(train),
    {"energy": (energy - mean) / unit, "forces": forces / unit},
    epochs=EPOCHS,
    batch_size=BATCH,
    verbose=0,
)


def learned(positions):
    """Energies and forces of the network, in eV and eV per angstrom."""
    found = model.predict(inputs(positions), verbose=0, batch_size=len(positions))
    return mean + unit * found["energy"], unit * found["forces"]


found, true = learned(test), chemistry(test)
error = {
    name: np.sqrt(np.mean((a - b) ** 2)) / np.std(b)
    for name, a, b in zip(("energy", "forces"), found, true, strict=True)
}
for name, share in error.items():
    print(f"error of the {name} of new conformations: {share:.1%} of their spread")

# %% [markdown]
# ## What holds without training
#
# Forces add up to zero, and turn with the molecule.

# %%
turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
turned = learned(test @ turn.T)[1]
print(f"sum of forces: {np.abs(found[1].sum(axis=1)).max():.1e} eV/A")
print(f"turned molecule: {np.abs(turned - found[1] @ turn.T).max():.1e} eV/A")

# %% [markdown]
# ## The molecule moves
#
# Leapfrog steps with the forces of the network. They are those of an energy, so that this
# energy is kept, however good or bad the network is.

# %%
MASS = np.array([16.0, 1.0, 1.0])[:, None] * 103.6  # eV fs^2 / A^2
STEP, STEPS = 0.4, 40  # fs

x, v = REST[None] * 1.04, np.zeros((1, 3, 3))
potential, force = learned(x)
kept, bonds = [], []
for _ in range(STEPS):
    v = v + 0.5 * STEP * force / MASS
    x = x + STEP * v
    potential, force = learned(x)
    v = v + 0.5 * STEP * force / MASS
    kept.append(potential.item() + 0.5 * np.sum(MASS * v**2))
    bonds.append(np.linalg.norm(x[0, 1] - x[0, 0]))
drift = np.ptp(kept)
print(f"total energy varies by {drift:.1e} eV in {STEP * STEPS:.0f} fs")

# %%
times = STEP * np.arange(1, STEPS + 1)
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
axes[0].scatter(true[1].ravel(), found[1].ravel(), s=4)
axes[0].set(xlabel="force, eV/A", ylabel="learned")
axes[1].plot(times, bonds)
axes[1].set(xlabel="time, fs", ylabel="length of a bond, A")
path = pathlib.Path("outputs/molecules.png")
path.parent.mkdir(exist_ok=True)
figure.savefig(path, dpi=100)
