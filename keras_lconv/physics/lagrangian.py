"""An L-conv layer as a field theory."""

import numpy as np
from keras import ops

from keras_lconv._backend import vjp
from keras_lconv._layout import channels_first_shape, to_channels_last
from keras_lconv._ops import working_dtype
from keras_lconv._typing import ArrayLike, GeneratorsLike, Tensor
from keras_lconv._validation import finite_array, not_negative
from keras_lconv.generators import Generators
from keras_lconv.layers import LConv
from keras_lconv.physics.action_symmetries import ActionSymmetries, action_symmetries
from keras_lconv.physics.variation import check_layer, variation


class Lagrangian:
    """The field theory of a linear L-conv layer: its squared output as an action.

    With `r = Q[f] - y` and `Q[f] = f W_0 + sum_i (L_i f) W_i + b`, the density is `|r|^2`,
    summed over filters, and the action `S[f]` is its sum over the grid: with a target `y`
    the mean squared error, times the number of entries. For generators that are vector
    fields, `L_i = -v_i^a d_a`, without a bias and a target, the density is that of a field
    `f` with the mass matrix `m^2`, a drift and a metric of space:

        |Q f|^2 = f m^2 f^T + f drift^a (d_a f)^T + (d_a f) h^ab (d_b f)^T
        m^2     = W_0 W_0^T
        drift^a = -2 sum_i v_i^a W_0 W_i^T
        h^ab    = sum_ij v_i^a v_j^b W_i W_j^T

    Here `f` is a row of channels. A bias and a target are sources: they add terms that are
    linear in `f`, and a constant. For translations with `W_i W_j^T` a multiple of the
    identity, and `W_0 W_i^T = 0`, this is the theory of Klein and Gordon. If the drift has
    a divergence, the equation of motion has half of it subtracted from `m^2`.

    `mass`, `density`, `action` and `euler_lagrange` use the matrices of the layer. They are
    exact on the grid, for all families of generators. `metric`, `drift`, `noether_current`
    and `divergence` use vector fields and need `VectorFieldGenerators`; they take
    derivatives as the generators do.

    Args:
        layer: A built `LConv` without an activation, with `num_steps=1`. Its current
            weights are used, so training the layer changes the theory.
        target: The target `y`, an array of the shape of the layer's output, for a batch, or
            of shape `(1, ...)` for all samples. By default zero.

    Attributes:
        layer: The layer.

    Raises:
        TypeError: If `layer` is not an `LConv`.
        ValueError: If the layer is not built, has an activation or more than one step, or
            `target` has another shape.

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

    def __init__(self, layer: LConv, *, target: ArrayLike | None = None):
        check_layer(layer)
        self.layer = layer
        self._target = None if target is None else self._checked_target(target)

    # ------------------------------------------------------ terms of the density

    @property
    def mass(self) -> np.ndarray:
        """The matrix `m^2 = W_0 W_0^T` of squared masses, an array `(c, c)`.

        It is zero if the layer has no self-interaction, and one if this is the identity.
        """
        weights, _ = self._weights()
        return weights @ weights.T

    @property
    def metric(self) -> np.ndarray:
        """The metric `h^ab` at each point, an array `(*spatial, a, b, c, c)`.

        It is symmetric under the exchange of both pairs of indices at once, and its
        quadratic form is not negative.

        Raises:
            ValueError: If the generators are not vector fields.
        """
        fields = np.asarray(self._vector_fields("metric").vector_fields())
        _, weights = self._weights()
        moving = np.einsum("k...a,kcf->...acf", fields, weights)
        return np.einsum("...acf,...bdf->...abcd", moving, moving)

    @property
    def drift(self) -> np.ndarray:
        """The term of first order, an array `(*spatial, a, c, c)`.

        Raises:
            ValueError: If the generators are not vector fields.
        """
        fields = np.asarray(self._vector_fields("drift").vector_fields())
        mix, weights = self._weights()
        return -2 * np.einsum("k...a,cf,kdf->...acd", fields, mix, weights)

    # ------------------------------------------------------------------- action

    def density(self, f: Tensor) -> Tensor:
        """The Lagrangian density `|Q[f] - y|^2` at each position.

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
        """The gradient of the action, `E = 2 Q^T (Q[f] - y)`, with the transpose `Q^T`.

        It vanishes on the solutions of the equation of motion, where the action does not
        change to first order. Elsewhere it measures how sensitive the squared output is to
        each entry of the input. No matrix of the layer is formed.

        Args:
            f: A batch of inputs of the layer.

        Returns:
            Tensor of the shape of `f`.
        """
        output, transpose = vjp(self.layer.call, self._to_tensor(f))
        if self._target is not None:
            output = output - ops.convert_to_tensor(self._target, dtype=output.dtype)
        return transpose(2 * output)

    # ----------------------------------------------------------------- currents

    def noether_current(self, f: Tensor, symmetry: GeneratorsLike) -> Tensor:
        """The currents `J^a = pi^a . (K f) + xi^a |r|^2` of symmetries `K`.

        `pi^a = -2 sum_i v_i^a r W_i^T` is the derivative of the density by `d_a f`. If
        `f -> f + eps K f` changes the density by `-eps d_a (xi^a |r|^2)`, that is, if the
        density moves with the field, then

            div J = -E . (K f),

        with `E` of `euler_lagrange`. So the current is conserved where `E` is zero, inside
        the grid. `symmetries` lists the affine `K` that satisfy the condition. This method
        does not check it; `noether_defect` measures how far it is from true. It holds if
        `div xi = 0` and `K` commutes with `Q`, or commutes up to an antisymmetric matrix on
        filters. If only `div xi = 0` is missing, `div J` is larger by `(div xi) |r|^2`. If
        only the target moves, it is larger by `2 r . (K y)`. On a grid this holds up to the
        error of the derivatives, which for `"central"` falls with the square of the grid's
        step.

        Args:
            f: A batch of inputs of the layer.
            symmetry: Symmetries of space, `K = -xi^a d_a`: generators that are vector
                fields, or their name. Or symmetries of channels, with `xi = 0` and
                `K f = M f` for channels as a column: a matrix `(c, c)`, matrices
                `(k, c, c)`, or a `LieAlgebra`. Or `ActionSymmetries`, which have both.

        Returns:
            Tensor `(batch, *spatial, k, ndim)`, per grid step, in every data format.

        Raises:
            TypeError: If `symmetry` has a wrong type.
            ValueError: If the generators of the layer are not vector fields, `symmetry`
                does not fit the layer, or it acts on channels and there is a bias or a
                target.
        """
        generators = self._vector_fields("noether_current")
        f = self._to_tensor(f)
        output = self._residual(f)
        f = ops.cast(self._channels_last(f), output.dtype)
        change, moves = variation(self.layer, f, symmetry, self._target is not None)

        weights = ops.cast(self.layer.kernel, f.dtype)[-generators.num_generators :]
        momenta = ops.einsum("b...f,kcf->b...kc", output, weights)
        fields = generators.vector_field_tensor(f.dtype)
        momenta = -2 * ops.einsum("k...a,b...kc->b...ac", fields, momenta)
        current = ops.einsum("b...ac,b...kc->b...ka", momenta, change)
        if moves is None:
            return current
        moves = ops.moveaxis(moves, 0, -2)
        return current + moves * _density(output)[..., None, None]

    def noether_defect(self, f: Tensor, symmetry: GeneratorsLike) -> Tensor:
        """How far symmetries `K` are from symmetries of the action, for given inputs.

        This is `|div J + E . (K f)|` relative to `|E| |K f|`, with root mean squares over
        positions and the current `J` of `noether_current`: the change of the density, apart
        from `-d_a (xi^a |r|^2)`. It is zero for symmetries, up to the error of the grid's
        derivatives, and does not depend on the scales of `f` and `K`. Inputs should vanish
        near the border, because the derivative assumes zeros outside.

        Args:
            f: A batch of inputs of the layer.
            symmetry: As for `noether_current`.

        Returns:
            Tensor `(batch, k)`.
        """
        divergence = self.divergence(self.noether_current(f, symmetry))
        f = self._to_tensor(f)
        residual = self._channels_last(self.euler_lagrange(f))
        residual = ops.cast(residual, divergence.dtype)
        f = ops.cast(self._channels_last(f), divergence.dtype)
        change, _ = variation(self.layer, f, symmetry, self._target is not None)
        expected = ops.einsum("b...c,b...kc->b...k", residual, change)
        sizes = ops.expand_dims(_density(residual), -1) * _density(change)
        axes = tuple(range(1, len(self._grid) + 1))
        defect = ops.sum(ops.square(divergence + expected), axis=axes)
        sizes = ops.sum(sizes, axis=axes)
        return ops.sqrt(ops.where(sizes > 0, defect / ops.where(sizes > 0, sizes, 1), 0))

    def symmetries(self, tolerance: float = 1e-5) -> ActionSymmetries:
        """All affine fields and matrices on channels that are symmetries of the action.

        `K f = -xi^a d_a f + M f` is a symmetry if it changes the density by
        `-d_a (xi^a |Q[f]|^2)`, for every field and at every point. These are linear
        equations for `xi` and `M`, and the result is their null space. For one channel with
        a mass, constant weights and no drift the fields are the affine Killing fields of
        the metric `h^ab`. They need not commute with the layer. A bias is taken into
        account, a target is not.

        The derivatives of the layer's vector fields are exact for polynomials of degree 2.

        Args:
            tolerance: Singular values below are zero, relative to the largest.

        Returns:
            `ActionSymmetries`.

        Raises:
            ValueError: If the generators are not vector fields, or an axis of the grid has
                fewer than 3 points.
        """
        not_negative("tolerance", tolerance)
        fields = np.asarray(self._vector_fields("symmetries").vector_fields())
        mix, weights = self._weights()
        bias = np.zeros(weights.shape[-1])
        if self.layer.use_bias:
            bias = ops.convert_to_numpy(self.layer.bias).astype("float64")
        return action_symmetries(fields, mix, weights, bias, tolerance)

    def divergence(self, current: Tensor) -> Tensor:
        """The divergence `d_a J^a`, by the derivative of the layer's generators.

        Near the border of a grid that is not periodic, zeros outside enter the result.

        Args:
            current: Tensor `(batch, *spatial, k, ndim)`, as `noether_current` returns.

        Returns:
            Tensor `(batch, *spatial, k)`.

        Raises:
            ValueError: If the generators are not vector fields, or `current` has another
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

    @property
    def _grid(self) -> tuple[int, ...]:
        return tuple(self.layer.generators.spatial_shape or ())

    def _vector_fields(self, asked: str) -> Generators:
        """The generators of the layer, which must be vector fields."""
        generators = self.layer.generators
        if generators.vector_field_tensor() is None:
            raise ValueError(
                f"`{asked}` needs generators that are vector fields on a grid. Received: a "
                f"layer with {type(generators).__name__}, which have no derivatives `d_a "
                "f`. `mass`, `action` and `euler_lagrange` work for them"
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
        """`Q[f]`, of shape `(batch, *spatial', filters)`, in at least float32."""
        # This is `call`, because `__call__` adds an activity regularizer, which is no part
        # of the theory.
        output = self.layer.call(f)
        output = ops.cast(output, working_dtype(output))
        if self._target is not None:
            output = output - ops.convert_to_tensor(self._target, dtype=output.dtype)
        return to_channels_last(output, self.layer.data_format)

    def _checked_target(self, target: ArrayLike) -> np.ndarray:
        array = finite_array("target", target)
        shape = (None, *self._grid, self.layer.kernel.shape[1])
        shape = channels_first_shape(shape, self.layer.data_format)
        expected = tuple(self.layer.compute_output_shape(shape))[1:]
        if array.ndim != len(expected) + 1 or array.shape[1:] != expected:
            raise ValueError(
                "`target` must have the shape of the layer's output, "
                f"`(batch, {', '.join(str(n) for n in expected)})`. "
                f"Received: shape {array.shape}"
            )
        return array

    def _channels_last(self, f: Tensor) -> Tensor:
        if len(f.shape) == 2:
            return ops.expand_dims(f, -1)
        return to_channels_last(f, self.layer.data_format)


def _density(output: Tensor) -> Tensor:
    return ops.sum(ops.square(output), axis=-1)
