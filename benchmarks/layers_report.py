"""What `benchmarks/layers.py` measured, in words, tables and a picture.

    python benchmarks/layers_report.py outputs/benchmark_layers.json

prints it as Markdown. The documentation is made from `docs/assets/benchmark_layers.json` by
the same functions.
"""

import json
import pathlib
import sys

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
NAMES = {**BACKENDS, "keras": "Keras", "numpy": "NumPy"}
# The references of layers.
COLUMNS = ("Conv2D", "plain formula", "bare products")
# Okabe and Ito's colours, which colour-blind readers tell apart, and markers.
STYLES = {
    "Conv2D": {"color": "#000000", "marker": "o", "linewidth": 2.5},
    "plain formula": {"color": "#777777", "marker": "s", "linestyle": "--"},
    "bare products": {"color": "#777777", "marker": "x", "linestyle": ":"},
    "dense": {"color": "#D55E00", "marker": "s"},
    "low rank": {"color": "#0072B2", "marker": "D"},
    "neighbor": {"color": "#009E73", "marker": "^"},
    "shifts": {"color": "#CC79A7", "marker": "v"},
    "rotation": {"color": "#E69F00", "marker": "P"},
    "rotation, central": {"color": "#E69F00", "marker": "X", "linestyle": "--"},
    "affine": {"color": "#56B4E9", "marker": "*"},
}


def table(head, rows):
    """A Markdown table, with numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def environment_text(environment):
    """Versions, cores and rounds."""
    versions = [
        f"{NAMES[name]} {version}" for name, version in environment["versions"].items()
    ]
    text = f"{', '.join(versions)}; {environment['cores']} CPU cores"
    if "date" in environment:
        text = f"{environment['date']}; {text}"
    return f"{text}; medians of {environment['rounds']} rounds."


def ratio(row, name, to, what="step"):
    """The time of one layer to that of another."""
    return row["times"][name][what] / row["times"][to][what]


def ratio_table(times, to, size):
    """Training steps as ratios to one layer, for images of one width."""
    rows = [row for row in times if row["size"] == size and to in row["times"]]
    rows.sort(key=lambda row: row["channels"])
    names = dict.fromkeys(name for row in rows for name in row["times"] if name != to)
    head = [f"{BACKENDS[row['backend']]} {row['channels']} ch." for row in rows]
    body = [[name, *[f"{ratio(row, name, to):.2f}" for row in rows]] for name in names]
    return table(["layer", *head], body)


def ratio_tables(times, to):
    """`ratio_table` for all sizes that were measured."""
    sizes = dict.fromkeys(row["size"] for row in times if to in row["times"])
    return "\n\n".join(
        f"**{size} x {size} pixels**\n\n{ratio_table(times, to, size)}" for size in sizes
    )


def step_table(rows):
    """Seconds for a training step, and ratios of it (of a forward pass)."""
    body = []
    for row in rows:
        image = f"{row['size']}x{row['size']}x{row['channels']}"
        for name, found in row["times"].items():
            cells = [image, name, f"{found['step']:.4f}"]
            for to in COLUMNS:
                if to in row["times"] and to != name:
                    step, forward = ratio(row, name, to), ratio(row, name, to, "forward")
                    cells.append(f"{step:.2f} ({forward:.2f})")
                else:
                    cells.append("")
            body.append(cells)
    return table(["image", "layer", "seconds", *[f"to {to}" for to in COLUMNS]], body)


def memory_table(memory):
    """Peak memory of training in MiB."""
    columns = sorted(
        dict.fromkeys((row["size"], row["backend"]) for row in memory),
        key=lambda column: column[0],
    )
    cells = {(row["layer"], row["size"], row["backend"]): row["memory"] for row in memory}
    head = [f"{BACKENDS[backend]}, {size}x{size}" for size, backend in columns]
    body = []
    for name in dict.fromkeys(row["layer"] for row in memory):
        found = [cells.get((name, *column)) for column in columns]
        body.append([name, *["" if mib is None else f"{mib:.0f}" for mib in found]])
    return table(["layer", *head], body)


def span(values, spec=".2g"):
    """The least and the largest of some numbers."""
    return f"{min(values):{spec}} to {max(values):{spec}}"


def findings(times, size=28, large=224):
    """The main results for images of one width, and how time grows from there."""
    rows = [row for row in times if row["size"] == size]
    one = [row for row in rows if row["channels"] == 1]
    more = [row for row in rows if row["channels"] > 1]
    sparse = [
        ratio(row, name, "Conv2D")
        for row in rows
        for name in row["times"]
        if name not in (*COLUMNS, "dense")
    ]
    seconds = {
        (row["backend"], row["size"]): row["times"]["rotation"]["step"] / row["batch"]
        for row in times
        if row["channels"] == 1
    }
    growth = ", ".join(
        f"{seconds[backend, large] / seconds[backend, size]:.0f} times on {name}"
        for backend, name in BACKENDS.items()
    )

    def faster(rows, name):
        return span([ratio(row, "plain formula", name) for row in rows])

    dense = {
        to: span([ratio(row, "dense", to) for row in rows], ".2f")
        for to in ("bare products", "plain formula")
    }
    return f"""\
