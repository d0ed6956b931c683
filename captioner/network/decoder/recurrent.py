"""Recurrent decoder with attention: initial state, one step, and a whole caption under teacher forcing."""

from __future__ import annotations

import keras
from keras import ops

from captioner.config import DecoderConfig
from captioner.network.attention import constant_product, product
from captioner.network.decoder.base import BaseDecoder
from captioner.network.decoder.cells import CELLS


class Decoder(BaseDecoder):
    """The decoder of Xu et al. 2015, section 3.1.2, for several captions of a picture at once.

    z_t = beta_t * context_t with beta_t = sigmoid(f_beta(h_{t-1})); LSTM on [E y_{t-1}; z_t];
    h_0 and c_0 from two layers on the mean annotation vector;
    deep output p(y_t) = softmax(L_o(E y_{t-1} + L_h h_t + L_z z_t)), equation 7.

    With the query "current_state" the LSTM comes first, on [E y_{t-1}; z_{t-1}], and h_t asks (Luong et al. 2015).
    A GRU may stand in place of the LSTM.

    Args:
        config: sizes, cell, gate, query, tied or free output words.
        *arguments, **named: as in `BaseDecoder`. `dropout` meets the inputs of the deep output; `state_dropout` the
            hidden state, the same share of it for a whole caption (Gal & Ghahramani 2016).

    Attributes:
        unrolled: write the steps of captions of known length out one after the other instead of in a loop. The graph
            takes longer to trace and less time to run: a loop's gradient keeps sums for all that is constant in it.
    """

    def __init__(self, config: DecoderConfig, *arguments, **named):
        super().__init__(config, *arguments, **named)
        self.cell = CELLS[config.cell](config.lstm_units)
        self.unrolled = False
        self.asks_with_word = config.query == "previous_state_and_word"
        self.asks_afterwards = config.query == "current_state"

    def build(self, annotations_shape):
        config, channels = self.config, annotations_shape[-1]
        units, embedding = config.lstm_units, config.embedding_size

        def add(name, shape, initializer="glorot_uniform"):
            return self.add_weight(shape, initializer, name=name)

        seen = self._build_context(annotations_shape)
        self.attention = self._make_attention(annotations_shape)
        self.attention.build(seen, (None, None, units + embedding * self.asks_with_word), units)
        size = self.attention.context_size
        self._build_words(deviation=0.1)
        self.cell.build(add, channels, embedding, size)
        gate_size = {"scalar": 1, "vector": size, "none": 0}[config.gate]
        if gate_size:
            self.gate_kernel, self.gate_bias = (
                add("f_beta", (units, gate_size)),
                add("f_beta_bias", (gate_size,), "zeros"),
            )
        self.output_hidden = add("L_h", (units, embedding))
        self.output_context = add("L_z", (size, embedding))
        self._build_output()
        self.built = True

    def prepare(self, annotations, tables=None):
        """What stays the same for all steps of a picture: the memory of `step`.

        The context meets two matrices. Where it is a weighted sum of annotation vectors, these are multiplied once a
        picture instead of the context once a word. A gate for each channel acts before the product and forbids that.
        Training, where nearly every caption of a batch has a picture of its own, would lose by it.
        """
        annotations = self.context(ops.cast(annotations, self.compute_dtype))
        if not self.projects:
            return self.attention.prepare(annotations)
        return self.attention.prepare(annotations, self._context_kernels() if tables is None else tables["context"])

    @property
    def projects(self) -> bool:
        """Whether `prepare` multiplies annotation vectors by the matrices that the context meets."""
        return self.config.gate != "vector" and self.attention.linear

    @property
    def samples(self) -> bool:
        """Whether training draws where it looks; see `BaseDecoder`."""
        return self.attention.samples

    def sharpen(self, factor: float):
        """Multiply the scores of the attention; see `Attention.sharpen`."""
        self.attention.sharpen(factor)

    def initial_state(self, annotations, memory, captions: int, training: bool = False):
        """State before the first word, of each of `captions` captions a picture; `memory` is what `prepare` gave."""
        mean = ops.cast(ops.mean(ops.cast(annotations, "float32"), axis=1), self.compute_dtype)
        repeat = lambda x: ops.repeat(x[:, None], captions, axis=1)
        state = {name: repeat(value) for name, value in self.cell.start(mean).items()}
        if self.asks_afterwards:
            state["fed"] = ops.zeros_like(ops.tile(state["hidden"], (1, 1, self.cell.width // self.cell.units)))
        return {**state, "attention": self.attention.initial_state(memory, captions, training)}

    def embed(self, words):
        """Word vectors E y: (..., embedding_size)."""
        return ops.take(ops.cast(self.embedding, self.compute_dtype), words, axis=0)

    def advance(self, word_inputs, state, memory, state_mask=None, projected=False, tables=None):
        """One step of attention and the cell.

        Args:
            word_inputs: what `word_inputs` made of E y_{t-1}.
            state: what the last step returned.
            memory: of the attention.
            state_mask: dropout mask of the hidden state that goes into the cell.
            projected: whether the memory's values were multiplied by the matrices that the context meets.
            tables: what `tables` returned, where it is at hand.

        Returns:
            state, and {"hidden", "context" (gated; times L_z where projected), "weights", "gate", ...extras of the
            attention}.
        """
        inputs, embedded = word_inputs[..., : self.cell.width], word_inputs[..., self.cell.width :]
        recurrent = self._recurrent(state["hidden"] if state_mask is None else state["hidden"] * state_mask, tables)
        if self.asks_afterwards:
            new_state = self.cell.step(inputs + state["fed"], recurrent, state)
            new_state["fed"], attention, outputs = self._look(new_state, embedded, state, memory, projected)
        else:
            of_context, attention, outputs = self._look(state, embedded, state, memory, projected)
            new_state = self.cell.step(inputs + of_context, recurrent, state)
        new_state["attention"] = attention
        return new_state, {"hidden": new_state["hidden"], **outputs}

    def _recurrent(self, hidden, tables):
        if tables is None:
            return product(hidden, self.cell.recurrent_kernel)
        return constant_product(hidden, tables["recurrent"])

    def _look(self, asking, embedded, state, memory, projected):
        """Attention, asked by the state `asking`: what it gives the cell, its state, what is put out."""
        hidden, width = asking["hidden"], self.cell.width
        query = ops.concatenate([hidden, embedded], axis=-1) if self.asks_with_word else hidden
        context, weights, attention, extras = self.attention.attend(
            query, memory, state["attention"], self.cell.remembered(asking)
        )
        gate = self._gate(hidden)
        if gate is not None:
            context = context * gate
            extras = {**extras, "gate": ops.mean(ops.cast(gate, "float32"), axis=-1)}
        if projected:
            of_context, context = ops.split(context, [width], axis=-1)
        else:
            of_context = product(context, self.cell.context_kernel)
        return of_context, attention, {"context": context, "weights": weights, **extras}

    def _gate(self, hidden):
        if self.config.gate == "none":
            return None
        return ops.sigmoid(product(hidden, self.gate_kernel) + self.gate_bias)

    def word_inputs(self, embedded):
        """What words give a step, which needs no recurrence: one product for all steps.

        Returns:
            E y times the cell's word kernel, plus its bias, (..., 4 * lstm_units for an LSTM), followed by E y itself
            where the attention asks with it. One tensor: on TensorFlow a scan takes no more than one of unknown length.
        """
        gates = product(embedded, self.cell.word_kernel) + self.cell.bias
        return ops.concatenate([gates, embedded], axis=-1) if self.asks_with_word else gates

    def logits(self, embedded, hidden, of_context, tables=None, training=False):
        """Deep output before its softmax, float32: (..., vocabulary_size); `of_context` is L_z z_t."""
        deep = embedded + product(hidden, self.output_hidden) + of_context
        if training and self.dropout:
            deep = keras.random.dropout(deep, self.dropout, seed=self.seeds)
        if tables is None:
            of_words = product(deep, ops.cast(self._output_kernel(), deep.dtype)) + self.output_bias
        else:
            of_words = constant_product(
                ops.concatenate([deep, ops.ones_like(deep[..., :1])], axis=-1), tables["output"]
            )
        return ops.cast(of_words, "float32")

    def _context_kernels(self):
        return ops.concatenate([self.cell.context_kernel, self.output_context], axis=1)

    def tables(self):
        """What many captions share, where weights no longer change: arrays and tensors made of the weights once."""
        output = ops.concatenate([self._output_kernel(), self.output_bias[None]], axis=0)
        return {
            "context": self._context_kernels(),
            "inputs": self.word_inputs(ops.cast(self.embedding, self.compute_dtype)),
            "recurrent": ops.convert_to_numpy(self.cell.recurrent_kernel),
            "output": ops.convert_to_numpy(output),
        }

    def step(self, words, state, memory, tables=None):
        """Read the last words and predict the next.

        Args:
            words: ids (batch, captions).
            state: what the last step returned.
            memory: what `prepare` returned.
            tables: what `tables` returned, where it is at hand.

        Returns:
            log-probabilities (batch, captions, vocabulary_size), state, and the outputs of `advance`.
        """
        embedded = self.embed(words)
        inputs = self.word_inputs(embedded) if tables is None else ops.take(tables["inputs"], words, axis=0)
        state, outputs = self.advance(inputs, state, memory, projected=self.projects, tables=tables)
        of_context = outputs["context"]
        if not self.projects:
            of_context = product(of_context, self.output_context)
        logits = self.logits(embedded, outputs["hidden"], of_context, tables)
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
        memory = self.attention.prepare(self.context(annotations))
        state = self.initial_state(annotations, memory, captions, training)
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
        of_context = product(context, self.output_context)
        return {"logits": self.logits(embedded, hidden, of_context, training=training), **stacked}

    def _unroll(self, inputs, state, memory, state_mask):
        """All steps of `advance`, stacked along time, axis 2."""
        if self.unrolled and inputs.shape[2] is not None:
            steps = []
            for time in range(inputs.shape[2]):
                state, outputs = self.advance(inputs[:, :, time], state, memory, state_mask)
                steps.append(outputs)
            return {name: ops.stack([outputs[name] for outputs in steps], axis=2) for name in steps[0]}
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
