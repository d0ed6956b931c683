"""A Transformer decoder, behind the same interface as the recurrent one."""

from __future__ import annotations

import math

import keras
from keras import ops

from captioner.config import DecoderConfig
from captioner.errors import ConfigError
from captioner.network.attention import product
from captioner.network.attention.product import join_last, split_last
from captioner.network.context.positions import wave_rates
from captioner.network.context.self_attention import OUT_OF_REACH, FeedForward
from captioner.network.decoder.base import BaseDecoder


class TransformerDecoder(BaseDecoder):
    """Words ask the words before them, then the picture, layer by layer; each part is normalised first.

    Its cross-attention is a mechanism of `captioner.network.attention` like any other: "scaled_dot" with several heads
    is the paper's. The masks are those of the last layer. While a caption is written, keys and values of its words are
    kept in a state of fixed length, the last `config.max_words` + 1 of them, and teacher forcing reaches as far.

    Args:
        config: d = `embedding_size` runs through all layers, `lstm_units` is the hidden layer of the feed-forward part.
        *arguments, **named: as in `BaseDecoder`. `state_dropout` is the share of what each part of a layer adds that is
            dropped in training.

    Raises:
        ConfigError: d does not split into heads, or the mechanism goes from word to word.

    Reference:
        Vaswani et al. 2017, "Attention is all you need", section 3; with the normalisation first, Xiong et al. 2020,
        "On layer normalization in the transformer architecture".
    """

    def __init__(self, config: DecoderConfig, *arguments, **named):
        super().__init__(config, *arguments, **named)
        if config.embedding_size % config.heads:
            raise ConfigError(
                f"decoder.embedding_size of a Transformer is a multiple of decoder.heads {config.heads}. "
                f"Received: {config.embedding_size}"
            )
        self.kept = config.max_words + 1

    def build(self, annotations_shape):
        size = self.config.embedding_size
        seen = self._build_context(annotations_shape)
        self.layers = []
        for number in range(self.config.layers):
            mechanism = self._make_attention(annotations_shape)
            if mechanism.samples or mechanism.normaliser.sequential:
                raise ConfigError(
                    "a Transformer reads all words of a caption at once, so its attention can neither draw a location "
                    "nor carry anything from word to word; choose another attention.normaliser. Received: "
                    f"{self.parts[0].normaliser!r}"
                )
            layer = TransformerLayer(self.config, mechanism, name=f"layer_{number}")
            layer.build(seen)
            self.layers.append(layer)
        self._build_words(deviation=size**-0.5)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")
        self.norm.build((None, None, size))
        self._build_output()
        self.built = True

    def prepare(self, annotations, tables=None):
        """What stays the same for all steps of a picture: each layer's memory."""
        annotations = self.context(ops.cast(annotations, self.compute_dtype))
        return tuple(layer.attention.prepare(annotations) for layer in self.layers)

    def sharpen(self, factor: float):
        """Multiply the scores of the attention to the picture, in every layer; see `Attention.sharpen`."""
        for layer in self.layers:
            layer.attention.sharpen(factor)

    def initial_state(self, annotations, memory, captions: int):
        """State before the first word: words read so far (batch, captions, 1), and nothing kept of any."""
        lead = (ops.shape(annotations)[0], captions)
        kept = lambda: ops.zeros((*lead, self.kept, self.config.embedding_size), self.compute_dtype)
        layers = tuple({"keys": kept(), "values": kept()} for _ in self.layers)
        return {"layers": layers, "step": ops.zeros((*lead, 1))}

    def tables(self):
        """Word vectors of the whole vocabulary, for many steps with weights that no longer change."""
        return ops.cast(self.embedding, self.compute_dtype) * math.sqrt(self.config.embedding_size)

    def step(self, words, state, memory, tables=None):
        """Read the last words and predict the next.

        Args:
            words: ids (batch, captions).
            state: what the last step returned.
            memory: what `prepare` returned.
            tables: what `tables` returned, where it is at hand.

        Returns:
            log-probabilities (batch, captions, vocabulary_size), state, {"weights", ...extras of the last attention}.
        """
        table = self.tables() if tables is None else tables
        x = ops.take(table, words, axis=0) + ops.cast(self._positions(state["step"]), self.compute_dtype)
        # Newest last; what was never filled stands before the oldest.
        reach = ops.where(ops.arange(self.kept, dtype="float32") >= self.kept - 1.0 - state["step"], 0.0, OUT_OF_REACH)
        layers, outputs = [], {}
        for layer, kept, of_picture in zip(self.layers, state["layers"], memory, strict=True):
            x, kept, outputs = layer.step(x, kept, of_picture, reach)
            layers.append(kept)
        state = {"layers": tuple(layers), "step": state["step"] + 1.0}
        return ops.log_softmax(self._logits(x), axis=-1), state, outputs

    def call(self, annotations, words, training=False):
        """Teacher forcing.

        Args:
            annotations: (batch, locations, channels).
            words: ids (batch, captions, time), the start symbol first.

        Returns:
            {"logits": (batch, captions, time, vocabulary_size), "weights": (batch, captions, time, locations),
            ...extras of the last attention}.
        """
        memory = self.prepare(annotations)
        time = ops.arange(ops.shape(words)[2], dtype="float32")
        x = ops.take(self.tables(), words, axis=0) + ops.cast(self._positions(time[:, None]), self.compute_dtype)
        drop = lambda x, rate: keras.random.dropout(x, rate, seed=self.seeds) if training and rate else x
        x = drop(x, self.input_dropout)
        age = time[:, None] - time
        reach = ops.where(ops.logical_and(age >= 0, age < self.kept), 0.0, OUT_OF_REACH)
        outputs = {}
        for layer, of_picture in zip(self.layers, memory, strict=True):
            x, outputs = layer.read(x, of_picture, reach, lambda added: drop(added, self.state_dropout))
        return {"logits": self._logits(drop(x, self.dropout)), **outputs}

    def _positions(self, step):
        """Sines and cosines of word numbers (..., 1), of any size (Vaswani et al. 2017, section 3.5)."""
        angles = step * wave_rates(self.config.embedding_size)
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        odd = self.config.embedding_size % 2
        return ops.concatenate([waves, ops.zeros_like(waves[..., :1])], axis=-1) if odd else waves

    def _logits(self, x):
        x = self.norm(x)
        return ops.cast(product(x, ops.cast(self._output_kernel(), x.dtype)) + self.output_bias, "float32")


