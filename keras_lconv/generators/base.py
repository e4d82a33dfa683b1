"""The interface of every family of generators.

Generators `L_1, ..., L_k` are `d' x d` matrices on the `d` positions of an input
`(batch, *spatial, channels)`, flattened in C order, or on the `d` components of a fibre. A
family may store them in any form. It defines how to apply them, and everything else
follows.

The defaults may be slow, but are right for every family. A family with a better way
overrides a method here, or registers a function with those of `contraction` (the order of
products) and `exponential` (finite motions), which dispatch on the family.
"""

from typing import Any, Self

import numpy as np
from keras import ops

from keras_lconv._backend import concrete_value
from keras_lconv._layout import flatten, to_features, unflatten
from keras_lconv._typing import Data, Tensor
from keras_lconv.algebra import LieAlgebra
from keras_lconv.algebra.constraints import Acting
from keras_lconv.generators.dense_form import (
    applied,
    are_antisymmetric,
    dense_form,
    matrix_norm_bounds,
    present_form,
    require_room,
)
from keras_lconv.generators.derivatives import LineDerivative
from keras_lconv.generators.domain import OnGrid
from keras_lconv.generators.exponential import transform


class Generators(OnGrid):
    """Base class of all families of generators.

    A family is a Keras layer that owns `num_generators` matrices `L_i` and applies them
    to feature maps. One instance may be shared by several layers: it is built once, for
    one spatial shape.

    A subclass creates its weights in `build`, after `super().build(input_shape)`, and
    implements `apply(f)`: all Lie derivatives `L_i f` of flat features. It has
    `get_config`, like every Keras layer, and, if it leads to another grid, `is_square` and
    `output_spatial_shape`. Everything else has a default, which is right but may be slow:

    - `combine(z)`, the sum `sum_i L_i z_i`;
    - `norm_bounds()`, bounds of `|L_i|` from the current weights, and
      `initial_norm_bounds()`;
    - `is_antisymmetric`, `representation()`: the known structure;
    - `vector_field_tensor()` and `derivative`, for derivatives along vector fields.

    Args:
        num_generators: Number `k` of generators.
        trainable: Whether the generators are learned. Generators that are not learned are
            non-trainable weights, also in a model whose `trainable` is set to true later.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        `(batch, *spatial, channels)`, or `(batch, d)`, which is used as `(batch, d, 1)`.

    Output shape:
        `(batch, *spatial, k, channels)`: the Lie derivatives `L_i f`.

    Example:
    ```python
    import keras
    import numpy as np
    from keras import ops
    from keras_lconv import LConv
    from keras_lconv.generators import Generators

    @keras.saving.register_keras_serializable(package="my_package")
    class Reversal(Generators):
        # One fixed generator, which reverses the order of positions.

        def __init__(self, **kwargs):
            super().__init__(1, **{**kwargs, "trainable": False})

        def apply(self, f):
            return ops.expand_dims(ops.flip(f, axis=1), 2)

    generators = Reversal()
    generators.build((None, 3))
    assert np.array_equal(generators.matrices()[0], np.eye(3)[::-1])
    assert tuple(LConv(4, generators)(np.ones((2, 3, 5))).shape) == (2, 3, 4)
    ```
    """

    # The kind of derivative along each axis of a grid.
    derivative = "spectral"

    def __init__(self, num_generators: int, *, trainable: bool = True, **kwargs: Any):
        super().__init__(num_generators, learned=trainable, **kwargs)
        self._fixed_bounds: np.ndarray | None = None
        self._antisymmetric: bool | None = None

    def apply(self, f: Tensor) -> Tensor:
        """All Lie derivatives of flat features. Each family implements it.

        Args:
            f: Tensor `(batch, d, channels)`.

        Returns:
            `L_i f`, of shape `(batch, d', k, channels)`, in the dtype of `f`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `apply`")

    def combine(self, z: Tensor) -> Tensor:
        """The sum `sum_i L_i z_i` of flat features.

        Layers use it to mix channels before the generators act, if that is cheaper.

        Args:
            z: Tensor `(batch, d, k, channels)`.

        Returns:
            Tensor `(batch, d', channels)`.
        """
        # This computes all `L_i z_j` and uses those with `i = j`. Families that need less
        # override it.
        k, channels = self.num_generators, z.shape[-1]
        terms = self.apply(ops.reshape(z, (-1, z.shape[1], k * channels)))
        terms = ops.reshape(terms, (-1, terms.shape[1], k, k, channels))
        return sum(terms[:, :, i, i] for i in range(1, k)) + terms[:, :, 0, 0]

    def norm_bounds(self) -> Tensor:
        """Upper bounds of the spectral norms `|L_i|`, from the current weights: `(k,)`."""
        return matrix_norm_bounds(self.to_dense())

    def initial_norm_bounds(self) -> np.ndarray:
        """Upper bounds of the spectral norms `|L_i|` in NumPy, of shape `(k,)`.

        For fixed generators they always hold. For learned generators they hold for the
        initial values, and are 1 while a graph is traced. A layer that relies on a bound
        saves it, and scales parameters back to it.

        Raises:
            ValueError: If the generators are fixed and not built yet, or their values are
                not known while a graph is traced.
        """
        if not self.is_learned:
            if self._fixed_bounds is None:
                self._fixed_bounds = matrix_norm_bounds(self.matrices(), np)
            return self._fixed_bounds
        known = concrete_value(self.norm_bounds())
        return np.ones(self.num_generators) if known is None else known.astype("float64")

    @property
    def is_antisymmetric(self) -> bool:
        """Whether the generators are fixed, and all `L_i` antisymmetric.

        If so, `exp(t L)` is orthogonal, and `transform` needs fewer products. The default
        checks the matrices of built generators, and returns false if they are too large.
        """
        if self.is_learned or not self.is_square or self.spatial_shape is None:
            return False
        if self._antisymmetric is None:
            try:
                self._antisymmetric = are_antisymmetric(self.matrices())
            except ValueError:  # too many positions, or a graph is being traced
                return False
        return self._antisymmetric

    def representation(self) -> np.ndarray:
        """Matrices with the brackets of fixed generators, in NumPy.

        By default these are `matrices`. Vector fields return smaller matrices, because
        brackets of the matrices on a finite grid do not close.

        Raises:
            ValueError: If the generators are learned, or not built yet.
        """
        return self.matrices()

    @property
    def num_elements(self) -> int:
        """The number of the last matrices that are `h - 1` for elements `h` of a group."""
        return 0

    @property
    def permutes_components(self) -> bool:
        """Whether the generators belong to a group that permutes components."""
        return False

    def acting(self) -> Acting:
        """An object with the invariants of these generators: their matrices, or a group."""
        return self.matrices()

    def vector_field_tensor(self, dtype: str | None = None) -> Tensor | None:
        """The vector fields of generators that are derivatives along them.

        Args:
            dtype: The dtype of the result; by default that of computations.

        Returns:
            Tensor `(k, *spatial, ndim)`, in grid steps per unit of parameter, or `None` for
            generators that are not of this kind.
        """
        return None

    def vector_fields(self) -> np.ndarray | None:
        """The same as an array, or `None`. Not available while a graph is traced."""
        fields = self.vector_field_tensor(self.variable_dtype)
        return None if fields is None else ops.convert_to_numpy(fields)

    def differentiate(self, f: Tensor, axis: int) -> Tensor:
        """The derivative along one spatial axis, of the kind `derivative`.

        Args:
            f: Tensor `(batch, *spatial, ...)`, with any further axes.
            axis: Number of the spatial axis, from 0.

        Returns:
            Tensor of the shape of `f`, per grid step.
        """
        shape = self.require_built("differentiate")
        return LineDerivative(shape[axis], self.derivative).along(f, axis + 1)

    # ---------------------------------------------------------- what follows

    def call(self, inputs: Tensor) -> Tensor:
        """All Lie derivatives.

        Args:
            inputs: `f`, of shape `(batch, *spatial, channels)`, or `(batch, d)`, which
                is used as `(batch, d, 1)`.

        Returns:
            `L_i f`, of shape `(batch, *spatial', k, channels)`.
        """
        shape = self.require_built("call")
        f = to_features(inputs, self.compute_dtype)
        return unflatten(applied(self, flatten(f)), self.output_spatial_shape(shape))

    def to_dense(self) -> Tensor:
        """The generators as matrices: a tensor `(k, d', d)`.

        Raises:
            ValueError: If the generators are not built yet, or the matrices would take more
                than the share of the memory.
        """
        require_room(self, "to_dense")
        return dense_form(self)

    def matrices(self) -> np.ndarray:
        """Fixed generators as matrices in NumPy: `(k, d', d)`, float64.

        Families of given numbers return these in float64. The default has the precision of
        the weights.

        Raises:
            ValueError: If the generators are learned, or not built yet, or the matrices
                would take more than the share of the memory.
        """
        require_room(self, "matrices")
        if self.is_learned:
            raise ValueError(
                f"The generators must be fixed. Received: {self.name!r}, which are "
                "learned, so that their matrices change. Call `frozen()` to fix them"
            )
        return present_form(self)

    def frozen(self) -> "Generators":
        """Fixed generators with the current values of these.

        Returns:
            These generators themselves if they are fixed, otherwise `MatrixGenerators`.

        Raises:
            ValueError: If they are learned and not built yet, or a graph is traced.

        Example:
        ```python
        from keras_lconv import InvariantPooling
        from keras_lconv.generators import DenseGenerators

        generators = DenseGenerators(2)
        generators.build((None, 4))  # and train it
        assert not generators.frozen().is_learned
        ```
        """
        # This family derives from the base class, so it is imported here.
        from keras_lconv.generators.families.matrix import MatrixGenerators

        if not self.is_learned:
            return self
        shape = self.require_built("frozen")
        made = MatrixGenerators(
            present_form(self),
            output_dim=self.output_spatial_shape(shape),
            dtype=self.dtype_policy,
        )
        made.build((None, *shape, 1))
        return made

    def algebra(self, tolerance: float | None = None) -> LieAlgebra:
        """The Lie algebra that the generators span.

        Args:
            tolerance: Threshold for zero, as for `LieAlgebra`. Learned generators span an
                algebra only approximately: see `LieAlgebra.closure_error`.

        Returns:
            A `LieAlgebra` of `d x d` matrices.

        Raises:
            ValueError: If the generators are not built yet, not square, or linearly
                dependent.

        Example:
        ```python
        from keras_lconv.algebra import so
        from keras_lconv.generators import MatrixGenerators

        generators = MatrixGenerators(so(3))
        generators.build((None, 3))
        assert generators.algebra().identify().name == "so(3)"
        ```
        """
        if not self.is_square:
            raise ValueError(
                f"Only square generators span a Lie algebra. Received: {self.name!r}, "
                "which maps between different spatial shapes"
            )
        self.require_built("algebra")
        return LieAlgebra(ops.convert_to_numpy(self.to_dense()), tolerance)

    def transform(self, f: Data, t: Data, norm_bound: float | None = None) -> Tensor:
        """The action of the group: `exp(sum_i t_i L_i) f`.

        It acts on `f` without forming a matrix, in float32 at least, and is differentiable
        in `f`, in `t` and in the generators. For antisymmetric generators, such as
        rotations and translations, it uses a Chebyshev series, with about one product for
        each unit of `|sum_i t_i L_i|`. For others it uses a Taylor series with scaling,
        with about seven.

        The number of terms follows from a bound of `|sum_i t_i L_i|`, which is computed if
        `t` and the weights have values. While a graph is traced (in `fit`, in `jit`) they
        have none. Then the assumed bound is enough for half a turn, and parameters `t`
        beyond it are scaled back to it. Give `norm_bound` for larger parameters, or to save
        terms if parameters are small.

        Args:
            f: Tensor `(batch, *spatial, channels)` or `(batch, d)`.
            t: Group parameters, in units of the generators (radians for `rotation()`,
                grid steps for `translation()`): of shape `(k,)`, or `(batch, k)` for
                one element for each sample. A scalar is enough for one generator.
            norm_bound: A bound of `|sum_i t_i L_i|`, not negative, instead of the default.
                If it does not hold, the result is wrong.

        Returns:
            Tensor of the shape of `f`.

        Raises:
            TypeError: If `norm_bound` is not a number.
            ValueError: If the generators are not square, a shape does not fit,
                `norm_bound` is negative, or `|sum_i t_i L_i|` may be above 1,000,000.

        Example:
        ```python
        import numpy as np
        from keras_lconv.generators import rotation

        images = np.random.default_rng(0).normal(size=(2, 15, 15, 1))
        quarter_turn = rotation().transform(images, np.pi / 2)
        assert tuple(quarter_turn.shape) == (2, 15, 15, 1)
        ```

        Reference:
            A. Al-Mohy, N. Higham, "Computing the action of the matrix exponential",
            SIAM J. Sci. Comput. 33 (2011). H. Tal-Ezer, R. Kosloff, "An accurate and
            efficient scheme for propagating the time dependent Schroedinger equation",
            J. Chem. Phys. 81 (1984).
        """
        return transform(self, f, t, norm_bound)

    # ----------------------------------------------------------- persistence

    def get_config(self) -> dict[str, Any]:
        """The configuration. `frozen` marks learned generators that are held fixed."""
        config = super().get_config()
        config["frozen"] = self._learned and not self.trainable
        config["trainable"] = self._learned
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Makes generators from a configuration."""
        config = dict(config)
        frozen = config.pop("frozen", False)
        generators = cls(**config)
        if frozen:
            generators.trainable = False
        return generators
