"""What writes captions: decoders behind one interface, by name.

A decoder is a Keras layer that searches, exports and training know by these methods: `prepare(annotations) -> memory`,
once a picture; `initial_state(annotations, memory, captions) -> state`; `step(words, state, memory, tables) ->
(log_probabilities, state, outputs)`, once a word; `tables()`; `sharpen(factor)`; and the call, teacher forcing.
"""

from __future__ import annotations

from captioner.config import ModelConfig
from captioner.errors import ConfigError
from captioner.network.decoder.base import BaseDecoder
from captioner.network.decoder.recurrent import Decoder
from captioner.network.decoder.transformer import TransformerDecoder

__all__ = ["DECODERS", "BaseDecoder", "Decoder", "build_decoder"]

DECODERS = {"recurrent": Decoder, "transformer": TransformerDecoder}


def build_decoder(
    config: ModelConfig, vocabulary_size: int, grid: tuple[int, int], channels: int, **regularisation
) -> BaseDecoder:
    """The decoder a config names, with its weights.

    Args:
        config: the description.
        vocabulary_size: entries of the vocabulary.
        grid: rows and columns of the annotation vectors.
        channels: their length.
        **regularisation: `dropout`, `input_dropout`, `state_dropout` and `seed`.

    Raises:
        ConfigError: a registry has no such name, or what is asked for does not go together.
    """
    if config.decoder.kind not in DECODERS:
        raise ConfigError(f"decoder.kind is one of {', '.join(DECODERS)}. Received: {config.decoder.kind!r}")
    decoder = DECODERS[config.decoder.kind](
        config.decoder,
        config.attention,
        vocabulary_size,
        context=config.context,
        grid=grid,
        name="decoder",
        **regularisation,
    )
    decoder.build((None, grid[0] * grid[1], channels))
    return decoder
