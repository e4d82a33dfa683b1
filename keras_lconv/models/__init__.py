"""Models to start from."""

from keras_lconv.models.classifier import classifier
from keras_lconv.models.energy_and_forces import EnergyAndForces
from keras_lconv.models.equivariant_mlp import equivariant_mlp
from keras_lconv.models.from_report import from_report
from keras_lconv.models.lconv_classifier import lconv_classifier
from keras_lconv.models.network_report import NetworkReport
from keras_lconv.models.point_network import point_network
from keras_lconv.models.se2_classifier import se2_classifier
from keras_lconv.models.steerable_classifier import steerable_classifier
from keras_lconv.models.steerable_unet import steerable_unet
from keras_lconv.models.train_from_report import train_from_report

__all__ = [
    "EnergyAndForces",
    "NetworkReport",
    "classifier",
    "equivariant_mlp",
    "from_report",
    "lconv_classifier",
    "point_network",
    "se2_classifier",
    "steerable_classifier",
    "steerable_unet",
    "train_from_report",
]
