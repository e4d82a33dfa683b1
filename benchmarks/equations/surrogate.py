"""A small neural operator as a solver, trained with and without moved solutions.

The symmetries are those that `find_point_symmetries` finds in the solutions to train on.
"""

import time

import keras
import numpy as np
import simulate
from keras import ops

from keras_lconv.discovery import SolutionWindows, find_point_symmetries

# Solutions of the Korteweg-de Vries equation at these times and at every other point; a
# step of the solver covers this many times.
TIMES, STEP = np.linspace(0, 4, 81), 10
VALIDATED = TESTED = 16
# Of initial values with another mean, relative to the spread of the others.
MEAN = 0.5
# Equally many trials for each. The best rollout on validation solutions wins.
RATE, DECAYS, DISTANCES = 6e-3, (0.0, 1e-2), (0.1, 0.4)
# Steps of training, of any number of solutions.
STEPS = 900


@keras.saving.register_keras_serializable(package="benchmarks")
class SpectralMixing(keras.layers.Layer):
    """Mixes channels mode by mode: a convolution on a circle with a kernel as long."""

    def __init__(self, modes, **kwargs):
        super().__init__(**kwargs)
        self.modes = modes

    def build(self, shape):
        channels = shape[-1]
        start = keras.initializers.RandomNormal(1 / channels)
        self.real, self.imaginary = (
            self.add_weight(shape=(self.modes, channels, channels), initializer=start)
            for _ in range(2)
        )

    def call(self, x):
        points = x.shape[1]
        real, imaginary = ops.rfft(ops.transpose(x, (0, 2, 1)))
        a, b = (part[..., : self.modes] for part in (real, imaginary))
        mixed = (
            self._mixed(a, self.real) - self._mixed(b, self.imaginary),
            self._mixed(a, self.imaginary) + self._mixed(b, self.real),
        )
        rest = ((0, 0), (0, 0), (0, points // 2 + 1 - self.modes))
        waves = ops.irfft(tuple(ops.pad(part, rest) for part in mixed), fft_length=points)
        return ops.transpose(waves, (0, 2, 1))

    def _mixed(self, x, kernel):
        return ops.einsum("bcm,mcd->bdm", x, kernel)


def operator(points, scale, width=24, modes=12, blocks=3):
    """A Fourier neural operator from fields `(batch, points, 1)` to those a step later."""
    x = keras.Input((points, 1))
    h = keras.layers.Dense(width)(x / scale)
    for _ in range(blocks):
        mixed = SpectralMixing(modes)(h) + keras.layers.Dense(width)(h)
        h = keras.layers.Activation("gelu")(mixed)
    return keras.Model(x, x + scale * keras.layers.Dense(1)(h))


def solutions(number, seed, mean=0.0):
    """Solutions `(number, times, points)` from random initial values, and the grid."""
    rng = np.random.default_rng(seed)
    starts = np.array([simulate.random_field(rng, 128, 1) for _ in range(number)])
    spread = np.std(starts)
    starts += mean * spread * rng.uniform(-1, 1, (number, 1))
    found = simulate.solve_korteweg_de_vries(starts, TIMES)
    x = np.arange(64) * simulate.LENGTH / 64
    return np.moveaxis(found, 0, 1)[..., ::2], {"t": TIMES, "x": x}


def rollout_error(model, truth):
    """The mean relative error of all steps from the first field on."""
    field, errors = truth[:, 0, :, None].astype("float32"), []
    for number in range(STEP, len(TIMES), STEP):
        field = ops.convert_to_numpy(model(field))
        misses = np.linalg.norm(field[..., 0] - truth[:, number], axis=1)
        errors.append(misses / np.linalg.norm(truth[:, number], axis=1))
    return float(np.mean(errors))


def trained(data, decay, seed):
    """An operator, and the seconds that a step took."""
    keras.utils.set_random_seed(seed)
    epochs = STEPS // len(data)
    schedule = keras.optimizers.schedules.CosineDecay(RATE, epochs * len(data))
    model = operator(data.grid.values.shape[-1], float(np.std(data.grid.values)))
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=decay), "mse")
    start = time.process_time()
    model.fit(data, epochs=epochs, verbose=0)
    return model, (time.process_time() - start) / (epochs * len(data))


def ways(fields, axes, seed):
    """How to train: batches and the decay of the weights, for both ways."""
    given = {"fields": fields, "coordinates": axes, "periodic": ["x"]}
    report = find_point_symmetries(**given)
    print(report.summary(), flush=True)

    def moved(distance):
        return report.to_augmentation(
            fields, axes, periodic=["x"], distance=distance, step=STEP, seed=seed
        )

    print(f"that keep space: {', '.join(moved(1.0).formulas)}", flush=True)
    plain = SolutionWindows(**given, step=STEP, seed=seed)
    return {
        "as simulated": [(plain, decay) for decay in DECAYS],
        "moved": [(moved(distance), DECAYS[0]) for distance in DISTANCES],
    }


def surrogate(full, only=None):
    """A row for each number of solutions, way to train and seed."""
    rows = []
    tests = solutions(TESTED, seed=1)[0], solutions(TESTED, seed=2, mean=MEAN)[0]
    validation = solutions(VALIDATED, seed=3)[0]
    numbers = (8, 32) if full else (8,)
    for number in numbers if only is None else (int(only),):
        values, axes = solutions(number, seed=4)
        for way, trials in ways({"u": values}, axes, seed=0).items():
            tried = trials if full else trials[:1]
            scores = []
            for data, decay in tried if len(tried) > 1 else []:
                model, _ = trained(data, decay, seed=100)
                scores.append(rollout_error(model, validation))
                print(f"{way}, for validation: {scores[-1]:.4f}", flush=True)
            data, decay = tried[int(np.argmin(scores)) if scores else 0]
            for seed in range(3 if full else 1):
                model, seconds = trained(data, decay, seed)
                errors = [rollout_error(model, truth) for truth in tests]
                rows.append(
                    {
                        "solutions": number,
                        "trained on": way,
                        "seed": seed,
                        "error": f"{errors[0]:.4f}",
                        "of other means": f"{errors[1]:.4f}",
                        "ms a step": f"{1e3 * seconds:.0f}",
                    }
                )
                print(*rows[-1].values(), flush=True)
    return rows
