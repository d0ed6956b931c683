"""LSTM decoder with attention: initial state, one step, and a whole caption under teacher forcing."""

from __future__ import annotations

import keras
from keras import ops

from captioner.attention import build_attention, product
from captioner.config import AttentionConfig, DecoderConfig


class Decoder(keras.layers.Layer):
    """The decoder of Xu et al. 2015, section 3.1.2, for several captions of a picture at once.

    z_t = beta_t * context_t with beta_t = sigmoid(f_beta(h_{t-1})); LSTM on [E y_{t-1}; z_t];
    h_0 and c_0 from two layers on the mean annotation vector;
    deep output p(y_t) = softmax(L_o(E y_{t-1} + L_h h_t + L_z z_t)), equation 7.

    Args:
        config: sizes, gate, tied or free output words.
        attention: which mechanism.
        vocabulary_size: K, entries of the vocabulary.
        dropout: share of the deep output's inputs that is dropped in training.
        input_dropout: share of the word vectors' entries that is dropped in training.
        state_dropout: share of the hidden state that is dropped in training, the same one for a whole caption
            (Gal & Ghahramani 2016).

    Shapes (batch = pictures, captions = captions or beams of each picture):
        annotations: (batch, locations, channels)
        words: ids, (batch, captions) for a step, (batch, captions, time) for teacher forcing
    """

    def __init__(
        self,
        config: DecoderConfig,
        attention: AttentionConfig,
        vocabulary_size: int,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        state_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config = config
        self.vocabulary_size = vocabulary_size
        self.attention = build_attention(attention)
        self.dropout, self.input_dropout, self.state_dropout = dropout, input_dropout, state_dropout
        self.seeds = keras.random.SeedGenerator(seed)

    def build(self, annotations_shape):
        config, channels = self.config, annotations_shape[-1]
        units, embedding = config.lstm_units, config.embedding_size

        def add(name, shape, initializer="glorot_uniform"):
            return self.add_weight(shape, initializer, name=name)

        self.embedding = add("E", (self.vocabulary_size, embedding), keras.initializers.RandomNormal(stddev=0.1))
        self.hidden_kernel, self.hidden_bias = add("init_h", (channels, units)), add("init_h_bias", (units,), "zeros")
        self.cell_kernel, self.cell_bias = add("init_c", (channels, units)), add("init_c_bias", (units,), "zeros")
        self.word_kernel = add("lstm_word", (embedding, 4 * units))
        self.context_kernel = add("lstm_context", (channels, 4 * units))
        self.recurrent_kernel = add("lstm_recurrent", (units, 4 * units), "orthogonal")
        self.lstm_bias = add("lstm_bias", (4 * units,), "zeros")
        gate_size = {"scalar": 1, "vector": channels, "none": 0}[config.gate]
        if gate_size:
            self.gate_kernel, self.gate_bias = (
                add("f_beta", (units, gate_size)),
                add("f_beta_bias", (gate_size,), "zeros"),
            )
        self.output_hidden = add("L_h", (units, embedding))
        self.output_context = add("L_z", (channels, embedding))
        if not config.tie_embeddings:
            self.output_kernel = add("L_o", (embedding, self.vocabulary_size))
        self.output_bias = add("L_o_bias", (self.vocabulary_size,), "zeros")
        query_size = units + embedding * (config.query == "previous_state_and_word")
        self.attention.build(annotations_shape, (None, None, query_size))
        self.built = True

    def prepare(self, annotations):
        """What stays the same for all steps of a picture: the memory of `step`.

        The context meets two matrices. It is a weighted sum of annotation vectors, so these are multiplied once a
        picture instead of the context once a word. A gate for each channel acts before the product and forbids that.
        Training, where nearly every caption of a batch has a picture of its own, would lose by it.
        """
        annotations = ops.cast(annotations, self.compute_dtype)
        if not self.projects:
            return self.attention.prepare(annotations, annotations)
        kernels = ops.concatenate([self.context_kernel, self.output_context], axis=1)
        return self.attention.prepare(annotations, product(annotations, ops.cast(kernels, annotations.dtype)))

    @property
    def projects(self) -> bool:
        """Whether `prepare` multiplies annotation vectors by the matrices that the context meets."""
        return self.config.gate != "vector"

    def initial_state(self, annotations, memory, captions: int):
        """(h_0, c_0, attention state) for each of `captions` captions a picture; `memory` is what `prepare` gave."""
        mean = ops.cast(ops.mean(ops.cast(annotations, "float32"), axis=1), self.compute_dtype)
        hidden = ops.tanh(ops.matmul(mean, self.hidden_kernel) + self.hidden_bias)
        cell = ops.tanh(ops.matmul(mean, self.cell_kernel) + self.cell_bias)
        repeat = lambda x: ops.repeat(x[:, None], captions, axis=1)
        return {
            "hidden": repeat(hidden),
            "cell": repeat(cell),
            "attention": self.attention.initial_state(memory, captions),
        }

    def embed(self, words):
        """Word vectors E y: (..., embedding_size)."""
        return ops.take(ops.cast(self.embedding, self.compute_dtype), words, axis=0)

    def advance(self, word_inputs, state, memory, state_mask=None, projected=False):
        """One step of attention and LSTM.

        Args:
            word_inputs: what `word_inputs` made of E y_{t-1}.
            state: what the last step returned.
            memory: of the attention.
            state_mask: dropout mask of the hidden state that goes into the LSTM.
            projected: whether the memory's values were multiplied by the matrices that the context meets.

        Returns:
            state, and {"hidden", "context" (gated; times L_z where projected), "weights", "gate", ...extras of the
            attention}.
        """
        hidden = state["hidden"]
        width = 4 * self.config.lstm_units
        query = hidden
        if self.config.query == "previous_state_and_word":
            query = ops.concatenate([hidden, word_inputs[..., width:]], axis=-1)
        context, weights, attention_state, extras = self.attention.attend(query, memory, state["attention"])
        gate = self._gate(hidden)
        if gate is not None:
            context = context * gate
            extras = {**extras, "gate": ops.mean(ops.cast(gate, "float32"), axis=-1)}
        recurrent = hidden if state_mask is None else hidden * state_mask
        if projected:
            of_context, context = context[..., :width], context[..., width:]
        else:
            of_context = product(context, self.context_kernel)
        gates = word_inputs[..., :width] + of_context + product(recurrent, self.recurrent_kernel)
        enter, forget, candidate, leave = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(forget + 1.0) * state["cell"] + ops.sigmoid(enter) * ops.tanh(candidate)
        hidden = ops.sigmoid(leave) * ops.tanh(cell)
        new_state = {"hidden": hidden, "cell": cell, "attention": attention_state}
        return new_state, {"hidden": hidden, "context": context, "weights": weights, **extras}

    def _gate(self, hidden):
        if self.config.gate == "none":
            return None
        return ops.sigmoid(product(hidden, self.gate_kernel) + self.gate_bias)

    def word_inputs(self, embedded):
        """What words give a step, which needs no recurrence: one product for all steps.

        Returns:
            E y times the LSTM's word kernel, plus its bias, (..., 4 * lstm_units), followed by E y itself where the
            attention asks with it. One tensor: on TensorFlow a scan takes no more than one of unknown length.
        """
        gates = product(embedded, self.word_kernel) + self.lstm_bias
        return gates if self.config.query == "previous_state" else ops.concatenate([gates, embedded], axis=-1)

    def logits(self, embedded, hidden, context, training=False, projected=False):
        """Deep output before its softmax, float32: (..., vocabulary_size)."""
        of_context = context if projected else product(context, self.output_context)
        deep = embedded + product(hidden, self.output_hidden) + of_context
        if training and self.dropout:
            deep = keras.random.dropout(deep, self.dropout, seed=self.seeds)
        kernel = ops.transpose(self.embedding) if self.config.tie_embeddings else self.output_kernel
        return ops.cast(product(deep, ops.cast(kernel, deep.dtype)) + self.output_bias, "float32")

    def word_table(self):
        """`word_inputs` of every word of the vocabulary, for many steps with weights that no longer change."""
        return self.word_inputs(ops.cast(self.embedding, self.compute_dtype))

    def step(self, words, state, memory, word_table=None):
        """Read the last words and predict the next.

        Args:
            words: ids (batch, captions).
            state: what the last step returned.
            memory: what `prepare` returned.
            word_table: what `word_table` returned; a row is read from it instead of computed.

        Returns:
            log-probabilities (batch, captions, vocabulary_size), state, and the outputs of `advance`.
        """
        embedded = self.embed(words)
        inputs = self.word_inputs(embedded) if word_table is None else ops.take(word_table, words, axis=0)
        state, outputs = self.advance(inputs, state, memory, projected=self.projects)
        logits = self.logits(embedded, outputs["hidden"], outputs["context"], projected=self.projects)
        return ops.log_softmax(logits, axis=-1), state, outputs

    def call(self, annotations, words, training=False):
        """Teacher forcing.

        Args:
            annotations: (batch, locations, channels).
            words: ids (batch, captions, time), the start symbol first.

        Returns:
            {"logits": (batch, captions, time, vocabulary_size), "weights": (batch, captions, time, locations),
            "gate": (batch, captions, time), ...extras of the attention}.
        """
        captions = words.shape[1]
        annotations = ops.cast(annotations, self.compute_dtype)
        memory = self.attention.prepare(annotations, annotations)
        state = self.initial_state(annotations, memory, captions)
        embedded = self.embed(words)
        if training and self.input_dropout:
            embedded = keras.random.dropout(embedded, self.input_dropout, seed=self.seeds)
        inputs = self.word_inputs(embedded)
        state_mask = None
        if training and self.state_dropout:
            ones = ops.ones_like(state["hidden"])
            state_mask = keras.random.dropout(ones, self.state_dropout, seed=self.seeds)
        stacked = self._unroll(inputs, state, memory, state_mask)
        hidden, context = stacked.pop("hidden"), stacked.pop("context")
        return {"logits": self.logits(embedded, hidden, context, training), **stacked}

    def _unroll(self, inputs, state, memory, state_mask):
        """All steps of `advance`, stacked along time, axis 2."""
        # Keras wants what a scan returns to match its carry, so the first step makes the carry of the others.
        first = self.advance(inputs[:, :, 0], state, memory, state_mask)

        def advance(carry, word_inputs):
            carry = self.advance(word_inputs, carry[0], memory, state_mask)
            return carry, carry

        _, (_, others) = ops.scan(advance, first, ops.moveaxis(inputs[:, :, 1:], 2, 0))
        return {
            name: ops.concatenate([ops.expand_dims(first[1][name], 2), ops.moveaxis(others[name], 0, 2)], axis=2)
            for name in first[1]
        }
