"""Batches in a new order in each epoch."""

from typing import Any

import keras
import numpy as np

from keras_lconv._validation import boolean, count, positive_int


class RandomBatches(keras.utils.PyDataset):
    """Samples in random order, with other random choices.

    A batch depends only on the seed, the epoch and the number of the batch, so `workers` do
    not change it.

    Args:
        num_samples: Number of samples in an epoch.
        batch_size: Number of samples in a batch. The last one may be smaller.
        shuffle: Whether each epoch has its own order.
        seed: Seed of the order and of the batches.
        **kwargs: Arguments of `keras.utils.PyDataset`.
    """

    def __init__(
        self, num_samples: int, batch_size: int, shuffle: bool, seed: int, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.num_samples = num_samples
        self.batch_size = positive_int("batch_size", batch_size)
        self.shuffle = boolean("shuffle", shuffle)
        self.seed = count("seed", seed)
        self._epoch = 0
        self._new_order()

    def _batch(
        self, samples: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The batch of samples with these numbers."""
        raise NotImplementedError

    def _new_order(self) -> None:
        self._order = np.arange(self.num_samples)
        if self.shuffle:
            np.random.default_rng((self.seed, self._epoch)).shuffle(self._order)

    def __len__(self) -> int:
        return -(-self.num_samples // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = index * self.batch_size
        rng = np.random.default_rng((self.seed, self._epoch, index))
        return self._batch(self._order[start : start + self.batch_size], rng)

    def on_epoch_end(self) -> None:
        """Starts a new epoch, with a new order and new random numbers."""
        self._epoch += 1
        self._new_order()
