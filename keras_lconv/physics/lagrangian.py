"""An L-conv layer as a field theory."""

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import concrete_value, vjp
from keras_lconv._ops import working_dtype
from keras_lconv._typing import GeneratorsLike, Tensor
from keras_lconv._validation import finite_array
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators import Generators
from keras_lconv.generators.registry import get_known
from keras_lconv.layers import LConv


class Lagrangian:
    """The field theory of a linear L-conv layer: its squared output as an action.

    With `r = Q[f] = f W_0 + sum_i (L_i f) W_i + b`, the density is `|r|^2`, summed over
    filters, and the action `S[f]` is its sum over the grid. For generators that are vector
    fields, `L_i = -v_i^a d_a`, and without a bias, the density is that of a field `f` with
    the mass matrix `m^2`, a drift and a metric of space:

        |Q f|^2 = f m^2 f^T + f drift^a (d_a f)^T + (d_a f) h^ab (d_b f)^T
        m^2     = W_0 W_0^T
        drift^a = -2 sum_i v_i^a W_0 W_i^T
        h^ab    = sum_ij v_i^a v_j^b W_i W_j^T

    Here `f` is a row of channels. A bias is a source: it adds `2 Q[f] . b` and a constant.
    For translations with `W_i W_j^T` a multiple of the identity, and `W_0 W_i^T = 0`, this
    is the theory of Klein and Gordon. Where the drift has a divergence, half of it is
    subtracted from `m^2` in the equation of motion.

    What belongs to the matrices of the layer (`mass`, `density`, `action`,
    `euler_lagrange`) is exact on the grid, for all families of generators. What belongs to
    its vector fields (`metric`, `drift`, `noether_current`, `divergence`) takes derivatives
    as the generators do, and needs `VectorFieldGenerators`.

    Args:
        layer: A built `LConv` without an activation, with `num_steps=1`. Its weights are
            read when they are needed, so that training the layer changes the theory.

    Attributes:
        layer: The layer.

    Raises:
        TypeError: If `layer` is no `LConv`.
        ValueError: If the layer is not built, has an activation or more than one step.

    Example:
    ```python
    import numpy as np
    from keras_lconv import LConv
    from keras_lconv.generators import translation
    from keras_lconv.physics import Lagrangian

    # One filter for the mass, and one for each derivative.
    layer = LConv(3, translation(), use_bias=False)
    layer.build((None, 16, 16, 1))
    layer.kernel.assign(np.diag([0.5, 1.0, 1.0])[:, None, :])
    theory = Lagrangian(layer)
    assert np.allclose(theory.mass, 0.25)
    assert np.allclose(theory.metric[..., 0, 0], np.eye(2))

    field = np.random.default_rng(0).normal(size=(4, 16, 16, 1))
    current = theory.noether_current(field, "rotation")
    assert tuple(current.shape) == (4, 16, 16, 1, 2)
    ```

    Reference:
        N. Dehmamy, R. Walters, Y. Liu, D. Wang, R. Yu, "Automatic Symmetry Discovery
        with Lie Algebra Convolutional Network", NeurIPS 2021.
    """

    def __init__(self, layer: LConv):
        _check_layer(layer)
        self.layer = layer

    # ------------------------------------------------------ terms of the density

    @property
    def mass(self) -> np.ndarray:
        """The matrix `m^2 = W_0 W_0^T` of squared masses, an array `(c, c)`.

        Zero where the layer has no self-interaction, and one where it is the identity.
        """
        weights, _ = self._weights()
        return weights @ weights.T

    @property
    def metric(self) -> np.ndarray:
        """The metric `h^ab` at each point, an array `(*spatial, a, b, c, c)`.

        It is symmetric under the exchange of both pairs of indices at once, and its
        quadratic form is not negative.

        Raises:
            ValueError: If the generators are no vector fields.
        """
        fields = np.asarray(self._vector_fields("metric").vector_fields())
        _, weights = self._weights()
        moving = np.einsum("k...a,kcf->...acf", fields, weights)
        return np.einsum("...acf,...bdf->...abcd", moving, moving)

    @property
    def drift(self) -> np.ndarray:
        """The term of first order, an array `(*spatial, a, c, c)`.

        Raises:
            ValueError: If the generators are no vector fields.
        """
        fields = np.asarray(self._vector_fields("drift").vector_fields())
        mix, weights = self._weights()
        return -2 * np.einsum("k...a,cf,kdf->...acd", fields, mix, weights)

    # ------------------------------------------------------------------- action

    def density(self, f: Tensor) -> Tensor:
        """The Lagrangian density `|Q[f]|^2` at each position.

        Args:
            f: A batch of inputs of the layer, `(batch, *spatial, channels)` in the data
                format of the layer, or `(batch, d)`.

        Returns:
            Tensor `(batch, *spatial')`, on the grid of the layer's output.
        """
        return _density(self._residual(self._to_tensor(f)))

    def action(self, f: Tensor) -> Tensor:
        """The action `S[f]`: the sum of the density over the grid.

        Args:
            f: A batch of inputs of the layer.

        Returns:
            Tensor `(batch,)`.
        """
        density = self.density(f)
        return ops.sum(density, axis=tuple(range(1, len(density.shape))))

    def euler_lagrange(self, f: Tensor) -> Tensor:
        """The gradient of the action, `E = 2 Q^T Q[f]`, with the transpose `Q^T`.

        It vanishes where the action does not change to first order: on the solutions of the
        equation of motion. Elsewhere it says how sensitive the squared output is to each
        entry of the input. No matrix of the layer is formed.

        Args:
            f: A batch of inputs of the layer.

        Returns:
            Tensor of the shape of `f`.
        """
        output, transpose = vjp(self.layer.call, self._to_tensor(f))
        return transpose(2 * output)

    # ----------------------------------------------------------------- currents

    def noether_current(self, f: Tensor, symmetry: GeneratorsLike) -> Tensor:
        """The currents `J^a = pi^a . (K f) + xi^a |Q[f]|^2` of symmetries `K`.

        `pi^a = -2 sum_i v_i^a Q[f] W_i^T` is the derivative of the density by `d_a f`. If
        the density moves with the field, that is if `f -> f + eps K f` changes it by
        `-eps d_a (xi^a |Q[f]|^2)`, then

            div J = -E . (K f),

        with `E` of `euler_lagrange`, so that the current is conserved where `E` is zero,
        inside of the grid. The condition holds if `div xi = 0` and `K` commutes with `Q`,
        or does so up to a rotation of filters: for the rotations of space where `h` is the
        identity, for example. It is not checked. Where only `div xi = 0` is missing,
        `div J` is larger by `(div xi) |Q[f]|^2`. On a grid it all holds up to the error of
        the derivatives, which for `"central"` falls with the square of the grid's step.

        Args:
            f: A batch of inputs of the layer.
            symmetry: Symmetries of space, `K = -xi^a d_a`: generators that are vector
                fields, or the name of such. Or symmetries of channels, with `xi = 0` and
                `K f = M f` for channels as a column: a matrix `(c, c)`, matrices
                `(k, c, c)`, or a `LieAlgebra`.

        Returns:
            Tensor `(batch, *spatial, k, ndim)`, per grid step, whatever the data format is.

        Raises:
            TypeError: If `symmetry` has a wrong type.
            ValueError: If the generators of the layer are no vector fields, `symmetry`
                does not fit the layer, or it acts on channels and there is a bias.
        """
        generators = self._vector_fields("noether_current")
        f = self._to_tensor(f)
        output = self._residual(f)
        f = ops.cast(self._channels_last(f), output.dtype)
        change, moves = self._variation(f, symmetry)

        weights = ops.cast(self.layer.kernel, f.dtype)[-generators.num_generators :]
        momenta = ops.einsum("b...f,kcf->b...kc", output, weights)
        fields = generators.vector_field_tensor(f.dtype)
        momenta = -2 * ops.einsum("k...a,b...kc->b...ac", fields, momenta)
        current = ops.einsum("b...ac,b...kc->b...ka", momenta, change)
        if moves is None:
            return current
        moves = ops.moveaxis(moves, 0, -2)
        return current + moves * _density(output)[..., None, None]

    def divergence(self, current: Tensor) -> Tensor:
        """The divergence `d_a J^a`, by the derivative of the layer's generators.

        Near the border of a grid that is not periodic it sees the jump to zero outside.

        Args:
            current: Tensor `(batch, *spatial, k, ndim)`, as `noether_current` returns.

        Returns:
            Tensor `(batch, *spatial, k)`.

        Raises:
            ValueError: If the generators are no vector fields, or `current` has another
                shape.
        """
        generators = self._vector_fields("divergence")
        current = ops.convert_to_tensor(current)
        shape = self._grid
        if (
            len(current.shape) != len(shape) + 3
            or tuple(current.shape[1:-2]) != shape
            or current.shape[-1] != len(shape)
        ):
            expected = ", ".join(str(n) for n in shape)
            raise ValueError(
                f"`current` must have shape `(batch, {expected}, k, {len(shape)})`. "
                f"Received: shape {tuple(current.shape)}"
            )
        slopes = [generators.differentiate(current[..., a], a) for a in range(len(shape))]
        return ops.sum(ops.stack(slopes), axis=0)

    # ------------------------------------------------------------------ helpers

    def _variation(
        self, f: Tensor, symmetry: GeneratorsLike
    ) -> tuple[Tensor, Tensor | None]:
        """`K f`, of shape `(batch, *spatial, k, c)`, and `xi`, `(k, *spatial, ndim)`."""
        if isinstance(symmetry, (str, Generators)):
            moves = self._fields_of(symmetry, f.dtype)
            # By the derivative of the layer, whichever that of the symmetry is.
            differentiate = self.layer.generators.differentiate
            slopes = [differentiate(f, axis) for axis in range(len(self._grid))]
            slopes = ops.stack(slopes, axis=-2)
            return -ops.einsum("k...a,b...ac->b...kc", moves, slopes), moves
        matrices = symmetry.basis if isinstance(symmetry, LieAlgebra) else symmetry
        array = finite_array("symmetry", matrices)
        array = array[None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[1:] != (f.shape[-1],) * 2:
            raise ValueError(
                f"`symmetry` must be generators with vector fields, or matrices of the "
                f"{f.shape[-1]} channels, of shape `(k, c, c)`. "
                f"Received: shape {array.shape}"
            )
        bias = concrete_value(self.layer.bias) if self.layer.use_bias else None
        if bias is not None and np.any(bias):
            raise ValueError(
                "A matrix on channels is no symmetry of a layer with a bias, which is a "
                "source in a fixed direction. Take `use_bias=False`, or a bias of zeros"
            )
        matrices = ops.convert_to_tensor(array, dtype=f.dtype)
        return ops.einsum("kcd,b...d->b...kc", matrices, f), None

    def _fields_of(self, symmetry: GeneratorsLike, dtype: str) -> Tensor:
        """The vector fields of a symmetry of space, on the grid of the layer."""
        generators = get_known("symmetry", symmetry)
        generators.build_for((None, *self._grid, 1), "Lagrangian")
        fields = generators.vector_field_tensor(dtype)
        if fields is None:
            raise ValueError(
                "A `symmetry` of space must have vector fields, as `VectorFieldGenerators` "
                f"do. Received: {type(generators).__name__} {generators.name!r}"
            )
        return fields

    @property
    def _grid(self) -> tuple[int, ...]:
        return tuple(self.layer.generators.spatial_shape or ())

    def _vector_fields(self, asked: str) -> Generators:
        """The generators of the layer, which have to be vector fields."""
        generators = self.layer.generators
        if generators.vector_field_tensor() is None:
            raise ValueError(
                f"`{asked}` needs generators that are vector fields on a grid. Matrices "
                "without a field have no derivatives `d_a f`; `mass`, `action` and "
                "`euler_lagrange` work for them. "
                f"Received: a layer with {type(generators).__name__}"
            )
        return generators

    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        """`W_0`, of shape `(c, filters)`, and `W_i`, of shape `(k, c, filters)`."""
        kernel = ops.convert_to_numpy(self.layer.kernel).astype("float64")
        k = self.layer.generators.num_generators
        if len(kernel) > k:
            return kernel[0], kernel[1:]
        one = float(self.layer.self_interaction == "identity")
        return one * np.eye(*kernel.shape[1:]), kernel

    def _to_tensor(self, f: Tensor) -> Tensor:
        return ops.convert_to_tensor(f, dtype=self.layer.compute_dtype)

    def _residual(self, f: Tensor) -> Tensor:
        """`Q[f]`, of shape `(batch, *spatial', filters)`, in float32 at least."""
        # `call` and not `__call__`: an activity regularizer is no part of the theory.
        output = self.layer.call(f)
        if self.layer.data_format == "channels_first":
            output = ops.moveaxis(output, 1, -1)
        return ops.cast(output, working_dtype(output))

    def _channels_last(self, f: Tensor) -> Tensor:
        if len(f.shape) == 2:
            return ops.expand_dims(f, -1)
        if self.layer.data_format == "channels_first":
            return ops.moveaxis(f, 1, -1)
        return f


def _density(output: Tensor) -> Tensor:
    return ops.sum(ops.square(output), axis=-1)


def _check_layer(layer: object) -> None:
    if not isinstance(layer, LConv):
        raise TypeError(
            f"`layer` must be an `LConv`. Received: {layer!r} (of type "
            f"{type(layer).__name__})"
        )
    if not layer.built:
        raise ValueError(
            f"`layer` must be built. Received: {layer.name!r}, which has no weights yet. "
            "Call it on an input first"
        )
    if layer.activation is not keras.activations.linear:
        raise ValueError(
            "`layer` must be linear, since its squared output is the action of a free "
            f"field. Received: {layer.name!r} with activation={layer.activation!r}"
        )
    if (layer.num_steps, layer.order, layer.smoothing) != (1, 1, None):
        raise ValueError(
            "`layer` must be of first order in its generators. "
            f"Received: {layer.name!r} with num_steps={layer.num_steps}, "
            f"order={layer.order}, smoothing={layer.smoothing}"
        )
