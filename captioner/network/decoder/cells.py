"""Recurrent cells, whose weights belong to the decoder they are in.

A cell takes its gates' inputs already multiplied: words need no recurrence and are multiplied for all steps at once,
the context may have been multiplied once a picture, and the hidden state meets a kernel that may be a constant.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import ops


class LSTM:
    """Long short-term memory as in Xu et al. 2015, equations 1 to 3, with forget gates that start open.

    Args:
        units: n, length of the hidden state.

    Attributes:
        width: columns of the gates' inputs.
    """

    def __init__(self, units: int):
        self.units, self.width = units, 4 * units

    def build(self, add: Callable, channels: int, embedding: int, context: int) -> None:
        """Make the weights with `add(name, shape, initializer)`."""
        self.hidden_kernel, self.hidden_bias = (
            add("init_h", (channels, self.units)),
            add("init_h_bias", (self.units,), "zeros"),
        )
        self.cell_kernel, self.cell_bias = (
            add("init_c", (channels, self.units)),
            add("init_c_bias", (self.units,), "zeros"),
        )
        self.word_kernel = add("lstm_word", (embedding, self.width))
        self.context_kernel = add("lstm_context", (context, self.width))
        self.recurrent_kernel = add("lstm_recurrent", (self.units, self.width), "orthogonal")
        self.bias = add("lstm_bias", (self.width,), "zeros")

    def start(self, mean):
        """State of the mean annotation vector, (batch, units) each."""
        hidden = ops.tanh(ops.matmul(mean, self.hidden_kernel) + self.hidden_bias)
        return {"hidden": hidden, "cell": ops.tanh(ops.matmul(mean, self.cell_kernel) + self.cell_bias)}

    def step(self, inputs, recurrent, state):
        """The next state; `recurrent` is the hidden state times the recurrent kernel."""
        gates = inputs + recurrent
        enter, forget, candidate, leave = ops.split(gates, 4, axis=-1)
        cell = ops.sigmoid(forget + 1.0) * state["cell"] + ops.sigmoid(enter) * ops.tanh(candidate)
        return {"hidden": ops.sigmoid(leave) * ops.tanh(cell), "cell": cell}

    def remembered(self, state):
        """What a visual sentinel is made of (Lu et al. 2017): the memory cell."""
        return state["cell"]


class GRU:
    """Gated recurrent unit, its reset gate after the product, as the quick implementations have it.

    h_t = u h_{t-1} + (1 - u) tanh(x_c + r (h_{t-1} U_c + b)), with u and r sigmoids of x + h_{t-1} U + b.

    Args:
        units: n, length of the hidden state.

    Reference:
        Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical machine
        translation".
    """

    def __init__(self, units: int):
        self.units, self.width = units, 3 * units

    def build(self, add: Callable, channels: int, embedding: int, context: int) -> None:
        """Make the weights with `add(name, shape, initializer)`."""
        self.hidden_kernel, self.hidden_bias = (
            add("init_h", (channels, self.units)),
            add("init_h_bias", (self.units,), "zeros"),
        )
        self.word_kernel = add("gru_word", (embedding, self.width))
        self.context_kernel = add("gru_context", (context, self.width))
        self.recurrent_kernel = add("gru_recurrent", (self.units, self.width), "orthogonal")
        self.bias = add("gru_bias", (self.width,), "zeros")
        self.recurrent_bias = add("gru_recurrent_bias", (self.width,), "zeros")

    def start(self, mean):
        """State of the mean annotation vector."""
        return {"hidden": ops.tanh(ops.matmul(mean, self.hidden_kernel) + self.hidden_bias)}

    def step(self, inputs, recurrent, state):
        """The next state; `recurrent` is the hidden state times the recurrent kernel."""
        past = ops.split(recurrent + self.recurrent_bias, 3, axis=-1)
        update, reset, candidate = ops.split(inputs, 3, axis=-1)
        update, reset = ops.sigmoid(update + past[0]), ops.sigmoid(reset + past[1])
        candidate = ops.tanh(candidate + reset * past[2])
        return {"hidden": update * state["hidden"] + (1.0 - update) * candidate}

    def remembered(self, state):
        """What a visual sentinel is made of: a GRU has no memory cell beside its hidden state."""
        return state["hidden"]


CELLS = {"lstm": LSTM, "gru": GRU}
