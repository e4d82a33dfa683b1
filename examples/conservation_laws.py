# %% [markdown]
# # Conservation laws from motion
#
# A planet moves around a star. From positions and momenta along some orbits
# `keras_lconv.physics` finds the conserved quantities, and the symmetry behind them: by
# Noether's theorem a symmetry of the Hamiltonian that keeps the symplectic form and a
# conserved quantity are the same thing. With the Hamiltonian at hand no orbit is needed.

# %%
import argparse
import pathlib

import keras
import numpy as np
from keras import ops
from scipy.integrate import solve_ivp

from keras_lconv.physics import find_conserved_quantities, fit_conserved_quantities

# %% [markdown]
# ## Orbits
#
# Ellipses of eccentricity 0.2 to 0.6, in all orientations in space. On circles more
# quantities are constant than are conserved in general. The orbits are integrated by an
# explicit Runge-Kutta method of order 8 (DOP853 of SciPy), with a relative tolerance of
# 1e-11.


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


# %% [markdown]
# ## Hamiltonians
#
# The planet, an isotropic oscillator, and three masses on a line with springs that grow
# stiffer: written with `keras.ops`, so that they can be differentiated.


# %%
def kepler(z):
    q, p = z[:, :3], z[:, 3:]
    return ops.sum(p**2, axis=1) / 2 - 1 / ops.sqrt(ops.sum(q**2, axis=1))


def oscillator(z):
    return ops.sum(z**2, axis=1) / 2


def springs(z):
    q, p = z[:, :3], z[:, 3:]
    return ops.sum(p**2, axis=1) / 2 + ops.sum((q[:, 1:] - q[:, :-1]) ** 4, axis=1)


# %% [markdown]
# ## What is conserved
#
# Three searches for the planet: from its Hamiltonian, from orbits, and from orbits with
# noise. The results are checked on new orbits, against $q \times p$. Then the other two
# Hamiltonians.


# %%
def correlation(found, z):
    """The smallest correlation of what was found with the components of `q x p`."""
    cross = np.cross(z[..., :3], z[..., 3:])
    true = cross[..., 2], cross[..., 1], cross[..., 0]
    pairs = zip(found.quantities, true, strict=True)
    return min(abs(np.corrcoef(q(z).ravel(), t.ravel())[0, 1]) for q, t in pairs)


def save_picture(path, z, results):
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(10, 4), layout="constrained")
    space = figure.add_subplot(1, 2, 1, projection="3d")
    for orbit in z[:6]:
        space.plot(*orbit[:, :3].T, linewidth=1)
    space.scatter(0, 0, 0, color="black", s=15)
    space.set(xlabel="$q_1$", ylabel="$q_2$", zlabel="$q_3$")
    space.set_title("Orbits")
    axes = figure.add_subplot(1, 2, 2)
    styles = "-", "--", ":"
    for (name, found), style in zip(results.items(), styles, strict=True):
        drift = np.abs(found.drift(z)).max(axis=(0, 2))
        axes.semilogy(np.linspace(0, 10, len(drift))[1:], drift[1:] + 1e-17, style)
        axes.lines[-1].set_label(name)
    axes.set(xlabel="time", ylabel="largest relative drift")
    axes.set_title("Angular momentum as found, on new orbits")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="From motion to what it conserves.")
    parser.add_argument("--orbits", type=int, default=60)
    parser.add_argument("--noise", type=float, default=1e-3, help="of the noisy orbits")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    points = np.random.default_rng(0).normal(size=(5000, 6))
    unseen = orbits(10, seed=1)
    results = {
        "from the Hamiltonian": find_conserved_quantities(kepler, points),
        "from orbits": fit_conserved_quantities(orbits(options.orbits, seed=2)),
        f"from orbits with noise of {options.noise:g}": fit_conserved_quantities(
            orbits(options.orbits, seed=2, noise=options.noise)
        ),
    }
    for name, found in results.items():
        drift = np.abs(found.drift(unseen)).max(initial=0.0)
        print(f"\nPlanet, {name}\n{found.summary()}")
        if len(found) == 3:
            print(f"correlation with q x p, new orbits: {correlation(found, unseen):.9f}")
        print(f"largest relative drift on new orbits: {drift:.1e}")
    for name, hamiltonian in {"Oscillator": oscillator, "Springs": springs}.items():
        print(f"\n{name}\n{find_conserved_quantities(hamiltonian, points).summary()}")

    picture = options.output / "conservation_laws.png"
    save_picture(picture, unseen, results)
    print(f"\nBackend: {keras.config.backend()}\nPicture: {picture}")
    return results


if __name__ == "__main__":
    main()

# %% [markdown]
# The angular momentum is found from orbits and from the Hamiltonian alike. Its drift on new
# orbits shows the precision of each. The oscillator has hidden symmetries beyond rotations:
# the algebra is u(3), with 9 quantities.
