"""The report of the benchmark that the documentation shows."""

import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.backend_free
ROOT = pathlib.Path(__file__).parents[1]
BACKENDS = ("tensorflow", "jax", "torch")


def load(name):
    """A script of `benchmarks` as a module."""
    path = ROOT / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


report = load("layers_report")
layers = load("layers")
RESULTS = json.loads((ROOT / "docs/assets/benchmark_layers.json").read_text("utf-8"))


def steps(name, size, channels=(1, 16, 64)):
    """Seconds for a training step and an image: a row for each backend."""
    found = {(r["backend"], r["size"], r["channels"]): r for r in RESULTS["times"]}
    rows = [[found[backend, size, c] for c in channels] for backend in BACKENDS]
    return np.array([[r["times"][name]["step"] / r["batch"] for r in row] for row in rows])


def cells(table):
    """The words of a Markdown table, without its head."""
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return {name: values for name, *values in lines[2:]}


@pytest.mark.parametrize("to", report.COLUMNS)
def test_ratios_are_those_of_the_measured_times(to):
    table = cells(report.ratio_table(RESULTS["times"], to, 28))
    assert set(table) == set(layers.layers(28, 8)) - {to}
    for name, values in table.items():
        expected = (steps(name, 28) / steps(to, 28)).T.ravel()
        np.testing.assert_allclose(np.array(values, float), expected, atol=0.0051)


def test_findings_are_those_of_the_measured_times():
    text = " ".join(report.findings(RESULTS["times"]).split())

    def between(values, spec=".2g"):
        return f"{values.min():{spec}} to {values.max():{spec}} times"

    plain, dense = steps("plain formula", 28), steps("dense", 28)
    low_rank, convolution = steps("low rank", 28), steps("Conv2D", 28)
    light = [steps(name, 28) for name in set(layers.layers(56, 8)) - {"Conv2D"}]
    assert between(dense / steps("bare products", 28), ".2f") in text
    assert between(dense / plain, ".2f") in text
    assert between((plain / low_rank)[:, 1:]) + " faster than the plain formula" in text
    assert between((plain / low_rank)[:, :1]) + " with one channel" in text
    assert between((plain / convolution)[:, :1]) + " faster;" in text
    assert between(np.stack(light) / convolution) + " as long as a 3x3" in text
    growth = steps("rotation", 224, (1,)) / steps("rotation", 28, (1,))
    for name, times in zip(("TensorFlow", "JAX", "PyTorch"), growth[:, 0], strict=True):
        assert f"{times:.0f} times on {name}" in text


def test_memory_has_a_cell_for_what_was_measured():
    table = cells(report.memory_table(RESULTS["memory"]))
    measured = {(r["layer"], f"{r['memory']:.0f}") for r in RESULTS["memory"]}
    assert {(name, value) for name, row in table.items() for value in row if value} == (
        measured
    )


def test_all_layers_have_a_style(tmp_path):
    assert set(report.STYLES) == set(layers.layers(28, 8))
    report.plot(RESULTS["times"], tmp_path / "times.png")
    assert (tmp_path / "times.png").stat().st_size > 10_000


def test_models_are_shown_as_they_were_measured():
    found = load("which_model_report")
    results = json.loads((ROOT / "docs/assets/which_model.json").read_text("utf-8"))
    page = (ROOT / "docs/which_model.md").read_text("utf-8")
    assert "one seed" in found.heading(results)
    for name, task in results["tasks"].items():
        assert f"<!-- benchmark: {name} -->" in page
        scores = np.array([row["scores"][0] for row in task["networks"].values()])
        table, given = found.report(task).split("\n\n")
        assert f" {task['seconds']} CPU seconds" in given
        shown = np.array([row[3:] for row in cells(table).values()])
        np.testing.assert_allclose(
            np.char.strip(shown, "*").astype(float), 100 * scores, atol=0.051
        )
        is_best = scores == scores.max(axis=0)
        np.testing.assert_array_equal(np.char.startswith(shown, "*"), is_best)


def test_rounding_keeps_six_digits():
    assert layers.rounded({"a": [1.23456789, 3, "x"]}) == {"a": [1.23457, 3, "x"]}
