"""python -m captioner.export MODEL OUT --format saved_model|onnx: a model that runs without this project's code.

python -m captioner.export MODEL --format graphs: graphs for onnxruntime are put into the model folder itself, whose
numbers stay in its model.safetensors, so that it is captioned with in a second and without TensorFlow.

Both kinds hold two functions. The encoder takes "pixels", uint8 (batch, size, size, 3), and gives everything a caption
starts with: tensors "memory_…" of the picture and "state_…" of one hypothesis, (batch, 1, …), and besides
"annotations". The step takes "words", int32 (batch, hypotheses), and those tensors, with a state for each hypothesis,
and gives "log_probabilities" (batch, hypotheses, vocabulary), the new state as "next_…", and "outputs_…": weights,
gate. A SavedModel also captions by itself, from the bytes of files or from pixels, with the beam chosen when it was
exported.
"""

from __future__ import annotations

import enum
import os
import pathlib
import shutil
import sys
from typing import Annotated, Any

import numpy as np
import typer

from captioner.config import decoding_options
from captioner.errors import CaptionerError, ConfigError, ModelError
from captioner.folders.finding import find_model
from captioner.folders.folder import (
    EVIDENCE,
    GRAPHS,
    read_card,
    write_common,
    write_json,
    write_manifest,
    written_whole,
)
from captioner.folders.onnx_graphs import check_graph
from captioner.folders.shared_numbers import share_numbers
from captioner.folders.weights import WEIGHTS, open_weights
from captioner.quiet import load_keras, no_framework_noise, silence_frameworks
from captioner.search.controls import NOT_REPORTED, Controls

load_keras()

import keras
import tensorflow as tf

from captioner.folders.keras_folder import load_model
from captioner.network.folding import FoldedEncoder
from captioner.network.model import CaptionModel
from captioner.search.in_graph import search
from captioner.vocabulary import Vocabulary

FORMATS = ("JPEG", "PNG", "WebP")
OPSET = 18


class Format(enum.StrEnum):
    saved_model = "saved_model"
    onnx = "onnx"
    graphs = "graphs"


def export(model: str | os.PathLike, out: str | os.PathLike, format: str, **options) -> pathlib.Path:
    """Write a model folder as a SavedModel or as ONNX; `Captioner.from_pretrained(out)` runs it.

    Args:
        model: model folder or name.
        out: where; an older export there is replaced.
        format: "saved_model" or "onnx".
        **options: fields of `DecodingOptions` that the SavedModel's own captions are searched with.

    Raises:
        ModelError: the model cannot be read, or the place is taken by something else.
        ConfigError: an option is wrong.
    """
    out = pathlib.Path(out)
    if out.exists() and not (out / "export.json").is_file():
        raise ModelError(f"{out} is there and no exported model; choose another folder")
    network, vocabulary, metrics = load_model(model)
    decoder = network.config.decoder
    controls = Controls.resolve(decoding_options(decoder, options), vocabulary, decoder.max_words)
    card = read_card(find_model(model))
    functions = Functions(network)
    with written_whole(out) as partial:
        if Format(format) is Format.onnx:
            _write_onnx(functions, partial)
        else:
            with no_framework_noise():
                Servable(functions, vocabulary, controls).save(partial)
        write_json(partial / "export.json", {"kind": str(format), "grid": list(network.encoder.grid)})
        if (find_model(model) / EVIDENCE).is_file():
            shutil.copy(find_model(model) / EVIDENCE, partial)
        write_common(partial, str(format), network.config, vocabulary, metrics, card)
    return out


def add_graphs(model: str | os.PathLike) -> pathlib.Path:
    """Put graphs for onnxruntime into a model folder, or put new ones in the place of old ones.

    Args:
        model: model folder or name.

    Returns:
        The folder.

    Raises:
        ModelError: the model cannot be read or the folder not be written, or tf2onnx is missing.
    """
    folder = find_model(model)
    network, _, _ = load_model(folder)
    with written_whole(folder) as partial:
        shutil.copytree(folder, partial, dirs_exist_ok=True, symlinks=True)
        _write_onnx(Functions(network), partial)
        _share_numbers(partial)
        write_json(partial / GRAPHS[0], {"kind": "graphs", "grid": list(network.encoder.grid)})
        write_manifest(partial)
    return folder


def _share_numbers(folder: pathlib.Path) -> None:
    """Have the graphs of a folder take their numbers from its weights."""
    import onnx

    with open_weights(folder / WEIGHTS) as weights:
        for name in GRAPHS[1:]:
            graph = onnx.load(folder / name)
            share_numbers(graph, weights)
            (folder / name).write_bytes(graph.SerializeToString(deterministic=True))
            check_graph(folder / name, weights)


