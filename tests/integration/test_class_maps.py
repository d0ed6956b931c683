"""Class maps, captions without photos and confidence, the whole way on a few generated shapes."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from captioner import Captioner, ConfigError
from captioner.folders.folder import read_json
from captioner.folders.keras_folder import load_model
from tests.smoke import SMOKE
from training.calibrate import calibrate
from training.config import load_config
from training.data.datasets import of_split, read_boxes, read_dataset
from training.evaluate import evaluate
from training.train import train

pytestmark = pytest.mark.slow

KINDS = ["circle", "square", "triangle"]
WITH_MAPS = [
    *SMOKE,
    f'model.encoder.class_maps={{"classes": {json.dumps(KINDS)}, "units": 16}}',
    'model.context={"kind": "self_attention", "units": 16, "heads": 2}',
    "stages.0.train_encoder_from=null",
    "stages.0.captions_per_picture=2",
    "stages.0.texts=48",
    "stages.0.appearance_dropout=0.2",
]


def detections_of(data):
    """What a detector would see, {picture: [[kind, score, box]]}, out of the boxes of words."""
    seen = {}
    for name, captions in read_boxes(data / "boxes.json.gz").items():
        seen[name] = []
        for caption in captions:
            for phrase in caption["phrases"]:
                noun = caption["text"].split()[phrase["word"]].rstrip("s")
                if noun in KINDS:
                    seen[name] += [[noun, 0.9, *box] for box in phrase["boxes"]]
    return seen


@pytest.fixture(scope="module")
def run(root, shapes, tmp_path_factory):
    """A first model of shapes, and one with class maps on its encoder."""
    folder = tmp_path_factory.mktemp("class_maps")
    config = root / "training" / "configs" / "shapes.toml"
    first = train(load_config(config, SMOKE), shapes, folder / "first")
    detections, texts = folder / "detections.json.gz", folder / "texts.txt"
    detections.write_bytes(gzip.compress(json.dumps(detections_of(shapes)).encode()))
    captions = [text for example in of_split(read_dataset(shapes), "train") for text in example.captions]
    texts.write_text("\n".join(captions))
    changes = [*WITH_MAPS, f"encoder_weights={first}"]
    best = train(load_config(config, changes), shapes, folder / "second", None, [detections], [texts])
    return {"first": first, "best": best, "detections": detections, "changes": changes, "config": config}


def test_maps_are_in_the_folder_and_on_the_encoder_that_was_named(run):
    first, second = (Captioner.from_pretrained(run[name]).model.encoder for name in ("first", "best"))
    for before, after in zip(first.cnn.get_weights(), second.cnn.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert second.channels == first.channels + len(KINDS)
    assert second.class_maps.config.classes == tuple(KINDS)
    learned = np.load(run["best"].parent / "class_maps.weights.npz")
    for place, weight in enumerate(second.class_maps.get_weights()):
        np.testing.assert_allclose(weight, learned[str(place)], rtol=2e-2, atol=1e-3)  # a folder holds float16


def test_the_same_command_ends_at_once_with_the_same_model(run, shapes):
    before = (run["best"] / "manifest.json").read_bytes()
    again = train(
        load_config(run["config"], run["changes"]),
        shapes,
        run["best"].parent,
        None,
        [run["detections"]],
        [run["detections"].with_name("texts.txt")],
    )
    assert (again / "manifest.json").read_bytes() == before


def test_what_is_missing_is_named(run, root, shapes, tmp_path):
    config = load_config(run["config"], run["changes"])
    with pytest.raises(ConfigError, match="class_maps learn from detections: give --detections FILE"):
        train(config, shapes, tmp_path / "a")
    with pytest.raises(ConfigError, match="stages.texts asks for captions without photos: give --texts FILE"):
        train(config, shapes, tmp_path / "b", None, [run["detections"]])
    with pytest.raises(ConfigError, match="--detections are for model.encoder.class_maps"):
        train(load_config(run["config"], SMOKE), shapes, tmp_path / "c", None, [run["detections"]])
    other = load_config(run["config"], [*run["changes"], "model.encoder.image_size=96"])
    with pytest.raises(ConfigError, match="has another encoder: model.encoder.image_size"):
        train(other, shapes, tmp_path / "d", None, [run["detections"]])


def test_confidence_goes_into_the_folder_and_with_every_caption(run, shapes, tmp_path):
    picture = next((shapes / "images").rglob("*.png"))
    before = Captioner.from_pretrained(run["best"]).caption(picture, beam_width=2)
    assert before.confidence is None and before.sure is None
    confidence = calibrate(run["best"], shapes, beam_width=2)
    assert read_json(run["best"] / "config.json")["confidence"] == confidence.model_dump(mode="json")
    captioner = Captioner.from_pretrained(run["best"])
    after = captioner.caption(picture, beam_width=2)
    assert after.text == before.text
    assert 0 <= after.confidence <= 1
    assert after.sure == (after.confidence >= confidence.threshold)
    assert after.to_dict()["confidence"] == after.confidence
    rated = [word.confidence for word in after.words if word.confidence is not None]
    assert after.confidence == pytest.approx(np.mean(rated) if rated else 0)
    changes = [change for change in run["changes"] if not change.startswith("encoder_weights")]
    further = load_config(run["config"], [*changes, f"start_from={run['best']}"])
    assert train(
        further, shapes, tmp_path / "further", None, [run["detections"]], [run["detections"].with_name("texts.txt")]
    )
    folders = run["best"], tmp_path / "further" / "best"
    maps = [load_model(folder)[0].encoder.class_maps.get_weights() for folder in folders]
    for kept, after in zip(*maps, strict=True):  # the decoder knows these maps and no others
        np.testing.assert_array_equal(kept, after)
    metrics = evaluate(run["best"], shapes, "test", tmp_path, resave=True, beam_width=2)
    assert 0 <= metrics["calibration_error"] <= 1
    assert 0 <= metrics["same_resaved"] <= 1
    assert metrics["content_precision_people"] > 0.3
