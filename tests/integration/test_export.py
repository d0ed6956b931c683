"""Exported models say what the Keras model says, from the same pictures, and run without it."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from PIL import Image

from captioner import Captioner, ConfigError, ModelError
from captioner.config import ConfidenceConfig
from captioner.evidence import Evidence
from captioner.folders.folder import EVIDENCE, write_manifest
from captioner.folders.keras_folder import save_model
from tests.quick import quick
from training.calibrate import write_calibration

# A SavedModel takes as long to write as all other kinds together.
KINDS = quick(["onnx", "graphs"], ["saved_model", "onnx", "graphs"])

CONFIDENCE = ConfidenceConfig(
    bias=0.2, probability=0.3, caption=0.2, lead=0.1, focus=0.5, frequency=0.1, shown=2.0, record=0.7, threshold=0.5
)


def evidence_of(captioner):
    """One that says something else of every word and picture."""
    rng, words = np.random.default_rng(7), len(captioner.vocabulary)
    shapes = (2 * captioner.model.encoder.channels, 3), (3, words), (words,), (words,), (words,)
    return Evidence(*(rng.normal(size=shape) * 0.2 for shape in shapes))


class Made(dict):
    """What is made when it is first asked for."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, kind):
        return self.setdefault(kind, self.make(kind))


@pytest.fixture(scope="module")
def exported(tiny_captioner, tmp_path_factory):
    """The Keras folder of the tiny model and what is exported from it, by kind."""
    from captioner.export import add_graphs, export

    root = tmp_path_factory.mktemp("exported")
    keras = save_model(root / "keras", tiny_captioner.model, tiny_captioner.vocabulary, {"dev": 1}, "# Tiny\n")
    write_calibration(keras, CONFIDENCE, evidence_of(tiny_captioner))

    def make(kind):
        if kind == "graphs":
            return add_graphs(shutil.copytree(keras, root / "graphs"))
        return keras if kind == "keras" else export(keras, root / kind, kind, beam_width=3)

    return Made(make)


@pytest.fixture(scope="module")
def captioners(exported):
    return Made(lambda kind: Captioner.from_pretrained(exported[kind]))


@pytest.fixture(scope="module")
def pictures():
    """Pictures of several shapes, smooth enough that a turn of rounding in a resize is small."""
    rng = np.random.default_rng(0)
    return [
        Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        for size in [(40, 90), (200, 61), (32, 32)]
    ]


def same(a, b):
    assert a.text == b.text
    assert a.score == pytest.approx(b.score, abs=1e-4)
    assert a.confidence == pytest.approx(b.confidence, abs=1e-4)
    for one, other in zip(a.words, b.words, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-4)
        assert one.gate == pytest.approx(other.gate, abs=1e-4)
        assert [text for text, _ in one.alternatives] == [text for text, _ in other.alternatives]
        np.testing.assert_allclose(one.mask, other.mask, atol=1e-4)


