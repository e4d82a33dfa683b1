"""Programs on several devices, which JAX simulates."""

import json
import os
import subprocess
import sys


def run_on_devices(program, number=4):
    """The JSON of the last line that a program prints, with a number of devices."""
    count = f" --xla_force_host_platform_device_count={number}"
    flags = os.environ.get("XLA_FLAGS", "") + count
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "XLA_FLAGS": flags, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
