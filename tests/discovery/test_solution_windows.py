"""Batches of earlier and later fields, moved along symmetries."""

import warnings

import keras
import numpy as np
import pytest

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery import SolutionWindows, find_point_symmetries

pytestmark = pytest.mark.backend_free
T, X = np.linspace(0, 1, 41), 2 * np.pi * np.arange(32) / 32
AXES = {"t": T, "x": X}


def burgers(t, x):
    """A solution of `u_t + u u_x = u_xx`, of mean zero in space, by Cole and Hopf."""
    return 2 * np.exp(-t) * np.sin(x) / (2 + np.exp(-t) * np.cos(x))


def boost():
    """`t d/dx + d/du` on `t, x, u`."""
    powers = [[1, 0, 0], [0, 0, 0]]
    return VectorFields(powers, [[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])


def windows(fields, axes=AXES, generators=None, **options):
    return SolutionWindows(
        fields=fields, coordinates=axes, generators=generators, **options
    )


def test_every_part_of_a_solution_comes_once_in_an_epoch():
    """Fields of one time after those of another, for two fields of two runs."""
    u = np.arange(2 * 41 * 32.0).reshape(2, 41, 32)
    data = windows({"u": u, "v": -u}, AXES, inputs=2, targets=1, step=3)
    assert len(data) == -(-2 * (41 - 6) // 32)
    batches = [data[index] for index in range(len(data))]
    earlier, later = (np.concatenate(part) for part in zip(*batches, strict=True))
    assert earlier.shape == (70, 32, 4)
    assert later.shape == (70, 32, 2)
    assert earlier.dtype == "float32"
    starts = sorted(earlier[:, 0, 0])
    assert np.allclose(starts, np.sort(u[:, :-6, 0].ravel()))
    first = earlier[..., :1]
    frames = [first, -first, first + 96, -first - 96]
    assert np.allclose(earlier, np.concatenate(frames, axis=2))
    assert np.allclose(later, np.concatenate([first + 192, -first - 192], axis=2))


def test_earlier_and_later_fields_move_alike():
    """A boost, `u(t, x - c t) + c`: its speed is the mean of the field."""
    u = burgers(T[:, None], X)
    data = windows(
        {"u": u}, AXES, boost(), periodic=["x"], step=20, shuffle=False, distance=0.8
    )
    earlier, later = data[0]
    speed = np.mean(earlier, axis=(1, 2))[:, None]
    assert np.std(speed) > 0.1 * np.std(u)
    starts = T[: len(earlier), None]
    for field, t in ((earlier, starts), (later, starts + 0.5)):
        expected = burgers(t, X - speed * t) + speed
        np.testing.assert_allclose(field[..., 0], expected, atol=1e-5)


def test_the_symmetries_of_an_equation_that_keep_space_are_chosen():
    """Scaling does not keep a period; times move within those of the data."""

    def equation(u, u_t, u_x, u_xx):
        return u_t + u * u_x - u_xx

    report = find_point_symmetries(equation)
    assert report.dimension == 5
    fields = {"u": burgers(T[:, None], X)}
    data = report.to_augmentation(fields, AXES, periodic=["x"], step=20, distance=2.0)
    assert set(data.formulas) == {"d/dt", "d/dx", "d/du + t d/dx"}
    earlier, later = data[0]
    speed = np.mean(earlier, axis=1, keepdims=True)
    assert np.allclose(speed, np.mean(later, axis=1, keepdims=True), atol=1e-5)
    assert np.all(np.abs(speed) > 1e-4)  # none is left where it was
    # Along the lines of the boost the size of the first wave tells the time.
    waves = [np.abs(np.fft.rfft(each[..., 0])[:, 1]) for each in (earlier, later)]
    dense = np.linspace(0, 1, 4001)
    known = np.abs(np.fft.rfft(burgers(dense[:, None], X))[:, 1])
    times = [np.interp(-each, -known, dense) for each in waves]
    np.testing.assert_allclose(times[1] - times[0], 0.5, atol=1e-3)
    assert np.std(np.diff(np.sort(times[0]))) > 1e-4

    heat = find_point_symmetries(lambda u_t, u_xx: u_t - u_xx)
    free = heat.to_augmentation({"u": np.cos(T[:, None] + X)}, AXES)
    assert set(free.formulas) == {"d/dt", "u d/du", "d/du", "x d/du", "2 t d/du + x^2 d/du"}


def test_fields_of_a_plane_turn_into_each_other():
    turn = VectorFields([[0, 0, 1, 0], [0, 0, 0, 1]], np.zeros((1, 4, 2)))
    turn.coefficients[0, 2, 1], turn.coefficients[0, 3, 0] = -1.0, 1.0
    angle = T[:, None] + X
    data = windows(
        {"u": np.cos(angle), "v": np.sin(angle)}, AXES, turn, distance=1.0, inputs=2
    )
    (earlier, later), (again, _) = data[0], data[0]
    phases = np.angle(earlier[..., ::2] + 1j * earlier[..., 1::2])
    turned = np.exp(1j * (phases[..., 0] + 2 * (T[1] - T[0])))
    np.testing.assert_allclose(later[..., 0] + 1j * later[..., 1], turned, atol=1e-5)
    assert np.std(phases[:, 0, 0]) > 0.3
    assert np.array_equal(earlier, again)
    data.on_epoch_end()
    assert not np.array_equal(earlier, data[0][0])


def test_a_model_fits_them():
    data = windows({"u": burgers(T[:, None], X)}, AXES, boost(), periodic=["x"])
    model = keras.Sequential([keras.layers.Conv1D(1, 3, padding="same")])
    model.compile("sgd", "mse")
    assert len(model.fit(data, epochs=2, verbose=0).history["loss"]) == 2


def test_a_coarse_grid_is_told():
    coarse = {"t": T[::2], "x": X}
    fast = np.sin(40 * T[::2, None] + X)
    generators = VectorFields([[0, 0, 0]], np.eye(3)[:1, :, None])
    with pytest.warns(UserWarning, match="points of 't' the fields are known to about"):
        windows({"u": fast}, coarse, generators, periodic=["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        windows({"u": np.sin(40 * T[:, None] + X)}, AXES, generators)
        along_x = VectorFields([[0, 0, 0]], np.eye(3)[1:2, :, None])
        windows({"u": fast}, coarse, along_x, periodic=["x"])


U = burgers(T[:, None], X)
WRONG = {
    "too long": ({"inputs": 21, "step": 2}, ValueError, "must fit into the times"),
    "no fields": ({"generators": np.eye(3)}, TypeError, "must be `VectorFields`"),
    "other fields": ({"generators": VectorFields.basis(2, 0)}, ValueError,
                     "fields of t, x, u"),
    "none": ({"generators": boost()[:0]}, ValueError, "Received: 0 fields in 3"),
    "leaving": ({"generators": boost()}, ValueError, "must keep space"),
    "scaling": ({"generators": VectorFields([[0, 1, 0]], np.eye(3)[1:2, :, None]),
                 "periodic": ["x"]}, ValueError, "Received: x d/dx"),
    "batch": ({"batch_size": 0}, ValueError, "batch_size"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_argument(case):
    arguments, kind, message = WRONG[case]
    with pytest.raises(kind, match=message):
        windows({"u": U}, AXES, **arguments)


def test_an_equation_whose_symmetries_leave_has_no_augmentation():
    """Its only one stretches space."""
    report = find_point_symmetries(lambda t, x, u, u_t, u_xx: u_t - u * u_xx - t * x)
    assert report.formulas == ["t d/dt + 3 x d/dx + 5 u d/du"]
    with pytest.raises(ValueError, match="t least one symmetry must keep space"):
        report.to_augmentation({"u": U}, AXES, periodic=["x"])
