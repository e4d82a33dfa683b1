# %% [markdown]
# # A field equation from its Lagrangian
#
# A field $u(t, x)$ on a ring is measured. Which equation does it obey? A network for the
# acceleration $\partial_t^2 u$ can be anything. A network for a **Lagrangian density**
#
# $$
# \mathcal{L} = \tfrac{1}{2} (\partial_t u)^2 - V \bigl( u, (\partial_x u)^2 \bigr)
# $$
#
# has symmetries by construction: it contains neither $t$ nor $x$, and no sign of
# $\partial_x u$. Its Euler-Lagrange equation is the law of motion, and by Noether's theorem
# energy and momentum are conserved, whatever the weights are.
#
# Run it on any backend: `KERAS_BACKEND=torch python examples/learned_lagrangian.py`

# %%
import argparse
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops

from keras_lconv.generators import translation

parser = argparse.ArgumentParser(description="A field equation from its Lagrangian.")
parser.add_argument("--fields", type=int, default=24, help="that are measured")
parser.add_argument("--epochs", type=int, default=300)
parser.add_argument("--time", type=float, default=20.0, help="of new motions")
parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
options = parser.parse_args()

# %% [markdown]
# ## Data
#
# The true law is a wave equation with a mass and a cubic force, $\partial_t^2 u =
# \partial_x^2 u - u - u^3$. It is integrated by the leapfrog rule on a grid four times as
# fine as the one that is measured. Accelerations are second differences of measured
# fields.

# %%
POINTS, LENGTH, STEP, FINE = 32, 8.0, 0.02, 4


def slope(u, points):
    """The derivative on a periodic grid, by Fourier transforms."""
    waves = 2j * np.pi / LENGTH * points * np.fft.fftfreq(points)
    return np.fft.ifft(waves * np.fft.fft(u, axis=-1), axis=-1).real


def true_acceleration(u):
    points = u.shape[-1]
    return slope(slope(u, points), points) - u - u**3


def leapfrog(acceleration, u, velocity, duration, step=STEP):
    """Fields at all times, from the first field and its velocity: `(times, batch, x)`."""
    fields = [u]
    velocity = velocity + step / 2 * acceleration(u)
    for _ in range(round(duration / step)):
        fields.append(fields[-1] + step * velocity)
        velocity = velocity + step * acceleration(fields[-1])
    return np.array(fields)


def start(num, seed):
    """Smooth fields and velocities `(num, points)` on the fine grid."""
    rng = np.random.default_rng(seed)
    x = np.arange(FINE * POINTS) / (FINE * POINTS)
    waves = np.array([f(2 * np.pi * k * x) for k in range(4) for f in (np.cos, np.sin)])
    return np.moveaxis(0.4 * rng.normal(size=(num, 2, len(waves))) @ waves, 1, 0)


motions = leapfrog(true_acceleration, *start(options.fields, seed=0), 2.0)[..., ::FINE]
differences = (motions[2:] - 2 * motions[1:-1] + motions[:-2]) / STEP**2
u = motions[1:-1][::10].reshape(-1, POINTS).astype("float32")
accelerations = differences[::10].reshape(-1, POINTS).astype("float32")
print(f"{len(u)} fields of {POINTS} points, of {options.fields} motions")

# %% [markdown]
# ## Three networks
#
# The first is the Lagrangian. The density is a small network at each point, and the slope
# is the generator of translations, $L u = -\partial_x u$. Since $\mathcal{L}$ depends on
# the field at one point and its slope there, two forward derivatives give the
# Euler-Lagrange equation
#
# $$
# \partial_t^2 u = \partial_x \frac{\partial V}{\partial (\partial_x u)}
# - \frac{\partial V}{\partial u}.
# $$
#
# The derivative on the grid is an antisymmetric matrix, so the right side is exactly minus
# the gradient of $\sum_x V$.


# %%
def small_network(outputs=1):
    """A function of a few numbers, the same at each point."""
    hidden = [keras.layers.Dense(32, activation="swish") for _ in range(2)]
    return keras.Sequential([*hidden, keras.layers.Dense(outputs)])


