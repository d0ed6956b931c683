"""What every decoder has in common: what it is made of, and the words it reads and writes."""

from __future__ import annotations

import keras
from keras import ops

from captioner.config import AttentionConfig, ContextConfig, DecoderConfig
from captioner.network.attention import Attention, Surroundings, build_attention
from captioner.network.context import build_context


class BaseDecoder(keras.layers.Layer):
    """Writes several captions of a picture at once, word by word, each word after a look at the picture.

    Args:
        config: sizes, and what else the kind of decoder takes of it.
        attention: which mechanism.
        vocabulary_size: K, entries of the vocabulary.
        dropout: share of the output's inputs that is dropped in training.
        input_dropout: share of the word vectors' entries that is dropped in training.
        state_dropout: share of what goes from word to word or from layer to layer that is dropped in training.
        seed: of dropout, and of what the attention draws.
        context: what annotation vectors learn of each other first.
        grid: their rows and columns; None is one row.

    Attributes:
        samples: whether training draws where it looks, so that it needs the loss of `training.engine.reinforce`.

    Shapes (batch = pictures, captions = captions or beams of each picture):
        annotations: (batch, locations, channels)
        words: ids, (batch, captions) for a step, (batch, captions, time) for teacher forcing
    """

    samples = False

    def __init__(
        self,
        config: DecoderConfig,
        attention: AttentionConfig,
        vocabulary_size: int,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        state_dropout: float = 0.0,
        seed: int | None = None,
        context: ContextConfig | None = None,
        grid: tuple[int, int] | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config, self.grid = config, grid
        self.vocabulary_size = vocabulary_size
        self.parts = attention, context or ContextConfig(), seed
        self.dropout, self.input_dropout, self.state_dropout = dropout, input_dropout, state_dropout
        self.seeds = keras.random.SeedGenerator(seed)

    def _build_context(self, annotations_shape) -> tuple:
        """The grid context, built; the shape of the annotation vectors that come out of it."""
        self.context = build_context(self.parts[1], self._grid(annotations_shape), name="context")
        self.context.build(annotations_shape)
        return (*annotations_shape[:-1], self.context.size(annotations_shape[-1]))

    def _make_attention(self, annotations_shape) -> Attention:
        """The mechanism that the config names, not built yet."""
        attention, _, seed = self.parts
        surroundings = Surroundings(self._grid(annotations_shape), self.config.max_words + 1, seed)
        return build_attention(attention, surroundings, name="attention")

    def _grid(self, annotations_shape) -> tuple[int, int]:
        return self.grid or (1, annotations_shape[-2])

    def _build_words(self, deviation: float):
        """The vectors of the words that are read, drawn with this standard deviation."""
        shape = self.vocabulary_size, self.config.embedding_size
        self.embedding = self.add_weight(shape, keras.initializers.RandomNormal(stddev=deviation), name="E")

    def _build_output(self):
        """What makes scores of words: a matrix, unless the word vectors are used for it, and a bias."""
        if not self.config.tie_embeddings:
            shape = self.config.embedding_size, self.vocabulary_size
            self.output_kernel = self.add_weight(shape, "glorot_uniform", name="L_o")
        self.output_bias = self.add_weight((self.vocabulary_size,), "zeros", name="L_o_bias")

    def _output_kernel(self):
        return ops.transpose(self.embedding) if self.config.tie_embeddings else self.output_kernel
