# %% [markdown]
# # Conservation laws from motion
#
# A planet moves around a star. From positions and momenta along some orbits
# `keras_lconv.physics` finds the conserved quantities, and their symmetry. By
# Noether's theorem each conserved quantity generates a symmetry of the Hamiltonian that
# keeps the symplectic form, and conversely. If the Hamiltonian is known, no orbit is
# needed.

# %%
import argparse
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from scipy.integrate import solve_ivp

from keras_lconv.physics import find_conserved_quantities, fit_conserved_quantities

parser = argparse.ArgumentParser(description="From motion to what it conserves.")
parser.add_argument("--orbits", type=int, default=60)
parser.add_argument("--noise", type=float, default=1e-3, help="of the noisy orbits")
parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
options = parser.parse_args()

# %% [markdown]
# ## Orbits
#
# The orbits are ellipses of eccentricity 0.2 to 0.6, in all orientations in space. (On
# circles more quantities are constant than are conserved in general.) An explicit
# Runge-Kutta method of order 8 (DOP853 of SciPy) integrates them, with a relative tolerance
# of 1e-11.


# %%
def orbits(num, seed, noise=0.0, duration=10.0, points=60):
    """Points `(num, points, 6)` of phase space, positions before momenta."""
    rng = np.random.default_rng(seed)

    def velocity(_, z):
        return np.concatenate([z[3:], -z[:3] / np.linalg.norm(z[:3]) ** 3])

    found = []
    for _ in range(num):
        eccentricity, axis = rng.uniform(0.2, 0.6), rng.uniform(0.7, 1.3)
        start = np.zeros((2, 3))
        start[0, 0] = axis * (1 - eccentricity)
        start[1, 1] = np.sqrt((1 + eccentricity) / (1 - eccentricity) / axis)
        start = start @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
        times = np.linspace(0, duration, points)
        solution = solve_ivp(
            velocity, (0, duration), start.ravel(), "DOP853", times, rtol=1e-11, atol=1e-12
        )
        found.append(solution.y.T)
    found = np.array(found)
    return found + noise * rng.normal(size=found.shape)


seen, unseen = orbits(options.orbits, seed=2), orbits(10, seed=1)
print(f"{len(seen)} orbits of {seen.shape[1]} points, and {len(unseen)} to check")

# %% [markdown]
# ## From orbits

# %%
results = {"from orbits": fit_conserved_quantities(seen)}
print(results["from orbits"].summary())

# %% [markdown]
# There are three quantities, and the matrices that generate their symmetries close under
# brackets: they are rotations. The quantities should be the components of the angular
# momentum $q \times p$. New orbits check this: there the quantities should correlate with
# $q \times p$, and not change along an orbit.


# %%
def correlation(found, z):
    """The smallest correlation of what was found with the components of `q x p`."""
    cross = np.cross(z[..., :3], z[..., 3:])
    true = cross[..., 2], cross[..., 1], cross[..., 0]
    pairs = zip(found.quantities, true, strict=True)
    return min(abs(np.corrcoef(q(z).ravel(), t.ravel())[0, 1]) for q, t in pairs)


def check(found):
    """Prints the correlation and the largest relative drift on new orbits."""
    drift = np.abs(found.drift(unseen)).max()
    print(f"correlation {correlation(found, unseen):.9f}, drift {drift:.1e}")


check(results["from orbits"])

# %% [markdown]
# The same with noise in positions and momenta:

# %%
noisy = orbits(options.orbits, seed=2, noise=options.noise)
name = f"from orbits with noise of {options.noise:g}"
results[name] = fit_conserved_quantities(noisy)
print(results[name].summary())
check(results[name])

# %% [markdown]
# The quantities are the same. The drift shows the error that comes from the noise.
#
# ## From the Hamiltonian
#
# If the Hamiltonian is known, no orbit is needed. It is written with `keras.ops`, so that
# it can be differentiated, and evaluated at random points of phase space.


# %%
def kepler(z):
    q, p = z[:, :3], z[:, 3:]
    return ops.sum(p**2, axis=1) / 2 - 1 / ops.sqrt(ops.sum(q**2, axis=1))


points = np.random.default_rng(0).normal(size=(5000, 6))
results["from the Hamiltonian"] = find_conserved_quantities(kepler, points)
print(results["from the Hamiltonian"].summary())
check(results["from the Hamiltonian"])

# %%
figure = plt.figure(figsize=(10, 4), layout="constrained")
space = figure.add_subplot(1, 2, 1, projection="3d")
for orbit in unseen[:6]:
    space.plot(*orbit[:, :3].T, linewidth=1)
space.scatter(0, 0, 0, color="black", s=15)
space.set(xlabel="$q_1$", ylabel="$q_2$", zlabel="$q_3$")
space.set_title("Orbits")
axes = figure.add_subplot(1, 2, 2)
for (name, found), style in zip(results.items(), ("--", ":", "-"), strict=True):
    drift = np.abs(found.drift(unseen)).max(axis=(0, 2))
    times = np.linspace(0, 10, len(drift))
    axes.semilogy(times[1:], drift[1:] + 1e-17, style, label=name)
axes.set(xlabel="time", ylabel="largest relative drift")
axes.set_title("Angular momentum as found, on new orbits")
axes.legend()
options.output.mkdir(parents=True, exist_ok=True)
figure.savefig(options.output / "conservation_laws.png", dpi=110)

# %% [markdown]
# ## Other Hamiltonians
#
# The first is an isotropic oscillator. The second is a chain of three masses on a line,
# with springs whose force grows with the cube of their extension.


# %%
def oscillator(z):
    return ops.sum(z**2, axis=1) / 2


print(find_conserved_quantities(oscillator, points).summary())

# %% [markdown]
# The oscillator has hidden symmetries beyond rotations: nine quantities, whose algebra
# su(3) + R is that of u(3).


# %%
def springs(z):
    q, p = z[:, :3], z[:, 3:]
    return ops.sum(p**2, axis=1) / 2 + ops.sum((q[:, 1:] - q[:, :-1]) ** 4, axis=1)


print(find_conserved_quantities(springs, points).summary())

# %% [markdown]
# The total momentum and its square are conserved. The energy is conserved as well, but it
# has degree 4. This search is for quantities of degree 2 at most; other degrees need
# `search="polynomial"`.
