"""What every family of generators promises.

Generators `L_1, ..., L_k` are `d' x d` matrices on the `d` positions of an input
`(batch, *spatial, channels)`, flattened in C order. A family may store them in any
form: it says how to apply them, and what is in this file does the rest.
"""

import math
from collections.abc import Callable
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import concrete_value
from keras_lconv._precision import working_dtype
from keras_lconv._validation import one_of, positive_int, spatial_shape
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.series import chebyshev, taylor


class Generators(keras.layers.Layer):
    """Base class of all families of generators.

    A family is a Keras layer that owns `num_generators` matrices `L_i` and applies them
    to feature maps. One instance may be shared by several layers: it is built once, for
    one spatial shape.

    A subclass creates its weights in `build`, after `super().build(input_shape)`, and
    implements

    - `call(f)`: all Lie derivatives `L_i f`;
    - `combine(z)`: the sum `sum_i L_i z_i`;
    - `norm_bounds()`: bounds of `|L_i|`, from its weights.

    Args:
        num_generators: Number `k` of generators.
        trainable: Whether the generators are learned. Generators that are not learned
            are non-trainable weights, and stay so whatever `trainable` says later on
            of a model that holds them.
        **kwargs: `name` and `dtype`, as for every Keras layer.

    Input shape:
        `(batch, *spatial, channels)`, or `(batch, d)`, which is used as `(batch, d, 1)`.

    Output shape:
        `(batch, *spatial, k, channels)`: the Lie derivatives `L_i f`.
    """

    def __init__(self, num_generators: int, *, trainable: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self._num_generators = positive_int("num_generators", num_generators)
        self._learned = bool(trainable)
        self._spatial_shape: tuple[int, ...] | None = None

    # ---------------------------------------------------------------- shapes

    @property
    def num_generators(self) -> int:
        """The number `k` of generators."""
        return self._num_generators

    @property
    def is_learned(self) -> bool:
        """Whether the generators are learned, rather than given."""
        return self._learned

    @property
    def spatial_shape(self) -> tuple[int, ...] | None:
        """Spatial shape of the inputs; `None` before the generators are built."""
        return self._spatial_shape

    @property
    def is_square(self) -> bool:
        """Whether the generators map the positions of the input to themselves."""
        return True

    def output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Spatial shape of `L_i f` for `f` of spatial shape `shape`."""
        return shape

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Shape of `call(f)`."""
        shape = spatial_shape(input_shape, type(self).__name__)
        channels = input_shape[-1] if len(input_shape) > 2 else 1
        output = self.output_spatial_shape(shape)
        return (input_shape[0], *output, self.num_generators, channels)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Fixes the grid. Subclasses call it first and then create their weights."""
        shape = spatial_shape(input_shape, type(self).__name__)
        self._spatial_shape = shape
        axes = {axis + 1: size for axis, size in enumerate(shape)}
        self.input_spec = keras.layers.InputSpec(
            min_ndim=2 if len(shape) == 1 else len(shape) + 2,
            max_ndim=len(shape) + 2,
            axes=axes,
        )

    def build_for(self, input_shape: tuple[int | None, ...], owner: str) -> None:
        """Builds the generators for a layer, or checks that they fit it.

        Args:
            input_shape: Shape of the channels-last input of the layer.
            owner: Name of the layer, for the message.

        Raises:
            ValueError: If the generators were built for another spatial shape.
        """
        shape = spatial_shape(input_shape, owner)
        if not self.built:
            self.build(input_shape)
        elif shape != self._spatial_shape:
            raise ValueError(
                f"The generators {self.name!r} of {owner} were built for inputs of "
                f"spatial shape {self._spatial_shape}, and can only be shared by "
                f"layers with the same one. Received: spatial shape {shape}"
            )

    def vector_fields(self) -> np.ndarray | None:
        """The vector fields that the generators are derivatives along, if they are.

        Returns:
            Array `(k, *spatial, ndim)`, in grid steps per unit of parameter, or `None` for
            generators that are not of this kind.
        """
        return None

    # --------------------------------------------------------------- promise

    def call(self, inputs: Any) -> Any:
        """All Lie derivatives.

        Args:
            inputs: `f`, of shape `(batch, *spatial, channels)`, or `(batch, d)`, which
                is used as `(batch, d, 1)`.

        Returns:
            `L_i f`, of shape `(batch, *spatial, k, channels)`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `call`")

    def combine(self, z: Any) -> Any:
        """The sum `sum_i L_i z_i`.

        Layers use it to mix channels before the generators act, where that is cheaper.

        Args:
            z: Tensor `(batch, *spatial, k, channels)`.

        Returns:
            Tensor `(batch, *spatial, channels)`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `combine`")

    def norm_bounds(self) -> Any:
        """Upper bounds of the spectral norms `|L_i|`, a tensor `(k,)`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement `norm_bounds`")

    @property
    def is_antisymmetric(self) -> bool:
        """Whether all `L_i` are known to be antisymmetric, whatever their weights are.

        `exp(t L)` is then orthogonal, and `transform` needs fewer products.
        """
        return False

    def cost(self, channels: int, operation: str = "call") -> Cost:
        """What `call` or `combine` costs for one sample, with these channels.

        Layers choose by it the order of their products. Here it is that of matrices
        without any structure, `k d' d` multiply-adds a channel.

        Args:
            channels: Number of channels that the generators act on.
            operation: `"call"` or `"combine"`.

        Returns:
            A `Cost`.

        Raises:
            ValueError: If the generators are not built yet, or `operation` is unknown.
        """
        one_of("operation", operation, ("call", "combine"))
        shape = self._require_built("cost")
        rows = math.prod(self.output_spatial_shape(shape))
        k = self.num_generators
        results = rows * channels * (k if operation == "call" else 1)
        return Cost(k * rows * math.prod(shape) * channels, BYTES * results)

    # ---------------------------------------------------- with a kernel

    @property
    def contractions(self) -> tuple[str, ...]:
        """The orders in which `contract` can do its products.

        - `"generators_first"`: all `L_i f`, then the channels.
        - `"channels_first"`: all `f W_i`, then `sum_i L_i (f W_i)`.

        A family may add one that its structure allows.
        """
        return ("generators_first", "channels_first")

    def contract(self, f: Any, kernel: Any, order: str) -> Any:
        """The sum `sum_i (L_i f) W_i`, the heart of an L-conv.

        Args:
            f: Tensor `(batch, *spatial, channels)`.
            kernel: Tensor `W`, of shape `(k, channels, filters)`.
            order: One of `contractions`. All give the same result.

        Returns:
            Tensor `(batch, *spatial', filters)`.
        """
        if order == "generators_first":
            *outer, k, channels = (terms := self.call(f)).shape[1:]
            terms = ops.reshape(terms, (-1, math.prod(outer), k * channels))
            kernel = ops.reshape(kernel, (k * channels, -1))
            return self._unflatten(ops.einsum("bdp,pf->bdf", terms, kernel))
        z = ops.einsum("bdc,kcf->bdkf", self._flatten(f), kernel)
        return self.combine(ops.reshape(z, (-1, *f.shape[1:-1], *z.shape[2:])))

    def contraction_cost(self, order: str, channels: int, filters: int) -> Cost:
        """What `contract` costs for one sample.

        Args:
            order: One of `contractions`.
            channels: Number of input channels.
            filters: Number of output channels.

        Returns:
            A `Cost`.
        """
        shape = self._require_built("contraction_cost")
        rows = math.prod(self.output_spatial_shape(shape))
        pairs = self.num_generators * channels * filters
        if order == "generators_first":
            acted = self.cost(channels)
            return Cost(
                acted.multiply_adds + rows * pairs, acted.bytes + BYTES * rows * filters
            )
        acted = self.cost(filters, "combine")
        size = math.prod(shape)
        mixed = BYTES * size * self.num_generators * filters
        return Cost(acted.multiply_adds + size * pairs, acted.bytes + mixed)

    def initial_norm_bounds(self) -> np.ndarray:
        """Bounds of the spectral norms at the start of training, of shape `(k,)`.

        They are known without the values of the weights, which need not exist yet. For
        generators that are not learned they hold for good.
        """
        return np.ones(self.num_generators)

    def to_dense(self) -> Any:
        """The generators as matrices: a tensor `(k, d', d)`.

        Raises:
            ValueError: If the generators are not built yet.
        """
        shape = self._require_built("to_dense")
        size = math.prod(shape)
        basis = ops.reshape(ops.eye(size, dtype=self.variable_dtype), (size, *shape, 1))
        columns = ops.reshape(self.call(basis), (size, -1, self.num_generators))
        return ops.transpose(columns, (2, 1, 0))

    def matrices(self) -> np.ndarray:
        """Generators that are not learned as matrices in NumPy: `(k, d', d)`, float64.

        They are what the generators were made of. So their precision is not that of the
        weights, and they are there also while a graph is traced.

        Raises:
            ValueError: If the generators are learned, or not built yet.
        """
        self._require_built("matrices")
        if self.is_learned:
            raise ValueError(
                f"The generators {self.name!r} are learned: their matrices may change. "
                "Fix what was learned by `MatrixGenerators(generators.to_dense())`"
            )
        matrices = concrete_value(self.to_dense())
        if matrices is None:
            raise ValueError(
                f"The values of the generators {self.name!r} are not known while a graph "
                "is traced. Build the layer, or its model, before"
            )
        return matrices.astype("float64")

    def representation(self) -> np.ndarray:
        """Matrices with the brackets of generators that are not learned, in NumPy.

        Here those of `matrices`. Vector fields have smaller ones, for which brackets
        close as they do not on a finite grid.

        Raises:
            ValueError: If the generators are learned, or not built yet.
        """
        return self.matrices()

    def algebra(self, tolerance: float | None = None) -> LieAlgebra:
        """The Lie algebra that the generators span.

        Args:
            tolerance: What counts as zero, as for `LieAlgebra`. Learned generators span
                an algebra only nearly: see `LieAlgebra.closure_error`.

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
                f"Only square generators span a Lie algebra. {self.name!r} maps between "
                "spatial shapes that differ"
            )
        self._require_built("algebra")
        return LieAlgebra(ops.convert_to_numpy(self.to_dense()), tolerance)

    def transform(self, f: Any, t: Any, norm_bound: float | None = None) -> Any:
        """The action of the group: `exp(sum_i t_i L_i) f`.

        It is applied to `f` without forming a matrix, in float32 at least, and is
        differentiable in `f`, in `t` and in the generators. Antisymmetric generators, as
        rotations and translations are, take a Chebyshev series, with about one product
        for each unit of `|sum_i t_i L_i|`; others a Taylor series with scaling, with
        about seven.

        The number of terms follows from a bound of `|sum_i t_i L_i|`. Where `t` and the
        weights have values, the bound does too. While a graph is traced (in `fit`, in
        `jit`) it does not, and is what `traced_norm_bound` says: enough for a half turn.
        Parameters `t` that go beyond it are then scaled back to it. Give `norm_bound`
        for larger ones, or for fewer terms where they are known to be small.

        Args:
            f: Tensor `(batch, *spatial, channels)` or `(batch, d)`.
            t: Group parameters, in units of the generators (radians for `rotation()`,
                grid steps for `translations()`): of shape `(k,)`, or `(batch, k)` for
                one element for each sample. A scalar will do for one generator.
            norm_bound: A bound of `|sum_i t_i L_i|`, where the default does not suit. It
                must hold: the result is wrong where it does not.

        Returns:
            Tensor of the shape of `f`.

        Raises:
            ValueError: If the generators are not square, or a shape does not fit.

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
        if not self.is_square:
            raise ValueError(
                f"Only square generators have an exponential. {self.name!r} maps "
                "between spatial shapes that differ"
            )
        f = self._to_tensor(f)
        if not self.built:
            self.build(tuple(f.shape))
        shape = self._require_built("transform")
        if tuple(f.shape[1:]) == shape and len(shape) == 1:
            return ops.squeeze(self.transform(f[..., None], t, norm_bound), -1)
        if tuple(f.shape[1:-1]) != shape:
            raise ValueError(
                f"`f` must have the spatial shape {shape} of the generators. "
                f"Received: f of shape {tuple(f.shape)}"
            )

        given_dtype, dtype = f.dtype, working_dtype(f)
        f = ops.cast(f, dtype)
        t = self._to_parameters(t, dtype)
        if norm_bound is None:
            t, norm_bound = self._bounded(t)
        series = chebyshev if self.is_antisymmetric else taylor
        moved = series(self.linear_combination(t), f, norm_bound, dtype)
        return ops.cast(moved, given_dtype)

    def operator_norm(self, t: Any) -> Any:
        """An upper bound of `|sum_i t_i L_i|`.

        Args:
            t: Tensor of shape `(k,)` or `(batch, k)`.

        Returns:
            Tensor of shape `()` or `(batch,)`.
        """
        t = self._to_tensor(t)
        return ops.sum(ops.abs(t) * ops.cast(self.norm_bounds(), t.dtype), axis=-1)

    def traced_norm_bound(self) -> float:
        """The bound of `|sum_i t_i L_i|` that `transform` assumes where it is not known.

        Here `pi sum_i |L_i|`. Learned generators count with the norm that they start
        with, but with no less than 1.
        """
        floor = 1.0 if self.is_learned else 0.0
        return math.pi * float(np.sum(np.maximum(self.initial_norm_bounds(), floor)))

    def linear_combination(self, t: Any) -> Callable[[Any], Any]:
        """The operator `sum_i t_i L_i`.

        Args:
            t: Tensor of shape `(k,)` or `(batch, k)`.

        Returns:
            A function that maps `f` of shape `(batch, *spatial, channels)` to
            `sum_i t_i L_i f`, of the same shape.
        """
        formula = "b...kc,k->b...c" if len(t.shape) == 1 else "b...kc,bk->b...c"
        return lambda f: ops.einsum(formula, self.call(f), t)

    # --------------------------------------------------------------- helpers

    def _require_built(self, method: str) -> tuple[int, ...]:
        if self._spatial_shape is None:
            raise ValueError(
                f"`{method}` needs the spatial shape, which {self.name!r} does not know "
                "yet. Call it on an input, or `build((None, *spatial, channels))`, first"
            )
        return self._spatial_shape

    def _to_tensor(self, value: Any) -> Any:
        """Floating-point tensors keep their dtype; all else gets the layer's own."""
        if ops.is_tensor(value) or isinstance(value, keras.Variable):
            value = ops.convert_to_tensor(value)
            if keras.backend.is_float_dtype(value.dtype):
                return value
        return ops.convert_to_tensor(value, dtype=self.compute_dtype)

    def _to_parameters(self, t: Any, dtype: str) -> Any:
        t = ops.cast(self._to_tensor(t), dtype)
        if len(t.shape) == 0 and self.num_generators == 1:
            t = ops.reshape(t, (1,))
        if len(t.shape) not in (1, 2) or t.shape[-1] != self.num_generators:
            raise ValueError(
                "`t` must have shape `(k,)` or `(batch, k)` with "
                f"k={self.num_generators} generators. "
                f"Received: t of shape {tuple(t.shape)}"
            )
        return t

    def _bounded(self, t: Any) -> tuple[Any, float]:
        """Parameters `t`, and a bound of `|sum_i t_i L_i|` that they keep."""
        norms = self.operator_norm(t)
        known = concrete_value(norms)
        if known is None:
            bound = self.traced_norm_bound()
            return t * (bound / ops.maximum(norms, bound))[..., None], bound
        bound = float(np.max(known, initial=0.0))
        if not math.isfinite(bound):
            raise ValueError(
                "`t` and the generators must be finite. "
                f"Received: bounds {known} of the norm of `sum_i t_i L_i`"
            )
        return t, bound

    def _flatten(self, f: Any) -> Any:
        """`(batch, *spatial, ...)` to `(batch, d, ...)`; `(batch, d)` gets a channel."""
        shape = self._require_built("call")
        if len(f.shape) == 2:
            return f[..., None]
        return ops.reshape(f, (-1, math.prod(shape), *f.shape[1 + len(shape) :]))

    def _unflatten(self, f: Any) -> Any:
        """`(batch, d', ...)` to `(batch, *spatial', ...)`."""
        shape = self.output_spatial_shape(self._require_built("call"))
        return ops.reshape(f, (-1, *shape, *f.shape[2:]))

    # ----------------------------------------------------------- persistence

    def get_config(self) -> dict[str, Any]:
        """The configuration; `frozen` tells learned generators that are held fixed."""
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
