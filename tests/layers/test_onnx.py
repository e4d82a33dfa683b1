"""Every public layer exported to ONNX, and run by ONNX Runtime with batches of any size.

`make onnx` installs what this needs, and runs it on each backend.
"""

import keras
import numpy as np
import pytest

from tests.autodiff import BACKEND
from tests.families import to_numpy
from tests.layer_contract import ROWS
from tests.layers.test_contract import build, call, draw

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
    row = ROWS[name]
    layer, inputs = build(row), draw(row)
    symbols = [keras.Input(x.shape[1:]) for x in inputs]
    model = keras.Model(symbols, call(layer, *symbols))
    model(inputs)
    sizes, how = (3, 1), {}
    if name in ONE_SIZE.get(BACKEND, ()):
        sizes, how = (
            (3,),
            {"input_signature": [keras.InputSpec("float32", x.shape) for x in inputs]},
        )
    path = str(tmp_path / "layer.onnx")
    model.export(path, format="onnx", verbose=False, **how)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [symbol.name for symbol in session.get_inputs()]
    for size in sizes:
        some = [x[:size] for x in inputs]
        (found,) = session.run(None, dict(zip(names, some, strict=True)))
        expected = to_numpy(call(layer, *some))
        assert found.shape == expected.shape
        assert np.max(np.abs(found - expected)) < 1e-4 * np.max(np.abs(expected))
