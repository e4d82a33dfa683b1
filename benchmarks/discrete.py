"""How far discrete symmetries can be trusted: functions without any, and with known ones.

Run: KERAS_BACKEND=torch python benchmarks/discrete.py
     KERAS_BACKEND=torch python benchmarks/discrete.py --equivariance
All draws are seeded. It takes some minutes.
"""

import argparse
import time

import keras
import numpy as np
from keras import ops

from keras_lconv import algebra
from keras_lconv.discovery import find_discrete_symmetries


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array), dtype=keras.config.floatx())


def waves(size, rng):
    """A sum of waves in random directions."""
    directions, phases = rng.normal(size=(size, 12)), rng.uniform(0, 6, 12)
    weights = rng.normal(size=12)

    def function(x):
        return ops.einsum(
            "bn,n->b", ops.sin(x @ tensor(directions) + tensor(phases)), tensor(weights)
        )

    return function


def network(size, rng):
    """A random network of two hidden layers."""
    shapes = [(size, 16), (16, 16), (16, 1)]
    weights = [rng.normal(size=shape) * 1.5 / np.sqrt(shape[0]) for shape in shapes]
    offsets = [0.5 * rng.normal(size=shape[1]) for shape in shapes]

    def function(x):
        for weight, offset in zip(weights, offsets, strict=True):
            x = ops.tanh(x @ tensor(weight) + tensor(offset))
        return x

    return function


def polynomial(size, rng):
    """A random polynomial of degree 3."""
    one, two, three = (rng.normal(size=(size,) * p) for p in (1, 2, 3))

    def function(x):
        value = ops.einsum("bi,i->b", x, tensor(one))
        value = value + ops.einsum("bi,bj,ij->b", x, x, tensor(two))
        return value + ops.einsum("bi,bj,bk,ijk->b", x, x, x, tensor(three)) / 3

    return function


def rescaled(function, scales):
    """The same with columns in other units."""
    return lambda x: function(x * tensor(scales))


def several(make, outputs, size, rng):
    """A function with several outputs, which have nothing to do with each other."""
    parts = [make(size, rng) for _ in range(outputs)]
    return lambda x: ops.concatenate([ops.reshape(f(x), (-1, 1)) for f in parts], axis=1)


