"""Grids and neighbours behind data whose positions are in an unknown order."""

from keras_lconv.discovery.pixels.grid import infer_grid
from keras_lconv.discovery.pixels.grid_sums import GridSums
from keras_lconv.discovery.pixels.neighbors import infer_neighbors
from keras_lconv.discovery.pixels.report import GridReport

__all__ = ["GridReport", "GridSums", "infer_grid", "infer_neighbors"]