def all_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        same(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_one_interface_runs_every_kind_of_folder(captioners, pictures, kind):
    keras, other = captioners["keras"], captioners[kind]
    assert (other.grid, other.metrics, other.config) == (keras.grid, keras.metrics, keras.config)
    all_same(keras.captions(pictures, beam_width=3), other.captions(pictures, beam_width=3))
    same(keras.score(pictures[1], "a brown zebra runs"), other.score(pictures[1], "a brown zebra runs"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_option_runs_on_every_kind_of_folder(captioners, pictures, kind):
    keras, other = captioners["keras"], captioners[kind]
    options = {"beam_width": 4, "count": 3, "prefix": "a", "no_repeat_ngram": 1, "forbidden_words": "grass"}
    all_same(keras.caption(pictures[0], **options), other.caption(pictures[0], **options))
    options = {"beam_width": 4, "evidence": 2.0}
    all_same(keras.captions(pictures, **options), other.captions(pictures, **options))
    same(keras.caption(pictures[1], strategy="greedy"), other.caption(pictures[1], strategy="greedy"))
    streams = [list(captioner.stream(pictures[2], strategy="sample", seed=2)) for captioner in (keras, other)]
    same(streams[0][-1], streams[1][-1])
    same(streams[0][-1], keras.caption(pictures[2], strategy="sample", seed=2))


def test_confidence_differs_from_picture_to_picture_and_word_to_word(captioners, pictures):
    captions = [captioners["keras"].score(picture, "a brown dog") for picture in pictures[:2]]
    (_, brown, dog), (_, other, _) = (caption.words for caption in captions)
    assert len({round(word.confidence, 3) for word in (brown, dog, other)}) == 3


def test_evidence_ranks_what_the_beam_has_finished(captioners, pictures):
    plain, by_evidence = (
        captioners["onnx"].caption(pictures[0], beam_width=4, count=4, evidence=weight) for weight in (0.0, 50.0)
    )
    assert sorted(caption.text for caption in plain) == sorted(caption.text for caption in by_evidence)
    assert plain[0].text != by_evidence[0].text
    alone = captioners["onnx"].caption(pictures[0], beam_width=4, evidence=50.0)
    assert (alone.text, alone.score) == (by_evidence[0].text, by_evidence[0].score)


@pytest.mark.parametrize("kind", ["keras", "onnx"])
def test_evidence_that_is_missing_or_changed_is_told(exported, tmp_path, kind):
    folder = shutil.copytree(exported[kind], tmp_path / kind)
    data = (folder / EVIDENCE).read_bytes()
    (folder / EVIDENCE).write_bytes(data[:-2] + b"\0\1")
    with pytest.raises(ModelError, match="is not the file the manifest names"):
        Captioner.from_pretrained(folder)
    (folder / EVIDENCE).unlink()
    with pytest.raises(ModelError, match="evidence.safetensors is missing"):
        Captioner.from_pretrained(folder)
    write_manifest(folder, kind)
    with pytest.raises(ModelError, match="evidence.safetensors is missing, which config.json rates words by"):
        Captioner.from_pretrained(folder)


@pytest.mark.slow
def test_a_saved_model_runs_where_xla_is_missing(exported, captioners, pictures):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    captioners["keras"].caption(pictures[0])  # which does compile some of it
    content = SavedModel.FromString((exported["saved_model"] / "saved_model.pb").read_bytes())
    graph = content.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert len(nodes) > 100
    assert not [node.name for node in nodes if node.attr["_XlaMustCompile"].b]


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_export_cannot_do_is_said(captioners, pictures, kind):
    if kind == "graphs":  # the network is there and is loaded when it is asked for
        assert captioners[kind].model.config == captioners[kind].config
        return
    with pytest.raises(ConfigError, match="holds no Keras network"):
        captioners[kind].model  # noqa: B018


STRATEGIES = [
    {"strategy": "diverse", "beam_width": 4, "groups": 2, "count": 3},
    {"strategy": "sample", "seed": 7, "count": 3, "top_p": 0.9},
    {"beam_width": 3, "required_words": "dog grass", "count": 2},
]


@pytest.mark.parametrize("options", quick([1], STRATEGIES))
@pytest.mark.parametrize("kind", KINDS)
def test_every_strategy_runs_on_every_kind_of_folder(captioners, pictures, kind, options):
    all_same(*(captioners[name].caption(pictures[0], **options) for name in ("keras", kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_annotation_vectors_are_those_of_the_network(captioners, kind):
    squares = np.random.default_rng(1).integers(0, 255, (2, 32, 32, 3), np.uint8)
    if kind == "saved_model":  # whose encoder gives them by the same function
        kind = "onnx"
    one, other = (captioners[name].annotations(squares) for name in ("keras", kind))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_a_folder_is_run_by_what_is_asked_for(exported):
    kinds = {
        ("graphs", "auto"): "OnnxRuntime",
        ("graphs", "onnx"): "OnnxRuntime",
        ("graphs", "keras"): "KerasRuntime",
        ("keras", "auto"): "KerasRuntime",
        ("onnx", "onnx"): "OnnxRuntime",
    }
    for (folder, runtime), name in kinds.items():
        assert type(Captioner.from_pretrained(exported[folder], runtime).runtime).__name__ == name
    for folder, runtime, choices in [
        ("keras", "onnx", "keras.*--format graphs adds"),
        ("graphs", "saved_model", "onnx or keras"),
        ("onnx", "keras", "onnx"),
        ("graphs", "torch", "onnx or keras. Received: 'torch'"),
    ]:
        with pytest.raises(ConfigError, match=f"is auto, {choices}"):
            Captioner.from_pretrained(exported[folder], runtime)


@pytest.mark.slow
def test_a_saved_model_is_run_by_tensorflow(captioners):
    assert type(captioners["saved_model"].runtime).__name__ == "SavedModelRuntime"


@pytest.mark.parametrize("name", ["encoder.onnx", "step.onnx"])
def test_graphs_hold_hardly_a_number(exported, name):
    """What is in the file of weights is not there twice."""
    shared, whole = (exported[kind] / name for kind in ("graphs", "onnx"))
    graph = onnx.load(shared, load_external_data=False).graph
    inside = sum(len(tensor.raw_data) for tensor in graph.initializer)
    assert inside < 30_000
    assert shared.stat().st_size < whole.stat().st_size


def test_new_graphs_take_the_place_of_old_ones(exported, tmp_path):
    from captioner.export import add_graphs

    folder = shutil.copytree(exported["graphs"], tmp_path / "again")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    add_graphs(folder)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} <= {"encoder.onnx", "step.onnx", "manifest.json"}
    Captioner.from_pretrained(folder, "onnx")


@pytest.mark.parametrize("kind", ["onnx", "graphs"])
def test_onnx_runs_where_neither_keras_nor_tensorflow_is_loaded(root, exported, captioners, photo, kind):
    code = (
        "import sys; from captioner import Captioner; "
        f"c = Captioner.from_pretrained({str(exported[kind])!r}); list(c.captions([{str(photo)!r}])); "
        f"c.score({str(photo)!r}, 'a dog'); list(c.stream({str(photo)!r})); "
        f"print(c.caption({str(photo)!r}, beam_width=2).text); "
        "print([name for name in ('keras', 'tensorflow', 'jax') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    text, loaded = done.stdout.splitlines()
    assert text == captioners[kind].caption(photo, beam_width=2).text
    assert loaded == "[]"


def files(pictures) -> list[bytes]:
    """The pictures as files: PNG, a PNG with transparency, WebP without loss."""
    made = []
    kinds = [("PNG", {}), ("PNG", {}), ("WEBP", {"lossless": True})]
    for picture, (format, options) in zip(pictures, kinds, strict=True):
        if not made:
            picture = picture.convert("RGBA")
            picture.putalpha(Image.linear_gradient("L").resize(picture.size))
        file = io.BytesIO()
        picture.save(file, format, **options)
        made.append(file.getvalue())
    file = io.BytesIO()
    pictures[1].save(file, "JPEG", quality=95)
    return [*made, file.getvalue()]


@pytest.mark.slow
def test_a_saved_model_captions_files_with_tensorflow_alone(captioners, exported, pictures):
    """Its own way from bytes to words: decoded and resized in the graph as Pillow does."""
    data = files(pictures)
    code = (
        "import sys, json, base64, tensorflow as tf\n"
        f"model = tf.saved_model.load({str(exported['saved_model'])!r})\n"
        "data = [base64.b64decode(text) for text in json.load(sys.stdin)]\n"
        "found = model.signatures['caption'](image_bytes=tf.constant(data))\n"
        "assert 'captioner' not in sys.modules\n"
        "texts = [text.decode() for text in found['text'].numpy()]\n"
        "print(json.dumps([texts, found['masks'].numpy().tolist(), found['score'].numpy().tolist()]))"
    )
    sent = json.dumps([base64.b64encode(one).decode() for one in data])
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    texts, masks, scores = json.loads(done.stdout)
    for i, caption in enumerate(captioners["keras"].captions(data, beam_width=3)):
        assert texts[i] == caption.text
        assert scores[i] == pytest.approx(caption.score, abs=0.02)  # a pixel may be rounded the other way
        for word, mask in zip(caption.words, masks[i], strict=False):
            np.testing.assert_allclose(mask, word.mask, atol=0.02)


def rest(model, body: dict) -> dict:
    """What TensorFlow Serving answers to POST /v1/models/NAME:predict, in process.

    https://www.tensorflow.org/tfx/serving/api_rest: rows of inputs in "instances", bytes as {"b64": …}, rows of
    outputs in "predictions".
    """
    import tensorflow as tf

    plain_value = lambda value: base64.b64decode(value["b64"]) if isinstance(value, dict) else value
    signature = model.signatures[body.get("signature_name", "serving_default")]
    (name, spec), *others = signature.structured_input_signature[1].items()
    assert not others
    rows = [plain_value(row.get(name, row) if isinstance(row, dict) else row) for row in body["instances"]]
    found = signature(**{name: tf.constant(rows, spec.dtype)})
    as_json = lambda value: value.decode() if isinstance(value, bytes) else value
    columns = {name: value.numpy().tolist() for name, value in found.items()}
    for name, column in columns.items():
        columns[name] = [list(map(as_json, row)) if isinstance(row, list) else as_json(row) for row in column]
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


@pytest.mark.slow
def test_a_server_speaks_json(captioners, exported, pictures):
    import tensorflow as tf

    model = tf.saved_model.load(str(exported["saved_model"]))
    data = files(pictures)[1]
    by_bytes = rest(model, {"instances": [{"image_bytes": {"b64": base64.b64encode(data).decode()}}] * 2})
    square = np.asarray(pictures[2])
    by_pixels = rest(model, {"signature_name": "caption_pixels", "instances": [square.tolist()]})
    for answer, picture in ((by_bytes, data), (by_pixels, square)):
        row = json.loads(json.dumps(answer))["predictions"][0]
        caption = captioners["keras"].caption(picture, beam_width=3)
        assert row["text"] == caption.text == " ".join(row["words"]).strip()
        np.testing.assert_allclose(row["masks"][0], caption.words[0].mask, atol=0.02)
        assert row["probabilities"][0] == pytest.approx(caption.words[0].probability, abs=0.02)
        assert set(row) == {"text", "words", "score", "probabilities", "masks"}
    with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG, PNG, WebP"):
        model.signatures["caption"](image_bytes=tf.constant([b"no picture"]))


def test_an_export_never_replaces_something_else(exported, tmp_path):
    from captioner.export import export

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file.txt").write_text("kept")
    with pytest.raises(ModelError, match="is there and no exported model"):
        export(exported["keras"], tmp_path / "mine", "onnx")
    with pytest.raises(ModelError, match="exported model of kind onnx"):
        export(exported["onnx"], tmp_path / "again", "onnx")


@pytest.mark.parametrize(
    ("kind", "part"), [("onnx", "step.onnx"), pytest.param("saved_model", "saved_model.pb", marks=pytest.mark.slow)]
)
def test_a_damaged_export_is_noticed(exported, tmp_path, kind, part):
    copy = shutil.copytree(exported[kind], tmp_path / "copy")
    data = bytearray((copy / part).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / part).write_bytes(data)
    with pytest.raises(ModelError, match=f"{part} is not the file the manifest names"):
        Captioner.from_pretrained(copy)
    (copy / part).unlink()
    with pytest.raises(ModelError, match=f"{part} is missing"):
        Captioner.from_pretrained(copy)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["photos", "shapes"])
def test_the_models_that_ship_say_the_same_on_each_runtime(root, model):
    photos = sorted((root / "demo" / "examples").glob("*.jpg"))
    captioners = [Captioner.from_pretrained(root / "models" / model, runtime) for runtime in ("keras", "onnx")]
    all_same(*(captioner.captions(photos, beam_width=3) for captioner in captioners))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS[:2])
def test_the_photo_model_exports(root, tmp_path, kind):
    """Its encoder has parts that the tiny model lacks."""
    command = [sys.executable, "-m", "captioner.export", "models/photos", str(tmp_path / kind), "--format", kind]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    photos = sorted((root / "demo" / "examples").glob("*.jpg"))
    folders = {root / "models" / "photos": "keras", tmp_path / kind: kind}
    models = [Captioner.from_pretrained(folder, runtime) for folder, runtime in folders.items()]
    all_same(*(model.captions(photos, beam_width=3) for model in models))


def test_an_encoder_that_answers_no_numbers_ends_every_search(exported, pictures, tmp_path):
    """One number of it is NaN, and the manifest is sealed anew."""
    import onnx

    copy = shutil.copytree(exported["onnx"], tmp_path / "copy")
    model = onnx.load(copy / "encoder.onnx")
    of_floats = [tensor for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    largest = max(of_floats, key=lambda tensor: len(tensor.raw_data))
    values = np.full_like(onnx.numpy_helper.to_array(largest), np.nan)
    largest.CopyFrom(onnx.numpy_helper.from_array(values, largest.name))
    onnx.save(model, copy / "encoder.onnx")
    write_manifest(copy, "onnx")
    captioner = Captioner.from_pretrained(copy)
    for options in ({}, {"beam_width": 1}):
        with pytest.raises(ModelError, match="not finite"):
            captioner.caption(pictures[0], **options)
