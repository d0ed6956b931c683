"""What annotation vectors learn of each other before attention sees them: contexts over the grid, by name."""

from __future__ import annotations

from captioner.config import ContextConfig
from captioner.errors import ConfigError
from captioner.network.context.base import Context, NoContext
from captioner.network.context.grid_lstm import GridLSTM
from captioner.network.context.linear import LinearContext
from captioner.network.context.linearised import LinearisedContext
from captioner.network.context.self_attention import SelfAttentionContext

__all__ = ["CONTEXTS", "Context", "build_context"]

CONTEXTS = {
    "none": NoContext,
    "linear": LinearContext,
    "bilstm": GridLSTM,
    "self_attention": SelfAttentionContext,
    "linearised": LinearisedContext,
}


def build_context(config: ContextConfig, grid: tuple[int, int], **kwargs) -> Context:
    """The context a config names.

    Args:
        config: the description.
        grid: rows and columns of the annotation vectors.

    Raises:
        ConfigError: a registry has no such name, or `units` does not split as it has to.
    """
    if config.kind not in CONTEXTS:
        raise ConfigError(f"context.kind is one of {', '.join(CONTEXTS)}. Received: {config.kind!r}")
    return CONTEXTS[config.kind](config, grid, **kwargs)
