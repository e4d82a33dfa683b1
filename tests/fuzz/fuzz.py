"""Tries values that may be wrong on all that is public: `make fuzz`.

The rule: a result of finite numbers, or a `TypeError` or `ValueError` that names the
argument. A violation is any other error, a message without the argument, a wrong value that
is accepted, a result that is not finite, or a minute of computing without any.
"""

import argparse
import random
import re
import signal
import sys
import time
import warnings
from collections import Counter

import keras
import numpy as np

from tests.fuzz.table import ROWS, anything

# Of computing, for one case.
SECONDS = 60

VALUES = {
    "number string": "0.5",
    "integer string": "3",
    "empty string": "",
    "nonsense": "nonsense",
    "bytes": b"x",
    "True": True,
    "False": False,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "0": 0,
    "0.0": 0.0,
    "-1": -1,
    "-0.5": -0.5,
    "0.5": 0.5,
    "1": 1,
    "2": 2,
    "2.0": 2.0,
    "huge": 10**9,
    "None": None,
    "dict": {},
    "dict with a key": {"a": 1},
    "empty list": [],
    "empty tuple": (),
    "list of strings": ["a", "b"],
    "list of NaN": [float("nan")],
    "ragged": [[1.0], [1.0, 2.0]],
    "zeros": [0, 0],
    "negative": (-1, 2),
    "pair": (1, 2),
    "halves": (0.5, 1.5),
    "object": object(),
    "type": dict,
    "function": len,
    "set": {1, 2},
    "complex": 1 + 2j,
    "complex array": np.ones((1, 3, 3), complex),
    "NumPy bool": np.True_,
    "NumPy integer": np.int64(2),
    "NumPy float": np.float32(0.5),
    "array": np.array(0.5),
    "array of one": np.array([0.5]),
    "empty array": np.zeros((0, 3, 3)),
    "matrix of NaN": np.full((1, 3, 3), np.nan),
    "matrix": np.eye(3),
    "zero matrices": np.zeros((2, 3, 3)),
    "not square": np.ones((2, 2, 3)),
    "array of strings": np.array(["a", "b"]),
    "array of objects": np.array([object()]),
    "dates": np.array(["2020-01-01"], dtype="datetime64[D]"),
    "tensor": keras.ops.convert_to_tensor([[1.0, 2.0]]),
}


def is_finite(result):
    """Whether arrays and tensors hold numbers; anything else is."""
    if isinstance(result, np.ndarray) or keras.ops.is_tensor(result):
        values = keras.ops.convert_to_numpy(result)
        return values.dtype.kind not in "fc" or bool(np.all(np.isfinite(values)))
    return True


def is_allowed(kind, value):
    try:
        return bool(kind(value))
    except Exception:
        return False


class TooLongError(BaseException):
    """It is no `Exception`, which the called function might catch."""


def stop(*_):
    raise TooLongError


def judge(name, argument, label):
    """The violation of one case, or None."""
    before = signal.signal(signal.SIGVTALRM, stop)
    # This repeats each second, because an error raised where none is passed on is lost.
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS, 1)
    try:
        return outcome(name, argument, label)
    except TooLongError:
        return f"more than {SECONDS} s of computing"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def outcome(name, argument, label):
    """As `judge`, however long it takes."""
    row, value = ROWS[name], VALUES[label]
    kind = row.kinds[argument]
    arguments = {**row.arguments, argument: value}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = row.use(row.make(**arguments))
    except (TypeError, ValueError) as error:
        # Keras' own arguments have Keras' own messages, and functions of users theirs.
        if is_allowed(kind, value):
            # A right value that does not go together with the others, or with the data.
            return None
        # Of the matrices of a group a basis is made.
        named = re.search(rf"\b({argument}|basis)\b", str(error))
        return None if named else f"names no argument: {type(error).__name__}: {error}"
    except NotImplementedError:
        return None if name.endswith(".Generators") else "NotImplementedError"
    except Exception as error:
        if kind in (anything, callable):
            return None
        return f"raw error: {type(error).__name__}: {error}"
    if not is_allowed(kind, value):
        return "accepted"
    return None if is_finite(result) else "not finite"


def cases(number, seed):
    """Names, arguments and labels: every pair of the first two before any again."""
    source = random.Random(seed)
    pairs = [(name, argument) for name, row in ROWS.items() for argument in row.kinds]
    labels = list(VALUES)
    everything = [(*pair, label) for pair in pairs for label in labels]
    # This many were requested.
    endless = [("epochs", "huge"), ("search_epochs", "huge")]
    everything = [case for case in everything if case[1:] not in endless]
    source.shuffle(everything)
    # Cases beyond all combinations repeat them, in another order of calls.
    while len(everything) < number:
        everything += source.sample(everything, len(everything))
    return everything[:number]


def run(number, seed, limit=None):
    """The violations among a number of cases, and the time for each name."""
    found, seconds = [], Counter()
    start = time.perf_counter()
    done = 0
    for case in cases(number, seed):
        began = time.perf_counter()
        violation = judge(*case)
        seconds[case[0]] += time.perf_counter() - began
        done += 1
        if violation:
            found.append((*case, violation))
        if limit and time.perf_counter() - start > limit:
            break
    return found, seconds, done


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, help="seconds after which to stop")
    options = parser.parse_args()
    start = time.perf_counter()
    found, seconds, done = run(options.cases, options.seed, options.limit)
    for name, argument, label, violation in sorted(found):
        print(f"{name}({argument}={label}): {' '.join(violation.split())[:160]}")
    slowest = ", ".join(f"{name} {time:.0f} s" for name, time in seconds.most_common(5))
    print(
        f"{done} cases on {keras.backend.backend()}, seed {options.seed}: "
        f"{len(found)} violations, {time.perf_counter() - start:.0f} s. Slowest: {slowest}"
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
