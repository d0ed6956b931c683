"""The whole way on a few generated shapes: prepared, trained, evaluated, captioned."""

from __future__ import annotations

import json
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from captioner import Captioner
from captioner.folders.keras_folder import load_model
from tests.smoke import SMOKE
from training.config import load_config
from training.evaluate import evaluate
from training.train import train


def smoke(root, changes=()):
    return load_config(root / "training" / "configs" / "shapes.toml", [*SMOKE, *changes])


@pytest.fixture(scope="module")
def trained(root, shapes, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    return train(smoke(root), shapes, workdir, shapes / "boxes.json.gz")


def test_training_leaves_a_model_and_its_logs(trained, shapes):
    workdir = trained.parent
    names = {path.name for path in workdir.iterdir()}
    assert {"best", "vocabulary.txt", "stage-0.csv", "stage-0.weights.h5", "tensorboard", "report.html"} <= names
    report = (workdir / "report.html").read_text()
    assert "CIDEr-D on dev" in report and "Best captions" in report and report.count("<svg") >= 4
    assert not [name for name in names if name.startswith(("partial", "."))]
    captioner = Captioner.from_pretrained(trained)
    assert captioner.metrics["dev"]["cider_d"] >= 0
    caption = captioner.caption(next((shapes / "images").rglob("*.png")), beam_width=2)
    assert len(caption.words) >= 1


def test_evaluation_writes_predictions_then_scores(trained, shapes, tmp_path):
    metrics = evaluate(trained, shapes, "test", tmp_path, shapes / "boxes.json.gz", nearest=True, beam_width=2)
    predictions = json.loads((tmp_path / "predictions.json").read_text())
    assert len(predictions) == metrics["pictures"] == 8
    assert set(predictions[0]) == {"image", "caption"}
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert {"bleu_1", "bleu_4", "rouge_l", "cider_d", "protocol", "boxes", "unseen", "meteor_nltk"} <= set(written)
    assert set(written["baselines"]) >= {"human", "most_frequent", "nearest"}
    assert "Worst captions" in (tmp_path / "report.html").read_text()
    boxes = written["boxes"]["all"]
    assert boxes["n"] > 0 and 0 <= boxes["mass"] <= 1 and 0 < boxes["entropy"] <= 1


def test_a_stage_that_ended_is_not_run_again(root, trained, shapes):
    stage = trained.parent / "stage-0.weights.h5"
    before = stage.stat().st_mtime_ns
    assert train(smoke(root), shapes, trained.parent, shapes / "boxes.json.gz") == trained
    assert stage.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_frozen_encoder_trains_on_cached_features_then_on_pictures(root, shapes, tmp_path):
    """The two stages of flickr8k.toml in small: features on disk first, then end to end."""
    import tomllib

    from training.config import TrainingConfig

    values = tomllib.loads((root / "training" / "configs" / "shapes.toml").read_text())
    stage = values["stages"][0] | {"epochs": 1, "batch_size": 32}
    frozen = {name: value for name, value in stage.items() if name != "train_encoder_from"}
    encoder = {**values["model"]["encoder"], "image_size": 64}
    model = {
        **values["model"],
        "encoder": encoder,
        "decoder": {"embedding_size": 16, "lstm_units": 24, "max_words": 12},
    }
    weights = tmp_path / "encoder.weights.h5"
    _random_application_weights(weights)
    config = TrainingConfig.parse(
        values
        | {
            "model": model,
            "encoder_weights": str(weights),
            "stages": [frozen, stage | {"sharpen": 20.0}],
            "validation_beam_width": 1,
        }
    )
    folder = train(config, shapes, tmp_path / "run")
    assert len(list((tmp_path / "run" / "features").glob("*/*.npy"))) == 2
    assert (tmp_path / "run" / "stage-1.weights.h5").exists()
    assert Captioner.from_pretrained(folder).config == config.model
    before, after = (_score_vector(tmp_path / "run" / f"stage-{number}.weights.h5") for number in (0, 1))
    np.testing.assert_allclose(np.linalg.norm(after), 20 * np.linalg.norm(before), rtol=0.2)


def _score_vector(weights):
    with h5py.File(weights) as file:
        return file["decoder/attention/vars/3"][:]


def _random_application_weights(path):
    network = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(64, 64, 3), alpha=0.25)
    network.save_weights(path)


@pytest.mark.slow
def test_the_box_loss_draws_attention_into_boxes(root, shapes, tmp_path):
    """Two short runs that differ in nothing but the weight of the loss."""
    mass = {}
    for weight in (0.0, 5.0):
        workdir = tmp_path / str(weight)
        changes = [f"stages.0.box_weight={weight}", "stages.0.epochs=10", "stages.0.batch_size=8", "stages.0.ema=0"]
        folder = train(smoke(root, changes), shapes, workdir, shapes / "boxes.json.gz")
        mass[weight] = evaluate(folder, shapes, "train", workdir, shapes / "boxes.json.gz", beam_width=1)["boxes"][
            "all"
        ]
    assert mass[5.0]["mass"] > mass[0.0]["mass"] + 0.02


def test_a_wrong_command_is_one_line(root, tmp_path):
    command = [sys.executable, "-m", "training.prepare", "nonsense", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: a source is one of flickr8k:IMAGES:CAPTIONS[:SPLIT_FOLDER], ")
    assert line.endswith("or shapes. Received: nonsense")


@pytest.mark.slow
def test_the_encoder_of_a_model_that_training_starts_from_is_trained(root, trained, shapes, tmp_path):
    changes = [f"start_from={trained}", "stages.steps=2", "stages.learning_rate=0.01", "stages.warm_up=0"]
    folder = train(smoke(root, changes), shapes, tmp_path)
    before, after = (load_model(path)[0].encoder for path in (trained, folder))
    for model in (before, after):
        model.set_trainable_from("")
    pairs = list(zip(before.trainable_variables, after.trainable_variables, strict=True))
    assert len(pairs) > 20
    assert all((keras.ops.convert_to_numpy(one) != keras.ops.convert_to_numpy(two)).any() for one, two in pairs)
