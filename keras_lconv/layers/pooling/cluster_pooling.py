"""Pooling to the averages of clusters of positions."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import segment_sum
from keras_lconv._ops import working_dtype
from keras_lconv._typing import ArrayLike, GeneratorsLike, Tensor
from keras_lconv._validation import integer_array
from keras_lconv.layers.pooling.coarse_pooling import CoarsePooling


@keras.saving.register_keras_serializable(package="keras_lconv")
class ClusterPooling(CoarsePooling):
    """The averages over the positions that have the same label: `y = P f`.

    The next layer needs generators on the clusters: the matrices that fit best,
    `L'_i = P L_i P^+`, are `induced_generators()`.

    **Equivariance.** If `P L_i = L'_i P`, then `P exp(t L) f = exp(t L') P f`. `defect` is
    the relative error of this, `|P L - L' P| / |P L|`. For a graph it is zero if all nodes
    of a cluster have the same number of edges to each cluster.

    Args:
        generators: As in `LConv`; square ones. Only `induced_generators`, `defect` and the
            loss depend on them.
        clusters: The label of each position, integers from 0, with the `d` positions in C
            order.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        defect_weight: Weight of the loss `defect^2`, for learned generators.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        `(batch, *spatial, channels)`; with `data_format="channels_first"`
        `(batch, channels, *spatial)`; or `(batch, d)`. With a mask, masked positions count
        as zero; the output has no mask.

    Output shape:
        `(batch, d', channels)`, `(batch, channels, d')`, or `(batch, d')`.

    Attributes:
        generators: The generators on the fine positions, a Keras layer.
        matrix: `P`, an array `(d', d)`.
        defect: The intertwining defect.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or generators are not square or do not
            fit the input.

    Example:
    ```python
    import numpy as np
    from keras_lconv import ClusterPooling
    from keras_lconv.generators import graph

    ring = np.roll(np.eye(6), 1, axis=0) + np.roll(np.eye(6), -1, axis=0)
    pool = ClusterPooling(graph(ring), clusters=[0, 1, 2, 0, 1, 2])
    assert tuple(pool(np.ones((2, 6, 3))).shape) == (2, 3, 3)
    assert pool.defect < 1e-6
    ```
    """

    def __init__(
        self,
        generators: GeneratorsLike,
        *,
        clusters: ArrayLike,
        rank: int | None = None,
        defect_weight: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ):
        self.clusters = _labels(clusters)
        super().__init__(
            generators,
            rank=rank,
            defect_weight=defect_weight,
            data_format=data_format,
            **kwargs,
        )

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        size = math.prod(shape)
        if len(self.clusters) != size:
            raise ValueError(
                f"`clusters` of {self._owner} needs an input with {len(self.clusters)} "
                f"positions. Received: an input of spatial shape {shape}, which has {size}"
            )
        return (int(self.clusters.max()) + 1,)

    def _pool(self, f: Tensor) -> Tensor:
        size, channels = f.shape[1:]
        counts = np.bincount(self.clusters)
        # Sums in half precision would overflow.
        rows = ops.cast(ops.transpose(f, (1, 0, 2)), working_dtype(f))
        rows = ops.reshape(rows, (size, -1))
        sums = segment_sum(rows, self.clusters, len(counts))
        means = sums / ops.convert_to_tensor(counts[:, None], dtype=rows.dtype)
        means = ops.reshape(means, (len(counts), -1, channels))
        return ops.cast(ops.transpose(means, (1, 0, 2)), f.dtype)

    def _matrix_on(self, shape: tuple[int, ...]) -> np.ndarray:
        labels = np.arange(self.clusters.max() + 1)
        members = (labels[:, None] == self.clusters).astype("float64")
        return members / members.sum(axis=1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {**super().get_config(), "clusters": self.clusters.tolist()}


def _labels(clusters: ArrayLike) -> np.ndarray:
    labels = integer_array("clusters", clusters).ravel()
    if not len(labels) or labels.min() < 0 or labels.max() >= len(labels):
        raise ValueError(
            "`clusters` must hold the label of each position, and labels must be all "
            f"integers from 0 to the largest. Received: labels {np.unique(labels)}"
        )
    if np.any(np.bincount(labels) == 0):
        raise ValueError(
            "`clusters` must use all labels from 0 to the largest. "
            f"Received: labels {np.unique(labels)}"
        )
    return labels.astype("int32")
