"""The left-invariant fields on positions and orientations in the plane."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import flatten, unflatten
from keras_lconv._typing import Shape, Tensor
from keras_lconv._validation import boolean, one_of
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators.base import Generators
from keras_lconv.generators.contraction import (
    contract,
    contraction_cost,
    cost,
    result_bytes,
)
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.dense_form import require_room
from keras_lconv.generators.derivatives import DERIVATIVES, LineDerivative, on_grid
from keras_lconv.generators.exponential import linear_combination


@keras.saving.register_keras_serializable(package="keras_lconv")
class SE2Generators(Generators):
    """The left-invariant fields of SE(2) on features of shape `(theta, y, x)`.

    A position in the plane together with an orientation is an element of SE(2), the group
    of rotations and translations. The `n` orientations are `theta_j = 2 pi j / n`, each
    with the direction `e = cos(theta) e_0 + sin(theta) e_1`, where `e_0` points along the
    first image axis and `e_1` along the second. Seen from there, one can go forwards, to
    the side, or turn:

    - `L_1 = -(cos(theta) d_0 + sin(theta) d_1)`
    - `L_2 = -(-sin(theta) d_0 + cos(theta) d_1)`
    - `L_3 = -d/dtheta`, in radians.

    **Equivariance.** The group acts on features from the left: it turns the plane, and
    shifts `theta` by the same angle. The fields move points from the right, each in its own
    frame. So all three commute with the whole group, although they do not commute with each
    other: `[L_3, L_1] = -L_2`, `[L_3, L_2] = L_1`. An `LConv` with them is equivariant to
    SE(2) with any weights. On the grid that is exact for quarter turns, if `n` is a
    multiple of 4 and the image is square (`numpy.rot90` in the plane, and `numpy.roll` by
    `n / 4` in `theta`), and for translations: on a periodic grid, or as long as nothing
    meets the border.

    **Reflections.** Elements of E(2) have a handedness besides: `reflections=True` is for
    features `(2 n, y, x)`, with the mirror images of the `n` orientations after them. There
    `e'` and the sense of a turn are opposite, so `L_2` and `L_3` change their sign. A flip
    of an image, `numpy.flip` along the second axis, flips the plane, takes `theta` to
    `-theta` and exchanges the two halves, which is exact on the grid.

    Args:
        reflections: Whether the first axis holds the mirror images of the orientations too.
        derivative: Derivatives in the plane: `"spectral"` (zero outside of the grid, most
            accurate), `"fourier"` (periodic) or `"central"` (central differences,
            cheapest). In `theta`, which is periodic, it is the Fourier derivative always.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, theta, y, x, channels)`, as `SE2Lift` returns.

    Output shape:
        `(batch, theta, y, x, 3, channels)`.

    Raises:
        ValueError: If `derivative` is unknown, the input has not three spatial axes, or
            with `reflections` an odd number of orientations.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import SE2Generators

    f = np.random.default_rng(0).normal(size=(1, 8, 5, 5, 2)).astype("float32")
    turn = lambda f: np.roll(np.rot90(f, axes=(2, 3)), 2, axis=1)
    generators = SE2Generators()
    assert np.allclose(generators(turn(f)), turn(np.asarray(generators(f))), atol=1e-4)
    ```

    Reference:
        R. Duits, E. Franken, "Left-invariant parabolic evolutions on SE(2) and contour
        enhancement via invertible orientation scores", Quarterly of Applied Mathematics 68
        (2010).
    """

    def __init__(
        self, *, reflections: bool = False, derivative: str = "spectral", **kwargs: Any
    ):
        self.reflections = boolean("reflections", reflections)
        self.derivative = one_of("derivative", derivative, DERIVATIVES)
        # The fields are never learned, also where a configuration holds the default.
        boolean("trainable", kwargs.pop("trainable", False))
        super().__init__(3, trainable=False, **kwargs)

    def build(self, input_shape: Shape) -> None:
        """Prepares the derivatives along the three axes."""
        super().build(input_shape)
        shape = self.require_built("build")
        if len(shape) != 3:
            raise ValueError(
                f"{self.name!r} acts on features of shape (batch, theta, y, x, channels), "
                "as `SE2Lift` returns them. "
                f"Received: an input with the {len(shape)} spatial axes {shape}"
            )
        num, rest = divmod(shape[0], 1 + self.reflections)
        if rest:
            raise ValueError(
                f"{self.name!r} with `reflections` needs as many mirror images as "
                "orientations, an even number on the first axis together. "
                f"Received: {shape[0]} on it"
            )
        kinds = ("fourier", self.derivative, self.derivative)
        self._derivatives = tuple(map(LineDerivative, (num, *shape[1:]), kinds))
        self._frames = _frames(num)
        if self.reflections:
            # `e'` and the sense of a turn are opposite.
            mirrored = self._frames * np.array([1.0, -1.0, -1.0])[:, None]
            self._frames = np.concatenate([self._frames, mirrored])

    def frames_in(self, dtype: str) -> Tensor:
        """Factors `(n, 3, 3)` of the derivatives along `theta`, `y`, `x` in each `L_i`."""
        return ops.convert_to_tensor(self._frames, dtype=dtype)

    def _slope(self, f: Tensor, axis: int) -> Tensor:
        """The derivative of `(batch, theta, y, x, ...)` along an axis, from 0."""
        derivative = self._derivatives[axis]
        if axis:
            return derivative.along(f, axis + 1)
        # Orientations and mirror images are two circles.
        circles = ops.reshape(f, (-1, derivative.size, *f.shape[2:]))
        return ops.reshape(derivative.along(circles, 1), (-1, *f.shape[1:]))

    def gradient(self, f: Tensor) -> Tensor:
        """Derivatives along `theta`, `y`, `x` of flat features.

        Args:
            f: Tensor `(batch, d, channels)`.

        Returns:
            Tensor `(batch, n, d / n, 3, channels)`, with the orientations apart.
        """
        f = unflatten(f, self.require_built("gradient"))
        slopes = [self._slope(f, axis) for axis in range(3)]
        return self._by_orientation(ops.stack(slopes, axis=-2))

    def divergence(self, z: Tensor) -> Tensor:
        """The sum of the derivative of `z[..., a, :]` along each axis `a`.

        Args:
            z: Tensor `(batch, n, d / n, 3, channels)`.

        Returns:
            Tensor `(batch, d, channels)`.
        """
        z = ops.reshape(z, (-1, *self.require_built("divergence"), *z.shape[3:]))
        turn, down, right = (self._slope(z[..., axis, :], axis) for axis in range(3))
        return flatten(turn + down + right)

    def _by_orientation(self, f: Tensor) -> Tensor:
        num, *plane = self.require_built("apply")
        return ops.reshape(f, (-1, num, math.prod(plane), *f.shape[-2:]))

    def apply(self, f: Tensor) -> Tensor:
        """All Lie derivatives `L_i f`, of shape `(batch, d, 3, channels)`."""
        moved = ops.einsum("jia,bjpac->bjpic", self.frames_in(f.dtype), self.gradient(f))
        return ops.reshape(moved, (-1, f.shape[1], *moved.shape[3:]))

    def combine(self, z: Tensor) -> Tensor:
        """The sum `sum_i L_i z_i`, of shape `(batch, d, channels)`."""
        frames = self.frames_in(z.dtype)
        z = self._by_orientation(z)
        return self.divergence(ops.einsum("jia,bjpic->bjpac", frames, z))

    # ------------------------------------------------------------ what is known

    @property
    def is_antisymmetric(self) -> bool:
        """Yes: a derivative is, and commutes with what does not depend on its axis."""
        return True

    def initial_norm_bounds(self) -> np.ndarray:
        """The spectral norms, of shape `(3,)`."""
        self.require_built("initial_norm_bounds")
        # Derivatives along different axes commute: at each orientation norms add up.
        norms = np.array([D.norm for D in self._derivatives])
        return (np.abs(self._frames) @ norms).max(axis=0)

    def norm_bounds(self) -> Tensor:
        """The spectral norms, a tensor `(3,)`."""
        return ops.convert_to_tensor(self.initial_norm_bounds(), dtype=self.variable_dtype)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for the derivatives of one value, along all three axes."""
        return sum(D.multiply_adds for D in self._derivatives)

    def matrices(self) -> np.ndarray:
        """The generators as matrices in NumPy, `(3, d, d)`."""
        require_room(self, "matrices")
        shape = self.require_built("matrices")
        size = math.prod(shape)
        matrices = np.zeros((3, size, size))
        for axis, derivative in enumerate(self._derivatives):
            factors = np.repeat(self._frames[:, :, axis], size // shape[0], axis=0)
            circles = np.eye(shape[axis] // derivative.size)
            matrix = np.kron(circles, derivative.matrix)
            matrices += factors.T[..., None] * on_grid(matrix, shape, axis)
        return matrices

    def representation(self) -> np.ndarray:
        """Matrices `(3, 3, 3)` of se(2) with the brackets of the three fields."""
        matrices = np.zeros((3, 3, 3))
        matrices[0, 0, 2] = matrices[1, 1, 2] = 1.0
        # Seen from the right the plane turns the other way.
        matrices[2, 0, 1], matrices[2, 1, 0] = 1.0, -1.0
        return matrices

    def algebra(self, tolerance: float | None = None) -> LieAlgebra:
        """The Lie algebra se(2) of the fields, as `3 x 3` matrices.

        On a finite grid the brackets close for features without the highest angular
        frequency.

        Args:
            tolerance: What counts as zero, as for `LieAlgebra`.

        Returns:
            A `LieAlgebra` of dimension 3.

        Example:
        ```python
        from keras_lconv.generators import SE2Generators

        assert SE2Generators().algebra().identify().name == "se(2)"
        ```
        """
        return LieAlgebra(self.representation(), tolerance)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["trainable"], config["frozen"]
        return {
            **config,
            "reflections": self.reflections,
            "derivative": self.derivative,
        }


@contract.register
def _contract(generators: SE2Generators, f: Tensor, kernel: Tensor, order: str) -> Tensor:
    # The frame of each orientation turns the kernel, which is small, rather than the
    # features: `sum_a (d_a f) K_a(theta)`, with `K_a` a sum of `W_i`.
    turned = ops.einsum("jia,icf->jacf", generators.frames_in(kernel.dtype), kernel)
    num, _, channels, filters = turned.shape
    if order == "generators_first":
        slopes = generators.gradient(f)
        slopes = ops.reshape(slopes, (-1, *slopes.shape[1:3], 3 * channels))
        turned = ops.reshape(turned, (num, 3 * channels, filters))
        mixed = ops.einsum("bjpq,jqf->bjpf", slopes, turned)
        return ops.reshape(mixed, (-1, generators.size, filters))
    f = ops.reshape(f, (-1, num, generators.size // num, channels))
    return generators.divergence(ops.einsum("bjpc,jacf->bjpaf", f, turned))


@contraction_cost.register
def _contraction_cost(
    generators: SE2Generators, order: str, channels: int, filters: int
) -> Cost:
    size = generators.size
    differentiated = channels if order == "generators_first" else filters
    products = differentiated * generators.multiply_adds + 3 * channels * filters
    return Cost(size * products, BYTES * size * (3 * differentiated + filters))


@cost.register
def _cost(generators: SE2Generators, channels: int, operation: str = "apply") -> Cost:
    # One derivative along each axis, and the frames, 9 multiply-adds a value.
    values = generators.size * channels
    results = result_bytes(generators, channels, operation)
    return Cost(values * (generators.multiply_adds + 9), 3 * BYTES * values + results)


@linear_combination.register
def _linear_combination(generators: SE2Generators, t: Tensor) -> Callable[[Tensor], Tensor]:
    # The derivative along one field.
    formula = "k,jka->ja" if len(t.shape) == 1 else "bk,jka->bja"
    field = ops.einsum(formula, t, generators.frames_in(t.dtype))
    if len(t.shape) == 1:
        field = field[None]
    field = field[:, :, None, :, None]

    def act(f: Tensor) -> Tensor:
        moved = ops.sum(field * generators.gradient(f), axis=-2)
        return ops.reshape(moved, (-1, f.shape[1], f.shape[2]))

    return act


def orientations(num: int) -> np.ndarray:
    """The angles `theta_j = 2 pi j / n`, `(n,)`."""
    return 2 * np.pi * np.arange(num) / num


def _frames(num: int) -> np.ndarray:
    """Factors `(n, 3, 3)` of the derivatives along `theta`, `y`, `x` in each `L_i`."""
    angles = orientations(num)
    frames = np.zeros((num, 3, 3))
    frames[:, 0, 1] = frames[:, 1, 2] = -np.cos(angles)
    frames[:, 0, 2] = -np.sin(angles)
    frames[:, 1, 1] = np.sin(angles)
    # From steps on the grid to radians.
    frames[:, 2, 0] = -num / (2 * np.pi)
    return frames
