"""A training step beside the peer's: make bench ARGS="-k training_step". See `tests.benchmarks.peer`."""

from __future__ import annotations

import os
import pathlib

import keras
import numpy as np
import pytest

from captioner.config import ModelConfig
from captioner.network.model import CaptionModel
from captioner.vocabulary import END, START, Vocabulary
from tests.benchmarks.peer import load_peer
from tests.benchmarks.timing import run_times
from training.config import Stage
from training.data.datasets import of_split, read_dataset
from training.data.pipeline import FeatureBatches, Sampling, encode_captions
from training.engine.loop import Loop
from training.engine.optimizer import make_optimizer
from training.engine.trainer import CaptionTrainer

# As the peer trains: Adam without decay, the doubly stochastic penalty, no smoothing, no average.
STAGE = Stage(epochs=1, dropout=0.5, label_smoothing=0.0, doubly_stochastic=1.0, ema=0.0, weight_decay=0.0)
BATCHES = 6
PEER_BATCH = 32  # its default


class NoEncoder(keras.layers.Layer):
    """Stands where the encoder does; annotation vectors are given."""

    def __init__(self, grid: tuple[int, int], channels: int):
        super().__init__()
        self.grid, self.channels = grid, channels


def our_step(grid: tuple[int, int], channels: int, words: int):
    """One step of ours on {"annotations", "words"}, {"targets", "box_shares"}, and the peer's sizes."""
    encoder = {"architecture": "none", "layers": ["none"]}
    decoder = {"embedding_size": 512, "lstm_units": 512, "gate": "vector"}
    config = ModelConfig.parse({"encoder": encoder, "attention": {"units": 512}, "decoder": decoder})
    model = CaptionModel(config, words, NoEncoder(grid, channels), dropout=STAGE.dropout, seed=0)
    model.decoder.unrolled = True
    trainer = CaptionTrainer(model, STAGE)
    trainer.compile(optimizer=make_optimizer(STAGE, model, 1000), jit_compile=False)
    return Loop(trainer, (), 1, None, None).train_on


def peer_step(locations: int, channels: int, words: int):
    """One step of the peer's decoder on annotations, captions with their ends, and lengths, as in its train.py."""
    torch, models = load_peer()
    decoder = models.DecoderWithAttention(512, 512, 512, words, encoder_dim=channels, dropout=STAGE.dropout).train()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=4e-4)
    pack = torch.nn.utils.rnn.pack_padded_sequence

    def step(annotations, captions, lengths):
        scores, ordered, steps, masks, _ = decoder(
            torch.from_numpy(annotations), torch.from_numpy(captions), torch.from_numpy(lengths)[:, None]
        )
        scores = pack(scores, steps, batch_first=True).data
        targets = pack(ordered[:, 1:], steps, batch_first=True).data
        loss = torch.nn.functional.cross_entropy(scores, targets) + ((1 - masks.sum(dim=1)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.data.clamp_(-5.0, 5.0)
        optimizer.step()
        return loss.item()

    return step


def in_turn(ours, theirs, rounds: int) -> tuple[float, float]:
    """Shortest seconds of two calls, timed one after the other several times: what else the machine does only adds."""
    times = [(min(run_times(ours, 1)), min(run_times(theirs, 1))) for _ in range(rounds)]
    return min(mine for mine, _ in times), min(its for _, its in times)


def with_ends(rows) -> tuple[np.ndarray, np.ndarray]:
    """Captions as the peer takes them: ids with start and end, filled up, and their lengths."""
    lengths = np.array([len(row) + 1 for row in rows])
    captions = np.zeros((len(rows), lengths.max()), np.int64)
    for place, row in enumerate(rows):
        captions[place, : len(row) + 1] = [START, *row]
    return captions, lengths


def test_fixed_shape():
    """64 captions of 20 words, grid 7x7x1024, 5,000 words."""
    rng = np.random.default_rng(0)
    annotations = rng.normal(size=(64, 49, 1024)).astype(np.float32)
    targets = rng.integers(4, 5000, (64, 1, 20)).astype(np.int32)
    words = np.concatenate([np.full_like(targets[:, :, :1], START), targets[:, :, :-1]], axis=2)
    x = {"annotations": annotations, "words": words}
    y = {"targets": targets, "box_shares": np.zeros((64, 1, 20, 49), np.float32)}
    ours, peer = our_step((7, 7), 1024, 5000), peer_step(49, 1024, 5000)
    captions, lengths = with_ends(targets[:, 0])
    mine, theirs = in_turn(lambda: ours(x, y), lambda: peer(annotations, captions, lengths), rounds=4)
    print(f"\nfixed shape: ours {mine:.3f} s a step, the peer's {theirs:.3f} s ({theirs / mine:.2f} times)")


class RandomFeatures:
    """Annotation vectors of the shipped model's grid; what they hold changes no time."""

    shape = (100, 720)

    def __init__(self):
        self._all = np.random.default_rng(0).normal(size=(80, *self.shape)).astype(np.float16)

    def __getitem__(self, index):
        return self._all[index % 80]


def test_real_captions():
    """Batches of Flickr8k's captions, grid 10x10x720: ours by length, the peer's in any order."""
    data = os.environ.get("CAPTIONER_DATA")
    if not data or not (pathlib.Path(data) / "captions.jsonl").exists():
        pytest.skip("CAPTIONER_DATA holds no captions.jsonl")
    examples = of_split(read_dataset(data), "train")
    vocabulary = Vocabulary.count((text for e in examples for text in e.captions), 5)
    captions = encode_captions(examples, vocabulary, 24)
    batches = FeatureBatches(captions, [None] * len(captions), (10, 10), Sampling(80), RandomFeatures())
    chosen = [batches[i] for i in range(BATCHES)]
    rows = [ids[ids > 0].tolist() for _, y in chosen for ids in y["targets"][:, 0]]
    rows = [rows[i] for i in np.random.default_rng(1).permutation(len(rows)) if rows[i]]
    rows = [row if row[-1] == END else [*row, END] for row in rows]
    annotations = chosen[0][0]["annotations"]
    ours, peer = our_step((10, 10), 720, len(vocabulary)), peer_step(100, 720, len(vocabulary))
    for size in (80, PEER_BATCH):
        peers = [with_ends(rows[i : i + size]) for i in range(0, len(rows), size)]
        mine, theirs = in_turn(
            lambda: [ours(*batch) for batch in chosen],
            lambda peers=peers: [peer(annotations[: len(c)], c, lengths) for c, lengths in peers],
            rounds=2,
        )
        each = [1e3 * seconds / len(rows) for seconds in (mine, theirs)]
        print(
            f"\n{len(rows)} real captions: ours {each[0]:.2f} ms a caption, the peer's in batches of {size} "
            f"{each[1]:.2f} ({theirs / mine:.2f} times)"
        )
