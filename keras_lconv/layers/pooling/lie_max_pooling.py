"""The maximum over a feature map and its Lie derivatives."""

from typing import Any

import keras
from keras import ops

from keras_lconv._memory import require_memory
from keras_lconv._ops import largest
from keras_lconv._typing import GeneratorsLike, Shape, Tensor
from keras_lconv._validation import positive_int
from keras_lconv.layers.base import GeneratorLayer

# Beyond this power the number of products is out of reach, and out of the range of floats.
LARGEST_POWER = 60


@keras.saving.register_keras_serializable(package="keras_lconv")
class LieMaxPooling(GeneratorLayer):
    """Pointwise maximum over a feature map and its Lie derivatives.

    `y(x) = max(f(x), (L_1 f)(x), ..., (L_k f)(x))`, and with `hops=2` also over all
    `(L_i L_j f)(x)`. For finite operators this is a maximum over neighbours. With the
    shifts of a window, without the zero, it is `MaxPooling2D` of this window with
    `strides=1` and `padding="same"`: exactly, if `f` is not negative (for example after a
    ReLU), or at positions whose window lies inside the grid. They differ at the border,
    where shifts bring in zeros and Keras ignores missing positions. `"periodic"` shifts
    wrap the image around. `hops=2` doubles the reach.

    **Equivariance.** A maximum at each point commutes with operators `S` that move points
    to points. The layer commutes with those that permute the generators,
    `S L_i S^-1 = L_p(i)`: whole steps on a periodic grid for shifts or translations, and
    quarter turns for the shifts of a square window. With infinitesimal generators this
    layer is in general not equivariant: motions mix them or change their sign.
    `GradientNorm` is equivariant. The terms also have different units, so the scale of the
    generators changes the result.

    Args:
        generators: As in `LConv`; square ones.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        hops: The largest number of generators in a product. There are `k^hops` products of
            `hops` generators, all in memory at once.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)`; with `data_format="channels_first"`
        `(batch, channels, *spatial)`; or `(batch, d)`. With a mask, masked positions count
        as zero.

    Output shape:
        That of the input.

    Attributes:
        generators: The generators, a Keras layer.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or generators are not square or do not
            fit the input.

    Example:
    ```python
    import itertools
    import keras
    import numpy as np
    from keras_lconv import LieMaxPooling
    from keras_lconv.generators import ShiftGenerators

    window = [o for o in itertools.product((-1, 0, 1), repeat=2) if o != (0, 0)]
    images = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")
    pooled = LieMaxPooling(ShiftGenerators(window))(images)
    as_keras = keras.layers.MaxPooling2D(3, strides=1, padding="same")(images)
    assert np.array_equal(pooled, as_keras)
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021.
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        rank: int | None = None,
        hops: int = 1,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(generators, rank=rank, data_format=data_format, **kwargs)
        self.hops = positive_int("hops", hops)
        self._require_square("their results are compared with the feature map")

    def _build(self, feature_shape: Shape) -> None:
        # All products of up to `hops` generators are held at once, for each sample.
        k, hops = self.generators.num_generators, self.hops
        products = hops + 1.0 if k == 1 else float(k) ** min(hops, LARGEST_POWER)
        require_memory(
            f"All products of up to hops={hops} of {k} generators in {self._owner}",
            2 * products * self.generators.size * (feature_shape[-1] or 1),
            "Fewer hops, in several layers, need less",
            itemsize=4,
        )

    def _act(self, f: Tensor) -> Tensor:
        size, channels = f.shape[1:]
        terms, products = [ops.expand_dims(f, -2)], f
        for hop in range(1, self.hops + 1):
            # For the next generator, all products so far are channels.
            number = self.generators.num_generators**hop
            products = self.generators.apply(products)
            products = ops.reshape(products, (-1, size, number * channels))
            terms.append(ops.reshape(products, (-1, size, number, channels)))
        # With one maximum over all, ties have the gradient of Keras.
        return largest(ops.concatenate(terms, axis=-2), axis=-2)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {**super().get_config(), "hops": self.hops}
