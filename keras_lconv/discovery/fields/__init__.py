"""Vector fields that are not affine: search spaces and reports."""

from keras_lconv.discovery.fields.augmentation import FieldAugmentation
from keras_lconv.discovery.fields.report import FieldReport

__all__ = ["FieldAugmentation", "FieldReport"]
