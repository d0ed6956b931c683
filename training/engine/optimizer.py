"""The optimizer of a stage: AdamW with a rate of its own for the encoder, and how the rate rises and falls."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from captioner.errors import ModelError
from captioner.network.model import CaptionModel
from training.config import Stage

NAMED = 3  # weights that an error names


class TwoRateAdamW(keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019) whose rate for the encoder's weights is a multiple of the others'.

    Args:
        encoder_rate: the multiple.
        encoder_paths: paths of the encoder's variables.

    Raises:
        ModelError: a variable that is to be trained gets no gradient.
    """

    def __init__(self, encoder_rate: float = 1.0, encoder_paths: frozenset[str] = frozenset(), **kwargs):
        super().__init__(**kwargs)
        self.encoder_rate, self.encoder_paths = encoder_rate, encoder_paths

    def build(self, variables):
        super().build(variables)
        self._factors = [self.encoder_rate if v.path in self.encoder_paths else 1.0 for v in variables]

    def apply(self, grads, trainable_variables=None):
        """Keras leaves variables without a gradient as they are, with a warning; here they end the run."""
        grads = list(grads)
        variables = list(self._trainable_variables if trainable_variables is None else trainable_variables)
        idle = [v.path for v, gradient in zip(variables, grads, strict=True) if gradient is None]
        if idle:
            raise ModelError(
                f"{len(idle)} of {len(variables)} weights that this stage trains get no gradient, such as "
                f"{', '.join(idle[:NAMED])}; set train_encoder_from to a later layer, or leave it out"
            )
        super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)  # TensorFlow hands over its own variable here, which has no path
        learning_rate = learning_rate * self._factors[place]
        if keras.backend.backend() != "tensorflow":
            super().update_step(gradient, variable, learning_rate)
            return
        from captioner.runtimes.tensorflow_ops import adam_step

        # Keras writes the same as a dozen passes over memory, TensorFlow has it as one.
        adam_step(self, place, variable, gradient, learning_rate)


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


def learning_rate(stage: Stage, steps: int) -> WarmUpCosine:
    """The rate of a stage of `steps` steps, by step."""
    return WarmUpCosine(stage.learning_rate, steps, int(stage.warm_up * steps), stage.final_rate)


def make_optimizer(stage: Stage, model: CaptionModel, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a stage of `steps` steps."""
    optimizer = TwoRateAdamW(
        encoder_rate=stage.encoder_rate,
        encoder_paths=frozenset(variable.path for variable in model.encoder.trainable_variables),
        learning_rate=learning_rate(stage, steps),
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
