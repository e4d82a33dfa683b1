"""GeneratorMonitor: what it records, logs and draws."""

import keras
import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest

from keras_lconv import LConv
from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.callbacks import GeneratorMonitor
from tests.families import to_numpy


def fit(generators, monitors, targets, epochs, shape):
    """Learns generators from the Lie derivatives of random inputs."""
    x = np.random.default_rng(0).normal(size=(64, *shape, 1)).astype("float32")
    y = to_numpy(targets(x))
    model = keras.Sequential([keras.Input((*shape, 1)), generators])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    fitted = model.fit(x, y, epochs=epochs, batch_size=64, callbacks=monitors, verbose=0)
    return fitted.history


@pytest.mark.thorough
def test_it_sees_generators_become_what_they_should():
    generators = g.DenseGenerators(3)
    monitor = GeneratorMonitor(generators, reference=a.so(3))
    rare = GeneratorMonitor(generators, every=40, name="rare")
    logs = fit(generators, [monitor, rare], g.MatrixGenerators(a.so(3)), 120, (3,))
    assert monitor.history["epoch"] == list(range(120))
    for key in ("closure_error", "angle", "correlation"):
        assert logs[f"generator_{key}"] == monitor.history[key]
    assert monitor.history["angle"][0] > 0.1 > 1e-2 > monitor.history["angle"][-1]
    assert monitor.history["closure_error"][0] > 0.1
    assert monitor.history["closure_error"][-1] < 1e-2
    assert monitor.history["correlation"][-1] > 0.9999
    assert rare.history["epoch"] == [39, 79, 119]
    assert set(rare.history) == {"epoch", "closure_error"}
    assert "rare_angle" not in logs
    # Snapshots are of their epoch, and not references to a weight that moves on.
    assert len(monitor.snapshots) == 120
    assert np.allclose(monitor.snapshots[-1], to_numpy(generators.L))
    assert np.max(np.abs(monitor.snapshots[0] - monitor.snapshots[-1])) > 0.3
    angle = a.principal_angles(monitor.snapshots[5], a.so(3))[0]
    assert np.isclose(monitor.history["angle"][5], angle, rtol=1e-5)
    figure = monitor.plot()
    # The curves, and three matrices with their scales of colours.
    assert len(figure.axes) == 7
    assert len(figure.axes[0].lines) == 2


def test_vector_fields_are_compared_on_the_grid_and_drawn_as_arrows():
    layer = LConv(1, g.VectorFieldGenerators(1, "affine"))
    monitor = GeneratorMonitor(layer.generators, reference="rotation")
    fit(layer.generators, [monitor], g.rotation(), 60, (7, 7))
    assert monitor.snapshots[-1].shape == (1, 7, 7, 2)
    assert monitor.history["angle"][-1] < 0.1
    assert np.all(np.array(monitor.history["closure_error"]) == 0)
    figure = monitor.plot()
    assert len(figure.axes) == 2
    assert figure.axes[1].get_ylabel() == "row"


def test_dependent_generators_have_no_closure_error():
    generators = g.DenseGenerators(2, initializer="ones")
    monitor = GeneratorMonitor(generators)
    generators.build((None, 3, 1))
    monitor.on_train_begin()
    monitor.on_epoch_end(0)
    assert np.isnan(monitor.history["closure_error"][0])
    assert len(monitor.plot().axes) == 5
    monitor.on_train_begin()
    assert monitor.history["epoch"] == monitor.snapshots == []
    with pytest.raises(ValueError, match="nothing to draw"):
        monitor.plot()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"generators": 3}, TypeError, "`generators` must be an instance"),
        ({"reference": 3}, TypeError, "`reference` must be known"),
        ({"every": 0}, ValueError, "`every` must be a positive"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        GeneratorMonitor(**{"generators": g.DenseGenerators(2), **arguments})


def test_generators_that_are_not_square_are_refused():
    monitor = GeneratorMonitor(g.DenseGenerators(2, output_dim=3))
    with pytest.raises(ValueError, match="must be square"):
        monitor.on_train_begin()
