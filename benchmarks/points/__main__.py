"""Networks on points beside others.

Run: KERAS_BACKEND=jax python benchmarks/points charges [--full]
(or `molecules`, `jets`, `speed`, `growth`). All draws are seeded. `--json FILE` writes the
rows to a file, `--plot FILE` draws those of `charges`, `molecules` or `growth`. Without
`--full` a run takes seconds and shows that it runs. Rows of e3nn need an environment with
e3nn 0.6 and PyTorch beside the backend; they are left out where there is none.
"""

import argparse
import pathlib
import sys

# The module that shows tables is beside this folder.
sys.path.append(str(pathlib.Path(__file__).parents[1]))

from charges import charges
from growth import growth
from jets import jets
from markdown_table import show
from molecules import molecules
from speed import speed

BENCHMARKS = {
    "charges": charges,
    "molecules": molecules,
    "jets": jets,
    "speed": speed,
    "growth": growth,
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("--full", action="store_true", help="takes minutes")
    parser.add_argument("--networks", nargs="+", help="only these, where some train")
    parser.add_argument("--seconds", type=float, help="of training each")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each")
    parser.add_argument("--tune", action="store_true", help="on validation samples")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the rows")
    parser.add_argument("--molecule", default="ethanol", choices=("ethanol", "aspirin"))
    parser.add_argument(
        "--folder", type=pathlib.Path, default="outputs", help="of molecules"
    )
    parser.add_argument("--plot", type=pathlib.Path, help="where to write a plot")
    options = parser.parse_args(arguments)
    more = {}
    if options.what == "molecules":
        more = {
            "networks": options.networks,
            "seconds": options.seconds,
            "is_tuned": options.tune,
            "molecule": options.molecule,
            "folder": options.folder,
        }
    if options.what in ("charges", "jets"):
        more = {
            "networks": options.networks,
            "seconds": options.seconds,
            "is_tuned": options.tune,
            "seeds": options.seeds,
        }
    rows = BENCHMARKS[options.what](options.full, **more)
    show(rows, options.json)
    if options.plot:
        from plots import PLOTS

        PLOTS[options.what](rows, options.plot)
    return rows


if __name__ == "__main__":
    main()