def named(tree: Any, name: str) -> dict[str, Any]:
    """The tensors of nested dictionaries and tuples by their path: {"memory_keys": …}."""
    if isinstance(tree, dict):
        parts = tree.items()
    elif isinstance(tree, (tuple, list)):
        parts = enumerate(tree)
    else:
        return {name: tree}
    return {path: value for key, part in parts for path, value in named(part, f"{name}_{key}").items()}


def _filled(template: Any, name: str, tensors: dict[str, Any]) -> Any:
    """`template` with the tensors that `named` took out of it."""
    if isinstance(template, dict):
        return {key: _filled(part, f"{name}_{key}", tensors) for key, part in template.items()}
    if isinstance(template, (tuple, list)):
        return type(template)(_filled(part, f"{name}_{i}", tensors) for i, part in enumerate(template))
    return tensors[name]


class Functions:
    """Encoder and step of a network with flat, named tensors."""

    def __init__(self, network: CaptionModel):
        self.network, self.encoder = network, FoldedEncoder(network.encoder)
        self.size = network.config.encoder.image_size
        for layer in self.encoder.cnn.layers:
            if isinstance(layer, keras.layers.Normalization):  # tf2onnx makes inputs of its eager tensors
                layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
        blank = np.zeros((1, self.size, self.size, 3), np.uint8)
        self.memory, self.state = self._begin(self.encoder(blank))
        self.given = {**named(self.state, "state"), **named(self.memory, "memory")}

    def _begin(self, annotations):
        memory = self.network.decoder.prepare(annotations)
        return memory, self.network.decoder.initial_state(annotations, memory, 1)

    def encode(self, pixels):
        """Pixels -> named memory and state, and the annotation vectors they were made of."""
        annotations = self.encoder(pixels)
        memory, state = self._begin(annotations)
        return {**named(memory, "memory"), **named(state, "state"), "annotations": annotations}

    def step(self, words, *tensors):
        """Words and the tensors of `given`, in its order -> named answer."""
        given = dict(zip(self.given, tensors, strict=True))
        state, memory = _filled(self.state, "state", given), _filled(self.memory, "memory", given)
        log_probabilities, state, outputs = self.network.decoder.step(words, state, memory)
        reported = {name: value for name, value in outputs.items() if name not in NOT_REPORTED}
        return {"log_probabilities": log_probabilities, **named(state, "next"), **named(reported, "outputs")}

    def pixels_signature(self):
        return [tf.TensorSpec((None, self.size, self.size, 3), tf.uint8, name="pixels")]

    def step_signature(self):
        def spec(name, value):
            hypotheses = [None] if name.startswith("state_") else [value.shape[1]]
            return tf.TensorSpec([None, *hypotheses, *value.shape[2:]], value.dtype, name=name)

        words = tf.TensorSpec((None, None), tf.int32, name="words")
        return [words, *(spec(name, value) for name, value in self.given.items())]


def _write_onnx(functions: Functions, folder: pathlib.Path) -> None:
    try:
        import tf2onnx
    except ImportError:
        raise ModelError('ONNX export needs the package tf2onnx: pip install "captioner[onnx]"') from None
    with no_framework_noise():
        for name, function, signature in [
            ("encoder", functions.encode, functions.pixels_signature()),
            ("step", functions.step, functions.step_signature()),
        ]:
            path = str(folder / f"{name}.onnx")
            tf2onnx.convert.from_function(tf.function(function), signature, opset=OPSET, output_path=path)


