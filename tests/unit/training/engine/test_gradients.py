"""Weights that are to be trained and get no gradient end the run."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from captioner import ConfigError, ModelError
from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel
from tests.quick import quick
from training.config import Stage
from training.engine.optimizer import TwoRateAdamW, make_optimizer
from training.engine.trainer import CaptionTrainer


def batch(model, pictures=2, words=(4, 5, 6)):
    side, places = model.config.encoder.image_size, model.encoder.grid[0] * model.encoder.grid[1]
    images = np.random.default_rng(0).integers(0, 255, (pictures, side, side, 3), np.uint8)
    read, write = [[[1, *words[:-1]]]] * pictures, [[list(words)]] * pictures
    x = {"images": images, "words": np.array(read, np.int32)}
    shares = np.zeros((pictures, 1, len(words), places), np.float32)
    return x, {"targets": np.array(write, np.int32), "box_shares": shares}


def test_a_gradient_that_is_missing_names_the_weight():
    one, two = (keras.Variable(np.ones(3, np.float32), name=name) for name in ("moving", "idle"))
    with pytest.raises(ModelError, match="1 of 2 weights .* no gradient, such as idle") as error:
        TwoRateAdamW(learning_rate=0.1).apply([ops.ones(3), None], [one, two])
    assert "\n" not in str(error.value)
    assert ops.convert_to_numpy(one).tolist() == [1, 1, 1]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends differentiate whatever they are given"
)
@pytest.mark.parametrize("frozen", quick(["some"], ["some", "all"]))
def test_variables_that_were_made_frozen_end_the_first_step(tiny_config, tiny_vocabulary, frozen):
    """Keras calls a layer trainable that TensorFlow made otherwise; within the graph of a step that is one line."""
    with keras.StatelessScope(initialize_variables=False):
        encoder = Encoder(tiny_config.encoder)
    for variable in encoder.variables:
        variable._deferred_initialize()
    encoder.set_trainable_from("")
    model = CaptionModel(tiny_config, len(tiny_vocabulary), encoder)
    model.decoder.trainable = frozen == "some"
    stage = Stage(epochs=1, train_encoder_from="")
    trainer = CaptionTrainer(model, stage)
    trainer.compile(optimizer=make_optimizer(stage, model, 1), jit_compile=False)
    with pytest.raises(ModelError, match=r"get no gradient, such as Conv1") as error:
        trainer.train_on_batch(*batch(model))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_every_weight_of_a_stage_gets_a_gradient(tiny_config, tiny_vocabulary):
    model = CaptionModel(tiny_config, len(tiny_vocabulary), Encoder(tiny_config.encoder))
    model.encoder.set_trainable_from("block_5_project")
    before = [ops.convert_to_numpy(v) for v in model.encoder.trainable_variables]
    stage = Stage(epochs=1, train_encoder_from="block_5_project", learning_rate=0.1, warm_up=0, ema=0)
    trainer = CaptionTrainer(model, stage)
    trainer.compile(optimizer=make_optimizer(stage, model, 9), jit_compile=False)
    trainer.train_on_batch(*batch(model))
    after = [ops.convert_to_numpy(v) for v in model.encoder.trainable_variables]
    assert len(after) == 3  # the convolution, scale and shift of its normalisation
    assert all((one != two).any() for one, two in zip(before, after, strict=True))


def test_a_layer_after_which_nothing_is_left_to_train_is_refused(root, tmp_path):
    from training.config import load_config
    from training.engine.run import Run, Teachers
    from training.shapes import write_shapes

    write_shapes(tmp_path / "data", {"train": 4, "dev": 3, "test": 3})
    small = ["model.encoder.image_size=32", "stages.train_encoder_from=conv_pw_11_relu"]
    config = load_config(root / "training" / "configs" / "shapes.toml", small)
    (tmp_path / "run").mkdir()
    run = Run(config, tmp_path / "data", tmp_path / "run", Teachers())
    with pytest.raises(ConfigError, match="train_encoder_from 'conv_pw_11_relu' leaves no weights to train"):
        run.model(config.stages[0])
