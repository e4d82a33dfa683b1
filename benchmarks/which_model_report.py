"""What `which_model.py` measured, as tables; the documentation is made by the same."""

import numpy as np
from layers_report import NAMES, table


def percents(values):
    """Their mean, with the spread of several."""
    mean, spread = 100 * np.mean(values), 100 * np.std(values)
    return f"{mean:.1f}" if len(values) == 1 else f"{mean:.1f} ± {spread:.1f}"


def report(task):
    """One row for each network, best scores in bold, and what all were given."""
    rows = task["networks"]
    scores = {name: np.array(row["scores"]) for name, row in rows.items()}
    columns = next(iter(scores.values())).shape[1]
    heads = ("upright", "at random angles") if columns == 2 else ("right",)
    best = [max(s[:, i].mean() for s in scores.values()) for i in range(columns)]
    body = []
    for name, row in rows.items():
        cells = [percents(scores[name][:, i]) for i in range(columns)]
        marked = [
            f"**{cell}**" if scores[name][:, i].mean() == best[i] else cell
            for i, cell in enumerate(cells)
        ]
        numbers = f"{row['weights']:,}", str(row["epochs"]), f"{row['seconds']:.0f}"
        body.append([name if "," in name or name[0].isupper() else f'`"{name}"`', *numbers])
        body[-1] += marked
    heads = [f"{head}, %" for head in heads]
    measured = table(["network", "weights", "epochs", "CPU seconds", *heads], body)
    return f"{measured}\n\nGiven to each network: {task['seconds']} CPU seconds."


def heading(results):
    """Versions and seeds."""
    versions = [f"{NAMES[name]} {found}" for name, found in results["versions"].items()]
    rows = [row for task in results["tasks"].values() for row in task["networks"].values()]
    (seeds,) = {len(row["scores"]) for row in rows}
    runs = "one seed" if seeds == 1 else f"{seeds} seeds"
    return f"{', '.join(versions)}; one core; {runs}."