class Servable(tf.Module):
    """The four signatures of a SavedModel: caption, caption_pixels, encode, step."""

    def __init__(self, functions: Functions, vocabulary: Vocabulary, controls: Controls):
        super().__init__()
        network = functions.network
        variables = (*functions.encoder.variables, *network.decoder.variables)
        self.kept = [variable.value for variable in variables]  # a SavedModel saves what its module holds
        self._functions, self._controls, self._config = functions, controls, network.config
        self._words = tf.constant(vocabulary.words)
        self._inputs = controls.inputs(len(vocabulary))

    def save(self, folder: pathlib.Path) -> None:
        """Write saved_model.pb and variables/."""
        functions = self._functions
        files = [tf.TensorSpec((None,), tf.string, name="image_bytes")]
        pictures = [tf.TensorSpec((None, None, None, 3), tf.uint8, name="pixels")]
        signatures = {
            "caption": tf.function(self.caption, files),
            "caption_pixels": tf.function(self.caption_pixels, pictures),
            "encode": tf.function(functions.encode, functions.pixels_signature()),
            "step": tf.function(functions.step, functions.step_signature()),
        }
        signatures["serving_default"] = signatures["caption"]
        tf.saved_model.save(self, str(folder), signatures)

    def caption(self, image_bytes):
        """Bytes of upright JPEG, PNG or WebP files (batch,) -> captions."""
        square = lambda data: self._square(_decode(data)[None])[0]
        size = self._functions.size
        return self._caption(
            tf.map_fn(square, image_bytes, fn_output_signature=tf.TensorSpec((size, size, 3), tf.uint8))
        )

    def caption_pixels(self, pixels):
        """RGB pictures of one size, uint8 (batch, height, width, 3) -> captions."""
        return self._caption(self._square(pixels))

    def _caption(self, squares):
        network, controls = self._functions.network, self._controls
        given = {name: tf.constant(value) for name, value in self._inputs.items()}
        found = search(network.decoder, self._functions.encoder(squares), controls.structure, given)
        inside = tf.sequence_mask(found["length"][:, 0], controls.max_words)
        words = tf.where(inside, tf.gather(self._words, found["words"][:, 0]), "")
        text = tf.strings.strip(tf.strings.reduce_join(words, axis=1, separator=" "))
        length = tf.cast(found["length"][:, 0] + 1, tf.float32)
        masks = tf.reshape(found["weights"][:, 0], (-1, controls.max_words, *network.encoder.grid))
        return {
            "text": text,
            "words": words,
            "score": found["log_probability"][:, 0] / length,
            "probabilities": tf.where(inside, tf.exp(found["word_log_probabilities"][:, 0]), 0.0),
            "masks": masks,
        }

    def _square(self, pixels):
        """The network's squares, as `pictures.geometry.network_square` makes them: triangle filter, antialiased."""
        size, resize = self._functions.size, self._config.encoder.resize
        height, width = tf.shape(pixels)[1], tf.shape(pixels)[2]
        if resize == "pad":
            side = tf.maximum(height, width)
            pixels = tf.image.pad_to_bounding_box(pixels, (side - height) // 2, (side - width) // 2, side, side)
            height = width = side
        extent = tf.cast(tf.stack([height, width]), tf.float32)
        seen = tf.fill([2], tf.reduce_min(extent)) if resize == "crop" else extent
        scale = size / seen
        scaled = tf.raw_ops.ScaleAndTranslate(
            images=tf.cast(pixels, tf.float32),
            size=[size, size],
            scale=scale,
            translation=-(extent - seen) / 2 * scale,
            kernel_type="triangle",
            antialias=True,
        )
        return tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), tf.uint8)


def _decode(data):
    """RGB pixels of a file's bytes, transparency laid on white."""
    data = tf.strings.join([data, tf.where(tf.strings.length(data) < 12, " " * 12, "")])  # room to look at the start
    holds = lambda place, magic: tf.equal(tf.strings.substr(data, place, len(magic)), magic)
    jpeg, png = holds(0, b"\xff\xd8"), holds(0, b"\x89PNG")
    webp = tf.logical_and(holds(0, b"RIFF"), holds(8, b"WEBP"))
    known = tf.reduce_any([jpeg, png, webp])
    message = f"image_bytes must hold the bytes of a file in one of the formats {', '.join(FORMATS)}"
    with tf.control_dependencies([tf.debugging.Assert(known, [message])]):
        return tf.case(
            [
                (jpeg, lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")),
                (png, lambda: _on_white(tf.io.decode_png(data, channels=4))),
            ],
            lambda: _webp(data),
            exclusive=False,
        )


def _webp(data):
    """TensorFlow wants to know beforehand whether a WebP has transparency, a flag in its header."""
    byte = lambda place: tf.cast(tf.io.decode_raw(tf.strings.substr(data, place, 1), tf.uint8)[0], tf.int32)
    kind = tf.strings.substr(data, 12, 4)
    extended = tf.logical_and(tf.equal(kind, b"VP8X"), tf.bitwise.bitwise_and(byte(20), 0x10) > 0)
    lossless = tf.logical_and(tf.equal(kind, b"VP8L"), tf.bitwise.bitwise_and(byte(24), 0x10) > 0)
    return tf.cond(
        tf.logical_or(extended, lossless),
        lambda: _on_white(tf.io.decode_webp(data, channels=4)[0]),  # the first frame
        lambda: tf.io.decode_webp(data, channels=3)[0],
    )


def _on_white(pixels):
    colours, alpha = tf.cast(pixels[..., :3], tf.float32), tf.cast(pixels[..., 3:], tf.float32) / 255.0
    return tf.cast(tf.round(colours * alpha + 255.0 * (1.0 - alpha)), tf.uint8)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[str, typer.Argument(help="Model folder or name.")],
    out: Annotated[
        pathlib.Path | None, typer.Argument(help="Folder to write; none for graphs.", show_default=False)
    ] = None,
    format: Annotated[Format, typer.Option(help="Kind of export.")] = Format.saved_model,
    beam_width: Annotated[int, typer.Option(help="Beam of the SavedModel's own captions.")] = 5,
) -> None:
    """Export a model, to be run without this project's code, or put graphs for onnxruntime into it."""
    silence_frameworks()
    try:
        if (out is None) != (format is Format.graphs):
            raise ConfigError(f"--format {format} takes {'a folder to write' if out is None else 'no other folder'}")
        print(add_graphs(model) if out is None else export(model, out, format, beam_width=beam_width))
    except CaptionerError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    app()
