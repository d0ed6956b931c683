"""A caption model made ready for Keras `compile` and `fit`, and its optimizer."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from captioner.model import CaptionModel
from training import losses
from training.config import Stage
from training.reinforce import Reinforce
from training.scheduled_sampling import mix_words


class CaptionTrainer(keras.Model):
    """Teacher forcing with the losses of a stage.

    x is {"annotations" or "images", "words"}, y is {"targets", "box_shares"} or, for "self_critical",
    {"targets", "advantages", "rewards"}; see `training.pipeline` and `training.self_critical`.

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


class TwoRateAdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019) whose rate for the encoder's weights is a multiple of the others'.

    Args:
        encoder_rate: the multiple.
        encoder_paths: paths of the encoder's variables.
    """

    def __init__(self, encoder_rate: float = 1.0, encoder_paths: frozenset[str] = frozenset(), **kwargs):
        super().__init__(**kwargs)
        self.encoder_rate, self.encoder_paths = encoder_rate, encoder_paths

    def build(self, variables):
        super().build(variables)
        self._factors = [self.encoder_rate if v.path in self.encoder_paths else 1.0 for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        # TensorFlow hands over its own variable here, which has no path.
        factor = self._factors[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * factor)


class WarmUpCosine(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise to `peak`, then half a cosine down to `final_share` of it."""

    def __init__(self, peak: float, steps: int, warm_up: int, final_share: float):
        self.peak, self.steps, self.warm_up, self.final_share = peak, steps, warm_up, final_share

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = (step + 1.0) / max(self.warm_up, 1)
        progress = ops.clip((step - self.warm_up) / max(self.steps - self.warm_up, 1), 0.0, 1.0)
        fall = self.final_share + (1.0 - self.final_share) * 0.5 * (1.0 + ops.cos(np.pi * progress))
        return self.peak * ops.minimum(rise, fall)


def make_optimizer(stage: Stage, model: CaptionModel, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a stage of `steps` steps."""
    optimizer = TwoRateAdamW(
        encoder_rate=stage.encoder_rate,
        encoder_paths=frozenset(variable.path for variable in model.encoder.trainable_variables),
        learning_rate=WarmUpCosine(stage.learning_rate, steps, int(stage.warm_up * steps), stage.final_rate),
        weight_decay=stage.weight_decay,
        beta_2=0.98,
        global_clipnorm=stage.clip_norm,
        use_ema=stage.ema > 0,
        ema_momentum=stage.ema or 0.99,
    )
    if not stage.weight_decay:
        optimizer.weight_decay = None  # else each matrix is multiplied by nought and subtracted
    optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if len(v.shape) < 2])
    return optimizer
