"""Which jets have two prongs, also in frames in which no network was trained."""

import itertools
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops
from toy_jets import MOST, Jets, area, generate, invariant_mass

from keras_lconv.algebra import closest, invariant_forms, so
from keras_lconv.discovery import fit_symmetries
from keras_lconv.models import from_report, point_network

TRAIN, VALIDATE, TEST = 2000, 1000, 2000
BATCH = 32
RAPIDITIES = (0, 1, 2, 3)
# Of boosts in training, where there are any.
TRAINED = 1.0
SIZE = {"hidden_units": (8,), "degree": 0}


def inputs():
    """Which constituents there are, and their momenta."""
    return keras.Input((MOST, 1), name="exist"), keras.Input((MOST, 4), name="momenta")


def energies(exist, momenta, form):
    """Logarithms of the energies of constituents where the jet is at rest.

    Args:
        exist: Which constituents there are.
        momenta: Theirs.
        form: The invariant form, `(4, 4)`.
    """
    total = ops.sum(momenta, axis=1, keepdims=True)
    form = ops.convert_to_tensor(form, dtype="float32")
    products = ops.einsum("bni,ij,bkj->bnk", momenta, form, total)
    square = ops.sum(products, axis=1, keepdims=True)
    known = ops.log(ops.maximum(products, 1e-6) / ops.sqrt(ops.maximum(square, 1e-6)))
    return known * exist


def of_lorentz(width: int, train: Jets) -> keras.Model:
    """A network of the Lorentz group, as it is in textbooks."""
    exist, momenta = inputs()
    features = energies(exist, momenta, np.diag([-1.0, -1.0, -1.0, 1.0]))
    network = point_network(
        input_shape=(MOST, 4),
        classes=1,
        classifier_activation=None,
        group=so(3, 1),
        filters=(width,),
        **SIZE,
    )
    there = layers.Masking()(momenta)
    return keras.Model([exist, momenta], network([features, there]))


def of_discovery(width: int, train: Jets) -> keras.Model:
    """A network of the algebra that the masses of the same jets have."""
    report = found_in(train)
    form = form_of(report, train)
    exist, momenta = inputs()
    features = energies(exist, momenta, form)
    seen = keras.Model([exist, momenta], features)
    given = [seen.predict([train.exist, train.momenta], verbose=0), train.momenta]
    network = from_report(report, given, filters=(width,), **SIZE)
    there = layers.Masking()(momenta)
    return keras.Model([exist, momenta], network([features, there]))


def found_in(jets: Jets, error: float = 0.0):
    """The symmetries of masses, as a function of total momenta in GeV.

    Args:
        jets: The jets.
        error: The relative error with which masses are measured.
    """
    total = jets.momenta.astype("float64").sum(axis=1)
    noise = np.random.default_rng(0).normal(size=len(total))
    masses = jets.masses * (1 + error * noise)
    return fit_symmetries(total, masses, search="linear", verbose=False)


def form_of(report, jets: Jets) -> np.ndarray:
    """The form that a found algebra keeps, positive for jets."""
    form = invariant_forms(report.algebra, tolerance=1e-3)[0]
    total = jets.momenta.astype("float64").sum(axis=1)
    sign = np.sign(np.mean(np.einsum("bi,ij,bj->b", total, form, total)))
    return sign * form / np.linalg.norm(form, 2)


def plain(width: int, train: Jets) -> keras.Model:
    """A network on the set of constituents, with what all of them tell each.

    It sees directions, those relative to the jet, and logarithms of energies.
    """
    exist, momenta = inputs()

    def average(x):
        sums = (ops.sum(each * exist, axis=1, keepdims=True) for each in (x, exist))
        return next(sums) / next(sums)

    total = ops.sum(momenta, axis=1, keepdims=True)
    energy = momenta[..., 3:] + (1 - exist)
    along, axis = momenta[..., :3] / energy, total[..., :3] / total[..., 3:]
    share = ops.log(energy / total[..., 3:])
    of_jet = ops.concatenate([axis, ops.log(total[..., 3:]) - 6], axis=-1)
    seen = [along, 5 * (along - axis), share + 3, of_jet + 0 * share]
    x = layers.Dense(width, activation="swish")(ops.concatenate(seen, axis=-1))
    x = layers.Dense(width, activation="swish")(x)
    x = ops.swish(layers.Dense(width)(x) + layers.Dense(width)(average(x)))
    x = layers.Dense(width, activation="swish")(average(x)[:, 0])
    return keras.Model([exist, momenta], layers.Dense(1)(x))


class Network(NamedTuple):
    """A network, and how it is trained.

    Args:
        build: From a width and jets to a model that is not compiled.
        rate: The learning rate, found by `--tune`.
        width: Channels or units, found by `--tune`.
        is_boosted: Whether jets in training get new boosts in each epoch.
    """

    build: Callable[[int, Jets], keras.Model]
    rate: float
    width: int
    is_boosted: bool = False


