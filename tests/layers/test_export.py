"""Exported models compute what the layers do."""

import pytest

from tests import saved_models
from tests.autodiff import BACKEND
from tests.families import relative_error


def run_exported(model, x, folder):
    """The output of the exported model for `x`."""
    if BACKEND == "torch":
        import torch

        model.export(folder / "model.pt2", format="torch", verbose=False)
        exported = torch.export.load(folder / "model.pt2").module()
        return exported(torch.tensor(x)).detach().numpy()
    tf = pytest.importorskip("tensorflow", reason="exports to TensorFlow's format")

    model.export(folder / "model", format="tf_saved_model", verbose=False)
    exported = tf.saved_model.load(folder / "model")
    return exported.serve(x).numpy()


# JAX compiles for its export, once more than in other tests.
FEW = ("pooling",) if BACKEND == "jax" else ("pooling", "invariants", "lifted")
MODELS = [
    name if name in FEW else pytest.param(name, marks=pytest.mark.thorough)
    for name in saved_models.MODELS
]


@pytest.mark.parametrize("name", MODELS)
def test_export(name, tmp_path):
    model = saved_models.make(name)
    x = saved_models.inputs(model)
    if BACKEND == "torch":
        # Keras exports any torch model, a plain Dense too, for batches of one.
        x = x[:1]
    assert relative_error(run_exported(model, x, tmp_path), model(x)) < 1e-5
