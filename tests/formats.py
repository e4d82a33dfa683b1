"""Which layers each format takes from a backend, and computes right.

`KERAS_BACKEND=torch python -m tests.formats onnx openvino litert` prints a table. Every
layer of the contract is exported in a model of its own, and run with batches of 3 and of 1.
With `--fixed` the file has one size of the batch, 3.
"""

import argparse
import warnings

import keras
import numpy as np

from tests.families import to_numpy
from tests.layer_contract import ROWS
from tests.layers.test_contract import build, call, draw

# Endings of files.
FORMATS = {"onnx": ".onnx", "openvino": ".xml", "litert": ".tflite"}
MOST_ERROR = 1e-4
# LiteRT's exporter of PyTorch makes any size of the batch that is not given 1.
FIXED = {("torch", "litert")}


def model_of(name):
    """A model of one layer, called once; the layer; and inputs of three samples."""
    layer, inputs = build(ROWS[name]), draw(ROWS[name])
    symbols = [keras.Input(x.shape[1:]) for x in inputs]
    model = keras.Model(symbols, call(layer, *symbols))
    model(inputs)
    return model, layer, inputs


def exported(form, model, inputs, path, is_fixed):
    """Exports a model, and returns a function of arrays that runs it."""
    fixed = {}
    if is_fixed:
        fixed["input_signature"] = [keras.InputSpec("float32", x.shape) for x in inputs]
    path = str(path / f"model{FORMATS[form]}")
    model.export(path, format=form, verbose=False, **fixed)
    return {"onnx": _in_onnx_runtime, "openvino": _in_openvino, "litert": _in_litert}[form](
        path
    )


def _in_onnx_runtime(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [symbol.name for symbol in session.get_inputs()]

    def run(*arrays):
        return session.run(None, dict(zip(names, arrays, strict=True)))[0]

    return run


def _in_openvino(path):
    import openvino

    # Without it some processors compute in bfloat16.
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(path, "CPU", precise)

    def run(*arrays):
        # A request answers wrongly for a second batch size if the model returns its input.
        request = compiled.create_infer_request()
        request.infer(list(arrays))
        return request.get_output_tensor(0).data.copy()

    return run


def _in_litert(path):
    from ai_edge_litert.interpreter import Interpreter

    def run(*arrays):
        interpreter = Interpreter(model_path=path)
        wanted = sorted(interpreter.get_input_details(), key=lambda each: each["name"])
        for each, array in zip(wanted, arrays, strict=True):
            interpreter.resize_tensor_input(each["index"], array.shape)
        interpreter.allocate_tensors()
        for each, array in zip(wanted, arrays, strict=True):
            interpreter.set_tensor(each["index"], array)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run


def assert_same(form, name, folder, is_fixed=False):
    """A layer computes in a format what it does in Keras."""
    model, layer, inputs = model_of(name)
    is_fixed = is_fixed or (keras.config.backend(), form) in FIXED
    run = exported(form, model, inputs, folder, is_fixed)
    for size in (3,) if is_fixed else (3, 1):
        some = [x[:size] for x in inputs]
        expected, found = to_numpy(call(layer, *some)), run(*some)
        assert found.shape == expected.shape, f"shape {found.shape}, not {expected.shape}"
        error = np.max(np.abs(found - expected)) / np.max(np.abs(expected))
        assert error < MOST_ERROR, f"error {error:.1e}"


def main():
    """Prints a row of the table for each format."""
    import pathlib
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="+", choices=FORMATS)
    parser.add_argument("--layers", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--fixed", action="store_true", help="one size of the batch")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| backend | format | layers right | not |\n| --- | --- | --- | --- |")
    for form in options.formats:
        failed = []
        for name in options.layers:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    assert_same(form, name, pathlib.Path(folder), options.fixed)
                except Exception as error:
                    failed.append(name)
                    print(f"{name}: {str(error)[:500]!r}", flush=True)
        right = f"{len(options.layers) - len(failed)} of {len(options.layers)}"
        print(f"| {keras.config.backend()} | {form} | {right} | {', '.join(failed)} |")


if __name__ == "__main__":
    main()
