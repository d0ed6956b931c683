"""Glimpses: the whole grid coarsely, and one place finely."""

from __future__ import annotations

from typing import Self

import numpy as np
from keras import ops

from captioner.config import AttentionConfig
from captioner.errors import ConfigError
from captioner.network.attention.additive import AdditiveAttention
from captioner.network.attention.product import product


def coarse_cells(grid: tuple[int, int], side: int) -> np.ndarray:
    """Which coarse cell, of `side` by `side` fine ones (fewer at the edges), holds each fine cell: 0 or 1, float32
    (coarse cells, locations)."""
    rows, columns = (np.arange(size) // side for size in grid)
    cell = rows[:, None] * (columns[-1] + 1) + columns
    return (np.arange(cell.max() + 1)[:, None] == cell.ravel()).astype("float32")


class GlimpseAttention(AdditiveAttention):
    """Sees a coarse grid everywhere, and fine annotation vectors only in the coarse cell it looks at.

    The coarse cells j are means of `window` by `window` annotation vectors. Their scores are those of additive
    attention; beta = softmax of them. The normaliser picks a cell s of them; with "hard" it is one cell, drawn in
    training and trained by REINFORCE. Within it alpha_i is a softmax over the fine scores, and

    context = sum_j beta_j coarse_j + sum_{i in s} alpha_i a_i.

    The mask is alpha: it lies inside the cell that was looked at. A soft normaliser makes it a two-level soft
    attention. In the spirit of the recurrent model of visual attention (the whole picture in low resolution, a
    glimpse in high), but over features of a network that has seen all pixels, so that it saves no time here.

    Args:
        units: length of the hidden layer that compares query and location.
        grid: rows and columns.
        window: rows and columns of annotation vectors in a coarse cell.
        **shape: `normaliser` and `activation`, as in `AdditiveAttention`; one head, and no sentinel.

    Raises:
        ConfigError: heads or a sentinel are asked for.

    Reference:
        Mnih et al. 2014, "Recurrent models of visual attention", sections 3 and 3.1.
    """

    score_weights = ("score_vector", "fine_vector")

    def __init__(self, units: int, *shape, grid: tuple[int, int], window: int = 2, **kwargs):
        super().__init__(units, *shape, **kwargs)
        if self.heads > 1 or self.sentinel:
            raise ConfigError(
                "attention 'glimpse' has one head and no sentinel: set attention.heads = 1, sentinel = false"
            )
        self.members = coarse_cells(grid, window)
        self.pooling = self.members / self.members.sum(axis=1, keepdims=True)

    @classmethod
    def from_config(cls, config: AttentionConfig, normaliser, surroundings, **kwargs) -> Self:
        place = {"grid": surroundings.grid, "window": config.window}
        return super().from_config(config, normaliser, surroundings, **place, **kwargs)

    @classmethod
    def scored_grid(cls, config: AttentionConfig, grid) -> tuple[int, int]:
        return tuple(-(-side // config.window) for side in grid)

    def build_score(self, annotations_shape, query_shape):
        super().build_score(annotations_shape, query_shape)
        self.fine_query_kernel = self.add_weight((query_shape[-1], self.units), "glorot_uniform", name="U_fine")
        self.fine_vector = self.add_weight((self.units, 1), "glorot_uniform", name="v_fine")

    def keys(self, annotations):
        fine = super().keys(annotations)["keys"]
        return {"keys": ops.matmul(ops.cast(self.pooling, fine.dtype), fine), "fine_keys": fine}

    def attend(self, query, memory, state, cell=None):
        coarse = self.score(query, memory)
        seen = ops.softmax(ops.cast(coarse, "float32"), axis=-1)
        used, weights, state, extras = self.normaliser.normalise(coarse, query, state)
        fine = self._within(query, memory)
        to_read = product(seen, ops.convert_to_tensor(self.pooling)) + self._spread(used, fine)
        context = ops.matmul(ops.cast(to_read, query.dtype), memory["values"])
        return context, self._spread(weights, fine), state, extras

    def _within(self, query, memory):
        """Softmax of the fine scores within each coarse cell: (batch, queries, locations)."""
        scores = self.compare(query, self.fine_query_kernel, memory["fine_keys"], self.fine_vector)
        scores = ops.cast(scores[..., 0], "float32")
        # (…, coarse cells, locations): a softmax over each cell's own locations.
        apart = ops.softmax(scores[:, :, None] + (self.members - 1.0) * 1e9, axis=-1)
        return ops.sum(apart * self.members, axis=2)

    def _spread(self, weights, fine):
        """Weights of coarse cells, shared out among their locations."""
        return product(weights, ops.convert_to_tensor(self.members)) * fine