class TransformerLayer(keras.layers.Layer):
    """Attention to the words before, attention to the picture, feed-forward; each adds to what runs through.

    Args:
        config: of the decoder.
        attention: the mechanism of the attention to the picture.
    """

    def __init__(self, config: DecoderConfig, attention, **kwargs):
        super().__init__(**kwargs)
        self.config, self.attention = config, attention

    def build(self, seen):
        size = self.config.embedding_size
        self.words_norm = keras.layers.LayerNormalization(epsilon=1e-5, name="words_norm")
        self.picture_norm = keras.layers.LayerNormalization(epsilon=1e-5, name="picture_norm")
        self.words_norm.build((None, None, size))
        self.picture_norm.build((None, None, size))
        self.input_kernel = self.add_weight((size, 3 * size), "glorot_uniform", name="W_qkv")
        self.output_kernel = self.add_weight((size, size), "glorot_uniform", name="W_o")
        self.attention.build(seen, (None, None, size))
        self.context_kernel = self.add_weight((self.attention.context_size, size), "glorot_uniform", name="W_c")
        self.feed_forward = FeedForward(self.config.lstm_units, name="feed_forward")
        self.feed_forward.build((None, None, size))

    def read(self, x, memory, reach, drop):
        """All words of captions at once: x (batch, captions, time, d), reach (time, time)."""
        query, key, value = (ops.swapaxes(split_last(part, self.config.heads), 2, 3) for part in self._project(x))
        scores = ops.cast(ops.matmul(query, ops.swapaxes(key, -1, -2)) / math.sqrt(query.shape[-1]), "float32")
        weights = ops.cast(ops.softmax(scores + reach, axis=-1), x.dtype)
        read = join_last(ops.swapaxes(ops.matmul(weights, value), 2, 3))
        x = x + drop(product(read, self.output_kernel))
        lead = ops.shape(x)[1:3]
        asked = ops.reshape(self.picture_norm(x), (-1, lead[0] * lead[1], x.shape[-1]))
        seen, outputs = self._see(asked, memory)
        apart = lambda value: ops.reshape(value, (-1, *lead, *value.shape[2:]))
        x = x + drop(apart(seen))
        return x + drop(self.feed_forward(x) - x), {name: apart(value) for name, value in outputs.items()}

    def step(self, x, kept, memory, reach):
        """One word of each caption: x (batch, captions, d), reach (batch, captions, kept words)."""
        query, key, value = self._project(x)
        keys = ops.concatenate([kept["keys"][:, :, 1:], key[:, :, None]], axis=2)
        values = ops.concatenate([kept["values"][:, :, 1:], value[:, :, None]], axis=2)
        query, of_heads, to_read = (split_last(part, self.config.heads) for part in (query, keys, values))
        scores = ops.sum(query[:, :, None] * of_heads, axis=-1) / math.sqrt(query.shape[-1])
        weights = ops.softmax(ops.cast(scores, "float32") + reach[..., None], axis=2)
        read = join_last(ops.sum(ops.cast(weights, x.dtype)[..., None] * to_read, axis=2))
        x = x + product(read, self.output_kernel)
        seen, outputs = self._see(self.picture_norm(x), memory)
        return self.feed_forward(x + seen), {"keys": keys, "values": values}, outputs

    def _project(self, x):
        return ops.split(product(self.words_norm(x), self.input_kernel), 3, axis=-1)

    def _see(self, query, memory):
        """What attention to the picture adds, and what it reports; it carries no state (see `TransformerDecoder`)."""
        context, weights, _, extras = self.attention.attend(query, memory, ())
        return product(context, self.context_kernel), {"weights": weights, **extras}
