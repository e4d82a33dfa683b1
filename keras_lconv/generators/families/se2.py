"""The left-invariant fields on positions and orientations in the plane."""

from typing import Any

import keras
import numpy as np

from keras_lconv._validation import boolean
from keras_lconv.generators.families.left_invariant import LeftInvariantGenerators

# A rotation turns the first image axis towards the second.
TURN = ((0.0, -1.0), (1.0, 0.0))


@keras.saving.register_keras_serializable(package="keras_lconv")
class SE2Generators(LeftInvariantGenerators):
    """The left-invariant fields of SE(2) on features of shape `(theta, y, x)`.

    A position in the plane together with an orientation is an element of SE(2), the group
    of rotations and translations. The `n` orientations are `theta_j = 2 pi j / n`, each
    with the direction `e = cos(theta) e_0 + sin(theta) e_1`, where `e_0` points along the
    first image axis and `e_1` along the second. From there the three fields lead forwards,
    to the side, and to other orientations:

    - `L_1 = -(cos(theta) d_0 + sin(theta) d_1)`
    - `L_2 = -(-sin(theta) d_0 + cos(theta) d_1)`
    - `L_3 = -d/dtheta`, in radians.

    **Equivariance.** The group acts on features from the left: it turns the plane, and
    shifts `theta` by the same angle. The fields act from the right, each in its own frame.
    So all three commute with the whole group, although they do not commute with each other:
    `[L_3, L_1] = -L_2`, `[L_3, L_2] = L_1`. An `LConv` with them is equivariant to SE(2)
    with any weights. On the grid this is exact for quarter turns, if `n` is a multiple of 4
    and the image is square (`numpy.rot90` in the plane, and `numpy.roll` by `n / 4` in
    `theta`). It is exact for translations on a periodic grid, and for content away from the
    border.

    **Reflections.** Elements of E(2) also have a handedness: `reflections=True` is for
    features `(2 n, y, x)`, with the mirror images of the `n` orientations after them. There
    the direction to the side and the sense of a turn are opposite, so `L_2` and `L_3`
    change their sign. A flip of an image, `numpy.flip` along the second axis, flips the
    plane, takes `theta` to `-theta` and exchanges the two halves. This is exact on the
    grid.

    Args:
        reflections: Whether the first axis also contains the mirror images of the
            orientations.
        derivative: Derivatives in the plane: `"spectral"` (zero outside of the grid, most
            accurate), `"fourier"` (periodic) or `"central"` (central differences,
            cheapest). In `theta`, which is periodic, it is always the Fourier derivative.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, theta, y, x, channels)`, as `SE2Lift` returns.

    Output shape:
        `(batch, theta, y, x, 3, channels)`.

    Raises:
        ValueError: If `derivative` is unknown, the input does not have three spatial axes,
            or its first axis is odd with `reflections`.

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
        super().__init__(TURN, derivative=derivative, **kwargs)

    @property
    def _layout(self) -> str:
        return "(batch, theta, y, x, channels), as `SE2Lift` returns them"

    def _line_sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        num, rest = divmod(shape[0], 1 + self.reflections)
        if rest:
            raise ValueError(
                f"The first axis of the input of {self.name!r} must have an even size: "
                "with `reflections` there are as many mirror images as orientations. "
                f"Received: size {shape[0]}"
            )
        return (num, *shape[1:])

    def frames(self, num_samples: tuple[int, ...]) -> np.ndarray:
        """The rotations at all orientations, with mirror images after them.

        Args:
            num_samples: The size of the first axis, `(n,)`, or `(2 n,)` with `reflections`.

        Returns:
            An array `(*num_samples, 2, 2)` of float64.

        Raises:
            ValueError: If there is not exactly one number, or if it is odd with
                `reflections`.
        """
        frames = super().frames(self._line_sizes(num_samples))
        if not self.reflections:
            return frames
        return np.concatenate([frames, frames * np.array([1.0, -1.0])])

    def _factors(self, num_samples: tuple[int, ...]) -> np.ndarray:
        factors = super()._factors(num_samples)
        if self.reflections:
            # Mirror images turn in the opposite sense.
            factors[len(factors) // 2 :, 2] *= -1
        return factors

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["algebra"], config["steps"]
        return {**config, "reflections": self.reflections}


def orientations(num: int) -> np.ndarray:
    """The angles `theta_j = 2 pi j / n`, `(n,)`."""
    return 2 * np.pi * np.arange(num) / num
