"""The base of poolings to fewer positions, with the generators that act there."""

import math
from typing import Any

import numpy as np
from keras import ops

from keras_lconv._memory import require_memory
from keras_lconv._ops import working_dtype
from keras_lconv._typing import GeneratorsLike, Tensor
from keras_lconv._validation import not_negative
from keras_lconv.generators import Generators, MatrixGenerators
from keras_lconv.layers.base import GeneratorLayer


class CoarsePooling(GeneratorLayer):
    """Base of poolings to fewer positions, `y = P f`, with generators induced there.

    `P` is a `d' x d` matrix on positions. The next layer needs generators on the coarse
    positions. In the least squares sense of `|P L_i - L'_i P|` the best ones are `L'_i = P
    L_i P^+` with the pseudo-inverse. `induced_generators()` returns them.

    **Equivariance.** If `P L_i = L'_i P`, then `P exp(t L) f = exp(t L') P f`: the layer is
    equivariant from the group on the fine positions to that on the coarse ones. `defect` is
    the relative error of this, `|P L - L' P| / |P L|`, with norms over all generators.

    A subclass implements `_pool(f)`, `P f` for flat features, `_matrix_on(shape)`, the
    matrix `P` on a spatial shape in NumPy, and `_output_spatial_shape`. A subclass with
    better generators on the coarse positions than matrices returns them in
    `_induced(trainable)`.

    Args:
        generators: As in `LConv`, and square.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        defect_weight: Weight of the loss `defect^2`.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        rank: int | None,
        defect_weight: float,
        data_format: str | None,
        **kwargs: Any,
    ):
        super().__init__(generators, rank=rank, data_format=data_format, **kwargs)
        self._require_square("they act on the positions of the input")
        self.defect_weight = not_negative("defect_weight", defect_weight)
        if self.defect_weight and not self._defect_is_learned:
            raise ValueError(
                f"`defect_weight` of {type(self).__name__} needs learned generators or "
                "learned rows (`LearnedPooling`). Otherwise the loss is constant. "
                f"Received: defect_weight={defect_weight!r}"
            )

    @property
    def _defect_is_learned(self) -> bool:
        """Whether training changes the defect."""
        return self.generators.is_learned

    def _act(self, f: Tensor) -> Tensor:
        if self.defect_weight:
            self.add_loss(self.defect_weight * self._squared_defect())
        return self._pool(f)

    def _pool(self, f: Tensor) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> None:
        """`None`: a coarse position combines masked and other positions."""
        return None

    # ------------------------------------------------------------ intertwining

    @property
    def matrix(self) -> np.ndarray:
        """`P`, an array `(d', d)`. Learned rows have their current values.

        Raises:
            ValueError: If the layer is not built yet, or the matrix would take more than
                the share of the memory.
        """
        shape = self._require_built("matrix")
        rows, size = math.prod(self._output_spatial_shape(shape)), math.prod(shape)
        require_memory(
            f"`matrix` of {self._owner}, which maps {size} positions to {rows},",
            2 * rows * size,
            "The layer itself pools without it. `defect`, `defect_weight` and induced "
            "matrices need fewer positions",
        )
        return self._matrix_on(shape)

    def _matrix_on(self, shape: tuple[int, ...]) -> np.ndarray:
        raise NotImplementedError

    @property
    def defect(self) -> float:
        """`|P L - L' P| / |P L|` with `L' = P L P^+`, over all generators with their
        current values.

        For every family it forms the matrices of the generators, `k d^2` numbers.

        Raises:
            ValueError: If the layer is not built yet.
        """
        matrix, moved = self._pooled_generators("defect")
        rest = moved - moved @ np.linalg.pinv(matrix) @ matrix
        size = float(np.linalg.norm(moved))
        return float(np.linalg.norm(rest)) / size if size else 0.0

    def _pooled_generators(self, method: str) -> tuple[np.ndarray, np.ndarray]:
        """`P`, and all `P L_i`, `(k, d', d)`."""
        self._require_built(method)
        matrix = self.matrix
        generators = ops.convert_to_numpy(self.generators.to_dense()).astype("float64")
        return matrix, matrix @ generators

    def _squared_defect(self) -> Tensor:
        """The square of `defect` as a tensor, in at least float32."""
        generators = self.generators.to_dense()
        generators = ops.cast(generators, working_dtype(generators))
        # `P^+ P` projects onto the rows of `P`.
        matrix = self.matrix
        projector = np.linalg.pinv(matrix) @ matrix
        dtype = generators.dtype
        weights = ops.convert_to_tensor(matrix, dtype=dtype)
        outside = ops.convert_to_tensor(np.eye(len(projector)) - projector, dtype=dtype)
        moved = ops.einsum("pd,kde->kpe", weights, generators)
        return relative_square(ops.einsum("kpd,de->kpe", moved, outside), moved)

    def induced_generators(self, *, trainable: bool = False) -> Generators:
        """The generators on the coarse positions, for the next layer.

        They are made from the current values of generators and learned rows, and do not
        follow later training. With `trainable=True` their training starts from these
        values.

        Args:
            trainable: Whether the induced generators are learned. Shifts never are.

        Returns:
            Generators of the same family, if the layer has them, or else matrices `P L_i
            P^+` with `k d'^2` numbers.

        Raises:
            ValueError: If the layer is not built yet.
        """
        self._require_built("induced_generators")
        found = self._induced(trainable)
        if found is not None:
            return found
        matrix, moved = self._pooled_generators("induced_generators")
        return MatrixGenerators(
            moved @ np.linalg.pinv(matrix), trainable=trainable, dtype=self.dtype_policy
        )

    def _induced(self, trainable: bool) -> Generators | None:
        """Exact coarse generators that are not matrices, if there are any."""
        return None

    def _require_built(self, name: str) -> tuple[int, ...]:
        shape = self.generators.spatial_shape
        if not self.built or shape is None:
            raise ValueError(
                f"`{name}` needs the spatial shape, which {self.name!r} does not know yet. "
                "Call the layer on an input, or build it, first"
            )
        return shape

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {**super().get_config(), "defect_weight": self.defect_weight}


def relative_square(rest: Tensor, moved: Tensor) -> Tensor:
    """`|rest|^2 / |moved|^2`, finite if both vanish."""
    return ops.sum(rest**2) / (ops.sum(moved**2) + 1e-7)
