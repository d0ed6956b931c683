"""Every mechanism that is trained, tested and shown side by side: what it changes in the default's description."""

from __future__ import annotations

import dataclasses
from typing import Any

from captioner.config import ModelConfig

DEFAULT = "additive"


@dataclasses.dataclass(frozen=True)
class Mechanism:
    """One row of the comparison.

    Attributes:
        part: what of the network it varies, which is also the section of docs/attention.md it stands in.
        title: what the literature calls it.
        changes: sections and keys of `ModelConfig` that differ from the default.
    """

    part: str
    title: str
    changes: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def of(self, base: ModelConfig) -> ModelConfig:
        """The description `base` with this mechanism in it."""
        values = base.model_dump(mode="json")
        for section, change in self.changes.items():
            values[section] |= change
        return ModelConfig.parse(values)


def _self_attention(title: str, **changes) -> Mechanism:
    return Mechanism("context", title, {"context": {"kind": "self_attention", **changes}})


MECHANISMS = {
    DEFAULT: Mechanism("score", "additive, tanh"),
    "additive_sigmoid": Mechanism("score", "additive, sigmoid", {"attention": {"activation": "sigmoid"}}),
    "additive_relu": Mechanism("score", "additive, ReLU", {"attention": {"activation": "relu"}}),
    "dot": Mechanism("score", "dot", {"attention": {"kind": "dot"}, "context": {"kind": "linear"}}),
    "general": Mechanism("score", "general", {"attention": {"kind": "general"}}),
    "location": Mechanism("score", "location", {"attention": {"kind": "location"}}),
    "scaled_dot": Mechanism("score", "scaled dot product", {"attention": {"kind": "scaled_dot"}}),
    "cosine": Mechanism("score", "cosine", {"attention": {"kind": "cosine"}}),
    "hard": Mechanism("normaliser", "hard", {"attention": {"normaliser": "hard"}}),
    "local_monotonic": Mechanism("normaliser", "local-m", {"attention": {"normaliser": "local_monotonic"}}),
    "local_predictive": Mechanism("normaliser", "local-p", {"attention": {"normaliser": "local_predictive"}}),
    "sparsemax": Mechanism("normaliser", "sparsemax", {"attention": {"normaliser": "sparsemax"}}),
    "multi_head": Mechanism("shape", "multi-head, 4 heads", {"attention": {"kind": "scaled_dot", "heads": 4}}),
    "multi_head_additive": Mechanism("shape", "multi-head, additive, 4 heads", {"attention": {"heads": 4}}),
    "sentinel": Mechanism("shape", "visual sentinel", {"attention": {"sentinel": True}}),
    "bilstm": Mechanism("context", "LSTM over rows and columns", {"context": {"kind": "bilstm"}}),
    "self_attention": _self_attention("self-attention, 1 layer"),
    "self_attention_2": _self_attention("self-attention, 2 layers", layers=2),
    "self_attention_window": _self_attention("self-attention, local window", pattern="window"),
    "self_attention_dilated": _self_attention("self-attention, dilated window", pattern="dilated"),
    "self_attention_random": _self_attention("self-attention, random cells", pattern="random"),
    "self_attention_global": _self_attention("self-attention, global cells", pattern="global"),
    "linearised": Mechanism("context", "self-attention, linearised", {"context": {"kind": "linearised"}}),
    "word": Mechanism("query", "previous state and word", {"decoder": {"query": "previous_state_and_word"}}),
    "current_state": Mechanism("query", "current state", {"decoder": {"query": "current_state"}}),
    "gru": Mechanism("query", "GRU", {"decoder": {"cell": "gru"}}),
    "transformer": Mechanism(
        "decoder", "Transformer", {"decoder": {"kind": "transformer"}, "attention": {"kind": "scaled_dot", "heads": 4}}
    ),
    "mean": Mechanism("decoder", "no attention", {"attention": {"kind": "mean"}}),
    "glimpse": Mechanism("decoder", "glimpse", {"attention": {"kind": "glimpse", "normaliser": "hard"}}),
}
