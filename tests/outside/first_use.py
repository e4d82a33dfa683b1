"""What a new user does, with the package as it is installed and one backend: the README.

Run: KERAS_BACKEND=jax python first_use.py README.md
"""

import pathlib
import re
import sys

import keras
import numpy as np

import keras_lconv

EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def main(readme):
    """Runs all examples of the README, and takes a model through a file."""
    installed = pathlib.Path(keras_lconv.__file__).resolve()
    assert "site-packages" in installed.parts, f"not the installed package: {installed}"
    names = {}
    for source in EXAMPLE.findall(readme.read_text()):
        exec(compile(source, str(readme), "exec"), names)
    model, images = names["model"], np.zeros((2, *names["model"].input_shape[1:]))
    model.save("model.keras")
    again = keras.models.load_model("model.keras", compile=False)
    assert np.allclose(model.predict(images, verbose=0), again.predict(images, verbose=0))
    print(f"keras-lconv {keras_lconv.__version__} on {keras.config.backend()}: README runs")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
