"""The result of a search, in numbers, words and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_lconv._typing import Figure
from keras_lconv.algebra import Identification, LieAlgebra
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.discovery.discrete.report import DiscreteReport
from keras_lconv.discovery.kinds import TOLERANCE, formula_of, kind_of
from keras_lconv.discovery.level import Level
from keras_lconv.generators import Generators, MatrixGenerators
from keras_lconv.report import Report

# The largest number of generators in pictures and formulas.
MOST_PICTURES = 12
# Above this error a fitted network is doubtful.
LARGE_FIT_ERROR = 0.05


def on_whole_input(matrix: np.ndarray, blocks: int, scalars: int = 0) -> np.ndarray:
    """The matrix on whole inputs: scalars, which stay unchanged, and some vectors."""
    whole = np.kron(np.eye(blocks), matrix)
    return np.pad(whole, ((scalars, 0), (scalars, 0)))


@dataclass(frozen=True, eq=False, repr=False)
class SymmetryReport(Report):
    """The symmetries that `find_symmetries` found, with their confidence.

    Args:
        basis: The symmetries as matrices `(k, v, v)` in the units of the data, or
            `[[A, b], [0, 0]]` if affine maps were searched. For images the matrices of the
            algebra of `generators`.
        kind: `"invariance"` or `"equivariance"`.
        output: For equivariance, the assumption about the output.
        blocks: Number of vectors in an input, which transform alike.
        singular_values: Singular values of the equations, growing; 1 is the value of a
            random equation.
        gap: The ratio of the first value that is not zero to the last that is.
        confidence: From 0 to 1: how clear the dimension is. It is the fraction of subsets
            of the samples that give the same dimension, times `1 - 1 / gap`. If there is no
            symmetry, it measures how far the nearest one is from the data. It is 0 if an
            output does not count, because its changes are as small as the rounding of its
            values.
        errors: An error bar of each generator, in radians: how far it would turn with other
            samples. For fits it includes the error of the fit in the equations, but no
            error that all networks share.
        unidentified: Orthonormal directions `(u, v)` that no sample reaches. The generators
            are set to zero on them. For images, combinations `(u, p)` of the searched
            generators that change no sample.
        scalars: Number of components of an input before the vectors, which do not
            transform.
        generators: For images, the symmetries as generators on the grid; `None` if there
            are none, and for vectors.
        sensitivities: For images, how much the function changes along each direction that
            has a name, such as `"rotation"`: 0 if it is invariant, 1 if it changes as along
            a random direction. Directions that change no sample have NaN.
        model: What `fit_symmetries` fitted, as a Keras model, or `None`.
        fit_error: Its error on samples that it was not fitted to, relative to the spread
            of the outputs.
        searched: The space that was searched, in words.
        independent: Directions `(u, v)` along which the function does not change at all,
            while the samples vary along them. All fields along them are symmetries, and are
            counted.
        centre: For affine maps, the common fixed point `(v,)` that is nearest to the mean
            of the data; `None` if there is none.
        standard: The algebra in standard coordinates, in which the vectors have mean zero
            and second moments 1, so that names and comparisons do not depend on units.
            `None` for images.
        levels: Approximate symmetries, the most exact one first.
        is_determined: Whether there are enough equations for an answer. Repeated samples
            count once.
        names: Names of the components of a vector.
        scales: The spread of each component.
        notes: Further remarks.
        discrete: The discrete symmetries, if they were searched.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.discovery import find_symmetries

    x = np.random.default_rng(0).normal(size=(200, 4))
    report = find_symmetries(lambda x: ops.sum(x[:, :3] ** 2, axis=1) - x[:, 3] ** 2, x)
    print(report.summary())
    assert report.name == "so(3,1)"
    ```
    """

    basis: np.ndarray
    kind: str
    output: str | None
    blocks: int
    singular_values: np.ndarray
    gap: float
    confidence: float
    errors: np.ndarray
    unidentified: np.ndarray
    scalars: int = 0
    generators: Generators | None = None
    sensitivities: dict[str, float] | None = None
    model: keras.Model | None = None
    fit_error: float | None = None
    searched: str = ""
    independent: np.ndarray | None = None
    centre: np.ndarray | None = None
    standard: LieAlgebra | None = None
    levels: tuple[Level, ...] = ()
    is_determined: bool = True
    names: tuple[str, ...] | None = None
    scales: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    discrete: DiscreteReport | None = None

    @property
    def dimension(self) -> int:
        """The dimension of the algebra."""
        return len(self.basis)

    @cached_property
    def algebra(self) -> LieAlgebra:
        """The symmetries as a `LieAlgebra` in the units of the data.

        Raises:
            ValueError: If the units of the columns differ by so many orders of magnitude
                that the matrices are linearly dependent up to rounding. `standard` is the
                same algebra in other coordinates.
        """
        return LieAlgebra(self.basis)

    @cached_property
    def name(self) -> str:
        """The name of the algebra, as far as it has one, found in standard coordinates."""
        if not self.dimension:
            return "0"
        return self._named().identify().name

    def identify(self) -> Identification:
        """The name of the algebra with its reasons, found in standard coordinates.

        `report.algebra.identify()` is the same if all columns have one unit.

        Returns:
            An `Identification`.
        """
        return self._named().identify()

    def _named(self) -> LieAlgebra:
        return self.algebra if self.standard is None else self.standard

    # ------------------------------------------------------------------ words

    def summary(self) -> str:
        """The result in words."""
        size = len(self.singular_values)
        searched = f"{size} dimensions searched"
        where = f" ({self.searched})" if self.searched else ""
        if self.dimension:
            lines = self._headline(size, where)
        elif not self.is_determined:
            lines = [
                f"{self.kind}: undetermined among {searched}{where}",
                "too few independent equations: take more samples, or search less",
                "(by `columns`, `blocks` or `search`)",
            ]
        else:
            lines = [f"{self.kind}: no symmetry among {searched}{where}"]
        lines += self._judgement()
        lines += self._generators_in_words()
        if self.centre is not None:
            places = [f"{each:.4g}" for each in self.centre]
            if self.names:
                places = [f"{n}={p}" for n, p in zip(self.names, places, strict=True)]
            lines.append(f"about the centre: {', '.join(places)}")
        if len(self.levels) > 1:
            lines.append("nested symmetries, from exact to approximate:")
            lines += [f"  {level}" for level in self.levels]
        if self.sensitivities is not None:
            lines.append("change along each direction, in units of a random one:")
            ranked = sorted(self.sensitivities.items(), key=lambda item: item[1])
            lines += [f"  {name}: {value:.2g}" for name, value in ranked]
        if self.output is not None:
            lines.append(f"the output was taken to transform as: {self.output}")
        if self.fit_error is not None:
            lines.append(f"error of the fit on new samples: {self.fit_error:.2%}")
            if self.fit_error > LARGE_FIT_ERROR:
                lines.append(
                    "this is large: more samples, epochs or another `model` may help"
                )
        if len(self.unidentified):
            lines.append(self._unidentified_in_words())
        lines += self.notes
        if self.discrete is not None:
            lines.append(self.discrete.summary())
        return "\n".join(lines)

    def _headline(self, size: int, where: str) -> list[str]:
        """The headline of the summary."""
        name = str(self._named().identify())
        return [
            f"{self.kind}: {name}, dimension {self.dimension} of {size} searched{where}",
            f"closure error {self._named().closure_error:.1e}",
        ]

    @property
    def _num_null(self) -> int:
        """How many singular values count as zero."""
        return self.dimension

    def _judgement(self) -> list[str]:
        if self.dimension:
            degrees = np.degrees(np.max(self.errors))
            size = float(self.singular_values[self._num_null - 1])
            where = "" if self.fit_error is None else "in what was fitted "
            return [
                f"holds {where}to {size:.2g} of what a random direction gives",
                f"gap {self.gap:.3g}, confidence {self.confidence:.2f}",
                f"generators known to {degrees:.2g} degrees, from the "
                + ("samples" if self.fit_error is None else "samples and the fit"),
            ]
        return [
            f"nearest to one: {self.singular_values[0]:.2g} of what a random direction "
            f"gives, confidence {self.confidence:.2f}"
        ]

    def _unidentified_in_words(self) -> str:
        what = "in which the samples do not vary"
        if self.sensitivities is not None:
            what = "which change no sample"
        number, of = self.unidentified.shape
        text = f"unidentified: {number} of {of} directions, {what}"
        single = np.argmax(np.abs(self.unidentified), axis=1)
        is_column = np.max(np.abs(self.unidentified), axis=1) > 1 - 1e-6
        if self.sensitivities is None and np.all(is_column):
            names = self._component_names()
            text += f": {', '.join(names[n] for n in single)}"
        return text

    def _component_names(self) -> Sequence[str]:
        if self.names:
            return self.names
        return [f"x{n}" for n in range(self.unidentified.shape[1])]

    def _generators_in_words(self) -> list[str]:
        """Kind and formula of each generator, of vectors."""
        if not self.dimension or self.scales is None:
            return []
        names, v = self._component_names(), self.unidentified.shape[1]
        lines, along = [], np.zeros((0, v))
        if self.independent is not None and len(self.independent):
            along = self.independent
            columns = self.basis.shape[1]
            lines.append(
                f"the function does not change along {len(along)} of {v} directions; all "
                f"{len(along) * columns} fields along them are symmetries:"
            )
            frame = np.linalg.qr((along / self._units).T)[0].T[..., None]
            for direction in sparse_basis(frame, self._doubt)[..., 0] * self._units:
                constant = np.column_stack([np.zeros((v, v)), direction])
                lines.append(f"  {formula_of(constant, names, self.scales, self._unseen)}")
        rest = self.readable(along)
        if len(rest) > MOST_PICTURES:
            return lines
        for element in rest:
            text = formula_of(element, names, self.scales, self._unseen)
            lines.append(f"  {text}  [{kind_of(self._in_units(element))}]")
        return lines

    def readable(self, along: np.ndarray | None = None) -> np.ndarray:
        """A sparse basis of the symmetries as affine maps `[A | b]`, `(k, v, v + 1)`.

        It is sparse in units in which all components have spread 1. If there is a centre,
        maps are about it, and `b` is zero.

        Args:
            along: Directions `(u, v)`, along which maps are left out.

        Returns:
            Array in the units of the data.
        """
        v = self.unidentified.shape[1]
        maps = np.zeros((self.dimension, v, v + 1))
        maps[..., : self.basis.shape[2]] = self.basis[:, :v]
        if self.centre is not None:
            maps[..., v] = 0.0
        moves = self._in_units(maps)
        rank = len(moves)
        if along is not None and len(along):
            frame = np.linalg.qr((along / self._units).T)[0]
            moves = moves - frame @ (frame.T @ moves)
            rank -= len(along) * self.basis.shape[1]
        flat = moves.reshape(len(maps), -1)
        frame = np.linalg.svd(flat, full_matrices=False)[2][:rank]
        readable = sparse_basis(frame.reshape(rank, v, v + 1), self._doubt)
        return readable * self._units[:, None] / np.append(self._units, 1.0)

    @property
    def _doubt(self) -> float:
        """Numbers up to this, relative to 1, may be zero: two error bars."""
        return min(0.3, max(1e-3, 2 * float(np.max(self.errors, initial=0.0))))

    @property
    def _unseen(self) -> float:
        """Formulas leave out terms that contribute less."""
        return self._doubt if self.fit_error is None else max(TOLERANCE, self._doubt)

    @property
    def _units(self) -> np.ndarray:
        """The spread of each component, `(v,)`, 1 where there is none."""
        if self.scales is None:
            return np.ones(self.unidentified.shape[1])
        return np.where(self.scales > 0, self.scales, 1.0)

    def _in_units(self, maps: np.ndarray) -> np.ndarray:
        """Affine maps `[A | b]` in units in which all components have spread 1."""
        return maps * np.append(self._units, 1.0) / self._units[:, None]

    # ---------------------------------------------------------------- results

    def to_generators(self, **kwargs: Any) -> Generators:
        """The symmetries as fixed generators on whole inputs, for `LConv` and pooling.

        Affine maps with a fixed point become the linear maps about it: for inputs
        `x - report.centre`.

        Args:
            **kwargs: Arguments of the generators, such as `trainable`.

        Returns:
            `MatrixGenerators` of shape `(k, n, n)`, or `VectorFieldGenerators` for images,
            if vector fields were searched.

        Raises:
            ValueError: If there is no symmetry, or affine maps have no common fixed point.
        """
        if not self.dimension:
            raise ValueError("There are no generators: no symmetry was found")
        if self.generators is not None:
            config = self.generators.get_config()
            del config["name"]
            return type(self.generators).from_config({**config, **kwargs})
        v = self.unidentified.shape[1]
        is_affine = self.basis.shape[1] == v + 1
        if is_affine and self.centre is None:
            raise ValueError(
                "There are no generators on vectors: the maps have translations and no "
                "common fixed point. Use `search='linear'` for maps that keep the origin "
                "fixed"
            )
        matrices = [
            on_whole_input(matrix[:v, :v], self.blocks, self.scalars)
            for matrix in self.basis
        ]
        return MatrixGenerators(np.array(matrices), **kwargs)

    def plot(self) -> Figure:
        """Draws the spectrum with its gaps and levels, and the generators.

        Matrices are those of a canonical basis, in units in which all components have
        spread 1; fields on images are arrows.

        Returns:
            The figure.
        """
        from keras_lconv.visualization import plot_result

        if self.generators is not None:
            return plot_result(self.singular_values, self.dimension, self.generators)
        matrices = []
        if self.dimension:
            moves, v = self._in_units(self.readable()), self.unidentified.shape[1]
            matrices = list(moves if self.basis.shape[1] > v else moves[..., :-1])
        names = {each.dimension: each.short for each in self.levels}
        levels = names if len(names) > 1 else None
        return plot_result(self.singular_values, self.dimension, matrices, levels)
