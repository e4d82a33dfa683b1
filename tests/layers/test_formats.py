"""Every public layer exported, and run by ONNX Runtime and OpenVINO, for any batch size.

`make onnx` installs what this needs, and runs it on each backend.
"""

import pytest

from tests.autodiff import BACKEND
from tests.formats import assert_same
from tests.layer_contract import ROWS

pytestmark = pytest.mark.nightly

# Layers that the exporter of a backend does not support.
SLOW = "tf2onnx takes many minutes for products of learned generators"
NOT_EXPORTED = {
    "jax": {"LearnedPooling": "jax2onnx: no solution of linear equations"},
    "tensorflow": {
        "PointConv": "tf2onnx has no `log1p`",
        "LConv, wide and learned": SLOW,
    },
}


def mark(form, name):
    """The limits of a backend's exporter to ONNX are known."""
    reason = NOT_EXPORTED.get(BACKEND, {}).get(name) if form == "onnx" else None
    if not reason:
        return ()
    return pytest.mark.xfail(reason=reason, strict=True, run=reason != SLOW)


# OpenVINO's converter was measured from PyTorch only.
CASES = [
    pytest.param(form, name, marks=mark(form, name))
    for form in (("onnx", "openvino") if BACKEND == "torch" else ("onnx",))
    for name in ROWS
]


@pytest.mark.parametrize(("form", "name"), CASES)
def test_exported_layers_compute_the_same(form, name, tmp_path):
    pytest.importorskip(
        {"onnx": "onnxruntime"}.get(form, form),
        reason="`make onnx` installs it, and runs this",
    )
    assert_same(form, name, tmp_path)
