"""A steerable classifier in whole numbers of eight bits, and what that costs in accuracy.

Scikit-learn's digits at random angles; the network as it is, after `model.quantize("int8")`
of Keras, and as plain convolutions that ONNX Runtime has quantized.

Usage: KERAS_BACKEND=torch python benchmarks/int8.py [--epochs 6]
"""

import argparse
import pathlib
import tempfile

import keras
import numpy as np
import onnxruntime
from markdown_table import show
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from which_model import at_random_angles, digits

from keras_lconv.convert import to_conv
from keras_lconv.datasets import RandomRotations
from keras_lconv.models import steerable_classifier


class Samples(CalibrationDataReader):
    """Images that show the ranges of numbers between the layers."""

    def __init__(self, name, images):
        self.batches = iter([{name: images}])

    def get_next(self):
        return next(self.batches, None)


def trained(images, labels, epochs):
    model = steerable_classifier(
        input_shape=(8, 8, 1), classes=10, classifier_activation=None, size="tiny"
    )
    steps = epochs * -(-len(images) // 32)
    rate = keras.optimizers.schedules.CosineDecay(1e-2, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    data = RandomRotations(images, labels, max_degrees=45, batch_size=32)
    model.fit(data, epochs=epochs, verbose=0)
    return model


def in_onnx_runtime(path, images):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args(arguments)
    keras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits()
    x_test = at_random_angles(x_test)
    model = trained(x, y, options.epochs)
    folder = pathlib.Path(tempfile.mkdtemp())
    plain, whole = str(folder / "plain.onnx"), str(folder / "int8.onnx")
    convolutions = to_conv(model)
    convolutions(x_test[:1])  # which the export needs
    convolutions.export(plain, format="onnx", verbose=False)
    name = onnxruntime.InferenceSession(plain).get_inputs()[0].name
    quantize_static(plain, whole, Samples(name, at_random_angles(x[:200])))

    turned = np.ascontiguousarray(np.rot90(x_test, axes=(1, 2)))
    inputs = np.concatenate([x_test, turned])

    def by_keras():
        return model.predict(inputs, batch_size=500, verbose=0)

    logits = {"as it is": by_keras()}
    model.quantize("int8")
    logits["int8 by Keras"] = by_keras()
    logits["plain, ONNX Runtime"] = in_onnx_runtime(plain, inputs)
    logits["int8, ONNX Runtime"] = in_onnx_runtime(whole, inputs)
    files = {"plain, ONNX Runtime": plain, "int8, ONNX Runtime": whole}
    rows = []
    for how, values in logits.items():
        change = np.max(np.abs(values - logits["as it is"]))
        values, of_turned = np.split(values, 2)
        rows.append(
            {
                "network": how,
                "right": round(float(np.mean(np.argmax(values, axis=1) == y_test)), 3),
                "change of logits": f"{change:.1e}",
                "by quarter turns": f"{np.max(np.abs(values - of_turned)):.1e}",
                "bytes": pathlib.Path(files[how]).stat().st_size if how in files else "",
            }
        )
    show(rows)
    return rows


if __name__ == "__main__":
    main()
