"""The experiments of the paper, and what this library adds to them.

Run: KERAS_BACKEND=torch python benchmarks/paper generators [--full]
(or `translations`, `images`, `generalization`). All draws are seeded. `--json FILE` writes
the rows to a file.

Reference:
    N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
    Network", NeurIPS 2021.
"""

import argparse
import pathlib
import sys

# The modules that compare networks and show tables are beside this folder.
sys.path.append(str(pathlib.Path(__file__).parents[1]))

from generalization import generalization
from generators import generators
from images import images
from markdown_table import show
from translations import translations

BENCHMARKS = {
    "generators": generators,
    "translations": translations,
    "images": images,
    "generalization": generalization,
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("--full", action="store_true", help="all rows: takes long")
    parser.add_argument("--dataset", default="digits", help="of `images`")
    parser.add_argument("--folder", type=pathlib.Path, help="of the four files of images")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the rows")
    options = parser.parse_args(arguments)
    more = {}
    if options.what == "images":
        more = {"dataset": options.dataset, "folder": options.folder}
    rows = BENCHMARKS[options.what](options.full, **more)
    show(rows, options.json)
    return rows


if __name__ == "__main__":
    main()
