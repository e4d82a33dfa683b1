"""The left-invariant fields on positions and orientations in the plane."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._validation import one_of
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators.base import Generators
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.derivatives import DERIVATIVES, LineDerivative


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

    Args:
        derivative: Derivatives in the plane: `"spectral"` (zero outside of the grid, most
            accurate), `"fourier"` (periodic) or `"central"` (central differences,
            cheapest). In `theta`, which is periodic, it is the Fourier derivative always.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, theta, y, x, channels)`, as `SE2Lift` returns.

    Output shape:
        `(batch, theta, y, x, 3, channels)`.

    Raises:
        ValueError: If `derivative` is unknown, or the input has not three spatial axes.

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

    def __init__(self, derivative: str = "spectral", **kwargs: Any):
        self.derivative = one_of("derivative", derivative, DERIVATIVES)
        # The fields are never learned, also where a configuration holds the default.
        kwargs["trainable"] = False
        super().__init__(3, **kwargs)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Prepares the derivatives along the three axes."""
        super().build(input_shape)
        shape = self._require_built("build")
        if len(shape) != 3:
            raise ValueError(
                f"{self.name!r} acts on features of shape (batch, theta, y, x, channels), "
                "as `SE2Lift` returns them. "
                f"Received: an input with the {len(shape)} spatial axes {shape}"
            )
        kinds = ("fourier", self.derivative, self.derivative)
        self._derivatives = tuple(map(LineDerivative, shape, kinds))
        self._frames = _frames(shape[0])

    def _frames_in(self, dtype: str) -> Any:
        return ops.convert_to_tensor(self._frames, dtype=dtype)

    def _gradient(self, f: Any) -> Any:
        """Derivatives along `theta`, `y`, `x`: `(batch, theta, y, x, 3, channels)`."""
        slopes = [D.along(f, n + 1) for n, D in enumerate(self._derivatives)]
        return ops.stack(slopes, axis=-2)

    def _divergence(self, z: Any) -> Any:
        """The sum of the derivative of `z[..., a, :]` along each axis `a`."""
        return sum(D.along(z[..., n, :], n + 1) for n, D in enumerate(self._derivatives))

    def call(self, inputs: Any) -> Any:
        """All Lie derivatives `L_i f`, of shape `(batch, theta, y, x, 3, channels)`."""
        frames = self._frames_in(inputs.dtype)
        return ops.einsum("jia,bjyxac->bjyxic", frames, self._gradient(inputs))

    def combine(self, z: Any) -> Any:
        """The sum `sum_i L_i z_i`, of shape `(batch, theta, y, x, channels)`."""
        frames = self._frames_in(z.dtype)
        return self._divergence(ops.einsum("jia,bjyxic->bjyxac", frames, z))

    def contract(self, f: Any, kernel: Any, order: str) -> Any:
        """The sum `sum_i (L_i f) W_i`.

        The frame of each orientation turns the kernel, which is small, rather than the
        features: `sum_a (d_a f) K_a(theta)`, with `K_a` a sum of `W_i`.

        Args:
            f: Tensor `(batch, theta, y, x, channels)`.
            kernel: Tensor `W`, of shape `(3, channels, filters)`.
            order: One of `contractions`.

        Returns:
            Tensor `(batch, theta, y, x, filters)`.
        """
        turned = ops.einsum("jia,icf->jacf", self._frames_in(kernel.dtype), kernel)
        if order == "generators_first":
            num, _, channels, filters = turned.shape
            slopes = ops.reshape(self._gradient(f), (-1, *f.shape[1:4], 3 * channels))
            turned = ops.reshape(turned, (num, 3 * channels, filters))
            return ops.einsum("bjyxp,jpf->bjyxf", slopes, turned)
        return self._divergence(ops.einsum("bjyxc,jacf->bjyxaf", f, turned))

    def linear_combination(self, t: Any) -> Callable[[Any], Any]:
        """The operator `sum_i t_i L_i`: the derivative along one field."""
        formula = "k,jka->ja" if len(t.shape) == 1 else "bk,jka->bja"
        field = ops.einsum(formula, t, self._frames_in(t.dtype))
        if len(t.shape) == 1:
            field = field[None]
        field = field[:, :, None, None, :, None]
        return lambda f: ops.sum(field * self._gradient(f), axis=-2)

    # ------------------------------------------------------------ what is known

    @property
    def is_antisymmetric(self) -> bool:
        """Yes: a derivative is, and commutes with what does not depend on its axis."""
        return True

    def initial_norm_bounds(self) -> np.ndarray:
        """The spectral norms, of shape `(3,)`."""
        self._require_built("initial_norm_bounds")
        # Derivatives along different axes commute: at each orientation norms add up.
        norms = np.array([D.norm for D in self._derivatives])
        return (np.abs(self._frames) @ norms).max(axis=0)

    def norm_bounds(self) -> Any:
        """The spectral norms, a tensor `(3,)`."""
        return ops.convert_to_tensor(self.initial_norm_bounds(), dtype=self.variable_dtype)

    def cost(self, channels: int, operation: str = "call") -> Cost:
        """One derivative along each axis, and the frames, 9 multiply-adds a value.

        Args:
            channels: Number of channels that the generators act on.
            operation: `"call"` or `"combine"`.

        Returns:
            A `Cost` for one sample.
        """
        values = math.prod(self._require_built("cost")) * channels
        gradients = Cost(values * self._multiply_adds + 9 * values, 3 * BYTES * values)
        results = super().cost(channels, operation).bytes
        return Cost(gradients.multiply_adds, gradients.bytes + results)

    @property
    def _multiply_adds(self) -> int:
        return sum(D.multiply_adds for D in self._derivatives)

    def contraction_cost(self, order: str, channels: int, filters: int) -> Cost:
        """What `contract` costs for one sample.

        Args:
            order: One of `contractions`.
            channels: Number of input channels.
            filters: Number of output channels.

        Returns:
            A `Cost`.
        """
        size = math.prod(self._require_built("contraction_cost"))
        differentiated = channels if order == "generators_first" else filters
        products = size * (differentiated * self._multiply_adds + 3 * channels * filters)
        return Cost(products, BYTES * size * (3 * differentiated + filters))

    def matrices(self) -> np.ndarray:
        """The generators as matrices in NumPy, `(3, d, d)`."""
        shape = self._require_built("matrices")
        size = math.prod(shape)
        matrices = np.zeros((3, size, size))
        for axis, derivative in enumerate(self._derivatives):
            before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
            along = np.kron(np.kron(np.eye(before), derivative.matrix), np.eye(after))
            factors = np.repeat(self._frames[:, :, axis], size // shape[0], axis=0)
            matrices += factors.T[..., None] * along
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
        return {**config, "derivative": self.derivative}


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