NETWORKS = {
    "so(3,1)": Network(of_lorentz, 1e-2, 8),
    "found": Network(of_discovery, 1e-2, 8),
    "set network": Network(plain, 1e-2, 64),
    "set network, boosts": Network(plain, 3e-3, 32, is_boosted=True),
}
# What `--tune` tries for each: three rates, and half of the width.
RATES = (1e-3, 3e-3, 1e-2)


def trials(network: Network) -> list[Network]:
    """The same network with other rates and widths."""
    half = network._replace(rate=RATES[1], width=network.width // 2)
    return [*(network._replace(rate=rate) for rate in RATES), half]


def trained(network: Network, train: Jets, validate: Jets, seconds: float, seed: int):
    """A model after so many processor seconds, and its number of epochs.

    The learning rate falls as a cosine of the time, which counts from the second epoch on:
    compilation is in the first. The weights are those of the best epoch on validation jets.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = network.build(network.width, train)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(network.rate, global_clipnorm=1.0), loss)
    spent, epochs, best = 0.0, 0, (0.0, model.get_weights())
    while spent < seconds:
        start = time.process_time()
        rate = network.rate * (0.5 + 0.5 * math.cos(math.pi * spent / seconds)) + 1e-7
        model.optimizer.learning_rate.assign(rate)
        given = train
        if network.is_boosted:
            rapidities = rng.uniform(0, TRAINED, len(train.labels))
            given = train.boosted(rapidities, int(rng.integers(2**31)))
        model.fit([given.exist, given.momenta], given.labels, batch_size=BATCH, verbose=0)
        # Networks with thousands of epochs look now and then.
        if not epochs % 5 or spent > seconds / 2:
            reached = area_of(model, validate)
            best = max(best, (reached, model.get_weights()), key=lambda each: each[0])
        spent += time.process_time() - start if epochs else 0.0
        epochs += 1
    model.set_weights(best[1])
    return model, epochs


def area_of(model: keras.Model, jets: Jets) -> float:
    """How well a model tells labels apart."""
    scores = model.predict([jets.exist, jets.momenta], batch_size=200, verbose=0)
    return area(scores[:, 0], jets.labels)


def discovery(jets: Jets, error: float) -> dict:
    """What was found in jets whose masses have such an error, and how sure that is."""
    report = found_in(jets, error)
    return {
        "error of masses": error,
        "found": report.name,
        "confidence": round(report.confidence, 4),
        "radians from so(3,1)": closest(report.algebra, {"so(3,1)": so(3, 1)})[1],
    }


def jets(full: bool, networks=None, seconds=None, is_tuned=False, seeds=1) -> list[dict]:
    """Trains each classifier for the same time.

    Args:
        full: Whether with all jets.
        networks: Names of networks; without any all.
        seconds: Processor seconds of each training.
        is_tuned: Whether to try learning rates and widths instead, on validation jets.
        seeds: How many trainings of each.

    Returns:
        Rows with areas under the curve, for each rapidity of boosts.
    """
    seconds = seconds or (20.0 if full else 1e-3)
    sizes = (TRAIN, VALIDATE, TEST) if full or is_tuned else (100, 20, 40)
    ends = np.cumsum((0, *sizes))
    drawn = generate(int(ends[-1]), seed=0)
    train, validate, test = (drawn.part(*both) for both in itertools.pairwise(ends))
    names = networks or list(NETWORKS)
    if is_tuned:
        return _tuned(names, train, validate, seconds)
    for error in (0.0, 1e-3, 1e-2) if full else (0.0,):
        print(discovery(train, error), flush=True)
    seen_at = RAPIDITIES if full else RAPIDITIES[::3]
    moved = {rapidity: test.boosted(rapidity, seed=1) for rapidity in seen_at}
    total = test.momenta.astype("float64").sum(axis=1)
    print("mass alone:", round(area(invariant_mass(total), test.labels), 3), flush=True)
    rows = []
    for name, seed in itertools.product(names, range(seeds)):
        model, epochs = trained(NETWORKS[name], train, validate, seconds, seed)
        row = {"network": name, "seed": seed, "weights": model.count_params()}
        row["epochs"] = epochs
        for rapidity, seen in moved.items():
            row[f"rapidity {rapidity}"] = round(area_of(model, seen), 3)
        rows.append(row)
        print(row, flush=True)
    return rows


def _tuned(names, train, validate, seconds):
    rows = []
    for name in names:
        for network in trials(NETWORKS[name]):
            model, _ = trained(network, train, validate, seconds, seed=1)
            found = {"validation": round(area_of(model, validate), 4)}
            rows.append(
                {"network": name, "rate": network.rate, "width": network.width, **found}
            )
            print(rows[-1], flush=True)
    return rows
