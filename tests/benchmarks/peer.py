"""The best-known PyTorch implementation, sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning, where a checkout is named."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import sys
import types

import pytest


def load_peer():
    """torch and the peer's models.py; skips where CAPTIONER_PEER names no checkout or torch is not installed."""
    folder = os.environ.get("CAPTIONER_PEER")
    torch = pytest.importorskip("torch")
    if not folder:
        pytest.skip("CAPTIONER_PEER names no checkout of a-PyTorch-Tutorial-to-Image-Captioning")
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))  # its encoder is not used
    spec = importlib.util.spec_from_file_location("peer_models", pathlib.Path(folder) / "models.py")
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    torch.set_num_threads(2)
    return torch, models
