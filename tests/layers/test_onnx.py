"""Every public layer exported to ONNX, and run by ONNX Runtime with batches of any size.

`make onnx` installs what this needs, and runs it on each backend.
"""

import pytest

from tests.autodiff import BACKEND
from tests.exported import assert_same, model_of, of_one_size
from tests.layer_contract import ROWS

runtime = pytest.importorskip(
    "onnxruntime", reason="`make onnx` installs it, and runs this"
)
pytestmark = pytest.mark.nightly

# Of layers, what the exporter of a backend does not do.
LOOP = "jax2onnx: no loop whose body uses tensors from outside, as series of exponentials"
BITS = "ONNX Runtime has no bitwise operations on floats, which Keras' `argmax` uses"
NAN = "tf2onnx: NaN in place of numbers, in maxima that keep NaN"
LARGEST = (
    "FibreNorm",
    "GradientNorm",
    "GroupPooling",
    "GroupProjection",
    "LieMaxPooling",
    "NormActivation",
    "SE2Projection",
)
SLOW = "tf2onnx takes many minutes for products of learned generators"
NOT_EXPORTED = {
    "jax": {
        "CasimirPooling": LOOP,
        "LieExponential": LOOP,
        "OrbitPooling": LOOP,
        "NormMaxPooling": BITS,
        "SteerablePool, longest": BITS,
        "LearnedPooling": "jax2onnx: no solution of linear equations",
    },
    "tensorflow": {
        "NormMaxPooling": BITS,
        "SteerablePool, longest": BITS,
        "PointConv": "tf2onnx has no `log1p`",
        "LConv, wide and learned": SLOW,
        **dict.fromkeys(LARGEST, NAN),
    },
}
# Keras' `segment_sum` on PyTorch keeps the size of the batch that was traced.
ONE_SIZE = {"torch": ("ClusterPooling", "InvariantPooling, spectrum")}


@pytest.fixture(scope="module", autouse=True)
def flattened_indices():
    """What `keras.ops.take` needs, and PyTorch's exporter lacks: `torch.ravel`."""
    if BACKEND == "torch":
        import torch

        torch.onnx.register_custom_op_symbolic(
            "aten::ravel",
            lambda g, x: g.op("Reshape", x, g.op("Constant", value_t=torch.tensor([-1]))),
            9,
        )


@pytest.mark.parametrize("name", ROWS)
def test_exported_layers_compute_the_same(name, request, tmp_path):
    reason = NOT_EXPORTED.get(BACKEND, {}).get(name)
    if reason:
        request.applymarker(
            pytest.mark.xfail(reason=reason, strict=True, run=reason != SLOW)
        )
    model, layer, inputs = model_of(name)
    has_one_size = name in ONE_SIZE.get(BACKEND, ())
    how = of_one_size(inputs) if has_one_size else {}
    path = str(tmp_path / "layer.onnx")
    model.export(path, format="onnx", verbose=False, **how)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [symbol.name for symbol in session.get_inputs()]

    def run(*arrays):
        return session.run(None, dict(zip(names, arrays, strict=True)))[0]

    for size in (3,) if has_one_size else (3, 1):
        assert_same(run, layer, [x[:size] for x in inputs])
