"""What is done after each epoch: caption the dev pictures for real, keep the best model, show some captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np
import rich

from captioner.config import DecodingOptions
from captioner.controls import Controls
from captioner.graphs import Searcher
from captioner.model import CaptionModel
from captioner.vocabulary import Vocabulary
from training.datasets import Example
from training.metrics import evaluate_captions


class Validation(keras.callbacks.Callback):
    """Beam search over dev pictures; its CIDEr-D decides which weights are the best.

    Args:
        network: the network whose captions are judged.
        vocabulary: its words.
        annotations: start, stop -> annotation vectors (stop - start, locations, channels) of dev pictures.
        examples: those pictures.
        beam_width: of the search.
        save: called with the metrics when they are the best so far.
        patience: epochs without a better one after which training stops.
    """

    def __init__(
        self,
        network: CaptionModel,
        vocabulary: Vocabulary,
        annotations: Callable[[int, int], np.ndarray],
        examples: Sequence[Example],
        beam_width: int,
        save: Callable[[dict], None],
        patience: int,
    ):
        super().__init__()
        self.vocabulary, self.annotations, self.examples = vocabulary, annotations, examples
        options = DecodingOptions(beam_width=beam_width)
        self.controls = Controls.resolve(options, vocabulary, network.config.decoder.max_words)
        self.searcher = Searcher(network.decoder, self.controls.structure)
        self.save, self.patience, self.best, self.waited = save, patience, -1.0, 0

    def on_epoch_end(self, epoch, logs=None):
        captions = self.captions()
        metrics = evaluate_captions(captions, [example.captions for example in self.examples])
        for name in ("bleu_4", "cider_d", "distinct"):
            logs[f"val_{name}"] = metrics[name]
        for example, text in list(zip(self.examples, captions, strict=True))[:3]:
            rich.print(f"  [dim]{example.image.name}[/dim] {text}")
        figures = f"BLEU-4 {metrics['bleu_4']:.4f}  CIDEr-D {metrics['cider_d']:.4f}  {metrics['distinct']} different"
        rich.print(f"epoch {epoch + 1}: {figures}")
        self.waited = 0 if metrics["cider_d"] > self.best else self.waited + 1
        if metrics["cider_d"] >= self.best:
            self.best = metrics["cider_d"]
            self.save(metrics)
        if self.waited >= self.patience:
            self.model.stop_training = True

    def captions(self, batch_size: int = 32) -> list[str]:
        """One caption a dev picture."""
        texts = []
        for start in range(0, len(self.examples), batch_size):
            found = self.searcher.run(self.annotations(start, start + batch_size), self.controls)
            for words, length in zip(found["words"][:, 0], found["length"][:, 0], strict=True):
                texts.append(" ".join(self.vocabulary.decode(words[:length])))
        return texts
