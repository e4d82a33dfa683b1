"""Serialization of sub-layers that several layers may share."""

from typing import Any

import keras


def serialize_shared(layer: keras.layers.Layer) -> dict[str, Any]:
    """Serializes a sub-layer so that a saved model keeps its sharing.

    Inside a save scope Keras marks an object as shared from its second serialization
    on, and marks only the configs that it returns then. Serializing twice makes every
    owner carry the mark, the first one too.
    """
    keras.saving.serialize_keras_object(layer)
    return keras.saving.serialize_keras_object(layer)