def without_equivariance(number, first_seed):
    """False discoveries among functions of several outputs without symmetry."""
    false, nearest = 0, []
    for seed in range(first_seed, first_seed + number):
        rng = np.random.default_rng(seed)
        output = ("same", "free", "tensor2")[seed % 3]
        size = int(rng.integers(2, 4 if output == "tensor2" else 6))
        outputs = {"same": size, "tensor2": size * size}.get(
            output, int(rng.integers(1, 5))
        )
        make = (waves, network, polynomial)[seed // 3 % 3]
        scales = np.ones(size)
        scales[0] = 0.1 if seed % 4 == 0 else 1.0
        report = find_discrete_symmetries(
            rescaled(several(make, outputs, size, rng), scales),
            rng.normal(size=(300, size)),
            kind="equivariance",
            output=output,
        )
        nearest.append(report.nearest)
        if len(report.elements):
            false += 1
            print(f"seed {seed}, {output}:\n{report}", flush=True)
    print(f"without equivariance: {false} of {number} with a false one")
    print(f"smallest error of a map: {min(nearest):.2g}, median {np.median(nearest):.2g}")


def with_equivariance(first_seed):
    """Means over a group that turns outputs too: as vectors, as matrices, or by a law."""
    right = total = 0
    for name, group in known_groups().items():
        if group.matrix_size not in (2, 3):
            continue
        for output in ("same", "free", "tensor2"):
            rng = np.random.default_rng(first_seed + total)
            size = group.matrix_size
            # In oblique coordinates.
            change = np.eye(size) + 0.3 * rng.normal(size=(size, size))
            matrices = np.linalg.inv(change) @ group.all_elements() @ change
            laws = matrices
            if output == "tensor2":
                laws = np.array([np.kron(h, h) for h in matrices])
            f = several(waves, laws.shape[1], size, rng)

            def mean(x, f=f, matrices=matrices, laws=laws):
                back = np.linalg.inv(laws)
                moved = [
                    f(x @ tensor(h.T)) @ tensor(w.T)
                    for h, w in zip(matrices, back, strict=True)
                ]
                return sum(moved) / len(moved)

            x = rng.normal(size=(300, size))
            report = find_discrete_symmetries(mean, x, kind="equivariance", output=output)
            is_right = report.name == name and report.order == len(matrices)
            right, total = right + is_right, total + 1
            print(
                f"{name:6} {output:8} found {report.name}, order {report.order}: "
                f"{'right' if is_right else 'WRONG'}",
                flush=True,
            )
    print(f"with equivariance: {right} of {total} right")


def without_symmetry(number, first_seed):
    """False discoveries among functions that have no symmetry."""
    false, nearest = 0, []
    for seed in range(first_seed, first_seed + number):
        rng = np.random.default_rng(seed)
        size, blocks = int(rng.integers(2, 7)), 1
        make = (waves, network, polynomial)[seed % 3]
        if size % 2 == 0 and seed % 4 == 0:
            blocks = 2
        # Every third function hardly depends on one of its columns.
        scales = np.ones(size)
        scales[0] = 0.1 if seed % 3 == 0 else 1.0
        x = rng.normal(size=(300, size))
        report = find_discrete_symmetries(
            rescaled(make(size, rng), scales), x, blocks=blocks
        )
        nearest.append(report.nearest)
        if len(report.elements):
            false += 1
            print(f"seed {seed}:\n{report}")
    print(f"without symmetry: {false} of {number} with a false one")
    print(f"smallest error of a map: {min(nearest):.2g}, median {np.median(nearest):.2g}")


def known_groups():
    """Groups, with the name that is expected, the order, and the size of vectors."""
    line = algebra.MatrixGroup(elements=[[[-1.0]]])
    groups = {
        "C(2)": line,
        "C(3)": algebra.cyclic(3),
        "C(5)": algebra.cyclic(5),
        "C(7)": algebra.cyclic(7),
        "S(3)": algebra.dihedral(3),
        "D(4)": algebra.dihedral(4),
        "D(6)": algebra.dihedral(6),
        "S(4)": algebra.polyhedral("cube"),
        "A(4)": algebra.polyhedral("tetrahedron"),
    }
    groups["S(5)"] = algebra.symmetric(5)
    return groups


def averaged(function, matrices):
    """The mean over a group, which is invariant."""

    def mean(x):
        return sum(function(x @ tensor(h.T)) for h in matrices) / len(matrices)

    return mean


def with_symmetry():
    """Groups in the given coordinates, in turned ones and in oblique ones."""
    right = total = 0
    for name, group in known_groups().items():
        for kind in ("given", "turned", "oblique"):
            rng = np.random.default_rng(total)
            size = max(group.matrix_size, 2)
            matrices = group.all_elements()
            pad = size - group.matrix_size
            matrices = np.array([np.pad(h, ((0, pad), (0, pad))) for h in matrices])
            matrices += np.diag([0.0] * (size - pad) + [1.0] * pad)
            change = np.eye(size)
            if kind != "given":
                change = np.linalg.qr(rng.normal(size=(size, size)))[0]
            if kind == "oblique":
                change = change @ np.diag(rng.uniform(0.5, 2, size))
                change = change @ np.linalg.qr(rng.normal(size=(size, size)))[0]
            matrices = np.linalg.inv(change) @ matrices @ change
            x = rng.normal(size=(300, size))
            start = time.perf_counter()
            report = find_discrete_symmetries(averaged(waves(size, rng), matrices), x)
            is_right = report.name == name and report.order == len(matrices)
            right, total = right + is_right, total + 1
            print(
                f"{name:6} {kind:8} found {report.name}, order {report.order}: "
                f"{'right' if is_right else 'WRONG'}, {time.perf_counter() - start:.1f} s"
            )
    print(f"with symmetry: {right} of {total} right")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--equivariance", action="store_true")
    chosen = parser.parse_args()
    if chosen.equivariance:
        without_equivariance(chosen.functions, chosen.first_seed)
        with_equivariance(chosen.first_seed)
    else:
        without_symmetry(chosen.functions, chosen.first_seed)
        with_symmetry()
