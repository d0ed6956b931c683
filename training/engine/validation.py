"""What is done after each epoch: caption the dev pictures for real, keep the best model, show some captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import rich

from captioner.caption import Caption
from captioner.captioner import Captioner
from captioner.config import decoding_options
from captioner.errors import ModelError
from captioner.network.model import CaptionModel
from captioner.pictures.reading import open_image
from captioner.search.controls import Controls
from captioner.search.graphs import Searcher
from captioner.vocabulary import Vocabulary, join_words
from training.data.datasets import Example
from training.evaluation.metrics import evaluate_captions
from training.hosts.group import ALONE, Hosts

SHOWN = 3
BATCH = 32


class Validation:
    """Beam search over dev pictures; its CIDEr-D decides which weights are the best.

    Args:
        network: the network whose captions are judged.
        vocabulary: its words.
        annotations: start, stop -> annotation vectors (stop - start, locations, channels) of dev pictures.
        examples: those pictures.
        beam_width: of the search.
        save: called with the metrics and the captions when they are the best so far.
        patience: epochs without a better one after which training stops.
        hosts: that share the pictures, a batch at a time.

    Attributes:
        samples: captions of the first few pictures, with their masks, from the last epoch.
    """

    def __init__(
        self,
        network: CaptionModel,
        vocabulary: Vocabulary,
        annotations: Callable[[int, int], np.ndarray],
        examples: Sequence[Example],
        beam_width: int,
        save: Callable[[dict, list[str]], None],
        patience: int,
        hosts: Hosts = ALONE,
    ):
        self.hosts = hosts
        self.annotations, self.examples = annotations, examples
        decoder = network.config.decoder
        options = decoding_options(decoder, {"beam_width": beam_width})
        self.controls = Controls.resolve(options, vocabulary, decoder.max_words)
        self.searcher = Searcher(network.decoder, self.controls.structure)
        self.reader = Captioner.of(network, vocabulary)
        self.save, self.patience, self.best, self.waited = save, patience, -1.0, 0
        self.samples: list[Caption] = []

    def judge(self, epoch: int) -> dict[str, float]:
        """Figures of the dev captions the model writes now; the best model so far is saved.

        Raises:
            ModelError: the scores are not finite.
        """
        captions = self.captions()
        metrics = evaluate_captions(captions, [example.captions for example in self.examples])
        if not np.isfinite(metrics["cider_d"]):
            raise ModelError(f"CIDEr-D of epoch {epoch + 1} is {metrics['cider_d']}; nothing was saved")
        for sample in self.samples:
            rich.print(f"  [dim]{sample.source.name}[/dim] {sample.text}")
        figures = f"BLEU-4 {metrics['bleu_4']:.4f}  CIDEr-D {metrics['cider_d']:.4f}  {metrics['distinct']} different"
        rich.print(f"epoch {epoch + 1}: {figures}")
        self.waited = 0 if metrics["cider_d"] > self.best else self.waited + 1
        if metrics["cider_d"] >= self.best:
            self.best = metrics["cider_d"]
            self.save(metrics, captions)
        return {f"val_{name}": metrics[name] for name in ("bleu_4", "cider_d", "distinct")}

    @property
    def patience_is_over(self) -> bool:
        return self.waited >= self.patience

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        """Back to what `state` gave; {} is the beginning."""
        self.best, self.waited = state.get("best", -1.0), state.get("waited", 0)

    def captions(self) -> list[str]:
        """One caption a dev picture; the first few are left in `samples` of the first host."""
        starts = range(0, len(self.examples), BATCH)
        shares = self.hosts.gather([self._texts(start) for start in starts[self.hosts.index :: self.hosts.count]])
        batches = [shares[place % self.hosts.count][place // self.hosts.count] for place in range(len(starts))]
        return [text for batch in batches for text in batch]

    def _texts(self, start: int) -> list[str]:
        """Captions of a batch of dev pictures."""
        found = self.searcher.run(self.annotations(start, start + BATCH), self.controls)
        if start == 0:
            self.samples = [self._sample(found, row) for row in range(min(SHOWN, len(self.examples)))]
        return [
            join_words(self.reader.vocabulary.decode(words[:length]))
            for words, length in zip(found["words"][:, 0], found["length"][:, 0], strict=True)
        ]

    def _sample(self, found: dict, row: int) -> Caption:
        path = self.examples[row].image
        return self.reader.read(found, row, path, open_image(path).size, 1)[0]
