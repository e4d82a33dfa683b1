"""Global pooling to invariants."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_lconv._backend import segment_sum
from keras_lconv._ops import safe_sqrt, working_dtype
from keras_lconv._typing import GeneratorsLike, Shape, Tensor
from keras_lconv._validation import (
    boolean,
    fraction,
    one_of,
    positive_int,
)
from keras_lconv.algebra import eigenspaces, invariants
from keras_lconv.algebra.forms import casimir_matrix, smoothing_form
from keras_lconv.generators import Generators
from keras_lconv.generators.derivatives import unseen_modes
from keras_lconv.layers.base import GeneratorLayer
from keras_lconv.layers.pooling.grid_elements import checked_elements, elements_on
from keras_lconv.layers.pooling.large_grids import (
    is_along_axes,
    ring_spaces,
    translation_spaces,
)
from keras_lconv.layers.pooling.matrix_room import require_room
from keras_lconv.layers.pooling.refinement import checked_operators, operator_on

KINDS = ("linear", "spectrum")
METHODS = ("matrix", "rings")


@keras.saving.register_keras_serializable(package="keras_lconv")
class InvariantPooling(GeneratorLayer):
    """Global pooling to numbers that the group of the generators does not change.

    `"linear"`: `y_a = <u_a, f>` with an orthonormal basis `u_a` of the left null space of
    all `L_i`, `u_a^T L_i = 0`. For translations of a periodic grid this is global average
    pooling, times `sqrt(d)`; for rotations of an `n x n` image the radial profile, `n`
    numbers.

    `"spectrum"`: `y_a = |P_a f|`, the norms of `f` on the eigenspaces of the Casimir
    operator `C`, which is `-L^2` for one generator. For translations of a periodic grid
    this is the spectrum by wavelength, for rotations the spectrum by angular order.
    Eigenspaces are joined if their values of `sqrt(C)` are equal up to `tolerance`.

    `refine` splits the eigenspaces further, by a second operator that commutes with the
    generators, and keeps far more information about `f`. For the rotation of images there
    are

    - `"radius"`: the squared distance from the centre. The norms are then those of each
      angular order on rings.
    - `"wavenumber"`: the squared length of the gradient, `-Laplacian`. The norms are then
      those of each angular order on rings in Fourier space.

    **Invariance.** `y` is the same for `f` and `exp(t L) f`, for all `t`. Norms are
    invariant because antisymmetric generators, which `"spectrum"` needs, have orthogonal
    exponentials. On a grid the operators above do not commute with the rotation generator
    at the highest frequencies (`[d/dx, x] = 1` fails there). So the layer uses their
    average over the orbit, `exp(t L) R exp(-t L)`, which commutes exactly, up to
    `tolerance`. `refinement_errors` is the size of the part that is left out.

    `elements` are further elements of the group, such as reflections. They must leave
    linear invariants unchanged, too. A spectrum stays the same: elements must commute with
    the Casimir operator and with `refine`, and the layer checks this. So the spectra of
    rotations and of all translations of an image are invariant to flips, exactly.

    Everything is computed once, in float64, when the layer is built. In general it needs
    `d x d` matrices, and the eigenvectors of one of them: half a second for 28 x 28 pixels.
    Spectra of translations along all axes need matrices along each axis alone.

    `method="rings"` is for the rotation of large images. In place of eigenvectors it takes
    waves around rings about the centre: angular orders on Gaussians of the radius, at the
    positions. Its invariants are those of `refine="radius"` in the continuum. On a grid
    they change with a turn by the error of a sum over positions, and not at all with flips
    and quarter turns. Time and memory are linear in the number of positions.

    Args:
        generators: Fixed generators, as for `LConv`: a name, an array, a `LieAlgebra` or
            an instance.
        kind: `"linear"` or `"spectrum"`.
        num_invariants: Number of invariants to keep, from the smallest eigenvalues of `C`,
            then of `refine`. By default all.
        refine: Symmetric matrix `(d, d)` that commutes with all generators, or a name from
            above. A list contains several operators, which need not commute with each
            other; their norms are concatenated. `"linear"` needs a single one, and uses its
            eigenvectors as the basis, by growing eigenvalue.
        elements: Further elements of the group that must change no invariant:
            `"flips"` of each spatial axis, `"quarter_turns"` of squares and cubes, both in
            a list, or orthogonal matrices `(d, d)`, as permutations of positions, or a
            finite `MatrixGroup` of these.
        method: `"matrix"`, or `"rings"` for the rotation of large images, without `refine`
            and `elements`. By default it makes 256 invariants, or as many as the image has.
        keepdims: Whether to keep the channels apart and the number of axes, with ones:
            `(batch, m, 1, ..., channels)`.
        tolerance: Eigenvalues `sqrt(C)`, and singular values of the generators, that differ
            by less than this, relative to the largest, are equal. A larger tolerance joins
            more eigenspaces of an image, whose angular orders are integers only
            approximately.
        data_format: `"channels_last"` or `"channels_first"`; by default the one of the
            Keras configuration.
        **kwargs: `name`, `dtype`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)` with any number of spatial axes
        (`(batch, channels, *spatial)` with `data_format="channels_first"`), or
        `(batch, d)`. Masked positions count as zero.

    Output shape:
        `(batch, m * channels)`, all channels of each invariant together, for a `Dense`
        layer to follow. With `keepdims` `(batch, m, 1, ..., channels)`, or
        `(batch, channels, m, 1, ...)` with `data_format="channels_first"`, and `(batch, m)`
        for vectors.

    Attributes:
        basis: Orthonormal bases of the eigenspaces, `(d, p)`, a fixed weight.
        eigenvalues: Array `(m, 1)` of `sqrt(C)`, with `refine` `(m, 2)`, once the layer is
            built; `"linear"` has zeros for `sqrt(C)`.
        multiplicities: Dimensions of the eigenspaces, `(m,)`.
        refinement_errors: For each operator of `refine`, the relative part that does not
            commute with the generators and is left out, in the Frobenius norm. Zero for
            given matrices.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If the generators are learned, because their invariants would change
            with them, or are not square, or have no invariants or fewer than requested; for
            `"spectrum"`, if they are not antisymmetric, or their Casimir operator or
            `refine` does not commute with them, or with `elements`.

    Example:
    ```python
    import keras
    from keras_lconv import InvariantPooling

    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        InvariantPooling("rotation", num_invariants=200, refine="radius"),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ])
    assert model.layers[0].output.shape == (None, 200)
    ```

    Reference:
        R. Kondor, "Group theoretical methods in machine learning", thesis (2008), chapter
        7, for invariants from power spectra.
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        kind: str = "spectrum",
        num_invariants: int | None = None,
        refine: ArrayLike | Sequence[str] | None = None,
        elements: ArrayLike | Sequence[str] | None = None,
        method: str = "matrix",
        keepdims: bool = False,
        tolerance: float = 1e-7,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(generators, data_format=data_format, **kwargs)
        self.kind = one_of("kind", kind, KINDS)
        if num_invariants is not None:
            num_invariants = positive_int("num_invariants", num_invariants)
        self.num_invariants = num_invariants
        self._operators = checked_operators(refine)
        if self.kind == "linear" and len(self._operators) > 1:
            raise ValueError(
                "`refine` of 'linear' invariants must be one operator, because the "
                f"invariants are its eigenvectors. Received: {len(self._operators)} "
                "operators"
            )
        self._elements = checked_elements(elements)
        self.method = one_of("method", method, METHODS)
        if method == "rings" and (self._operators or self._elements):
            raise ValueError(
                "`refine` and `elements` must not be given with `method='rings'`, which "
                "has its own rings and is invariant to flips and quarter turns. Received: "
                f"refine={refine!r}, elements={elements!r}"
            )
        self.keepdims = boolean("keepdims", keepdims)
        # The output is flat, so vectors need no axis of channels.
        self._keeps_vectors = self.keepdims
        self.tolerance = fraction("tolerance", tolerance)
        self._require_fixed(self.generators, "invariants")
        self.refinement_errors: tuple[float, ...] = ()
        # The subspaces found before the layer is built, and their grid.
        self._found: tuple[tuple[int, ...], eigenspaces.Eigenspaces] | None = None

    # ----------------------------------------------------------------- build

    def _build(self, feature_shape: Shape) -> None:
        spaces = self._spaces_on(tuple(self.generators.spatial_shape or ()))
        self._found = None
        self.eigenvalues, self.multiplicities = spaces.eigenvalues, spaces.sizes
        self.basis = self._add_constant("basis", spaces.basis)

    def _spaces_on(self, shape: tuple[int, ...]) -> eigenspaces.Eigenspaces:
        """The subspaces on a grid. They are found once, for the shape of the output and for
        the build.
        """
        if self._found is None or self._found[0] != shape:
            generators = self.generators
            if generators.spatial_shape != shape:
                # This uses a copy, because the generators may be built later for another
                # grid.
                generators = type(generators).from_config(generators.get_config())
                generators.build_for((None, *shape, 1), self._owner)
            self._found = shape, self._find(generators, self._owner)
        return self._found[1]

    def _find(self, generators: Generators, owner: str) -> eigenspaces.Eigenspaces:
        """The subspaces that make the invariants."""
        if not generators.is_square:
            raise ValueError(
                f"{owner} needs square generators. Received: generators "
                f"{generators.name!r}, which lead to another grid and have no invariants"
            )
        is_linear = self.kind == "linear"
        if self.method == "rings":
            spaces = ring_spaces(generators, self.num_invariants, is_linear, owner)
        elif is_along_axes(generators) and not (
            is_linear or self._operators or self._elements
        ):
            spaces = translation_spaces(generators, self.num_invariants, self.tolerance)
        else:
            require_room(generators, owner)
            find = self._find_linear if is_linear else self._find_spectrum
            spaces = find(generators, generators.matrices(), owner)
        available = len(spaces.sizes)
        if self.num_invariants is not None and self.num_invariants > available:
            raise ValueError(
                f"{owner} finds {available} {self.kind} invariants of the generators "
                f"{generators.name!r}. Received: num_invariants={self.num_invariants}"
            )
        return spaces.first(self.num_invariants or available)

    def _find_linear(
        self, generators: Generators, matrices: np.ndarray, owner: str
    ) -> eigenspaces.Eigenspaces:
        elements = elements_on(generators, self._elements, owner)
        constraints = np.concatenate([matrices, elements - np.eye(matrices.shape[1])])
        if generators.derivative == "fourier" and generators.spatial_shape:
            unseen = unseen_modes(generators.spatial_shape)
            constraints = np.concatenate([constraints, unseen[None]])
        basis = invariants.invariant_functionals(constraints, self.tolerance)
        number = basis.shape[1]
        if not number:
            raise ValueError(
                f"The generators {generators.name!r} of {owner} have no linear "
                "invariants: no vector `u` has `u^T L_i = 0` for all of them"
                f"{' and `u^T h = u^T`' if len(elements) else ''}. "
                "`kind='spectrum'` has invariants for all antisymmetric generators"
            )
        values = np.zeros((number, 1))
        for given in self._operators:
            operator = operator_on(generators, given, owner)
            found, vectors = np.linalg.eigh(basis.T @ operator @ basis)
            basis = basis @ vectors
            values = np.stack([np.zeros(number), found], axis=1)
        # The sign is that of an average over positions.
        basis = basis * np.where(basis.sum(axis=0) < 0, -1.0, 1.0)
        return eigenspaces.Eigenspaces(basis, np.ones(number, dtype=int), values)

    def _find_spectrum(
        self, generators: Generators, matrices: np.ndarray, owner: str
    ) -> eigenspaces.Eigenspaces:
        asymmetry = max(invariants.asymmetry(matrix, -1) for matrix in matrices)
        if asymmetry > invariants.PRECISION:
            raise ValueError(
                f"`kind='spectrum'` of {owner} needs antisymmetric generators: for others "
                "`exp(t L)` is not orthogonal, and norms on eigenspaces are not "
                f"invariant. Received: generators {generators.name!r} with |L + L^T| / |L| "
                f"up to {asymmetry:.1e}"
            )
        form = smoothing_form(generators.representation())
        casimir = casimir_matrix(matrices, form)
        _check_commutes("The Casimir operator", casimir, matrices, owner)
        elements = elements_on(generators, self._elements, owner)
        _check_unmoved("the Casimir operator of the generators", casimir, elements, owner)
        spaces = eigenspaces.frequency_spaces(casimir, self.tolerance)
        refined = []
        errors = []
        for given in self._operators:
            operator = operator_on(generators, given, owner)
            _check_unmoved("`refine`", operator, elements, owner)
            if isinstance(given, str):
                blocks = eigenspaces.average_over_orbit(operator, matrices[0], spaces)
                # The average is an orthogonal projection of the operator.
                kept = np.sqrt(sum(np.sum(block**2) for block in blocks))
                share = float(kept / np.linalg.norm(operator))
                errors.append(math.sqrt(max(1 - share**2, 0.0)))
            else:
                _check_commutes("`refine`", operator, matrices, owner)
                blocks = eigenspaces.blocks_of(operator, spaces)
                errors.append(0.0)
            refined.append(eigenspaces.refined(spaces, blocks))
        self.refinement_errors = tuple(errors)
        return eigenspaces.side_by_side(refined) if refined else spaces

    # ------------------------------------------------------------------ call

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self._count(shape), *(1,) * (len(shape) - 1))

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        shape = super()._feature_output_shape(feature_shape)
        if self.keepdims:
            return shape
        batch, number, channels = shape[0], shape[1], shape[-1]
        if number is None or channels is None:
            return (batch, None)
        return (batch, number * channels)

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        output = super()._transform(f, mask)
        if self.keepdims:
            return output
        channels = output.shape[-1]
        channels = ops.shape(output)[-1] if channels is None else channels
        return ops.reshape(output, (-1, output.shape[1] * channels))

    def _count(self, shape: tuple[int, ...]) -> int:
        """The number of invariants. It works before the layer is built, too."""
        if self.num_invariants is not None:
            return self.num_invariants
        return len(self.multiplicities if self.built else self._spaces_on(shape).sizes)

    def _act(self, f: Tensor) -> Tensor:
        # Squares in half precision would overflow.
        flat = ops.cast(f, working_dtype(f))
        basis = ops.cast(self.basis, flat.dtype)
        if self.kind == "linear":
            return ops.cast(ops.einsum("dp,bdc->bpc", basis, flat), f.dtype)
        number = len(self.multiplicities)
        squares = ops.square(ops.einsum("dp,bdc->pbc", basis, flat))
        squares = ops.reshape(squares, (squares.shape[0], -1))
        space = np.repeat(np.arange(number, dtype="int32"), self.multiplicities)
        sums = segment_sum(squares, space, number)
        norms = safe_sqrt(ops.reshape(sums, (number, -1, f.shape[-1])))
        return ops.cast(ops.transpose(norms, (1, 0, 2)), f.dtype)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> None:
        """`None`: the output has no positions."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "kind": self.kind,
            "num_invariants": self.num_invariants,
            "refine": _as_config(self._operators),
            "elements": _as_config(self._elements),
            "method": self.method,
            "keepdims": self.keepdims,
            "tolerance": self.tolerance,
        }


def _as_config(given: tuple[str | np.ndarray, ...]) -> list[str | list] | None:
    """Names and matrices as lists, or `None` if there are none."""
    return [e if isinstance(e, str) else e.tolist() for e in given] or None


def _check_unmoved(
    name: str, operator: np.ndarray, elements: np.ndarray, owner: str
) -> None:
    sizes = [invariants.commutator_size(operator, element) for element in elements]
    if max(sizes, default=0.0) > invariants.PRECISION:
        raise ValueError(
            f"`elements` of {owner} must commute with {name}, or its eigenspaces are not "
            f"invariant. Received: a relative commutator of {max(sizes):.1e}. A quarter "
            "turn, for example, maps translations along one axis to those along another, "
            "so the generators must contain both"
        )


def _check_commutes(
    name: str, operator: np.ndarray, matrices: np.ndarray, owner: str
) -> None:
    size = max(invariants.commutator_size(operator, matrix) for matrix in matrices)
    if size > invariants.PRECISION:
        raise ValueError(
            f"{name} of {owner} must commute with the generators, or its eigenspaces are "
            f"not invariant. Received: a relative commutator of {size:.1e}. Vector fields "
            "whose brackets close in space may fail to close on a grid of finite size"
        )
