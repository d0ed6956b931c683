"""Attention over a grid of annotation vectors: the mechanisms of the literature behind one interface.

A mechanism is a score function (`SCORES`) and a normaliser (`NORMALISERS`), with heads and a sentinel where asked for;
`captioner.network.attention.base` has the interface. Nothing but the two registries here knows their names.
"""

from __future__ import annotations

from captioner.config import AttentionConfig
from captioner.errors import ConfigError
from captioner.network.attention.additive import AdditiveAttention
from captioner.network.attention.base import Attention
from captioner.network.attention.cosine import CosineAttention
from captioner.network.attention.dot import DotAttention
from captioner.network.attention.general import GeneralAttention
from captioner.network.attention.glimpse import GlimpseAttention
from captioner.network.attention.hard import Hard
from captioner.network.attention.local import LocalMonotonic, LocalPredictive
from captioner.network.attention.location import LocationAttention
from captioner.network.attention.mean import MeanAttention
from captioner.network.attention.normaliser import Normaliser, Surroundings
from captioner.network.attention.product import constant_product, product
from captioner.network.attention.scaled_dot import ScaledDotAttention
from captioner.network.attention.softmax import Softmax
from captioner.network.attention.sparsemax import Sparsemax

__all__ = [
    "NORMALISERS",
    "SCORES",
    "AdditiveAttention",
    "Attention",
    "Normaliser",
    "Surroundings",
    "build_attention",
    "constant_product",
    "product",
]

SCORES = {
    "additive": AdditiveAttention,
    "dot": DotAttention,
    "general": GeneralAttention,
    "location": LocationAttention,
    "scaled_dot": ScaledDotAttention,
    "cosine": CosineAttention,
    "mean": MeanAttention,
    "glimpse": GlimpseAttention,
}
NORMALISERS = {
    "softmax": Softmax,
    "sparsemax": Sparsemax,
    "hard": Hard,
    "local_monotonic": LocalMonotonic,
    "local_predictive": LocalPredictive,
}


def build_attention(config: AttentionConfig, surroundings: Surroundings | None = None, **kwargs) -> Attention:
    """The mechanism a config names.

    Args:
        config: the description.
        surroundings: what it works in.

    Raises:
        ConfigError: a registry has no such name, or what is asked for does not go together.
    """
    surroundings = surroundings or Surroundings()
    score = _named(SCORES, "attention.kind", config.kind)
    normaliser = _named(NORMALISERS, "attention.normaliser", config.normaliser)
    scored = surroundings._replace(grid=score.scored_grid(config, surroundings.grid))
    return score.from_config(config, normaliser.from_config(config, scored), surroundings, **kwargs)


def _named(registry: dict, key: str, name: str):
    if name not in registry:
        raise ConfigError(f"{key} is one of {', '.join(registry)}. Received: {name!r}")
    return registry[name]
