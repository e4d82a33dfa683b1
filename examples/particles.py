# %% [markdown]
# # Particles: from data to an equivariant network
#
# A detector gives events: the momenta and energies of a few particles, some charged. Which
# symmetry do such data have, and what does a network gain from it?
#
# 1. Find the symmetry of a measured quantity, without a word about relativity.
# 2. Train a network on events that has the symmetry, beside one that does not.
# 3. Look at events that move past the detector faster than any that was trained.
#
# Run it on any backend: `KERAS_BACKEND=jax python examples/particles.py`

# %%
import numpy as np

from keras_lconv.algebra import invariant_forms
from keras_lconv.discovery import fit_symmetries
from keras_lconv.models import train_from_report

# %% [markdown]
# ## Events
#
# Each has six light particles with energies around 20 GeV. Energies come first, in GeV;
# momenta follow, in the units of the detector, a tenth of a GeV. Three particles are
# charged. What is asked for is the mass of these three together.

# %%
CHARGED, PARTICLES = 3, 6


def events(number, seed):
    """Which particles are charged, their momenta, and the mass of those that are."""
    rng = np.random.default_rng(seed)
    momenta = 12 * rng.normal(size=(number, PARTICLES, 3))
    energy = np.linalg.norm(momenta, axis=-1, keepdims=True)
    charged = np.zeros((number, PARTICLES, 1))
    charged[:, :CHARGED] = 1.0
    order = rng.permuted(np.tile(np.arange(PARTICLES), (number, 1)), axis=1)
    charged = np.take_along_axis(charged, order[..., None], axis=1)
    vectors = np.concatenate([energy, momenta], axis=-1)
    total = np.sum(charged * vectors, axis=1)
    mass = np.sqrt(total[:, 0] ** 2 - np.sum(total[:, 1:] ** 2, axis=1))
    return charged, vectors * [1, 10, 10, 10], mass


charged, momenta, mass = events(600, seed=0)
measured = mass * (1 + 0.001 * np.random.default_rng(1).normal(size=len(mass)))

# %% [markdown]
# ## Which symmetry?
#
# The measured mass is a function of the total momentum of the charged particles. Six linear
# maps leave it as it is. Their algebra has a name.

# %%
total = np.sum(charged * momenta, axis=1)
report = fit_symmetries(total, measured, search="linear", verbose=False)
print(report.summary())

# %% [markdown]
# It is the algebra of rotations and boosts, found in the units of the detector. The form
# that it leaves invariant weighs energy against momentum, and tells what a unit of momentum
# is worth.

# %%
form = invariant_forms(report.algebra)[0]
speed = np.sqrt(-form[1, 1] / form[0, 0])
print(f"a unit of momentum is worth {speed:.4f} GeV of energy")

# %% [markdown]
# ## A network with this symmetry
#
# `train_from_report` takes events as points: a number for each particle, and its momentum.
# It builds a network of `PointConv` layers whose kernels commute with the algebra that was
# found, and a plain one with at least as many weights. Both train on the same events.

# %%
result = train_from_report(
    report,
    [charged, momenta],
    np.log(mass),
    epochs=12,
    learning_rate=1e-2,
    filters=(8,),
    hidden_units=(16,),
    degree=1,
    pooling="sum",
)
print(result.summary())

# %% [markdown]
# ## Faster events
#
# The same events, seen from a frame that moves along the first axis with a rapidity of 1.5:
# energies more than double. The mass does not change. The network with the symmetry gives
# the same answers. The other one has to guess.

# %%
RAPIDITY = 1.5
boost = np.eye(4)
boost[:2, :2] = [
    [np.cosh(RAPIDITY), np.sinh(RAPIDITY) / 10],
    [np.sinh(RAPIDITY) * 10, np.cosh(RAPIDITY)],
]
charged, momenta, mass = events(300, seed=2)
errors = {}
for name, model in (("with the symmetry", result.model), ("without", result.plain)):
    for frame, seen in (("at rest", momenta), ("moving", momenta @ boost.T)):
        found = model.predict([charged, seen], verbose=0)[:, 0]
        errors[name, frame] = np.sqrt(np.mean((found - np.log(mass)) ** 2))
        print(f"{name}, {frame}: mass off by a factor of {np.exp(errors[name, frame]):.2f}")

# %% [markdown]
# To build such a network by hand, give the algebra to a layer:
# `point_network(group=report.algebra)` or `PointConv(filters, report.algebra)`. The page
# [Points](../points.md) tells what it computes.
