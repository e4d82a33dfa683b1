"""Loads edited and hostile files of models: `make fuzz-files`.

The rule: `keras.models.load_model` in its safe mode returns a model or raises. Nothing that
a file names runs: no process starts, no file outside of the temporary folders is written,
nothing is unpickled or connected to, no module is imported that the package and Keras do
not import. No file crashes the process, and none takes more than `SECONDS` of computing or
`MEMORY` bytes. Each file is loaded in a process of its own.
"""

import argparse
import base64
import collections
import io
import json
import marshal
import os
import pathlib
import random
import resource
import signal
import sys
import tempfile
import time
import zipfile

import keras

from keras_lconv._memory import VARIABLE
from tests.saved_models import MODELS, make

SECONDS = 20
MEMORY = 4 * 2**30
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen")
FORBIDDEN += ("socket.connect", "pickle.find_class", "os.symlink", "os.chmod")
MODULE = "canary_of_files"

BYTECODE = base64.b64encode(
    marshal.dumps(compile("__import__('os').system('true')", "hostile", "eval"))
).decode()
LAMBDA = {"class_name": "__lambda__", "config": {"code": BYTECODE, "defaults": None}}
# Names that a hostile configuration may contain.
NAMED = (
    {"module": "os", "class_name": "system", "config": {"command": "true"}},
    {"module": "builtins", "class_name": "eval", "config": {"source": "1"}},
    {"module": "subprocess", "class_name": "Popen", "config": {"args": ["true"]}},
    {"module": MODULE, "class_name": "Canary", "config": {}},
    {"module": "keras.layers", "class_name": "Lambda", "config": {"function": LAMBDA}},
    {"module": "builtins", "class_name": "function", "config": "exec"},
    {"module": "keras_lconv.layers", "class_name": "Missing", "config": {}},
    {
        "module": "keras.layers",
        "class_name": "TorchModuleWrapper",
        "config": {"module": "x"},
    },
    {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://x"}},
    LAMBDA,
)
VALUES = (
    0,
    -1,
    10**9,
    10**18,
    0.5,
    float("nan"),
    float("inf"),
    True,
    None,
    "x",
    "os.system",
)
VALUES += ([], {}, [None], [10**6, 10**6, 10**6], "../../x", "\x00")


def places(node, path=()):
    """The paths to all values of a tree of lists and dictionaries."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)) and value:
            yield from places(value, (*path, key))


def replaced(tree, path, value):
    """A tree with another value at a path."""
    copy = json.loads(json.dumps(tree))
    node = copy
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return copy


class Hostile:
    """Edits of a saved file: each takes and returns its bytes.

    Args:
        source: A `random.Random`.
    """

    def __init__(self, source):
        self.source = source

    def value(self, content):
        """Another value somewhere in the configuration."""
        return self._with_config(content, lambda: self.source.choice(VALUES))

    def name(self, content):
        """Another class or function somewhere in the configuration."""
        return self._with_config(content, lambda: self.source.choice(NAMED))

    def depth(self, content):
        """A list of many lists, as JSON cannot write it."""
        text = '{"class_name": ' + "[" * 200_000 + "]" * 200_000 + "}"
        return self._zipped({**self._entries(content), "config.json": text.encode()})

    def size(self, content):
        """A configuration of 200 MB that takes a few kilobytes in the file."""
        entries = self._entries(content)
        entries["config.json"] = entries["config.json"] + b" " * 200_000_000
        return self._zipped(entries)

    def way(self, content):
        """An entry whose name leads out of the folder."""
        name = self.source.choice(
            ("../../canary", "/tmp/canary", "a/../../../canary", "C:\\x")
        )
        return self._zipped({**self._entries(content), name: b"x"})

    def missing(self, content):
        """One of the entries is missing, or holds something else."""
        entries = self._entries(content)
        name = self.source.choice(sorted(entries))
        left = {key: value for key, value in entries.items() if key != name}
        other = {**left, name: self.source.choice(list(entries.values()))}
        return self._zipped(self.source.choice((left, other)))

    def truncated(self, content):
        """The end is missing."""
        return content[: self.source.randrange(len(content))]

    def flipped(self, content):
        """Some bits are another."""
        return self._flipped(content)

    def flipped_weights(self, content):
        """Some bits of the weights are another, in a file that is whole."""
        entries = self._entries(content)
        return self._zipped({name: self._flip_if(name, v) for name, v in entries.items()})

    def _flip_if(self, name, content):
        return self._flipped(content) if name.endswith(".h5") else content

    def _flipped(self, content):
        changed = bytearray(content)
        for _ in range(self.source.choice((1, 10, 100))):
            changed[self.source.randrange(len(changed))] ^= 1 << self.source.randrange(8)
        return bytes(changed)

    def _with_config(self, content, value):
        entries = self._entries(content)
        tree = json.loads(entries["config.json"])
        for _ in range(self.source.choice((1, 1, 2))):
            path = self.source.choice(list(places(tree)))
            tree = replaced(tree, path, value())
        return self._zipped({**entries, "config.json": json.dumps(tree).encode()})

    @staticmethod
    def _entries(content):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    @staticmethod
    def _zipped(entries):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, value in entries.items():
                archive.writestr(name, value)
        return buffer.getvalue()


EDITS = ("value", "name", "missing", "truncated", "flipped", "flipped_weights", "way")
# Of these one each will do.
ONCE = ("depth", "size")


def load(path, folder):
    """Loads a file in this process, and ends it: 0 loaded, 1 refused, 2 a violation."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open("/proc/self/statm") as pages:
        used = int(pages.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY,) * 2)
    allowed = (str(folder), tempfile.gettempdir() + "/tmp", os.devnull)

    def watch(event, arguments):
        changes = event == "open" and set(str(arguments[1])) & set("wax+")
        # With a descriptor, the folder removes its contents.
        changes = changes or (event == "os.remove" and arguments[1] == -1)
        outside = changes and not str(arguments[0]).startswith(allowed)
        if event in FORBIDDEN or outside:
            print(f"{event}{arguments!r}"[:300], file=sys.stderr, flush=True)
            os._exit(2)

    sys.addaudithook(watch)
    result = 1
    try:
        keras.models.load_model(path, safe_mode=True)
        result = 0
    except BaseException:
        pass
    if MODULE in sys.modules:
        result = 2
    os._exit(result)


