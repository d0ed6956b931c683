"""Small real parts that many tests use."""

from __future__ import annotations

import gc
import pathlib

import pytest

gc.disable()  # until all is imported, of which nothing is garbage: looking for it takes 2 s of each process

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Files that use `running` of tests/integration/conftest.py stay in one process: a server takes seconds to start.
ASK_THE_SERVER = {f"tests/integration/test_{name}.py" for name in ("questions", "server", "server_keeps")}
# So do those that look at the page, in halves that take equally long.
FIRST_HALF = {f"tests/browser/test_{name}.py" for name in ("first_view", "ways")}


@pytest.hookimpl(optionalhook=True)  # there is none where pytest-xdist is switched off
def pytest_xdist_make_scheduler(config, log):
    """A file stays in one process, whose fixtures its tests share; so do files that share a server or a browser."""
    from xdist.scheduler import LoadFileScheduling

    # xdist begins with the file of most tests; the files of `testpaths`' first folders take longest and have few.
    config.option.loadscopereorder = False

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            if file.startswith("tests/browser/"):
                return "the page" if file in FIRST_HALF else "the page, second half"
            return "the server" if file in ASK_THE_SERVER else file

    return Together(config, log)


def pytest_collection_finish(session):
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def tiny_config():
    """A whole model that builds in a second."""
    from captioner.config import ModelConfig

    return ModelConfig.parse(
        {
            "encoder": {
                "architecture": "MobileNetV2",
                "layers": ["block_5_add"],
                "image_size": 32,
                "options": {"alpha": 0.35},
            },
            "attention": {"units": 8},
            "decoder": {"embedding_size": 6, "lstm_units": 10, "max_words": 6},
        }
    )


@pytest.fixture(scope="session")
def tiny_vocabulary():
    from captioner.vocabulary import SPECIAL, Vocabulary

    return Vocabulary([*SPECIAL, "a", "brown", "dog", "runs", "on", "grass"])


@pytest.fixture(scope="session")
def tiny_captioner(tiny_config, tiny_vocabulary):
    """A `Captioner` with random weights."""
    import keras
    import numpy as np

    from captioner import Captioner
    from captioner.network.model import CaptionModel

    keras.utils.set_random_seed(3)
    model = CaptionModel(tiny_config, len(tiny_vocabulary))
    rng = np.random.default_rng(5)
    for weight in model.decoder.trainable_weights:  # large enough that words and masks differ
        weight.assign(rng.normal(size=weight.shape) * 0.9)
    noise = rng.integers(0, 255, (1, 32, 32, 3))
    kernel = model.decoder.attention.annotation_kernel  # a random encoder's features are faint
    kernel.assign(kernel / keras.ops.std(model.encoder(noise)))
    return Captioner.of(model, tiny_vocabulary)


@pytest.fixture(scope="session")
def drawn():
    """A captioner of drawn shapes: it runs without Keras and compiles nothing."""
    from captioner import Captioner

    return Captioner.from_pretrained(ROOT / "models" / "shapes")


@pytest.fixture(scope="module")
def saved(tiny_captioner, tmp_path_factory):
    """Model folder of `tiny_captioner`; copy it to change it."""
    from captioner.folders.keras_folder import save_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    return save_model(folder, tiny_captioner.model, tiny_captioner.vocabulary, {"dev": {"bleu_4": 0.1}}, "# Tiny\n")


@pytest.fixture(scope="session")
def photo(tmp_path_factory) -> pathlib.Path:
    """A wide JPEG with something to see."""
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[0:60, 0:120]
    pixels = np.stack([x * 2, y * 4, (x + y) % 256], axis=-1).astype(np.uint8)
    path = tmp_path_factory.mktemp("photos") / "wide.jpg"
    Image.fromarray(pixels).save(path, quality=95)
    return path
