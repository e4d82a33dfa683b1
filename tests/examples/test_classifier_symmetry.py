"""The example of symmetries of classifiers."""


def test_main_job(run_example, tmp_path):
    arguments = ["--copies", "2", "--epochs", "4"]
    _, (reports, accuracies) = run_example("classifier_symmetry", *arguments)
    assert (tmp_path / "outputs" / "classifier_symmetry.png").stat().st_size > 10_000
    changes = {title: report.sensitivities for title, report in reports.items()}
    rotated = changes["CNN, rotated"]
    assert min(rotated, key=rotated.get) == "rotation"
    assert rotated["rotation"] < 0.8 * changes["CNN, upright"]["rotation"]
    shifted = changes["CNN, shifted"]
    assert shifted["translation 1"] < 0.8 * changes["CNN, upright"]["translation 1"]
    assert [report.dimension for report in reports.values()] == [0, 0, 0, 1]
    assert changes["rotation invariants, upright"]["rotation"] < 1e-4
    assert accuracies["CNN, upright"] > 0.8
