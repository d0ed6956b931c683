"""Settings that make a run on shapes a matter of seconds."""

from __future__ import annotations

SMOKE = [
    "stages.0.epochs=1",
    "stages.0.batch_size=16",
    "model.encoder.image_size=64",
    'model.encoder.layers=["conv_pw_4_relu"]',
    "model.attention.units=16",
    "model.decoder.lstm_units=24",
    "model.decoder.embedding_size=16",
    "validation_beam_width=1",
]
