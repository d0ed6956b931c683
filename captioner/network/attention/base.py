"""What every attention mechanism has in common.

A mechanism is a Keras layer with three methods:

- `prepare(annotations, kernel) -> memory`, once a picture: whatever needs no query, keys for instance;
- `initial_state(memory, queries) -> state`, what it carries from word to word; an empty tuple where it carries nothing;
- `attend(query, memory, state, cell) -> (context, weights, state, extras)`, once a word.

Several queries of one picture (beams, or its five training captions) share its memory: queries are
(batch, queries, query_size), masks (batch, queries, locations). `extras` is a dictionary of further tensors to
report, such as "heads" (batch, queries, heads, locations) or "sentinel" (batch, queries).
"""

from __future__ import annotations

import abc
from typing import Self

import keras
from keras import ops

from captioner.config import AttentionConfig
from captioner.errors import ConfigError
from captioner.network.attention.normaliser import Normaliser, Surroundings
from captioner.network.attention.product import from_heads, product, to_heads
from captioner.network.attention.sentinel import Sentinel
from captioner.network.attention.softmax import Softmax


class Attention(keras.layers.Layer):
    """A score function, a normaliser that makes weights of scores, heads, and a visual sentinel where asked for.

    A subclass says how a query is compared with a location: `build_score`, `keys`, `score`.

    With several heads (Vaswani et al. 2017, section 3.2.2) each has `units` / `heads` columns of the score and of the
    projected values; their contexts are concatenated and projected again. The mask is the mean of the heads' masks.

    Args:
        units: width of what is compared.
        heads: how many masks are made at once; a divisor of `units`.
        normaliser: what makes weights of scores; None is softmax.
        sentinel: whether a word may look at no place (Lu et al. 2017).

    Attributes:
        context_size: length of the context, after `build`.

    Shapes:
        annotations: (batch, locations, channels)
        query: (batch, queries, query_size)
        cell: (batch, queries, cell_size), the decoder's memory cell, which the sentinel is made of
        context: (batch, queries, context_size); weights: (batch, queries, locations), each row sums to 1.

    Raises:
        ConfigError: `units` does not split into `heads`.
    """

    projects_values = False  # whether one head reads projected values too
    score_weights: tuple[str, ...] = ()  # the weights that scores grow in proportion to

    def __init__(
        self, units: int, heads: int = 1, normaliser: Normaliser | None = None, sentinel: bool = False, **kwargs
    ):
        super().__init__(**kwargs)
        if units % heads:
            raise ConfigError(f"attention.units is a multiple of attention.heads {heads}. Received: {units}")
        self.units, self.heads = units, heads
        self.normaliser = normaliser or Softmax()
        self.sentinel = Sentinel(units, name="sentinel") if sentinel else None

    @classmethod
    def from_config(cls, config: AttentionConfig, normaliser: Normaliser, surroundings: Surroundings, **kwargs) -> Self:
        """The mechanism of a description."""
        return cls(config.units, config.heads, normaliser, config.sentinel, **kwargs)

    @classmethod
    def scored_grid(cls, config: AttentionConfig, grid: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of what gets a score."""
        return grid

    @property
    def linear(self) -> bool:
        """Whether the context is a linear map of one weighted sum of annotation vectors.

        Then what the context is multiplied by may be multiplied with the annotation vectors, once a picture.
        """
        return self.heads == 1 and self.sentinel is None

    @property
    def samples(self) -> bool:
        """Whether training draws where it looks, so that it needs the loss of `training.engine.reinforce`."""
        return self.normaliser.samples

    def build(self, annotations_shape, query_shape, cell_size: int | None = None):
        self.build_score(annotations_shape, query_shape)
        self.normaliser.build(query_shape)
        self.context_size = annotations_shape[-1]
        if self.projects_values or self.heads > 1:
            self.context_size = self.units
            self.value_kernel = self.add_weight((annotations_shape[-1], self.units), "glorot_uniform", name="W_v")
        if self.heads > 1:
            self.output_kernel = self.add_weight((self.units, self.units), "glorot_uniform", name="W_o")
        if self.sentinel:
            self.sentinel.build(query_shape, cell_size or query_shape[-1], self.context_size)

    @abc.abstractmethod
    def build_score(self, annotations_shape, query_shape):
        """Make the weights of the score."""

    @abc.abstractmethod
    def keys(self, annotations):
        """What `score` needs of a picture: a dictionary of tensors."""

    @abc.abstractmethod
    def score(self, query, memory):
        """How much each location answers a query: (batch, queries, [heads,] locations)."""

    def sharpen(self, factor: float):
        """Multiply all scores by a number from now on: above 1 masks are sharper, below flatter.

        Raises:
            ConfigError: no weight of this mechanism does that.
        """
        if not self.score_weights:
            raise ConfigError(
                "sharpen is for an attention with weights of its own that make scores larger; leave it out"
            )
        for name in self.score_weights:
            weight = getattr(self, name)
            weight.assign(factor * weight)

    def prepare(self, annotations, kernel=None):
        """What stays the same for all words of a picture.

        Args:
            annotations: (batch, locations, channels).
            kernel: a matrix (context_size, any) that contexts are to be multiplied by, which is done here with every
                location's values; for a mechanism that is `linear`. None multiplies by nothing.
        """
        values = annotations
        if hasattr(self, "value_kernel"):
            values = product(annotations, ops.cast(self.value_kernel, annotations.dtype))
        if kernel is not None:
            values = product(values, ops.cast(kernel, annotations.dtype))
        return {"values": to_heads(values, self.heads), **self.keys(annotations)}

    def initial_state(self, memory, queries: int, training: bool = False):
        """What is carried from word to word, of `queries` captions a picture."""
        lead = (ops.shape(memory["values"])[0], queries)
        return self.normaliser.initial_state(lead if self.heads == 1 else (*lead, self.heads), training)

    def attend(self, query, memory, state, cell=None):
        """Where to look for one word.

        Args:
            query: what is asked for.
            memory: what `prepare` returned.
            state: what the last call returned.
            cell: the decoder's memory cell, for the sentinel; None takes the query.

        Returns:
            context, weights, state, extras.
        """
        scores = self.score(query, memory)
        used, weights, state, extras = self.normaliser.normalise(scores, query, state)
        context = self._read(ops.cast(used, query.dtype), memory["values"])
        if self.heads > 1:
            extras = {**extras, "heads": weights}
            weights = ops.mean(weights, axis=2)
        if self.sentinel:
            cell = query if cell is None else cell
            context, beta = self.sentinel.mix(context, scores, query, cell)
            extras = {**extras, "sentinel": beta}
        return context, weights, state, extras

    def _read(self, weights, values):
        if self.heads == 1:
            return ops.matmul(weights, values)
        of_heads = ops.matmul(ops.swapaxes(weights, 1, 2), values)
        return product(from_heads(of_heads), self.output_kernel)
