"""Plots of what was measured."""

import matplotlib.pyplot as plt

# Of EGNN in its paper, after training to the end.
PUBLISHED = 0.0071


def charges(rows: list[dict], path) -> None:
    """How validation errors fall with time in the first training of each network."""
    figure, ax = plt.subplots(figsize=(7.6, 3.8), layout="constrained")
    for row in rows:
        if row.get("curve"):
            ax.semilogy(*zip(*row["curve"], strict=True), "o-", label=row["network"])
    ax.axhline(PUBLISHED, color="C7", linestyle="--", label="EGNN, published")
    ticks = [0.005, 0.01, 0.02, 0.05, 0.1]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    ax.set(xlabel="processor seconds of training", ylabel="mean squared error, validation")
    # What overfits leaves the plot.
    ax.set(xlim=(0, None), ylim=(0.004, 0.15))
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=110)


def molecules(rows: list[dict], path) -> None:
    """How validation errors of forces fall with time in the training of each network."""
    figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for row in rows:
        if row.get("curve"):
            ax.semilogy(*zip(*row["curve"], strict=True), "o-", label=row["network"])
    ax.set(xlabel="processor seconds of training", ylabel="forces, meV/A, validation")
    ticks = [100, 200, 400, 800]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    if ax.lines:
        ax.legend()
    figure.savefig(path, dpi=110)


def growth(rows: list[dict], path) -> None:
    """Seconds of a step by points and by neighbours, and memory by pairs."""
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.2), layout="constrained")
    largest = max(row["points"] for row in rows)
    usual = next(row["neighbours"] for row in rows if row["points"] == largest)
    most = max(row["neighbours"] for row in rows)
    few = next(row["points"] for row in rows if row["neighbours"] == most)
    of_points = [row for row in rows if row["neighbours"] == usual]
    of_neighbors = [row for row in rows if row["points"] == few]
    for ax, part, what, title in (
        (axes[0], of_points, "points", f"{usual} neighbours"),
        (axes[1], of_neighbors, "neighbours", f"{few} points"),
    ):
        part = sorted(part, key=lambda row: row[what])
        ax.plot([row[what] for row in part], [row["seconds"] for row in part], "o-")
        ax.set(xlabel=what, ylabel="processor seconds of a step", title=title)
    pairs = [row["points"] * row["neighbours"] for row in rows]
    axes[2].plot(pairs, [row["peak GiB"] for row in rows], "o-")
    axes[2].set(xlabel="points times neighbours", ylabel="GiB", title="peak of memory")
    for ax in axes:
        ax.set(xlim=(0, None), ylim=(0, None))
    figure.savefig(path, dpi=110)


PLOTS = {"charges": charges, "molecules": molecules, "growth": growth}
