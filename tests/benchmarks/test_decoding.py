"""Time and memory of captioning: make bench ARGS="-k decoding".

Beside ours, when CAPTIONER_PEER names a checkout of sgrvinod/a-PyTorch-Tutorial-to-Image-Captioning and torch is
installed, runs that implementation's decoder.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from captioner.config import AttentionConfig, DecoderConfig, DecodingOptions
from captioner.network.decoder import Decoder
from captioner.runtimes.keras_model import AnyBatch
from captioner.runtimes.tensorflow_ops import OneLoop
from captioner.search.controls import Controls
from captioner.search.graphs import Searcher
from captioner.vocabulary import SPECIAL, Vocabulary
from tests.benchmarks.peer import load_peer
from tests.benchmarks.timing import run_times

WORDS, BEAM = 20, 5
SIZES = {"14x14x2048, 9,490 words": (196, 2048, 9490), "7x7x1024, 5,000 words": (49, 1024, 5000)}


def best_seconds(call, repeats=9) -> float:
    """Shortest time of a call that has been warmed up: what else the machine does only adds to it."""
    return min(run_times(call, repeats))


def our_search(locations, channels, words):
    """A search of WORDS words by a decoder with random weights of the peer's sizes."""
    config = DecoderConfig(embedding_size=512, lstm_units=512)
    decoder = Decoder(config, AttentionConfig(units=512), words)
    decoder.build((None, locations, channels))
    vocabulary = Vocabulary([*SPECIAL, *(f"w{i}" for i in range(words - 4))])
    options = DecodingOptions(beam_width=BEAM, min_words=WORDS, max_words=WORDS)
    controls = Controls.resolve(options, vocabulary, WORDS)
    searcher = AnyBatch(Searcher(decoder, controls.structure, decoder.tables()), ("annotations",), OneLoop())
    return lambda annotations: searcher({"annotations": annotations, **controls.inputs(words)})


def peer_search(locations, channels, words):
    """Beam search of one photo with the peer's decoder, its calls in the order of its caption.py."""
    torch, models = load_peer()
    decoder = models.DecoderWithAttention(512, 512, 512, words, encoder_dim=channels).eval()

    @torch.no_grad()
    def run(annotations):
        features = torch.from_numpy(annotations).expand(BEAM, locations, channels)
        hidden, cell = decoder.init_hidden_state(features)
        last, totals = torch.zeros(BEAM, dtype=torch.long), torch.zeros(BEAM, 1)
        masks = torch.ones(BEAM, 1, locations)
        for step in range(WORDS):
            context, mask = decoder.attention(features, hidden)
            context = decoder.sigmoid(decoder.f_beta(hidden)) * context
            hidden, cell = decoder.decode_step(torch.cat([decoder.embedding(last), context], 1), (hidden, cell))
            scores = totals + torch.log_softmax(decoder.fc(hidden), 1)
            flat = scores[0] if step == 0 else scores.view(-1)
            best, places = flat.topk(BEAM)
            parents, last = places // words, places % words
            masks = torch.cat([masks[parents], mask[parents][:, None]], 1)
            hidden, cell, totals = hidden[parents], cell[parents], best[:, None]
            features = features[parents]
        return masks

    return run


@pytest.mark.parametrize("size", SIZES)
def test_against_the_peer(size):
    locations, channels, words = SIZES[size]
    ours, rng = our_search(locations, channels, words), np.random.default_rng(0)
    peer = peer_search(locations, channels, words)
    one = rng.normal(size=(1, locations, channels)).astype(np.float32)
    many = rng.normal(size=(16, locations, channels)).astype(np.float32)
    calls = (lambda: ours(one), lambda: peer(one), lambda: ours(many))
    # In turn, and each as often as the others: what else the machine does falls on all three.
    rounds = [[best_seconds(call, 5) for call in calls] for _ in range(6)]
    mine, theirs, batch = (min(times) for times in zip(*rounds, strict=True))
    batch /= len(many)
    print(
        f"\n{size}, beam {BEAM}: ours {mine / WORDS * 1e3:.2f} ms a word, the peer's {theirs / WORDS * 1e3:.2f} "
        f"({theirs / mine:.1f} times); a picture of a batch of 16 {batch * 1e3:.1f} ms, the peer's {theirs * 1e3:.1f} "
        f"({theirs / batch:.1f} times)"
    )