In short, for images of {size} x {size} pixels:

- dense generators take {dense["bare products"]} times as long as their products alone, and
  {dense["plain formula"]} times as long as the plain formula;
- low rank is {faster(more, "low rank")} times faster than the plain formula from
  {min(row["channels"] for row in more)} channels on, and {faster(one, "low rank")} times
  with one channel, where the convolution itself is only {faster(one, "Conv2D")} times
  faster;
- all that is not dense takes {span(sparse)} times as long as a 3x3 convolution.

From there to {large} x {large} pixels, with one channel, the time that the rotation
takes for an image grows {growth}; the number of pixels grows
{large**2 // size**2} times."""


def plot(times, file):
    """Training steps against the size of the image, a panel for each backend."""
    from matplotlib.figure import Figure

    # The most channels that the largest images have.
    largest = max(row["size"] for row in times)
    channels = max(row["channels"] for row in times if row["size"] == largest)
    backends = list(dict.fromkeys(row["backend"] for row in times))
    figure = Figure(figsize=(3.6 * len(backends) + 1, 5), layout="constrained")
    axes = figure.subplots(1, len(backends), sharey=True, squeeze=False)[0]
    for axis, backend in zip(axes, backends, strict=True):
        rows = [r for r in times if (r["backend"], r["channels"]) == (backend, channels)]
        sizes = [row["size"] for row in rows]
        for name in dict.fromkeys(name for row in rows for name in row["times"]):
            points = [
                (row["size"], 1000 * row["times"][name]["step"] / row["batch"])
                for row in rows
                if name in row["times"]
            ]
            axis.loglog(*zip(*points, strict=True), label=name, **STYLES[name])
        axis.set_xticks(sizes, labels=map(str, sizes))
        axis.set_xticks([], minor=True)
        axis.grid(alpha=0.3)
        axis.set(title=BACKENDS[backend], xlabel="width of the image (pixels)")
    axes[0].set_ylabel("training step, per image (milliseconds)")
    images = "one channel" if channels == 1 else f"{channels} channels"
    figure.suptitle(f"Time for a training step on images with {images}")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    figure.savefig(file, dpi=130, metadata={"Software": None})


def report(results):
    """All tables as Markdown."""
    parts = [environment_text(results["environment"])]
    for to in COLUMNS:
        for dtype in dict.fromkeys(row["dtype"] for row in results["times"]):
            times = [row for row in results["times"] if row["dtype"] == dtype]
            parts.append(f"## Training step, as ratio to: {to}, {dtype}")
            parts.append(ratio_tables(times, to))
    if results["memory"]:
        parts.append("## Peak memory of training, MiB")
        parts.append(memory_table(results["memory"]))
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(report(json.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))))
