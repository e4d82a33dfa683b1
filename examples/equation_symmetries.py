# %% [markdown]
# # Which symmetries does an equation have?
#
# The height $u(t, x)$ of a surface on which grains settle and smooth out follows
#
# $$
# u_t = u_{xx} + u_x^2 .
# $$
#
# Which maps of time, space and height take every solution to a solution? This page finds
# them first from the equation, then from simulated heights with noise, where the equation
# is not known. Finally they make new solutions from old ones.

# %%
import pathlib

import matplotlib.pyplot as plt
import numpy as np

from keras_lconv.discovery import find_point_symmetries

# %% [markdown]
# ## From the equation
#
# The arguments of a function name the derivatives, and the function is zero for solutions.
# The symmetries are vector fields with polynomials as components, here up to degree 2.


# %%
def growth(u_t, u_x, u_xx):
    return u_t - u_xx - u_x**2


exact = find_point_symmetries(growth)
print(exact.summary())

# %% [markdown]
# The first three shift time, space and height. The fourth stretches space, and time twice
# as much. The fifth tilts the surface, and moves it at the same time. The sixth is hard to
# guess. Brackets of the six are sums of the six: they form an algebra, and it has a name.
#
# ## Other equations
#
# Most equations have fewer.

# %%
EQUATIONS = {
    "u_t = u_xx": lambda u_t, u_xx: u_t - u_xx,
    "u_t = u_xx + u_x^2": growth,
    "u_t = u_xx - u u_x": lambda u, u_t, u_x, u_xx: u_t - u_xx + u * u_x,
    "u_t = -u_xxx - u u_x": lambda u, u_t, u_x, u_xxx: u_t + u_xxx + u * u_x,
    "u_t = u_xx + u^3": lambda u, u_t, u_xx: u_t - u_xx - u**3,
    "u_t = u_xx + u - u^2": lambda u, u_t, u_xx: u_t - u_xx - u + u**2,
}
print(f"{'equation':22}number, and the last of them")
for text, equation in EQUATIONS.items():
    found = find_point_symmetries(equation, degree=3)
    print(f"{text:22}{len(found.generators)}: {found.formulas[-1]}")

# %% [markdown]
# ## From data
#
# The data are five surfaces on a circle of length 20, at 81 times, with noise of 1%. The
# simulation is exact, because $e^u$ solves the heat equation.

# %%
times, x = np.linspace(0, 2, 81), np.arange(128) * 20 / 128
waves = 2 * np.pi * np.fft.rfftfreq(128, 20 / 128)
rng = np.random.default_rng(0)


def surface():
    """Heights `(times, x)` from a sum of waves at time 0."""
    phases, sizes = rng.uniform(0, 2 * np.pi, 3), rng.uniform(0.2, 0.5, 3)
    start = sum(
        size * np.sin((mode + 1) * np.pi * x / 10 + phase)
        for mode, (size, phase) in enumerate(zip(sizes, phases, strict=True))
    )
    decay = np.exp(-(waves**2) * times[:, None])
    return np.log(np.fft.irfft(decay * np.fft.rfft(np.exp(start)), 128))


clean = np.array([surface() for _ in range(5)])
noisy = clean + 0.01 * np.std(clean) * rng.normal(size=clean.shape)
grid = {"t": times, "x": x}
report = find_point_symmetries(fields={"u": noisy}, coordinates=grid, periodic=["x"])
print(report.summary())

# %% [markdown]
# The search finds the equation first, and chooses its two terms from all products of up to
# three fields and derivatives. Then it finds the symmetries. Number, name and formulas are
# those of the exact equation, and the report states the error of the generators.
#
# ## New solutions from old ones
#
# A flat surface, $u = 0$, is the simplest solution. The last field, found in the noisy
# data, takes it to the logarithm of a spreading bell curve:
#
# $$
# u = - \frac{x^2}{4 (1 + t)} - \frac{1}{2} \log (1 + t) .
# $$

# %%
t, y = np.linspace(0, 1, 41), np.linspace(-4, 4, 161)
axes = {"t": t, "x": y}


def moved_along(formula, parameter, heights):
    """A solution that is moved along one of the fields that were found."""
    chosen = np.array([text == formula for text in report.formulas])
    return report.transform({"u": heights}, axes, parameter * chosen)["u"][0]


bell = moved_along(report.formulas[-1], -0.25, np.zeros((len(t), len(y))))
expected = -(y**2) / (4 * (1 + t[:, None])) - np.log(1 + t[:, None]) / 2
print(f"along {report.formulas[-1]}")
print(f"largest difference from the formula: {np.max(np.abs(bell - expected)):.1e}")

# %% [markdown]
# The fifth field tilts a wave and moves it. Values from outside of the grid are NaN.


# %%
def wave(t, x):
    return np.log(1 + 0.8 * np.exp(-t) * np.cos(x))


tilt = "2 t d/dx - x d/du"
tilted = moved_along(tilt, 0.5, wave(t[:, None], y))
expected = wave(t[:, None], y - t[:, None]) - y / 2 + t[:, None] / 4
misses = np.abs(tilted - expected)
print(f"known at {np.mean(np.isfinite(tilted)):.0%} of the points")
print(f"largest difference there: {np.nanmax(misses):.1e}")

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
chosen = (0, 20, 40)
for number, color in zip(chosen, ("C0", "C1", "C2"), strict=True):
    panels[0].plot(y, bell[number], color=color, label=f"t = {t[number]:.1f}")
    panels[1].plot(y, tilted[number], color=color, label=f"t = {t[number]:.1f}")
    panels[1].plot(y, wave(t[number], y), ":", color=color)
panels[0].plot(y, 0 * y, "k:", label="before")
panels[0].set(title="A flat surface, moved", xlabel="$x$", ylabel="$u$")
panels[1].set(title="A wave (dotted), moved", xlabel="$x$", ylabel="$u$")
for panel in panels:
    panel.legend()
picture = pathlib.Path("outputs/equation_symmetries.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=110)

# %% [markdown]
# Both are new solutions, without a simulation. `report.to_augmentation` makes batches of
# such solutions to train solvers. The page on [differential equations](../equations.md) has
# the theory.
