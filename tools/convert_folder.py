"""python tools/convert_folder.py OLD NEW: a model folder of format version 1 becomes one of the present version.

Version 1 held its numbers in Keras's own file, model.weights.h5, as float16. They are written as the same float16
numbers, and its configuration gets the settings that came since. Give it folders that you trust: Keras reads the old
file.
"""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from captioner.folders.folder import read_card, read_common
from captioner.quiet import load_keras

load_keras()

from captioner.folders.keras_folder import save_model
from captioner.network.model import CaptionModel


def convert(old: pathlib.Path, new: pathlib.Path) -> None:
    """Read the folder `old` of version 1 and write `new`."""
    config, vocabulary, metrics = read_common(old)
    model = CaptionModel(config, len(vocabulary))
    model.load_weights(old / "model.weights.h5")
    save_model(new, model, vocabulary, metrics, read_card(old))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python tools/convert_folder.py OLD NEW")
    convert(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
