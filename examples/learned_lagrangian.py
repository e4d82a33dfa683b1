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
# has symmetries by construction: it does not depend on $t$, on $x$, or on the sign of
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
parser.add_argument("--motions", type=int, default=80, help="that are measured")
parser.add_argument("--epochs", type=int, default=70)
parser.add_argument("--time", type=float, default=5.0, help="of new motions")
parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
options = parser.parse_args()

# %% [markdown]
# ## Data
#
# The true law is a wave equation with a mass and a cubic force, $\partial_t^2 u =
# \partial_x^2 u - u - u^3$. The leapfrog rule integrates it on a grid four times as fine as
# that of the measurements. Accelerations are second differences of measured fields.

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
    return np.moveaxis(0.3 * rng.normal(size=(num, 2, len(waves))) @ waves, 1, 0)


motions = leapfrog(true_acceleration, *start(options.motions, seed=0), 2.0)[..., ::FINE]
differences = (motions[2:] - 2 * motions[1:-1] + motions[:-2]) / STEP**2
u = motions[1:-1][::33].reshape(-1, POINTS).astype("float32")
accelerations = differences[::33].reshape(-1, POINTS).astype("float32")
print(f"{len(u)} fields of {POINTS} points, of {options.motions} motions")

# %% [markdown]
# ## Three networks
#
# The first network is a Lagrangian. Its density is a network with one hidden layer at each
# point, $V = \sum_k a_k \log(1 + e^{w_k \cdot z + b_k})$ of $z = (u, (\partial_x u)^2)$,
# whose derivatives have simple formulas. The generator of translations,
# $L u = -\partial_x u$, gives the slope. The Euler-Lagrange equation is
#
# $$
# \partial_t^2 u = \partial_x \frac{\partial V}{\partial (\partial_x u)}
# - \frac{\partial V}{\partial u}.
# $$
#
# The derivative on the grid is an antisymmetric matrix, so the right side is exactly minus
# the gradient of $\sum_x V$ by the values on the grid.


# %%
class Slopes(keras.layers.Layer):
    """First derivatives by the generator of translations, in units of length."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.translation = translation(1, derivative="fourier")

    def call(self, u):
        return -POINTS / LENGTH * self.translation(u)[:, :, 0, 0]


class EulerLagrange(keras.layers.Layer):
    """The acceleration that follows from a density `V(u, slope^2)`."""

    def __init__(self, units=64, **kwargs):
        super().__init__(**kwargs)
        self.slopes = Slopes()
        self.w = self.add_weight((2, units), "he_normal", name="w")
        self.b = self.add_weight((units,), "random_normal", name="b")
        self.a = self.add_weight((units,), "random_normal", name="a")

    def hidden(self, u, slope):
        return ops.matmul(ops.stack([u, slope**2], axis=-1), self.w) + self.b

    def call(self, u):
        slope = self.slopes(u)
        # The derivative of `log(1 + exp(h))` is the logistic function of `h`.
        rates = self.a * ops.sigmoid(self.hidden(u, slope))
        by_field, by_square = ops.unstack(
            ops.matmul(rates, ops.transpose(self.w)), 2, axis=-1
        )
        return self.slopes(2 * slope * by_square) - by_field

    def energy(self, u):
        """The sum of `V` over the ring, `(batch,)`."""
        density = ops.matmul(ops.softplus(self.hidden(u, self.slopes(u))), self.a)
        return ops.sum(density, axis=1)


# %% [markdown]
# The second network is also local and equivariant to translations, but it follows from no
# Lagrangian: it is a function of $u$, $\partial_x u$ and $\partial_x^2 u$. The third one is
# a dense network from all 32 values to all 32 accelerations.


# %%
class Local(keras.layers.Layer):
    """The acceleration as a function of the field and two derivatives."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.slopes = Slopes()
        self.hidden = keras.layers.Dense(64, activation="softplus")
        self.last = keras.layers.Dense(1)

    def call(self, u):
        slope = self.slopes(u)
        features = ops.stack([u, slope, self.slopes(slope)], axis=-1)
        return self.last(self.hidden(features))[..., 0]


