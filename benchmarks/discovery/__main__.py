"""How far discovery can be trusted: coordinates, calibration, and known tasks.

Run: KERAS_BACKEND=torch python benchmarks/discovery coordinates [--full]
(or `calibration`, `conserved`, `error-bars`, `fields`, `fitted-fields`, `grids`, `pairs`,
`tasks`, `times`). All draws are seeded; `--first-seed` has others. The quick mode takes
some minutes, the full one much longer. `pairs` reads the images of Fashion-MNIST in
`--folder`, such as those of the Debian package dataset-fashion-mnist in
/usr/share/datasets/fashion-mnist.
"""

import argparse
import pathlib
import sys

# The module that shows tables is beside this folder.
sys.path.append(str(pathlib.Path(__file__).parents[1]))

import keras
from calibration import calibration, error_bars
from conserved import conserved
from coordinates import coordinates
from fields import fields, fitted_fields
from grids import grids
from markdown_table import show
from pairs import pairs
from tasks import tasks
from times import times

BENCHMARKS = {
    "coordinates": coordinates,
    "calibration": calibration,
    "conserved": conserved,
    "error-bars": error_bars,
    "fields": fields,
    "fitted-fields": fitted_fields,
    "grids": grids,
    "pairs": pairs,
    "tasks": tasks,
    "times": times,
}
SEEDED = ("calibration", "error-bars", "fitted-fields", "grids")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("--full", action="store_true", help="all draws: takes long")
    parser.add_argument("--float64", action="store_true", help="evaluate in float64")
    parser.add_argument("--first-seed", type=int, default=0, help="of draws, to be blind")
    parser.add_argument("--folder", default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args(arguments)
    if options.float64:
        keras.config.set_floatx("float64")
    more = {"first_seed": options.first_seed} if options.what in SEEDED else {}
    if options.what == "pairs":
        more = {"folder": options.folder}
    rows = BENCHMARKS[options.what](options.full, **more)
    show(rows)
    return rows


if __name__ == "__main__":
    main()
