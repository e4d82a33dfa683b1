"""The search: tries maps, and decides which of them are symmetries."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_lconv.discovery.discrete.conjugates import (
    chosen_starts,
    nearest_symmetries,
    starts,
)
from keras_lconv.discovery.discrete.elements import (
    LARGEST_TURN,
    Element,
    exchanges_of_cells,
    permutation_in_words,
    permutations_of,
    signed_permutations,
    turns,
)
from keras_lconv.discovery.discrete.reduced import SAME, Reduced, Slopes
from keras_lconv.discovery.discrete.trial import Trial

# The orders of rotations that are searched in any plane, and numbers of samples.
ORDERS = (2, 3, 4, 5, 6, 7, 8)
SAMPLES_PER_UNKNOWN, FEWEST_SAMPLES = 2, 64
# With as many unknowns as equations, some maps fit by chance.
EQUATIONS_PER_NUMBER = 2
# The sizes of the motions that are tried along an algebra.
MOTIONS = (0.15, 0.3, 0.6)
# Errors below this are not distinguished.
ROUNDING = 1e-6
# In descriptions coefficients are rounded, and smaller ones are left out.
SMALLEST_SHOWN = 5e-3


class Search:
    """Tries maps, and keeps those that hardly change a function.

    Args:
        trial: Evaluates the function at moved samples.
        reduced: The coordinates on which the function depends.
        names: Of the components of a vector.
        blocks: Number of vectors in a row.
        tolerance: The largest error of a symmetry.
    """

    def __init__(
        self,
        trial: Trial,
        reduced: Reduced,
        names: Sequence[str],
        blocks: int,
        tolerance: float,
    ):
        self._trial, self._reduced, self.tolerance = trial, reduced, tolerance
        self._names, self.blocks = names, blocks
        self._rows = reduced.of_rows(blocks)
        self.found: list[tuple[Element, float]] = []
        self.nearest = np.inf
        self.tried: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.not_searched: list[str] = []
        # The sizes of sets of components whose order does not matter.
        self.cells: list[int] = []

    def on_each(self, matrices: np.ndarray) -> np.ndarray:
        """Maps of one vector as maps of all vectors of a row."""
        return np.kron(np.eye(self.blocks)[None], matrices)

    def lowered(self, matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps of rows in the coordinates that matter, and whether each acts on these
        alone.
        """
        return self._rows.lowered(matrices)

    def raised(self, matrices: np.ndarray) -> np.ndarray:
        """The inverse of `lowered`: maps of rows that leave all other directions
        unchanged.
        """
        return self._rows.raised(matrices)

    def ask(self, elements: Sequence[Element]) -> list[Element]:
        """The maps of rows that are symmetries, without trivial ones."""
        if not elements:
            return []
        inside, is_inside = self.lowered(np.array([e.matrix for e in elements]))
        one = np.eye(inside.shape[1])
        acts = np.max(np.abs(inside - one), axis=(1, 2)) > 1e-6
        elements = [e for e, ok in zip(elements, is_inside & acts, strict=True) if ok]
        if not elements:
            return []
        errors = self._trial.errors(np.array([e.matrix for e in elements]))
        kept = []
        for element, error in zip(elements, errors, strict=True):
            self.tried[element.kind] += 1
            self.accepted[element.kind] += int(error <= self.tolerance)
            if error <= self.tolerance:
                kept.append(element)
                self.found.append((element, float(error)))
            else:
                self.nearest = min(self.nearest, float(error))
        return kept

    def keep_up_to_gap(self) -> None:
        """Drops maps that hold approximately if others are clearly more exact."""
        errors = np.sort([error for _, error in self.found])
        bounds = np.append(np.maximum(errors, ROUNDING), max(self.nearest, ROUNDING))
        if len(errors) < 2:
            return
        last = int(np.argmax(bounds[1:] / bounds[:-1]))
        if last == len(errors) - 1:
            return
        self.tolerance = float(np.sqrt(bounds[last] * bounds[last + 1]))
        self.nearest = float(errors[last + 1])
        for element, error in self.found:
            self.accepted[element.kind] -= int(error > self.tolerance)
        self.found = [each for each in self.found if each[1] <= self.tolerance]

    def holds(self, algebra: np.ndarray) -> bool:
        """Whether finite motions along an algebra `(k, r, r)` are symmetries, too."""
        from scipy.linalg import expm

        if not len(algebra):
            return True
        units = algebra / np.linalg.norm(algebra, 2, axis=(1, 2))[:, None, None]
        t = np.array(MOTIONS)[:, None, None, None]
        motions = expm(t * units).reshape(-1, *algebra.shape[1:])
        errors = self._trial.errors(self.on_each(self._reduced.raised(motions)))
        return bool(np.max(errors) <= self.tolerance)

    def outputs(self, matrices: np.ndarray) -> np.ndarray | None:
        """The matrices by which maps of rows move outputs, or `None` for invariance."""
        return self._trial.outputs.matrices(matrices, self._trial.values_at(matrices))

    # -------------------------------------------------------------- named kinds

    def components(self, kinds: Sequence[str]) -> None:
        """Permutations and signs of components."""
        elements, left_out = signed_permutations(self._names, kinds)
        self.not_searched += left_out
        kept = self.ask([self._spread(e) for e in elements])
        swaps = [e for e in kept if e.words.count(" ") == 2 and e.kind == "permutation"]
        cells = _cells([self._first_block(e) for e in swaps], len(self._names))
        self._without_products(swaps, cells)
        if left_out and "permutations" in kinds:
            matrices = exchanges_of_cells(cells, len(self._names))
            self.ask(
                [
                    self._spread(
                        Element(m, "permutation", permutation_in_words(m, self._names))
                    )
                    for m in matrices
                ]
            )

    def _without_products(
        self, swaps: Sequence[Element], cells: Sequence[Sequence[int]]
    ) -> None:
        """Among permutations inside of cells, keeps only exchanges that generate
        them all.
        """
        label = np.empty(len(self._names), dtype=int)
        for number, cell in enumerate(cells):
            label[list(cell)] = number
        joined = np.arange(len(self._names))
        kept = []
        for element, error in self.found:
            images = np.argmax(self._first_block(element), axis=0)
            is_inside = element.kind == "permutation" and np.all(label[images] == label)
            if element in swaps:
                a, b = np.nonzero(images != np.arange(len(images)))[0]
                is_inside = joined[a] == joined[b]
                joined[joined == joined[b]] = joined[a]
            if not is_inside:
                kept.append((element, error))
        self.cells = [len(cell) for cell in cells if len(cell) > 1]
        self.found = kept

    def vectors(self) -> None:
        """Permutations of whole vectors, and symmetries of one vector alone."""
        if self.blocks == 1:
            return
        names = [f"vector {k}" for k in range(self.blocks)]
        matrices, all_of_them = permutations_of(self.blocks)
        if not all_of_them:
            self.not_searched.append("other permutations of vectors than exchanges of two")
        one = np.eye(len(self._names))
        known = [e for e, _ in self.found]
        self.ask(
            [
                Element(
                    np.kron(m, one),
                    "permutation of vectors",
                    permutation_in_words(m, names),
                )
                for m in sorted(matrices, key=lambda m: -np.trace(m))
            ]
        )
        alone = []
        for element in known:
            for k in range(self.blocks):
                mask = np.diag(np.arange(self.blocks) == k).astype(float)
                matrix = np.kron(mask, self._first_block(element))
                matrix += np.kron(np.eye(self.blocks) - mask, one)
                alone.append(
                    Element(matrix, element.kind, f"{element.words}, of vector {k} alone")
                )
        self.ask(alone)

    def turns(self) -> None:
        """Rotations in the planes of two components."""
        self.ask([self._spread(e) for e in turns(self._names)])

    def given(self, matrices: np.ndarray) -> None:
        """Given maps, of one vector or of all."""
        elements = [
            Element(m, "given", f"given, number {k}") for k, m in enumerate(matrices)
        ]
        if matrices.shape[1] == len(self._names):
            elements = [self._spread(e) for e in elements]
        self.ask(elements)

    # ------------------------------------------------------------- any direction

    def anywhere(self, kind: str, slopes: Slopes, centre: np.ndarray) -> None:
        """Reflections or rotations in any direction."""
        size = self._reduced.size
        # The number of free parameters of such a map, without those that commute with it.
        free = 2 * size - 2 if kind == "reflection" else 4 * size - 6
        equations = self._trial.outputs.reference.shape[1]  # of each sample
        needed = math.ceil(EQUATIONS_PER_NUMBER * free / equations)
        if len(self._trial.samples) < needed:
            self.not_searched.append(
                f"{kind}s in any direction: these need at least {needed} different "
                f"samples, and there are {len(self._trial.samples)}"
            )
            return
        orders = (1,) if kind == "reflection" else ORDERS
        if kind == "rotation":
            self.not_searched.append(
                f"rotations by less than 2 pi / {LARGEST_TURN} in the planes of two "
                f"columns, or 2 pi / {ORDERS[-1]} in other planes"
            )
        if size < (1 if kind == "reflection" else 2):
            return
        changes = self._changes(slopes, centre)
        for order in orders:
            # Powers of a rotation by a part of a turn are rotations, too.
            if not all(
                self._has_turn(order // p) for p in (2, 3) if order in (2 * p, 8, 6)
            ):
                continue
            begun = starts(order, self._reduced.slope_moments, seed=order)
            tried = self.on_each(self._reduced.raised(begun))
            lengths = self._trial.changes(tried, self._fewest)
            begun = chosen_starts(
                begun, np.mean(np.nan_to_num(lengths**2, nan=1e6, posinf=1e6), axis=(1, 2))
            )
            found = nearest_symmetries(begun, changes, self._project)
            raised = self._reduced.raised(_distinct(found))
            self.ask(
                [self._spread(Element(m, kind, self._in_words(m, order))) for m in raised]
            )

    def _has_turn(self, order: int) -> bool:
        """Whether a rotation by `2 pi / order` in a plane is already found."""
        expected = self._reduced.size - 2 + 2 * np.cos(2 * np.pi / order)
        for element, _ in self.found:
            inside = self._reduced.lowered(self._first_block(element)[None])[0][0]
            part = inside - np.eye(len(inside))
            is_turn = abs(np.trace(inside) - expected) < 1e-3
            if is_turn and np.linalg.matrix_rank(part, tol=1e-2) == 2:
                return True
        return False

    def _changes(self, slopes: Slopes, centre: np.ndarray) -> Any:
        """The function that the search for conjugates evaluates: changes, slopes and
        samples.
        """
        rows = self._trial.samples[: self._number]
        outputs = self._trial.outputs
        v = len(self._names)
        first = rows.shape[1] - self.blocks * v
        vectors = rows[:, first:].reshape(len(rows), self.blocks, v) - centre
        followed = outputs.followed(outputs.values[: len(rows)], self._reduced)
        samples = (vectors @ self._reduced.down.T)[:, None]
        shape = (len(rows), len(followed), *samples.shape[2:])
        samples = np.broadcast_to(samples, shape)

        def changes(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            raised = self.on_each(self._reduced.raised(maps))
            moved = self._trial.moved(raised, len(rows))
            values, found = slopes(moved.reshape(-1, moved.shape[2]))
            values = np.nan_to_num(values.reshape(len(maps), len(rows), -1), nan=1e3)
            found = found[..., first:].reshape(len(maps), len(rows), -1, self.blocks, v)
            found = np.nan_to_num(found) @ self._reduced.up
            found = np.einsum("co,msobi->mscbi", followed, found, optimize=True)
            belongs = np.broadcast_to(samples, (len(maps), *shape))
            pulled = outputs.pulled(maps, followed, self._reduced, len(rows))
            if pulled is not None:
                extra = np.broadcast_to(pulled[0], pulled[1].shape)
                found = np.concatenate([found, extra], axis=3)
                belongs = np.concatenate([belongs, pulled[1]], axis=3)
            residuals = values - outputs.expected(raised, len(rows))
            residuals = outputs.project(residuals @ followed.T)
            flat = (len(maps), len(rows) * len(followed))
            # Values at two unrelated samples differ by twice the variance.
            unit = np.sqrt(2)
            return (
                residuals.reshape(flat) / unit,
                found.reshape(*flat, *found.shape[3:]) / unit,
                belongs.reshape(*flat, *belongs.shape[3:]),
            )

        return changes

    @property
    def _fewest(self) -> int:
        """The least number of samples on which starts are tried."""
        return max(FEWEST_SAMPLES, self._trial.outputs.fewest)

    @property
    def _number(self) -> int:
        """The number of samples of a search in any direction."""
        number = max(self._fewest, SAMPLES_PER_UNKNOWN * self._reduced.size**2)
        return min(number, len(self._trial.samples))

    def _project(self, derivatives: np.ndarray) -> np.ndarray:
        """The residual of derivatives `(m, s, p)` after the fit of a law of outputs."""
        parts = derivatives.reshape(len(derivatives), self._number, -1)
        return self._trial.outputs.project(parts).reshape(derivatives.shape)

    def _in_words(self, matrix: np.ndarray, order: int) -> str:
        """The normal of a mirror, or the plane of a rotation."""
        part = matrix - np.eye(len(matrix))
        if order == 1:
            normal = np.linalg.svd(part)[2][0]
            return f"reflection at {_linear_form(normal, self._names)} = 0"
        plane = np.linalg.svd(part)[2][:2]
        # One linear form for each of the two components that determine the plane best.
        pivots = np.argsort(-np.sum(plane**2, axis=0), kind="stable")[:2]
        if abs(np.linalg.det(plane[:, pivots])) > 1e-2:
            plane = np.linalg.solve(plane[:, np.sort(pivots)], plane)
        forms = ", ".join(_linear_form(row, self._names) for row in plane)
        return f"rotation by 2 pi / {order} in the plane of ({forms})"

    def _spread(self, element: Element) -> Element:
        """A map of one vector as a map of all."""
        if self.blocks == 1:
            return element
        matrix = np.kron(np.eye(self.blocks), element.matrix)
        return Element(matrix, element.kind, element.words)

    def _first_block(self, element: Element) -> np.ndarray:
        v = len(self._names)
        return element.matrix[:v, :v]


def _distinct(maps: np.ndarray) -> np.ndarray:
    """Maps that differ by more than an error."""
    kept: list[np.ndarray] = []
    for each in maps:
        if all(np.max(np.abs(each - other)) > SAME for other in kept):
            kept.append(each)
    return np.array(kept).reshape(-1, *maps.shape[1:])


def _cells(swaps: Sequence[np.ndarray], size: int) -> list[list[int]]:
    """The sets of components that exchanges of two connect."""
    label = np.arange(size)
    for swap in swaps:
        a, b = np.nonzero(np.diag(swap) == 0)[0]
        label[label == label[b]] = label[a]
    return [np.nonzero(label == each)[0].tolist() for each in np.unique(label)]


def _linear_form(row: np.ndarray, names: Sequence[str]) -> str:
    """A linear form in words, with the largest coefficient 1."""
    row = row / row[np.argmax(np.abs(row))]
    text = ""
    for value, name in zip(row, names, strict=True):
        if abs(value) < SMALLEST_SHOWN:
            continue
        number = f"{abs(value):.3g}"
        text += (
            f" {'-' if value < 0 else '+'} {name if number == '1' else number + ' ' + name}"
        )
    return (
        text.removeprefix(" + ") if text.startswith(" + ") else text.replace(" - ", "-", 1)
    )
