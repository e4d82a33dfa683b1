"""Threads, pickles, seeds, interruptions and long runs."""

import concurrent.futures
import copy
import pathlib
import pickle
import resource
import threading

import keras
import numpy as np
import pytest

from keras_lconv import CasimirPooling, InvariantPooling, LConv, LieBlock, SteerableConv
from keras_lconv import generators as g
from keras_lconv.algebra import SO, so
from keras_lconv.discovery import find_symmetries
from tests.families import to_numpy

THREADS = 8
IMAGES = np.random.default_rng(0).normal(size=(THREADS, 5, 5, 2)).astype("float32")
LABELS = np.random.default_rng(1).normal(size=(THREADS, 3)).astype("float32")


def classifier():
    """Learned and known generators, shared, and a pooling with a basis."""
    return keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            LieBlock(3, g.LowRankGenerators(2, 2), num_layers=2, activation="relu"),
            CasimirPooling("rotation", tau=0.1, trainable_tau=True),
            InvariantPooling("rotation", num_invariants=4),
            keras.layers.Dense(3),
        ]
    )


def compiled():
    keras.utils.set_random_seed(3)
    model = classifier()
    model.compile("adam", "mse")
    return model


def at_once(function):
    """The results of a function for 0, ..., 7, in 8 threads that start together."""
    barrier = threading.Barrier(THREADS)

    def wait_and_ask(number):
        barrier.wait()
        return function(number)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(wait_and_ask, range(THREADS)))


def test_threads_share_a_model():
    model = classifier()

    def predicted(number):
        return to_numpy(model(IMAGES[number : number + 1]))[0]

    # One after the other, in batches of one, too: a batch of eight rounds otherwise.
    expected = [predicted(number) for number in range(THREADS)]
    assert np.abs(np.array(at_once(predicted)) - expected).max() < 1e-6


def test_threads_build_models_of_their_own():
    def made(number):
        layers = LConv(2, "affine"), SteerableConv(2, 3, group="so2")
        return [to_numpy(layer(IMAGES)).shape for layer in layers]

    assert at_once(made) == [made(0)] * THREADS


def test_pickles_and_copies_give_the_same():
    model = classifier()
    expected = to_numpy(model(IMAGES))
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(to_numpy(other(IMAGES)), expected)
    report = find_symmetries(lambda x: keras.ops.sum(x**2, axis=1), IMAGES[:, 0, 0, :])
    again = pickle.loads(pickle.dumps(report))
    assert again.name == report.name
    assert np.array_equal(again.generators, report.generators)
    for algebra in (so(3), SO(3)):
        other = pickle.loads(pickle.dumps(algebra))
        assert other.dimension == algebra.dimension


def trained(model, epochs=4, callbacks=()):
    model.fit(
        IMAGES,
        LABELS,
        batch_size=4,
        epochs=epochs,
        verbose=0,
        shuffle=False,
        callbacks=list(callbacks),
    )
    return model.get_weights()


def test_one_seed_gives_one_result():
    first, second = (trained(compiled(), epochs=1) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


class Interruption(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.nightly
def test_an_interrupted_run_goes_on_to_the_same_weights(tmp_path):
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        trained(compiled(), callbacks=[backup, Interruption()])
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    resumed, whole = trained(compiled(), callbacks=[backup]), trained(compiled())
    assert all(np.array_equal(a, b) for a, b in zip(resumed, whole, strict=True))


def resident():
    """Memory of this process in MB; the most so far where there is no /proc."""
    status = pathlib.Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


@pytest.mark.nightly
def test_ten_thousand_steps_leak_nothing(record_property):
    model = keras.Sequential(
        [
            keras.Input((5, 5, 2)),
            LConv(2, g.LowRankGenerators(2, 2), activation="relu"),
            InvariantPooling("rotation", num_invariants=4),
            keras.layers.Dense(3),
        ]
    )
    model.compile("adam", "mse")

    def steps(number):
        for _ in range(number):
            model.train_on_batch(IMAGES, LABELS)
            model.predict_on_batch(IMAGES)
        return resident()

    start = steps(1000)
    growth = steps(9000) - start
    record_property("growth_in_MB", growth)
    print(f"{growth:.1f} MB more than {start:.0f} MB after 10,000 steps of training")
    assert growth < 20
