"""Parts of decoding as models of their own, so that `predict_on_batch` compiles each of them once on any backend."""

from __future__ import annotations

import keras
from keras import ops

from captioner.network.compiling import whole_steps
from captioner.network.decoder import Decoder
from captioner.network.encoder import Encoder
from captioner.network.folding import FoldedEncoder
from captioner.search.controls import ALTERNATIVES, Controls, Structure
from captioner.search.in_graph import search
from captioner.vocabulary import END, START


class Graph(keras.Model):
    """A compiled function of a part of the network."""

    def __init__(self):
        super().__init__()
        self.compile(jit_compile=whole_steps())
        self.built = True


class Encoding(Graph):
    """{"pixels": uint8 (batch, size, size, 3)} -> annotation vectors (batch, locations, channels).

    Args:
        encoder: whose weights stay as they are.
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = FoldedEncoder(encoder)

    def call(self, inputs):
        return self.encoder(inputs["pixels"])


class DecoderGraph(Graph):
    """A compiled function of a decoder."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder


class Searcher(DecoderGraph):
    """`captioner.search.in_graph.search`; its input is {"annotations", ...controls}.

    Args:
        decoder: whose captions are searched.
        structure: what shapes the search.
        tables: `decoder.tables()` where the decoder's weights no longer change.
    """

    def __init__(self, decoder: Decoder, structure: Structure, tables=None):
        super().__init__(decoder)
        self.structure, self.tables = structure, tables

    def call(self, inputs):
        controls = {name: value for name, value in inputs.items() if name != "annotations"}
        return search(self.decoder, inputs["annotations"], self.structure, controls, self.tables)

    def run(self, annotations, controls: Controls) -> dict:
        """The captions of a batch, as arrays."""
        return self.predict_on_batch({"annotations": annotations, **controls.inputs(self.decoder.vocabulary_size)})


class Scorer(DecoderGraph):
    """What the decoder thinks of given words, teacher-forced.

    Its input is {"annotations": (batch, locations, channels), "words": ids (batch, time), without start and end,
    "banned": (vocabulary_size,)}; all rows have `time` words. It returns what `captioner.search.in_graph.search` does
    with a width of one.
    """

    def call(self, inputs):
        words = ops.cast(inputs["words"], "int32")
        one = ops.zeros((ops.shape(words)[0], 1), "int32")
        start, end = one + START, one + END
        outputs = self.decoder(inputs["annotations"], ops.concatenate([start, words], axis=1)[:, None])
        log_probabilities = ops.log_softmax(outputs["logits"], axis=-1)
        targets = ops.concatenate([words, end], axis=1)[:, None, :, None]
        of_words = ops.take_along_axis(log_probabilities, targets, axis=-1)[..., 0]
        likeliest, ids = ops.top_k(log_probabilities[:, :, :-1] + inputs["banned"], ALTERNATIVES)
        return {
            "words": words[:, None],
            "length": one + ops.shape(words)[1],
            "log_probability": ops.sum(of_words, axis=-1),
            "word_log_probabilities": of_words[:, :, :-1],
            "alternatives": ops.cast(ids, "int32"),
            "alternative_log_probabilities": likeliest,
            **{name: value[:, :, :-1] for name, value in outputs.items() if name != "logits"},
        }


class Starter(DecoderGraph):
    """What a caption written step by step begins with: annotation vectors -> memory and state of one hypothesis."""

    def call(self, annotations):
        memory = self.decoder.prepare(annotations)
        return memory, self.decoder.initial_state(annotations, memory, 1)


class Stepper(DecoderGraph):
    """One step: {"words": ids (batch, hypotheses), "state", "memory"} -> what `Decoder.step` returns."""

    def call(self, inputs):
        return self.decoder.step(inputs["words"], inputs["state"], inputs["memory"])


class MaskReader(DecoderGraph):
    """Masks of given captions, (batch, captions, time, locations), from {"annotations", "words"}."""

    def call(self, inputs):
        return self.decoder(inputs["annotations"], inputs["words"])["weights"]
