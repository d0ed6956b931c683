"""Photo captions with an attention mask for every word. Importing this does not import TensorFlow."""

from __future__ import annotations

import importlib
import os

# TensorFlow uses oneDNN's kernels by itself on some processors only, and where it does not they are the quicker ones.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"

_HOMES = {
    "Captioner": "captioner.captioner",
    "Caption": "captioner.caption",
    "Word": "captioner.caption",
    "ModelConfig": "captioner.config",
    "DecodingOptions": "captioner.config",
    "CaptionerError": "captioner.errors",
    "ImageError": "captioner.errors",
    "ModelError": "captioner.errors",
    "DatasetError": "captioner.errors",
    "ConfigError": "captioner.errors",
}
__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'captioner' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
