"""Local attention on the grid: a window that walks, or one whose place is predicted."""

from __future__ import annotations

from typing import Self

import numpy as np
from keras import ops

from captioner.config import AttentionConfig
from captioner.network.attention.normaliser import Normaliser, Surroundings, like_scores
from captioner.network.attention.product import product

OUT_OF_REACH = -1e9


def cell_places(grid: tuple[int, int]) -> np.ndarray:
    """Row and column of each location, row by row: float32 (locations, 2)."""
    rows, columns = grid
    return np.stack(np.divmod(np.arange(rows * columns), columns), axis=-1).astype("float32")


class LocalMonotonic(Normaliser):
    """local-m: a window walks over the grid in raster order, whatever is asked; within it a softmax chooses.

    At word t (0, 1, …) of at most T it stands around cell floor(t L / T) of the L cells, and reaches `window` rows
    and columns to each side. A caption cannot go back: what the mechanism assumes of two languages holds for no photo.

    Args:
        grid: rows and columns.
        window: D.
        steps: T, longest caption; the window then stays where it is.

    Reference:
        Luong et al. 2015, "Effective approaches to attention-based neural machine translation", section 3.2, whose
        window is one of words; it is one of cells here.
    """

    sequential = True

    @classmethod
    def from_config(cls, config: AttentionConfig, surroundings: Surroundings) -> Self:
        return cls(surroundings.grid, config.window, surroundings.steps)

    def __init__(self, grid: tuple[int, int], window: int, steps: int, **kwargs):
        super().__init__(**kwargs)
        places = cell_places(grid)
        centres = places[np.arange(steps) * len(places) // steps]
        inside = np.abs(places[None] - centres[:, None]).max(-1) <= window  # (steps, locations)
        self.reach = np.where(inside, 0.0, OUT_OF_REACH).astype("float32")

    def initial_state(self, lead, training: bool):
        return ops.zeros(lead[:2])

    def normalise(self, scores, query, state):
        last = len(self.reach) - 1
        step = ops.one_hot(ops.cast(ops.minimum(state, last), "int32"), last + 1, dtype="float32")
        reach = like_scores(product(step, ops.convert_to_tensor(self.reach)), scores)
        weights = ops.softmax(ops.cast(scores, "float32") + reach, axis=-1)
        return weights, weights, state + 1.0, {}


class LocalPredictive(Normaliser):
    """local-p: the query predicts a point of the grid, and a Gaussian around it favours what is near.

    p = (rows, columns) * sigmoid(tanh(h W_p) V_p); alpha_i ~ exp(e_i) exp(-|i - p|^2 / (2 sigma^2)), sigma = D / 2. The
    paper leaves the product as it is; here it is made to sum to 1, as a mask does.

    Args:
        grid: rows and columns.
        window: D, in cells.
        units: length of the hidden layer that predicts.

    Reference:
        Luong et al. 2015, "Effective approaches to attention-based neural machine translation", equations 9 and 10.
    """

    @classmethod
    def from_config(cls, config: AttentionConfig, surroundings: Surroundings) -> Self:
        return cls(surroundings.grid, config.window, config.units)

    def __init__(self, grid: tuple[int, int], window: int, units: int, **kwargs):
        super().__init__(**kwargs)
        self.grid, self.window, self.units = grid, window, units
        self.places = cell_places(grid)

    def build(self, query_shape):
        self.hidden_kernel = self.add_weight((query_shape[-1], self.units), "glorot_uniform", name="W_p")
        self.point_kernel = self.add_weight((self.units, 2), "glorot_uniform", name="V_p")

    def point(self, query):
        """Row and column, from 0 to those of the last cell: (batch, queries, 2)."""
        shares = ops.sigmoid(product(ops.tanh(product(query, self.hidden_kernel)), self.point_kernel))
        return ops.cast(shares, "float32") * (np.array(self.grid, "float32") - 1.0)

    def normalise(self, scores, query, state):
        away = ops.sum(ops.square(self.places - self.point(query)[:, :, None]), axis=-1)
        nearness = away / -(2 * (self.window / 2) ** 2)
        weights = ops.softmax(ops.cast(scores, "float32") + like_scores(nearness, scores), axis=-1)
        return weights, weights, state, {}