def test_floor():
    """What the machine could do at best for one picture at the peer's larger size."""
    side = 2048
    a = np.random.default_rng(0).normal(size=(side, side)).astype(np.float32)
    product = best_seconds(lambda: a @ a)
    flops = 2 * side**3 / product
    long = np.zeros(64_000_000, np.float32)
    bandwidth = long.nbytes / best_seconds(lambda: long.sum())
    locations, channels, words = SIZES["14x14x2048, 9,490 words"]
    weights = (512 + channels + 512) * 4 * 512 + 512 * channels + 512 * 512 + (512 + channels) * 512 + 512 * words
    operations = 2 * BEAM * (weights + locations * (512 + channels))
    megabytes = 4 * (weights + locations * channels) / 1e6
    print(
        f"\nmatrix products {flops / 1e9:.0f} GFLOP/s, reading {bandwidth / 1e9:.1f} GB/s; a step at 14x14x2048 reads "
        f"{megabytes:.0f} MB ({megabytes / bandwidth * 1e9:.2f} ms) and computes {operations / 1e6:.0f} MFLOP "
        f"({operations / flops * 1e3:.2f} ms)"
    )


@pytest.mark.parametrize("batch", [1, 8, 32])
def test_beams_and_batches(captioner, batch):
    size = captioner.config.encoder.image_size
    squares = np.random.default_rng(0).integers(0, 255, (batch, size, size, 3), np.uint8)
    encoded = captioner.runtime.encode(squares)
    encoder = best_seconds(lambda: captioner.runtime.encode(squares), 5) / batch
    print(f"\nbatch {batch}: encoder {encoder * 1e3:.1f} ms a picture", end="")
    for width in (1, 3, 5, 10):
        options = DecodingOptions(beam_width=width)
        controls = Controls.resolve(options, captioner.vocabulary, captioner.config.decoder.max_words)
        decoder = best_seconds(lambda c=controls: captioner.runtime.search(encoded, c), 5) / batch
        print(f"; beam {width} decodes in {decoder * 1e3:.1f} ({(encoder + decoder) / encoder:.2f} times)", end="")
    print()


def test_many_photos_beside_the_encoder(captioner):
    """CAPTIONER_DATA/images, up to 1,000 of them, beam 3, against the encoder over the same prepared batches."""
    data = os.environ.get("CAPTIONER_DATA")
    photos = sorted(pathlib.Path(data).rglob("*.jpg"))[:1000] if data else []
    if not photos:
        pytest.skip("CAPTIONER_DATA holds no photos")
    squares = [captioner._read_square(photo)[0] for photo in photos]
    batches = [np.stack(squares[i : i + 16]) for i in range(0, len(squares), 16)]
    list(captioner.captions(photos[:32], beam_width=3))
    start = time.perf_counter()
    for batch in batches:
        captioner.runtime.encode(batch)
    encoder = time.perf_counter() - start
    start = time.perf_counter()
    answers = list(captioner.captions(photos, beam_width=3))
    whole = time.perf_counter() - start
    assert len(answers) == len(photos)
    print(f"\n{len(photos)} photos: encoder {encoder:.1f} s, captions {whole:.1f} s ({whole / encoder:.2f} times)")


def run(code: list[str], root) -> tuple[float, str]:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *code], cwd=root, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout


def test_from_cold(root, tmp_path):
    """Whole processes: the command line, the framework's import alone, and an exported ONNX folder."""
    photo = str(next((root / "demo" / "examples").glob("*.jpg")))
    run(["-m", "captioner.export", "models/photos", str(tmp_path / "onnx"), "--format", "onnx"], root)
    commands = {
        "python -m captioner": ["-m", "captioner", photo],
        "import tensorflow": ["-c", "import tensorflow"],
        "import keras and tensorflow": ["-c", "import keras; keras.ops.zeros(())"],
        "ONNX folder": ["-m", "captioner", photo, "--model", str(tmp_path / "onnx")],
    }
    for name, command in commands.items():
        print(f"\n{name}: {min(run(command, root)[0] for _ in range(3)):.2f} s", end="")
    print()


def test_memory_does_not_grow(root):
    code = """
import json, resource, numpy as np
from captioner import Captioner
captioner = Captioner.from_pretrained("models/shapes")
size = captioner.config.encoder.image_size
rng = np.random.default_rng(0)
few = [rng.integers(0, 255, (200, 300, 3), np.uint8) for _ in range(8)]
peaks = []
for count in (1000, 10000):
    for caption in captioner.captions((few[i % 8] for i in range(count)), beam_width=3):
        pass
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
print(json.dumps(peaks))
"""
    _, out = run(["-c", code], root)
    few, many = json.loads(out)
    print(f"\npeak memory after 1,000 pictures {few:.3f} GB, after 10,000 more {many:.3f} GB")
