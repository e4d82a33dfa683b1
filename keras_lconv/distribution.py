"""Distribution of weights over devices, with `keras.distribution` on JAX."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np


class ModelParallel(keras.distribution.ModelParallel):
    """Model parallelism that chooses an axis of each weight by its shape.

    A `LayoutMap` of Keras names weights by their paths. Here every weight is split along
    its largest axis that the devices divide, the last of equal ones: the rows of learned
    generators `(k, d, d)`, the filters of kernels `(k + 1, channels, filters)`, a
    basis of invariants, and the moments that an optimizer keeps of
    each. Weights without such an axis are on all devices. Batches are split along the first
    axis of the mesh. So the largest weights need the memory of one device divided by the
    number of devices, and the loss is that of one device, up to rounding. The kernels of
    steerable convolutions are contracted from small weights; their bases are constants.

    Args:
        device_mesh: A `keras.distribution.DeviceMesh` with two axes: batches, then weights.
        layouts: Layouts of weights that are split otherwise: for a regular expression of
            paths a tuple with the name of an axis of the mesh, or `None`, for each axis of
            the weight.

    Raises:
        TypeError: If `device_mesh` is no `DeviceMesh`, or `layouts` is no dictionary.
        ValueError: If the mesh has not two axes, or a layout names another one.

    Example:
    ```python
    import keras
    from keras_lconv.distribution import ModelParallel

    # With eight devices, (2, 4) for instance, and without `devices`.
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "weights"), ["cpu:0"])
    distribution = ModelParallel(mesh, layouts={".*dense.*/kernel": (None, "weights")})
    # keras.distribution.set_distribution(distribution), then make the model.
    ```
    """

    def __init__(
        self,
        device_mesh: keras.distribution.DeviceMesh,
        *,
        layouts: Mapping[str, Sequence[str | None]] | None = None,
    ):
        if not isinstance(device_mesh, keras.distribution.DeviceMesh):
            raise TypeError(
                "`device_mesh` must be a `keras.distribution.DeviceMesh`. "
                f"Received: an object of type {type(device_mesh).__name__}"
            )
        names = device_mesh.axis_names
        if len(names) != 2:
            raise ValueError(
                "`device_mesh` must have two axes, for batches and for weights. "
                f"Received: axes {tuple(names)}"
            )
        self._given = keras.distribution.LayoutMap(device_mesh)
        for path, axes in _checked(layouts, names).items():
            self._given[path] = keras.distribution.TensorLayout(axes, device_mesh)
        super().__init__(layout_map=self._given, batch_dim_name=names[0])

    def get_variable_layout(self, variable: Any) -> keras.distribution.TensorLayout:
        """The layout of a weight: the given one for its path, or else one that follows from
        its shape.

        Args:
            variable: A `keras.Variable`.

        Returns:
            A `TensorLayout`.
        """
        given = self._given[variable.path]
        if given is not None:
            return given
        axes: list[str | None] = [None] * len(variable.shape)
        parts = self.device_mesh.shape[1]
        sizes = [size if size % parts == 0 else 0 for size in variable.shape]
        if any(sizes):
            last = len(sizes) - 1 - int(np.argmax(sizes[::-1]))
            axes[last] = self.device_mesh.axis_names[1]
        return keras.distribution.TensorLayout(axes, self.device_mesh)


def _checked(layouts: Any, names: Sequence[str]) -> dict[str, tuple[str | None, ...]]:
    if layouts is None:
        return {}
    if not isinstance(layouts, Mapping):
        raise TypeError(
            "`layouts` must be a dictionary from paths to tuples. "
            f"Received: layouts={layouts!r}"
        )
    for path, axes in layouts.items():
        is_named = isinstance(axes, list | tuple) and all(
            axis is None or axis in names for axis in axes
        )
        if not (isinstance(path, str) and is_named):
            raise ValueError(
                "`layouts` must give a tuple of None and names of axes of the mesh, "
                f"{tuple(names)}, for each path. Received: {path!r}: {axes!r}"
            )
    return {path: tuple(axes) for path, axes in layouts.items()}


__all__ = ["ModelParallel"]