def judge(content, folder):
    """What loading does: "loaded", "refused", or what it must not."""
    path = folder / "model.keras"
    path.write_bytes(content)
    child = os.fork()
    if not child:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(os.open(folder / "violation", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        load(path, folder)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        slow = number in (signal.SIGXCPU, signal.SIGKILL)
        return f"more than {SECONDS} s" if slow else f"signal {number}"
    code = os.waitstatus_to_exitcode(status)
    text = (folder / "violation").read_text().strip().splitlines()
    return ("loaded", "refused")[code] if code < 2 else f"runs {text[-1:]}"


def run(number, seed, models=tuple(MODELS)):
    """Outcomes of a number of files, and the violations among them."""
    source = random.Random(seed)
    hostile = Hostile(source)
    outcomes, found = collections.Counter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / f"{MODULE}.py").write_text("class Canary:\n    pass\n")
        sys.path.insert(0, name)
        # The package then refuses what is above the limit by itself.
        share = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = "0.01"
        saved = []
        for model in models:
            make(model).save(folder / "model.keras")
            saved.append((folder / "model.keras").read_bytes())
        try:
            for n in range(number):
                edit = ONCE[n] if n < len(ONCE) else EDITS[n % len(EDITS)]
                which = n % len(saved)
                outcome = judge(getattr(hostile, edit)(saved[which]), folder)
                outcomes[outcome if outcome in ("loaded", "refused") else "violation"] += 1
                if outcome not in ("loaded", "refused"):
                    found.append((n, models[which], edit, outcome))
        finally:
            sys.path.remove(name)
            os.environ.pop(VARIABLE)
            if share is not None:
                os.environ[VARIABLE] = share
    return outcomes, found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    outcomes, found = run(options.files, options.seed)
    for number, model, edit, outcome in found:
        print(f"file {number}, {model}, {edit}: {outcome}")
    print(
        f"{sum(outcomes.values())} files, seed {options.seed}: "
        f"{outcomes['loaded']} loaded, {outcomes['refused']} refused, "
        f"{len(found)} violations, {time.perf_counter() - start:.0f} s"
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
