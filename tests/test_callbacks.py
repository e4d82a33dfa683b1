"""EquivarianceMonitor: what it measures, logs and draws."""

import keras
import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest

from keras_lconv import LConv
from keras_lconv import generators as g
from keras_lconv.callbacks import EquivarianceMonitor
from keras_lconv.metrics import equivariance_error, invariance_error
from tests.samples import random

BOOST = [[0.0, 1.0], [1.0, 0.0]]


def trained(monitors, epochs):
    x = random((64, 2))
    y = (x[:, :1] ** 2 - x[:, 1:] ** 2).astype("float32")
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(16, "tanh"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse")
    history = model.fit(x, y, epochs=epochs, callbacks=monitors, verbose=0)
    return model, history.history


def test_logs_and_history_are_those_of_the_metric():
    x, t = random((8, 2), 1), [0.3, -0.5]
    monitor = EquivarianceMonitor(BOOST, x, t, kind="invariance")
    rare = EquivarianceMonitor(BOOST, x, t, kind="invariance", every=2, name="rare")
    model, logs = trained([monitor, rare], 5)
    assert logs["invariance_error"] == monitor.history["mean"]
    assert monitor.history["epoch"] == [0, 1, 2, 3, 4]
    # The weights are those at the end of the epoch, and there is no dropout.
    report = invariance_error(model, BOOST, x, t)
    assert np.isclose(monitor.history["mean"][-1], report.mean, rtol=1e-5)
    assert np.isclose(monitor.history["max"][-1], report.max, rtol=1e-5)
    assert np.allclose(monitor.report.errors, report.errors, rtol=1e-5)
    assert len(set(monitor.history["mean"])) == 5
    assert rare.history["epoch"] == [1, 3]
    assert logs["rare"] == rare.history["mean"] == monitor.history["mean"][1::2]


def test_other_callbacks_see_what_it_logs():
    """No error falls by more than 1000: training stops when patience ends."""
    monitor = EquivarianceMonitor(BOOST, random((8, 2)), [0.3], kind="invariance")
    stop = keras.callbacks.EarlyStopping("invariance_error", min_delta=1e3, mode="min")
    _, logs = trained([monitor, stop], 5)
    assert len(logs["invariance_error"]) == 2


def test_equivariance_and_a_second_fit():
    f = random((4, 6, 1))
    generators = g.translation(1, derivative="fourier")
    model = keras.Sequential([keras.Input((6, 1)), LConv(1, 1)])
    model.compile("adam", "mse")
    monitor = EquivarianceMonitor(generators, f, [1.0, 2.0])
    model.fit(f, f, epochs=2, callbacks=[monitor], verbose=0)
    assert monitor.history["epoch"] == [0, 1]
    logs = model.fit(f, f, epochs=1, callbacks=[monitor], verbose=0).history
    assert monitor.history["epoch"] == [0]
    report = equivariance_error(model, generators, f, [1.0, 2.0])
    assert np.isclose(logs["equivariance_error"][0], report.mean, rtol=1e-5)
    assert report.mean > 1e-3


def test_plot():
    monitor = EquivarianceMonitor(BOOST, random((8, 2)), [0.3], kind="invariance")
    trained([monitor], 2)
    (ax,) = monitor.plot().axes
    x, y = ax.lines[0].get_data()
    assert np.array_equal(x, [0, 1])
    assert np.array_equal(y, monitor.history["mean"])
    assert ax.get_xlabel() == "epoch"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"kind": "both"}, ValueError, "`kind` must be one of"),
        ({"every": 0}, ValueError, "`every` must be a positive"),
        ({"every": 1.5}, TypeError, "`every` must be a positive"),
        (
            {"kind": "invariance", "generators_out": BOOST},
            ValueError,
            "`generators_out` apply to",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        EquivarianceMonitor(BOOST, random((8, 2)), [0.3], **arguments)
