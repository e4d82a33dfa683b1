"""Which jets have two prongs: after boosts that were never trained."""

import keras
import numpy as np
from scipy.stats import rankdata
from toy_jets import MOST, Jets, generate

from keras_lconv.algebra import so
from keras_lconv.discovery import fit_symmetries
from keras_lconv.models import from_report, point_network

RAPIDITIES = (0.0, 0.5, 1.0, 2.0)
# Of energies, in GeV.
UNIT = 10.0
SIZE = {"filters": (6, 6), "hidden_units": (16,), "degree": 1}


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """The area under the curve of true over false positives."""
    ranks, positive = rankdata(scores), labels == 1
    wins = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return float(wins / (positive.sum() * (~positive).sum()))


def found_in(jets: Jets):
    """The symmetries of the masses of jets, as a function of their momenta.

    Masses are measured to half a percent.
    """
    total = jets.momenta.astype("float64").sum(axis=1)
    square = total[:, 3] ** 2 - np.sum(total[:, :3] ** 2, axis=1)
    noise = np.random.default_rng(0).normal(size=len(total))
    return fit_symmetries(total, np.sqrt(square) * (1 + 0.005 * noise), verbose=False)


def of_lorentz():
    """With the algebra from the textbook."""
    exist, momenta = keras.Input((MOST, 1)), keras.Input((MOST, 4))
    network = point_network(
        input_shape=(MOST, 4),
        classes=1,
        classifier_activation=None,
        group=so(3, 1),
        relative=False,
        **SIZE,
    )
    return keras.Model([exist, momenta], network([exist, momenta / UNIT]))


def of_discovery(report, jets: Jets):
    """With the algebra that was found."""
    return from_report(report, [jets.exist, jets.momenta], **SIZE)


def plain(width=64):
    """Dense layers of each constituent, averaged, and dense layers of the average."""
    exist, momenta = keras.Input((MOST, 1)), keras.Input((MOST, 4))
    x = keras.ops.concatenate([exist, momenta / UNIT], axis=-1)
    for _ in range(2):
        x = keras.layers.Dense(width, activation="silu")(x)
    x = keras.ops.sum(x * exist, axis=1) / MOST
    x = keras.layers.Dense(width, activation="silu")(x)
    return keras.Model([exist, momenta], keras.layers.Dense(1)(x))


def jets(full: bool) -> list[dict]:
    """Trains three classifiers on the same jets.

    Args:
        full: Whether with 2,000 jets to train on, and 2,000 to test.

    Returns:
        Rows with the area under the curve for each rapidity of the boost.
    """
    number, epochs = (2000, 12) if full else (60, 1)
    drawn = generate(2 * number, seed=0)
    train, test = drawn.part(0, number), drawn.part(number, 2 * number)
    report = found_in(train)
    networks = {
        "so(3, 1)": of_lorentz,
        f"found: {report.name}": lambda: of_discovery(report, train),
        "plain": plain,
    }
    rows = []
    for name, build in networks.items():
        keras.utils.set_random_seed(0)
        model = build()
        # The plain network trains in a moment: it gets more.
        more = 10 if name == "plain" and full else 1
        model.compile(
            keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(3e-3, more * epochs * number // 32)
            ),
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
        )
        model.fit(
            [train.exist, train.momenta],
            train.labels,
            epochs=more * epochs,
            batch_size=32,
            verbose=0,
        )
        row = {"network": name, "weights": model.count_params()}
        for rapidity in RAPIDITIES:
            moved = test.boosted(rapidity, seed=1)
            scores = model.predict([moved.exist, moved.momenta], batch_size=100, verbose=0)
            row[f"rapidity {rapidity}"] = round(area(scores[:, 0], test.labels), 3)
        rows.append(row)
        print(row, flush=True)
    return rows
