import gc
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
from hypothesis import settings

# Compiling makes the first example slow, which is no failure. JAX compiles each operation
# for each shape, and gets fewer examples.
EXAMPLES = 8 if keras.config.backend() == "jax" else 20
settings.register_profile("default", deadline=None, max_examples=EXAMPLES)
settings.load_profile("default")


FOLDER = pathlib.Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items):
    """Says of folders and of thorough tests where and when they run."""
    backend = keras.config.backend()
    for item in items:
        folder = item.path.relative_to(FOLDER).parts[0]
        if folder in ("algebra", "datasets"):
            item.add_marker(pytest.mark.backend_free)
        # Of the examples the main job runs on every backend.
        is_example = folder == "examples" and item.path.stem != "test_quickstart"
        is_thorough = is_example or item.get_closest_marker("thorough")
        if is_thorough and backend != "torch":
            item.add_marker(pytest.mark.nightly)


def pytest_collection_finish():
    """Imported objects stay, so the garbage collector need not look at them again."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config):
    return f"Keras {keras.__version__} on {keras.config.backend()}"


@pytest.fixture(autouse=True)
def seeded():
    """Every test draws the same numbers, alone or after others."""
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def closed_figures():
    """No test leaves figures behind: Matplotlib warns where many are open."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def policy():
    """Sets the global dtype policy and restores it."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)