class Slopes(keras.layers.Layer):
    """First derivatives by the generator of translations, in units of length."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.translation = translation(1, derivative="fourier")

    def call(self, u):
        return -POINTS / LENGTH * self.translation(u)[:, :, 0, 0]


class EulerLagrange(keras.layers.Layer):
    """The acceleration that follows from a density `V(u, slope^2)`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.slopes = Slopes()
        self.network = small_network()

    def density(self, u, slope):
        """`V` at each point, `(batch, x)`."""
        return self.network(ops.stack([u, slope**2], axis=-1))[..., 0]

    def call(self, u):
        slope = self.slopes(u)
        zeros, ones = ops.zeros_like(u), ops.ones_like(u)
        _, by_field = ops.jvp(self.density, (u, slope), (ones, zeros))
        _, by_slope = ops.jvp(self.density, (u, slope), (zeros, ones))
        return self.slopes(by_slope) - by_field

    def energy(self, u):
        """The sum of `V` over the ring, `(batch,)`."""
        return ops.sum(self.density(u, self.slopes(u)), axis=1)


# %% [markdown]
# The second network is as local, and moves with translations, but follows from no
# Lagrangian: a function of $u$, $\partial_x u$ and $\partial_x^2 u$. The third one is a
# dense network from all 32 values to all 32 accelerations.


# %%
class Local(keras.layers.Layer):
    """The acceleration as a function of the field and two derivatives."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.slopes = Slopes()
        self.network = small_network()

    def call(self, u):
        slope = self.slopes(u)
        return self.network(ops.stack([u, slope, self.slopes(slope)], axis=-1))[..., 0]


def trained(network):
    """A model of accelerations."""
    inputs = keras.Input((POINTS,))
    model = keras.Model(inputs, network(inputs))
    steps = options.epochs * -(-len(u) // 40)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, steps)), "mse"
    )
    model.fit(u, accelerations, batch_size=40, epochs=options.epochs, verbose=0)
    return model


keras.utils.set_random_seed(0)
lagrangian = EulerLagrange()
networks = {
    "Lagrangian": lagrangian,
    "local": Local(),
    "dense": keras.Sequential(
        [keras.layers.Dense(128, activation="swish") for _ in range(2)]
        + [keras.layers.Dense(POINTS)]
    ),
}
models = {name: trained(network) for name, network in networks.items()}

new = start(100, seed=1)[0][:, ::FINE]
expected = true_acceleration(start(100, seed=1)[0])[:, ::FINE]
errors = {}
for name, model in models.items():
    found = model.predict(new, verbose=0)
    errors[name] = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    print(f"{name:12s} {model.count_params():6d} weights, error {errors[name]:.4f}")

# %% [markdown]
# These are relative errors of accelerations of new fields.
#
# ## Motion
#
# The models move new fields, by the same rule. The energy of the law that was learned is
# $\sum_x \tfrac{1}{2} (\partial_t u)^2 + V$, the momentum $\sum_x \partial_t u \,
# \partial_x u$. For the networks without a Lagrangian there is no such energy: theirs is
# that of the true law.


# %%
def conserved(potential, fields):
    """Energy and momentum of motions, between two times."""
    velocity = np.diff(fields, axis=0) / STEP
    middle = (fields[1:] + fields[:-1]) / 2
    kinetic = np.sum(velocity**2, axis=-1) / 2
    energies = kinetic + (potential(fields[1:]) + potential(fields[:-1])) / 2
    return energies, np.sum(velocity * slope(middle, POINTS), axis=-1)


def true_potential(u):
    return np.sum(slope(u, POINTS) ** 2 / 2 + u**2 / 2 + u**4 / 4, axis=-1)


def learned_potential(u):
    flat = u.reshape(-1, POINTS).astype("float32")
    return ops.convert_to_numpy(lagrangian.energy(flat)).reshape(u.shape[:-1])


def drift(values, unit):
    """The largest change of each motion, and of these the median, relative to a unit."""
    return np.median(np.max(np.abs(values - values[0]), axis=0)) / unit


first, velocity = start(8, seed=2)
truth = leapfrog(true_acceleration, first, velocity, options.time)[..., ::FINE]
unit = [np.std(truth), *(np.mean(np.abs(v)) for v in conserved(true_potential, truth))]
rolled = {}
for name, model in models.items():
    rolled[name] = leapfrog(
        lambda fields, model=model: np.asarray(model.predict_on_batch(fields)),
        first[:, ::FINE],
        velocity[:, ::FINE],
        options.time,
    )

drifts = {}
for name, fields in rolled.items():
    potential = learned_potential if name == "Lagrangian" else true_potential
    with np.errstate(over="ignore", invalid="ignore"):
        energy, momentum = conserved(potential, fields)
        error = np.sqrt(np.mean((fields[-1] - truth[-1]) ** 2)) / unit[0]
        drifts[name] = drift(energy, unit[1]), drift(momentum, unit[2])
    print(
        f"{name:12s} at t = {options.time:g}: error {error:.3g}, largest change of energy "
        f"{drifts[name][0]:.2g}, of momentum {drifts[name][1]:.2g}"
    )
