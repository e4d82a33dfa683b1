"""Convolutions on points."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import channels_first_shape, from_channels_last
from keras_lconv._typing import (
    Activation,
    Constraint,
    Initializer,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import (
    boolean,
    one_of,
    optional,
    positive_int,
    positive_ints,
    positive_number,
)
from keras_lconv.algebra import equivariant_kernels, intertwiners
from keras_lconv.layers.points import geometry
from keras_lconv.layers.points.arguments import (
    PointShape,
    distance_forms,
    joint_mask,
    point_shape,
    polynomial_degree,
    require_pairs,
)
from keras_lconv.layers.points.edge_network import EdgeNetwork
from keras_lconv.layers.points.inputs import Points, points_of
from keras_lconv.layers.points.kernels import Kernels
from keras_lconv.layers.steerable.field_kernel import FieldKernel
from keras_lconv.layers.steerable.fields import (
    FieldArgument,
    GroupArgument,
    is_scalar,
)

AGGREGATIONS = ("sum", "average", "attention")


@keras.saving.register_keras_serializable(package="keras_lconv")
class PointConv(FieldKernel):
    """A convolution on points whose positions differ from sample to sample.

    Each point, such as an atom, a particle or a 4-vector, has a position, and features that
    transform by a representation of a group. Point `i` collects messages from its
    neighbours `j`:

    `y_i = sum_s S_s f_i W_s + sum_p sum_j R_p(a_ij) T_p(d_ij) f_j W_p`.

    `T_p` are all polynomial kernels with `T(g d) = rho_out(g) T(d) rho_in(g)^-1`, up to
    `degree` (`keras_lconv.algebra.equivariant_kernels`), and `S_s` all maps that commute
    with the group. `R_p`, one number for each channel, is a small network. Its inputs
    `a_ij` are the invariant forms `q` of the difference of positions, the invariant
    features of both points, and the numbers of their pair, such as a product of charges or
    a kind of bond, if these are given. The kernels take the difference divided by an
    invariant number,
    `d = (x_j - x_i) / (1 + sum q(x_j - x_i)^2)^(1/4)`.

    The group acts on positions by its matrices: rotations, the Lorentz group, or a group
    found in data.

    **Equivariance.** Exact for the group, compact or not, for permutations of the points,
    and for translations if `relative`, up to rounding. With `num_neighbors` the output
    jumps when two points at equal distance change their order.

    Args:
        filters: Number of output fields.
        group: The name of a group, as for `keras_lconv.algebra.named_group`, a
            `MatrixGroup` or a `LieAlgebra`. Its matrices act on positions.
        representation_in: How the features of the input transform: `"trivial"`,
            `"standard"`, a `Representation`, or another value that `SteerableConv` takes.
        representation_out: How the features of the output transform.
        num_neighbors: Number of neighbours of each point, those with the smallest
            invariants. By default all other points.
        radius: The largest distance, for groups that keep one. Messages vanish there.
        degree: The largest degree of the kernels, up to 8.
        hidden_units: Units of the hidden layers of the network `R`.
        aggregation: `"sum"` of messages, `"average"`, or `"attention"`: an average with
            weights `exp(l) / (1 + sum exp(l))`, where `R` gives `l` as well.
        relative: Whether only differences of positions count, and not their invariants.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        activation: Activation function, for features whose components the group permutes.
        use_bias: Whether there is a bias, in the directions that the group does not move.
        kernel_initializer: Initializer of `W`, and of the weights of `R`.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of `W`.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint on `W`.
        bias_constraint: Constraint on the bias.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        A list of two: features `(batch, n, m_in, channels)`, without the axis of `m_in` if
        they are invariant numbers, and positions `(batch, n, v)`. A table of neighbours may
        follow, integers `(batch, n, k)`; a number outside of the points, such as -1, stands
        for no neighbour. Numbers of pairs may be the last, `(batch, n, n, e)`, with the
        receiving point first, or `(batch, n, k, e)` with a table. With
        `data_format="channels_first"` channels, coordinates and numbers of pairs are the
        second axis. A mask `(batch, n)` marks the points that exist.

    Output shape:
        `(batch, n, m_out, filters)`, without the axis of `m_out` if the output is invariant
        numbers.

    Attributes:
        kernel: The weights `W`, of shape `(b + s, channels, filters)` for `b` kernels and
            `s` maps.
        bias: The coefficients of the bias, or `None` if there are none.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or shapes do not fit.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv import PointConv
    from keras_lconv.algebra import so

    rng = np.random.default_rng(0)
    charges, positions = rng.normal(size=(2, 5, 1)), rng.normal(size=(2, 5, 3))
    last = {"data_format": "channels_last"}
    field = PointConv(4, so(3), representation_out="standard", **last)
    arrows = ops.convert_to_numpy(field([charges, positions]))
    assert arrows.shape == (2, 5, 3, 4)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    turned = ops.convert_to_numpy(field([charges, positions @ turn.T + 10.0]))
    expected = np.einsum("ij,bnjc->bnic", turn, arrows)
    assert np.allclose(turned, expected, atol=1e-4)
    ```

    Reference:
        N. Thomas, T. Smidt, S. Kearnes, L. Yang, L. Li, K. Kohlhoff, P. Riley, "Tensor
        field networks", arXiv:1802.08219. M. Finzi, S. Stanton, P. Izmailov, A. Wilson,
        "Generalizing convolutional neural networks for equivariance to Lie groups on
        arbitrary continuous data", ICML 2020.
    """

    _keeps_vectors = False

    def __init__(
        self,
        filters: int,
        group: GroupArgument,
        *,
        representation_in: FieldArgument = "trivial",
        representation_out: FieldArgument = "trivial",
        num_neighbors: int | None = None,
        radius: float | None = None,
        degree: int = 2,
        hidden_units: Sequence[int] = (32,),
        aggregation: str = "average",
        relative: bool = True,
        data_format: str | None = None,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **kwargs: Any,
    ):
        # Positions keep their digits, even in half precision.
        kwargs.setdefault("autocast", False)
        super().__init__(
            filters,
            group=group,
            representation_in=representation_in,
            representation_out=representation_out,
            data_format=data_format,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.num_neighbors = optional(positive_int, "num_neighbors", num_neighbors)
        self.radius = optional(positive_number, "radius", radius)
        self.degree = polynomial_degree(degree, self.group.matrix_size)
        self.hidden_units = positive_ints("hidden_units", hidden_units)
        self.aggregation = one_of("aggregation", aggregation, AGGREGATIONS)
        self.relative = boolean("relative", relative)
        is_linear = self.activation is keras.activations.linear
        if not (is_linear or self.representation_out.permutes_components):
            raise ValueError(
                "`activation` must be None unless the group permutes the components of "
                "the output: a pointwise function of other components does not commute "
                "with it. Use `GatedActivation` or `NormActivation` after the layer. "
                f"Received: activation={activation!r} for {self.representation_out!r}"
            )
        self._forms = distance_forms(self.group, self.radius, self.num_neighbors)

    # ---------------------------------------------------------------- shapes

    def _sizes(self, input_shape: Any) -> PointShape:
        return point_shape(
            input_shape, self.representation_in, self.data_format, self._owner
        )

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Shape of the output."""
        sizes, after = self._sizes(input_shape), self.representation_out
        fibre = () if is_scalar(after) else (after.size,)
        return channels_first_shape(
            (sizes.batch, sizes.number, *fibre, self.filters), self.data_format
        )

    def build(self, input_shape: Any) -> None:
        """Finds the kernels and creates the weights."""
        sizes = self._sizes(input_shape)
        number, channels = sizes.number, sizes.channels
        before, after = self.representation_in, self.representation_out
        kernels = equivariant_kernels(self.group, before, after, self.degree)
        self._kernels = Kernels(kernels)
        self._maps = intertwiners(before, after)
        if not len(kernels) + len(self._maps):
            raise ValueError(
                f"{self._owner} has no kernel up to degree={self.degree} from {before!r} "
                f"to {after!r}. Take a larger `degree`"
            )
        is_chosen = self.num_neighbors is not None and not sizes.has_table
        if is_chosen and number is None:
            raise ValueError(
                f"{self._owner} needs a defined number of points to choose "
                f"num_neighbors={self.num_neighbors} of them. Pad samples to one number, "
                f"with a mask, or give a table of neighbours. Received: {input_shape}"
            )
        self._number, self._of_edge = number, sizes.of_edge
        if number is not None and not sizes.has_table:
            each = self._kernels.number * before.size * channels
            require_pairs(number, self.num_neighbors, each, self._owner)
        trivial = self.group.trivial()
        self._scalars = intertwiners(before, trivial)[:, 0]
        invariant = intertwiners(trivial, after)[..., 0]
        self._invariant = np.sqrt(after.size) * invariant
        self.kernel = self._add_kernel_weight(
            (len(kernels) + len(self._maps), channels, self.filters)
        )
        self.bias = self._add_bias_weight((len(invariant), self.filters))
        self._add_network(channels)

    def _add_network(self, channels: int) -> None:
        """The network `R`: factors of all kernels and channels, and a score."""
        forms = len(self._forms)
        is_scored = self.aggregation == "attention"
        self._network = EdgeNetwork(
            self._kernels.number * channels + is_scored,
            self.hidden_units,
            max(forms, 1)
            + (geometry.BUMPS if self.radius is not None else 0)
            + self._of_edge,
            len(self._scalars) * channels + (0 if self.relative else forms),
            self.kernel_initializer,
            dtype=self.dtype_policy,
            name="network",
        )

    # ------------------------------------------------------------------ call

    def call(self, inputs: Any, mask: Any = None) -> Tensor:
        """The features of all points after their messages."""
        sizes = self._sizes([tuple(each.shape) for each in inputs])
        built = self.kernel.shape[1], self._of_edge
        given = sizes.channels, sizes.of_edge
        if built != given:
            raise ValueError(
                f"{self._owner} needs inputs with {built[0]} channels and {built[1]} "
                f"numbers of each pair. Received: {given[0]} channels and {given[1]} "
                "numbers"
            )
        mask = self.compute_mask(inputs, mask)
        points = points_of(inputs, sizes, mask, self.data_format, self.compute_dtype)
        f = points.features
        if is_scalar(self.representation_in):
            f = ops.expand_dims(f, 2)
        y = self._centre(f)
        if self._kernels.number:
            messages = self._messages(f, points.positions, self._edges(points))
            y = y + ops.cast(messages, f.dtype)
        if self.bias is not None:
            directions = ops.convert_to_tensor(self._invariant, dtype=f.dtype)
            y = y + ops.einsum("so,sf->of", directions, ops.cast(self.bias, f.dtype))
        if is_scalar(self.representation_out):
            y = ops.squeeze(y, 2)
        return from_channels_last(self.activation(y), self.data_format)

    def _centre(self, f: Tensor) -> Tensor:
        """The messages of points to themselves, `(batch, n, m_out, filters)`."""
        maps = ops.convert_to_tensor(self._maps, dtype=f.dtype)
        kernel = ops.cast(self.kernel, f.dtype)[self._kernels.number :]
        weights = ops.einsum("soi,scf->icof", maps, kernel)
        return ops.einsum("bnic,icof->bnof", f, weights)

    def _edges(self, points: Points) -> geometry.Edges:
        """The neighbours, with the numbers of their pairs."""
        edges = self._neighbors(points)
        if points.of_pairs is None:
            return edges
        has_table = points.table is not None
        return edges.with_numbers(
            points.of_pairs if has_table else edges.among(points.of_pairs)
        )

    def _neighbors(self, points: Points) -> geometry.Edges:
        x, exist = points.positions, points.exist
        if points.table is not None:
            return geometry.from_table(points.table, exist)
        if self.num_neighbors is None or x.shape[1] == 0:
            return geometry.all_pairs(exist)
        number = x.shape[1] or self._number or self.num_neighbors + 1
        neighbors = min(self.num_neighbors, max(number - 1, 1))
        return geometry.nearest(x, self._forms, exist, neighbors)

    def _messages(self, f: Tensor, x: Tensor, edges: geometry.Edges) -> Tensor:
        """The sum of the messages of neighbours, `(batch, n, m_out, filters)`."""
        between = edges.gather(x) - ops.expand_dims(x, 2)
        values = geometry.squares(between, self._forms)
        f = ops.cast(f, x.dtype)
        factors, weights = self._factors(f, x, values, edges)
        kernel = ops.cast(self.kernel, x.dtype)[: self._kernels.number]
        # To full size, since TensorFlow broadcasts along few axes at once.
        sizes = (*ops.shape(weights), *f.shape[2:])
        sources = ops.broadcast_to(edges.gather(f), sizes)
        between = geometry.in_units(between, values)
        return self._kernels(between, factors, weights, sources, kernel)

    def _factors(
        self, f: Tensor, x: Tensor, values: Tensor, edges: geometry.Edges
    ) -> tuple[Tensor, Tensor]:
        """Factors `(batch, n, k, p, channels)` of kernels, and weights `(batch, n, k)`."""
        weights = ops.cast(edges.counts, x.dtype)
        # Without forms this is a constant.
        seen = [geometry.compressed(values) if len(self._forms) else weights[..., None]]
        if self.radius is not None:
            square = values[..., 0]
            seen.append(geometry.bumps(square, self.radius))
            weights = weights * geometry.cutoff(square, self.radius)
        if edges.numbers is not None:
            seen.append(edges.numbers)
        of_edge = ops.concatenate(seen, axis=-1)
        outputs = self._network(of_edge, self._of_points(f, x), edges)
        number, channels = self._kernels.number, f.shape[-1]
        weights = geometry.aggregated(
            self.aggregation, weights, outputs[..., number * channels :]
        )
        sizes = (*ops.shape(weights), number, channels)
        return ops.reshape(outputs[..., : number * channels], sizes), weights

    def _of_points(self, f: Tensor, x: Tensor) -> Tensor | None:
        """The invariants of each point, `(batch, n, u)`, or `None` without any."""
        found = []
        if len(self._scalars):
            scalars = ops.convert_to_tensor(self._scalars, dtype=f.dtype)
            invariant = ops.einsum("si,bnic->bnsc", scalars, f)
            last = math.prod(invariant.shape[2:])
            found.append(ops.reshape(invariant, (*ops.shape(f)[:2], last)))
        if not self.relative and len(self._forms):
            found.append(geometry.compressed(geometry.squares(x, self._forms)))
        return ops.concatenate(found, axis=-1) if found else None

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the points: whether no mask of an input hides them."""
        return joint_mask(previous_mask)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "num_neighbors": self.num_neighbors,
            "radius": self.radius,
            "degree": self.degree,
            "hidden_units": list(self.hidden_units),
            "aggregation": self.aggregation,
            "relative": self.relative,
        }
