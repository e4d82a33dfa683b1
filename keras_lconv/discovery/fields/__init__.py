"""Vector fields that are not affine: where they are searched, and how they are told."""

from keras_lconv.discovery.fields.augmentation import FieldAugmentation
from keras_lconv.discovery.fields.report import FieldReport

__all__ = ["FieldAugmentation", "FieldReport"]
