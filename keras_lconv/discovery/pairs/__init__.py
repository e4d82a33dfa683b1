"""Generators of what relates two samples of a pair."""

from keras_lconv.discovery.pairs.fit import fit_generators
from keras_lconv.discovery.pairs.report import GeneratorReport

__all__ = ["GeneratorReport", "fit_generators"]
