"""What a GPU is asked, in one go and within a time: tables in three precisions, and tests.

Usage: python benchmarks/gpu.py [--seconds 700] [--dry]

The table of layers, steerable layers beside plain convolutions (those of cuDNN), and the
tests of layers, with PyTorch and JAX, in float32, TF32 and bfloat16. What does not fit into
the time is left out and named. `--dry` runs the smallest part of each, also on a CPU.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).parents[1]
# Of float32: the dtype, and what libraries read to take all digits, or those of TF32.
PRECISIONS = {
    "float32": (
        "float32",
        {"NVIDIA_TF32_OVERRIDE": "0", "JAX_DEFAULT_MATMUL_PRECISION": "highest"},
    ),
    "TF32": (
        "float32",
        {
            "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1",
            "JAX_DEFAULT_MATMUL_PRECISION": "tensorfloat32",
        },
    ),
    "bfloat16": ("mixed_bfloat16", {}),
}
BACKENDS = ("torch", "jax")


def tasks(dry):
    """Names, commands and environments, the most telling first."""
    sizes, rounds = (["8"], "1") if dry else (["28", "112"], "5")
    channels = ["1"] if dry else ["16", "64"]
    batch, quick = ("4", ["--quick"]) if dry else ("512", [])
    for name, (dtype, environment) in PRECISIONS.items():
        for backend in BACKENDS:
            own = {**environment, "KERAS_BACKEND": backend}
            speed = ["benchmarks/steerable.py", "speed", *quick, "--batch", batch]
            yield f"steerable, {backend}, {name}", [*speed, "--policy", dtype], own
            table = ["benchmarks/layers.py", "--backends", backend, "--dtypes", dtype]
            table += ["--sizes", *sizes, "--channels", *channels, "--rounds", rounds]
            yield f"layers, {backend}, {name}", [*table, "--memory-sizes"], own
    for backend in BACKENDS:
        chosen = "tests/layers/test_precision.py" if dry else "tests/layers"
        tests = ["-m", "pytest", "-q", chosen, "-m", "not nightly and not backend_free"]
        environment = {**PRECISIONS["float32"][1], "KERAS_BACKEND": backend}
        yield f"tests, {backend}", tests, environment


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=700.0)
    parser.add_argument("--dry", action="store_true")
    asked = parser.parse_args()
    end = time.monotonic() + asked.seconds
    for name, command, environment in tasks(asked.dry):
        left = end - time.monotonic()
        print(f"== {name}: {left:.0f} s left", flush=True)
        inherited = {**os.environ, "PYTHONPATH": str(ROOT)}
        try:
            done = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env={**inherited, **environment},
                timeout=max(left, 0.1),
                check=False,
            )
            print(f"== {name}: status {done.returncode}", flush=True)
        except subprocess.TimeoutExpired:
            print(f"== {name}: LEFT OUT, no time", flush=True)


if __name__ == "__main__":
    main()
