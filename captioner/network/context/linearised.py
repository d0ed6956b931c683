"""Self-attention whose cost grows with the number of cells, not with its square."""

from __future__ import annotations

from keras import ops

from captioner.network.context.self_attention import SelfAttentionContext, SelfAttentionLayer


class LinearisedLayer(SelfAttentionLayer):
    """`SelfAttentionLayer` with phi(q) (phi(K)^T V) in place of softmax(q K^T) V, phi(x) = elu(x) + 1."""

    def mix(self, query, key, value):
        query, key = ops.elu(query) + 1.0, ops.elu(key) + 1.0
        seen = ops.matmul(query, ops.matmul(ops.swapaxes(key, -1, -2), value))
        total = ops.matmul(query, ops.swapaxes(ops.sum(key, axis=-2, keepdims=True), -1, -2))
        return seen / total


class LinearisedContext(SelfAttentionContext):
    """Linearised self-attention: keys and values of all cells are summed up once, and every cell asks the sum.

    Reference:
        Katharopoulos et al. 2020, "Transformers are RNNs: fast autoregressive transformers with linear attention",
        equations 4 to 7.
    """

    def layer(self, **kwargs):
        return LinearisedLayer(self.config.heads, **kwargs)
