# %% [markdown]
# # Symmetries beyond linear maps
#
# No matrix generates motions along the curves $x^3 - y^2 = c$, but a vector field that is
# not linear does. This page finds fields with polynomial components that leave three
# functions unchanged, and conserved quantities of higher degree of two motions.

# %%
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import solve_ivp

from keras_lconv.discovery import find_symmetries
from keras_lconv.physics import find_conserved_quantities, fit_conserved_quantities

rng = np.random.default_rng(0)

# %% [markdown]
# ## Curves
#
# The search needs a function and points at which to evaluate it. First it is among linear
# maps, then among fields up to degree 2.


# %%
def curves(x):
    return x[:, 0] ** 3 - x[:, 1] ** 2


points = rng.normal(size=(500, 2))
linear = find_symmetries(curves, points)
print(f"linear maps: {linear.dimension} of 4")
report = find_symmetries(curves, points, search="polynomial", degree=2)
print(report.summary())
print(f"in symbols: {report.formulas(['x', 'y'])[0]}")

# %% [markdown]
# If a function does not change along a field, it does not change along a multiple of it
# either. Multiples are counted and not listed. The flow of the field moves points along the
# curves, for all values of the function.

# %%
start = np.stack([np.linspace(0.2, 1.4, 7), np.full(7, -1.0)], axis=1)
steps = np.linspace(0, 0.6, 60)
paths = np.array([report.flow(start, t) for t in steps])
changes = [np.abs(curves(moved) - curves(start)) for moved in paths]
print(f"largest change of the function along the flow: {np.nanmax(changes):.1e}")

# %% [markdown]
# ## Rotations behind a change of coordinates
#
# The function is the squared length after the second component is bent. Its symmetries are
# the rotations of space in other coordinates.


# %%
def hidden(x):
    bent = x[:, 1] + x[:, 0] ** 2
    return x[:, 0] ** 2 + bent**2 + x[:, 2] ** 2


bent = find_symmetries(hidden, rng.normal(size=(800, 3)), search="polynomial", degree=3)
print(f"algebra: {bent.name}")
print("\n".join(bent.formulas(["x", "y", "z"])))

# %% [markdown]
# The brackets of the three fields show that these are rotations. The right coordinates need
# not be known.
#
# ## The cross-ratio
#
# Perspective keeps the cross-ratio of four points of a line. With `blocks=4` all
# four move alike.


# %%
def cross_ratio(x):
    a, b, c, d = x.T
    return (a - c) * (b - d) / ((a - d) * (b - c))


four = rng.normal(size=(500, 4))
projective = find_symmetries(cross_ratio, four, search="polynomial", degree=3, blocks=4)
print(f"algebra: {projective.name}")
print("\n".join(projective.formulas(["x"])))

# %% [markdown]
# The fields are shifts, stretching, and $x^2 \, d/dx$, which shifts $1 / x$. Together they
# generate the maps $x \to (a x + b) / (c x + d)$. There is no further field of degree 3.
#
# ## Conserved quantities of motions
#
# The same search finds conserved quantities. A planet in the plane conserves more than
# energy and angular momentum. The search uses polynomials of the coordinates and of one
# further function, $1 / |q|$.


# %%
def kepler(z):
    return np.sum(z[:, 2:] ** 2, axis=1) / 2 - 1 / np.linalg.norm(z[:, :2], axis=1)


inverse = {"1/|q|": lambda z: 1 / np.linalg.norm(z[:, :2], axis=1)}
z = rng.normal(size=(600, 4))
z = z[np.linalg.norm(z[:, :2], axis=1) > 0.3]
planet = find_conserved_quantities(kepler, z, search=inverse, degree=3)
print(planet.summary())

# %% [markdown]
# The last two are the components of the Runge-Lenz vector, which points to the
# perihelion. Given one of them, the other follows up to its sign.
#
# Predators and prey, $\dot x = x (1 - y)$ and $\dot y = y (x - 1)$, have no momenta.
# Trajectories are enough, with logarithms in the search.


# %%
def lotka_volterra(_, z):
    x, y = z
    return x * (1 - y), y * (x - 1)


times, starts = np.linspace(0, 8, 160), np.linspace(1.2, 2.5, 12)
precise = {"t_eval": times, "rtol": 1e-11, "atol": 1e-12}
orbits = np.array(
    [solve_ivp(lotka_volterra, (0, 8), (1, y), "DOP853", **precise).y.T for y in starts]
)
logarithms = {"log x": lambda z: np.log(z[:, 0]), "log y": lambda z: np.log(z[:, 1])}
ecology = fit_conserved_quantities(orbits, search=logarithms, degree=1)
print(ecology.summary())

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
line = np.linspace(-1.7, 1.7, 200)
mesh = np.stack(np.meshgrid(line, line), axis=-1)
values = curves(mesh.reshape(-1, 2)).reshape(200, 200)
panels[0].contour(line, line, values, levels=15, colors="0.8", linewidths=0.8)
for path in np.moveaxis(paths, 1, 0):
    panels[0].plot(*path.T, color="C0")
panels[0].plot(*start.T, "o", color="C1", markersize=4)
panels[0].set(title="Points (dots) that flow along curves", xlabel="$x$", ylabel="$y$")
panels[0].set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7))
for orbit in orbits[::3]:
    panels[1].plot(*orbit.T)
panels[1].set(title="Predators and prey", xlabel="$x$", ylabel="$y$")
picture = pathlib.Path("outputs/beyond_linear.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=110)

# %% [markdown]
# The page [Beyond linear](../nonlinear.md) explains which fields are listed, libraries of
# functions, and fits to data.