def trained(network, rate):
    """A model of accelerations."""
    inputs = keras.Input((POINTS,))
    model = keras.Model(inputs, network(inputs))
    steps = options.epochs * -(-len(u) // 40)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    model.fit(u, accelerations, batch_size=40, epochs=options.epochs, verbose=0)
    return model


keras.utils.set_random_seed(0)
lagrangian = EulerLagrange()
dense = keras.Sequential(
    [
        keras.layers.Dense(128, activation="swish"),
        keras.layers.Dense(128, activation="swish"),
        keras.layers.Dense(POINTS),
    ]
)
# The rate of each is the best of 0.003, 0.01, 0.03, 0.1 and 0.3 on fields of seed 3.
models = {
    "Lagrangian": trained(lagrangian, 0.1),
    "local": trained(Local(), 0.3),
    "dense": trained(dense, 0.03),
}

new = start(100, seed=1)[0][:, ::FINE]
expected = true_acceleration(start(100, seed=1)[0])[:, ::FINE]
errors = {}
for name, model in models.items():
    found = model.predict(new, verbose=0)
    errors[name] = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    print(f"{name:12s} {model.count_params():6d} weights, error {errors[name]:.4f}")

# %% [markdown]
# These are relative errors of the accelerations of new fields. In both local networks the
# law is the same at each point, and they are far better than the dense one.
#
# ## Motion
#
# The models move new fields by the leapfrog rule. The energy of the learned law is
# the sum of $\tfrac{1}{2} (\partial_t u)^2 + V$ over the ring, and the momentum is the sum
# of $\partial_t u \, \partial_x u$. Networks without a Lagrangian have no energy of their
# own, so their column shows the energy of the true law.


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


def change(values):
    """How far each motion is from its start, the median over motions, by time."""
    return np.median(np.abs(values - values[0]), axis=1)


first, velocity = start(8, seed=2)
truth = leapfrog(true_acceleration, first, velocity, options.time)[..., ::FINE]
units = [np.mean(np.abs(values)) for values in conserved(true_potential, truth)]
rolled, changes, distances = {}, {}, {}
for name, model in models.items():
    fields = rolled[name] = leapfrog(
        lambda u, model=model: np.asarray(model.predict_on_batch(u)),
        first[:, ::FINE],
        velocity[:, ::FINE],
        options.time,
    )
    potential = learned_potential if name == "Lagrangian" else true_potential
    changes[name] = [
        change(values) / unit
        for values, unit in zip(conserved(potential, fields), units, strict=True)
    ]
    distances[name] = np.std(fields[-1] - truth[-1]) / np.std(truth[-1])
    energy, momentum = (np.max(values) for values in changes[name])
    print(
        f"{name:12s} at t = {options.time:g}: error {distances[name]:.3f}, change of "
        f"energy {energy:.1e}, of momentum {momentum:.1e}"
    )

# %% [markdown]
# The Lagrangian network conserves its energy up to the error of the time step, and its
# momentum up to that of the grid, although the law that it learned is not exact. The
# other networks do not conserve them. Noether's theorem holds for the first network with
# any weights.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
x = LENGTH / POINTS * np.arange(POINTS)
left.plot(x, truth[-1, 0], "k", label="true")
for (name, fields), style in zip(rolled.items(), ("--", ":", "-."), strict=True):
    left.plot(x, fields[-1, 0], style, label=name)
    times = STEP * np.arange(1, len(fields) - 1)
    right.semilogy(times, changes[name][0][1:], style, label=name)
limit = 1.5 * np.abs(truth[-1, 0]).max()
left.set(xlabel="x", ylabel="u", ylim=(-limit, limit))
left.set_title(f"one motion, at t = {options.time:g}")
left.legend()
right.set(xlabel="time", ylabel="relative change of energy")
right.set_title("energy of eight motions, median")
right.legend()
options.output.mkdir(parents=True, exist_ok=True)
figure.savefig(options.output / "learned_lagrangian.png", dpi=110)
