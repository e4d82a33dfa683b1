"""Equivariant maps of finite groups from generating elements alone: counts and seconds.

Run: python benchmarks/groups.py
     python benchmarks/groups.py --large
     python benchmarks/groups.py --tensors
The second has the pocket cube of 3,674,160 positions and subgroups of it, which takes
minutes; the third layers of tensors of many things that are permuted. No list of elements
is made for the counts. Beside them are means of powers of the character over the listed
elements, where there are at most 20,000.
"""

import argparse
import time
import tracemalloc
from itertools import product

import numpy as np

from keras_lconv import EquivariantDense
from keras_lconv.algebra import (
    MatrixGroup,
    cyclic,
    intertwiners,
    symmetric,
    wreath_product,
)


def pocket_cube(faces):
    """Turns of faces of the 2 x 2 x 2 cube, as permutations of its 24 stickers."""
    stickers = [
        (corner, tuple(corner[k] * (k == axis) for k in range(3)))
        for corner in product((-1, 1), repeat=3)
        for axis in range(3)
    ]
    moves = []
    for axis, side in faces:
        turn = np.eye(3, dtype=int)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[[a, b]] = [-turn[b], turn[a]]
        move = np.zeros((24, 24))
        for old, (corner, face) in enumerate(stickers):
            new = old
            if corner[axis] == side:
                new = stickers.index((tuple(turn @ corner), tuple(turn @ face)))
            move[new, old] = 1.0
        moves.append(move)
    return moves


def groups(large):
    """Names and groups, of order up to 10,000 or larger ones."""
    sign = MatrixGroup(elements=[[[-1.0]]], name="C(2)")
    two, three = [(0, 1), (1, 1)], [(0, 1), (1, 1), (2, 1)]
    if large:
        squares = [move @ move for move in pocket_cube(three)]
        return {
            "pocket cube, half turns": MatrixGroup(elements=squares),
            "pocket cube, two faces": MatrixGroup(elements=pocket_cube(two)),
            "pocket cube": MatrixGroup(elements=pocket_cube(three)),
        }
    return {
        "signed permutations of 5": wreath_product(sign, 5),
        "S(7)": symmetric(7),
        "C(3) wr S(4)": wreath_product(cyclic(3), 4),
        "C(4) wr S(4)": wreath_product(cyclic(4), 4),
    }


def tensors():
    """Layers on tensors of the vectors that a symmetric group permutes."""
    EquivariantDense(1, symmetric(5)).build((None, 5, 1))  # what is imported once
    print("| layer | maps | seconds | MB at most, traced |")
    print("| --- | --- | --- | --- |")
    for n, p, q in ((50, 2, 2), (50, 2, 1), (100, 2, 2), (100, 2, 1)):
        tracemalloc.start()
        start = time.perf_counter()
        v = symmetric(n).standard
        layer = EquivariantDense(4, v**p, generators_out=v**q)
        layer.build((None, n**p, 2))
        seconds = time.perf_counter() - start
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        name = f"S({n}), V^{p} -> V^{q}"
        print(f"| {name} | {layer.num_maps} | {seconds:.2f} | {peak:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--tensors", action="store_true")
    chosen = parser.parse_args()
    if chosen.tensors:
        tensors()
        return
    large = chosen.large
    print("| group | V -> V | seconds | V^2 -> V | seconds | order | by characters |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, group in groups(large).items():
        v = group.standard
        cells = []
        for source in (v, v**2):
            start = time.perf_counter()
            cells.append(str(len(intertwiners(source, v))))
            cells.append(f"{time.perf_counter() - start:.1f}")
        order, counts = "more than 20,000", ""
        if group.is_finite:
            characters = np.trace(group.all_elements(), axis1=1, axis2=2)
            counts = ", ".join(f"{round(np.mean(characters**p))}" for p in (2, 3))
            order = str(group.order)
        print(f"| {name} | {' | '.join(cells)} | {order} | {counts} |", flush=True)


if __name__ == "__main__":
    main()
