"""The classifier of images and volumes in any orientation."""

import numpy as np
import pytest

from keras_lconv.algebra import MatrixGroup
from keras_lconv.convert import to_conv
from keras_lconv.models import steerable_classifier
from tests.autodiff import run
from tests.families import relative_error, to_numpy


@pytest.mark.parametrize(
    ("group", "shape"),
    [
        ("c8", (11, 11, 1)),
        pytest.param("d4", (12, 12, 2), marks=pytest.mark.thorough),
        pytest.param("so2", (11, 11, 1), marks=pytest.mark.thorough),
        ("cube", (7, 7, 7, 1)),
    ],
)
def test_quarter_turns_do_not_change_the_answer(group, shape):
    model = steerable_classifier(
        input_shape=shape, classes=3, group=group, classifier_activation=None
    )
    images = np.random.default_rng(0).random((2, *shape)).astype("float32")
    expected = to_numpy(run(model, images))
    turned = np.rot90(images, axes=(1, 2)).copy()
    assert relative_error(to_numpy(run(model, turned)), expected) < 1e-4
    if group == "d4":
        assert relative_error(to_numpy(run(model, images[:, ::-1].copy())), expected) < 1e-4
    assert relative_error(to_numpy(run(to_conv(model), images)), expected) < 1e-5


@pytest.mark.backend_free
def test_what_a_subgroup_leaves_of_invariance():
    arguments = {"input_shape": (12, 12, 1), "classes": 3, "classifier_activation": None}
    images = np.random.default_rng(0).random((2, 12, 12, 1)).astype("float32")
    mirror = MatrixGroup(elements=np.diag([-1.0, 1.0])[None])
    for group, subgroup, same, other in (
        ("c4", "c2", lambda f: f[:, ::-1, ::-1], lambda f: np.rot90(f, axes=(1, 2))),
        ("o2", mirror, lambda f: f[:, ::-1], lambda f: f[:, ::-1, ::-1]),
    ):
        model = steerable_classifier(group=group, subgroup=subgroup, **arguments)
        expected = to_numpy(run(model, images))
        assert relative_error(to_numpy(run(model, same(images).copy())), expected) < 1e-4
        assert relative_error(to_numpy(run(model, other(images).copy())), expected) > 1e-2


@pytest.mark.backend_free
def test_what_the_model_returns():
    shapes = {
        pooling: steerable_classifier(
            include_top=False, input_shape=(12, 12, 1), pooling=pooling, group="c4"
        ).output_shape
        for pooling in (None, "avg", "max")
    }
    assert shapes == {None: (None, 4, 4, 64), "avg": (None, 64), "max": (None, 64)}


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"group": "c8", "subgroup": "d4"}, "`subgroup` must be a subgroup"),
        ({"group": "c8", "subgroup": "so2"}, "`subgroup` must be a subgroup"),
        ({"group": "so3"}, "`input_shape` must have 3 spatial axes"),
        ({"size": "huge"}, "`size` must be one of"),
        ({"pooling": "mean"}, "`pooling` must be one of"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        steerable_classifier(**arguments)
