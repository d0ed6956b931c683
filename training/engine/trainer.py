"""A caption model made ready for Keras `compile` and `fit`."""

from __future__ import annotations

import keras
from keras import ops

from captioner.network.model import CaptionModel
from training.config import Stage
from training.engine import losses
from training.engine.reinforce import Reinforce
from training.engine.scheduled_sampling import mix_words


class CaptionTrainer(keras.Model):
    """Teacher forcing with the losses of a stage.

    x is {"annotations" or "images", "words"}, y is {"targets", "box_shares"} or, for "self_critical",
    {"targets", "advantages", "rewards"}; see `training.data.pipeline` and `training.engine.self_critical`.

    Args:
        model: the network.
        stage: its losses, and whether the decoder reads words of its own.
        steps: of the stage, over which scheduled sampling rises; not used without.
        seed: of scheduled sampling.
    """

    def __init__(self, model: CaptionModel, stage: Stage, steps: int = 1, seed: int | None = None):
        super().__init__(name="caption_trainer")
        self.model = model
        self.stage, self.steps = stage, steps
        self.seeds = keras.random.SeedGenerator(seed)
        self.reinforce = Reinforce() if model.decoder.samples and stage.objective != "self_critical" else None
        names = ["loss", "accuracy"]
        if stage.objective == "self_critical":
            names += ["reward"]
        else:
            names += ["cross_entropy"] + ["reinforce"] * bool(self.reinforce)
            names += ["doubly_stochastic"] * (stage.doubly_stochastic > 0) + ["outside_boxes"] * (stage.box_weight > 0)
        self.trackers = {name: keras.metrics.Mean(name) for name in names}
        self.built = True

    @property
    def metrics(self):
        return list(self.trackers.values())

    def call(self, inputs, training=False):
        if training and self.stage.scheduled_sampling:
            inputs = self._read_own_words(inputs)
        return self.model(inputs, training=training)

    def _read_own_words(self, inputs):
        annotations = inputs.get("annotations")
        if annotations is None:
            annotations = self.model.encoder(inputs["images"], training=True)
        progress = ops.cast(self.optimizer.iterations, "float32") / self.steps
        share = self.stage.scheduled_sampling * ops.minimum(progress, 1.0)
        words = mix_words(self.model.decoder, ops.stop_gradient(annotations), inputs["words"], share, self.seeds)
        return {"annotations": annotations, "words": words}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        parts = self._self_critical(y, y_pred) if self.stage.objective == "self_critical" else self._forced(y, y_pred)
        parts["accuracy"] = losses.accuracy(y_pred["logits"], y["targets"])
        for name, value in parts.items():
            self.trackers[name].update_state(value)
        return parts["loss"]

    def _self_critical(self, y, y_pred):
        loss = losses.policy_gradient(y_pred["logits"], y["targets"], y["advantages"])
        return {"loss": loss, "reward": ops.mean(y["rewards"])}

    def _forced(self, y, y_pred):
        stage, targets = self.stage, y["targets"]
        parts = {"cross_entropy": losses.cross_entropy(y_pred["logits"], targets, stage.label_smoothing)}
        total = parts["cross_entropy"]
        if stage.doubly_stochastic:
            parts["doubly_stochastic"] = losses.doubly_stochastic(y_pred["weights"], targets)
            total = total + stage.doubly_stochastic * parts["doubly_stochastic"]
        if stage.box_weight:
            parts["outside_boxes"] = losses.outside_boxes(y_pred["weights"], y["box_shares"])
            total = total + stage.box_weight * parts["outside_boxes"]
        if self.reinforce:
            parts["reinforce"] = self.reinforce.loss(y_pred, targets)
            total = total + parts["reinforce"]
        return parts | {"loss": total}

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {name: tracker.result() for name, tracker in self.trackers.items()}
