"""Model folders that are damaged or made to harm: each is refused in one line that names the file, and no code runs."""

from __future__ import annotations

import json
import os
import pickle
import shutil

import numpy as np
import pytest
import safetensors.numpy

from captioner import Captioner, ModelError
from captioner.folders.folder import write_manifest
from tests import memory

PARTS = ["config.json", "model.safetensors", "vocabulary.txt", "manifest.json"]
TEXTS = ["config.json", "vocabulary.txt", "manifest.json", "metrics.json"]
WEIGHTS = "model.safetensors"
WORDS = "decoder/E"


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


@pytest.fixture
def ran(tmp_path):
    """A file that the planted code would write."""
    return tmp_path / "code-ran"


def refused(folder, name: str) -> str:
    """The one line of a refusal, which names the file and costs little memory."""
    with memory.peak() as taken:
        with pytest.raises(ModelError) as error:
            Captioner.from_pretrained(folder)
        assert taken() < 100_000_000
    text = str(error.value)
    assert name in text and "\n" not in text and len(text) < 2100, text
    return text


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def missing(path, **_):
    path.unlink()


def empty(path, **_):
    path.write_bytes(b"")


def cut(path, **_):
    path.write_bytes(path.read_bytes()[:-20])


def noise(path, **_):
    path.write_bytes(np.random.default_rng(0).bytes(4000))


def folder_in_its_place(path, **_):
    path.unlink()
    path.mkdir()


def pipe(path, **_):
    path.unlink()
    os.mkfifo(path)


def link_to_a_good_copy(path, tmp_path, **_):
    shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")


def link_to_a_secret(path, **_):
    path.unlink()
    path.symlink_to("/etc/passwd")


def link_to_itself(path, **_):
    path.unlink()
    path.symlink_to(path.name)


def code(path, ran, **_):
    path.write_bytes(pickle.dumps(Code(ran)))


def terabyte(path, **_):
    with path.open("r+b") as file:
        file.truncate(10**12)


DAMAGES = [missing, empty, cut, noise, folder_in_its_place, pipe, link_to_a_good_copy, link_to_a_secret, link_to_itself]


@pytest.mark.parametrize("damage", [*DAMAGES, code, terabyte], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", [*PARTS, "metrics.json"])
def test_each_damage_of_each_file(folder, tmp_path, ran, name, damage):
    damage(folder / name, tmp_path=tmp_path, ran=ran)
    if (name, damage) == ("metrics.json", missing):  # what a model reached is no part of the model
        assert Captioner.from_pretrained(folder).metrics == {}
    else:
        refused(folder, name)
    assert not ran.exists()


@pytest.mark.parametrize("damage", [empty, cut, noise, code], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", PARTS[:3])
def test_each_damage_under_a_manifest_that_fits_it(folder, tmp_path, ran, name, damage):
    """Whoever can change a file can change the manifest too."""
    damage(folder / name, tmp_path=tmp_path, ran=ran)
    write_manifest(folder)
    refused(folder, name)
    assert not ran.exists()


@pytest.mark.parametrize("name", PARTS)
def test_a_bit_turned_over_anywhere(folder, name):
    data = (folder / name).read_bytes()
    rng = np.random.default_rng(1)
    for place in rng.integers(0, len(data), 30):
        changed = bytearray(data)
        changed[place] ^= 1 << int(rng.integers(8))
        (folder / name).write_bytes(changed)
        if name == "manifest.json" and _says_the_same(data, changed):
            continue
        refused(folder, folder.name)


def _says_the_same(data: bytes, changed: bytes) -> bool:
    """Whether nothing but the version of the library that wrote it differs, which is told and not compared."""
    try:
        old, new = json.loads(data), json.loads(changed)
    except ValueError:
        return False
    return {**old, "versions": 0} == {**new, "versions": 0} and isinstance(new["versions"], dict)


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_another_model(folder, root, name):
    shutil.copy(root / "models" / "shapes" / name, folder / name)
    refused(folder, str(folder))
    if name != "manifest.json":
        write_manifest(folder)
        refused(folder, str(folder))


@pytest.mark.parametrize("name", TEXTS)
def test_json_and_text_that_ask_for_too_much(folder, name):
    for text in ("[" * 2_000_000, "1" * 5_000_000, '{"a": 1e999}', "[]", "null", '"\\ud800"', "\ud800"):
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        if name in PARTS[:3]:
            write_manifest(folder)
        if name != "metrics.json" or not text.startswith("{"):
            refused(folder, name)
    (folder / name).write_bytes(b"a" * 17_000_000)
    assert "more than the 16,000,000" in refused(folder, name)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("decoder.lstm_units", 10**9, "decoder.lstm_units"),
        ("decoder.embedding_size", 4096, "holds no array of 10 words by 4096"),
        ("attention.units", 4096, "does not fit"),
        ("encoder.image_size", 10**9, "encoder.image_size"),
        ("encoder.options.alpha", 1e9, "no number of an architecture is over 4"),
        ("encoder.options.alpha", float("nan"), "no number of an architecture is over 4"),
        ("encoder.options.weights", "/etc/passwd", "describes no network"),
        ("encoder.options.input_tensor", 1, "describes no network"),
        ("encoder.architecture", "__class__", "no architecture '__class__'"),
        ("encoder.architecture", "imagenet_utils", "no architecture"),
        ("encoder.layers", ["../../etc"], "no layer '../../etc'"),
        ("encoder.lambda", "marshal", "is not a known key"),
        ("attention.kind", "os.system", "os.system"),
        ("module", "os", "is not a known key"),
    ],
)
def test_a_configuration_that_asks_for_too_much(folder, place, value, message):
    config = json.loads((folder / "config.json").read_text())
    *parents, key = place.split(".")
    target = config
    for parent in parents:
        target = target[parent]
    target[key] = value
    (folder / "config.json").write_text(json.dumps(config))
    write_manifest(folder)
    assert message in refused(folder, "config.json")


def test_a_vocabulary_that_asks_for_too_much(folder):
    words = (folder / "vocabulary.txt").read_text() + "".join(f"w{i}\n" for i in range(1_000_000))
    (folder / "vocabulary.txt").write_text(words)
    write_manifest(folder)
    with pytest.raises(ModelError, match="vocabulary.txt .* holds no array of 1000010 words by 6"):
        Captioner.from_pretrained(folder)


@pytest.mark.parametrize("word", ["\x1b[31mred", "two words", "\u202etxet", "a\x00b", ""])
def test_a_vocabulary_of_words_that_are_none(folder, word):
    (folder / "vocabulary.txt").write_text((folder / "vocabulary.txt").read_text() + word + "\n")
    write_manifest(folder)
    assert "is not a single word" in refused(folder, "vocabulary.txt")


def more(numbers):
    numbers["decoder/more"] = np.zeros(3, np.float16)


def turned(numbers):
    numbers["decoder/L_h"] = np.ascontiguousarray(numbers["decoder/L_h"].T)


def lost(numbers):
    del numbers["decoder/L_h"]


def renamed(numbers):
    numbers["decoder/../L_h"] = numbers.pop("decoder/L_h")


def whole_numbers(numbers):
    numbers[WORDS] = numbers[WORDS].astype(np.int16)


def longer_numbers(numbers):
    numbers[WORDS] = numbers[WORDS].astype(np.float32)


def not_finite(numbers):
    numbers[WORDS][0, 0] = np.nan


def not_finite_far_down(numbers):
    numbers["encoder/Conv1/kernel"][-1, -1, -1, -1] = np.inf


def fewer_words(numbers):
    numbers[WORDS] = numbers[WORDS][:-1]


def nothing(numbers):
    numbers.clear()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (more, "it holds 'decoder/more', which the network has not"),
        (turned, "'decoder/L_h' has shape (6, 10) and in the network (10, 6)"),
        (lost, "it has no 'decoder/L_h'"),
        (renamed, "it has no 'decoder/L_h'"),
        (whole_numbers, "is I16; weights are stored as F16"),
        (longer_numbers, "is F32; weights are stored as F16"),
        (not_finite, "'decoder/E' holds values that are not finite"),
        (not_finite_far_down, "'encoder/Conv1/kernel' holds values that are not finite"),
        (fewer_words, "'decoder/E' has shape (9, 6) and in the network (10, 6)"),
        (nothing, "holds no array of 10 words by 6"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_weights_made_to_harm(folder, harm, message):
    numbers = safetensors.numpy.load_file(folder / WEIGHTS)
    harm(numbers)
    safetensors.numpy.save_file(numbers, folder / WEIGHTS)
    write_manifest(folder)
    assert message in refused(folder, WEIGHTS)


def header_of(path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def beyond_the_file(header):
    header[WORDS]["data_offsets"][1] += 10**12


def over_each_other(header):
    header[WORDS]["data_offsets"] = header["decoder/L_h"]["data_offsets"]


def ten_gigabytes(header):
    header[WORDS]["shape"] = [10, 500_000_000]


@pytest.mark.parametrize("harm", [beyond_the_file, over_each_other, ten_gigabytes])
def test_headers_made_to_harm(folder, harm):
    header, numbers = header_of(folder / WEIGHTS)
    harm(header)
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    write_manifest(folder)
    refused(folder, WEIGHTS)


def test_bytes_put_into_weights(folder):
    data = (folder / WEIGHTS).read_bytes()
    for place in range(0, len(data), len(data) // 9):
        (folder / WEIGHTS).write_bytes(data[:place] + b"\x01" + data[place:])
        write_manifest(folder)
        refused(folder, WEIGHTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "format version 99; this library reads version 2"),
        ({"format_version": None}, "format version None"),
        ({"kind": "pickle"}, "a folder is of kind keras, saved_model, onnx. Received: 'pickle'"),
        ({"kind": ["keras"]}, "kind"),
        ({"kind": "onnx"}, "export.json is missing"),
        ({"sha256": []}, "is not a manifest"),
        ({"sha256": {"config.json": 3}}, "sha256.config.json"),
        ({"custom_objects": "os"}, "custom_objects is not a known key"),
    ],
)
def test_manifests_of_another_kind(folder, change, message):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | change))
    assert message in refused(folder, str(folder))


def test_a_part_that_this_version_does_not_have(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["tokenizer.model"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert "names 'tokenizer.model', which is no part of a keras folder" in refused(folder, "manifest.json")


def test_the_folder_may_have_any_name(saved, tmp_path):
    odd = shutil.copytree(saved, tmp_path / "a\nb\x1b[31m")
    (odd / "vocabulary.txt").unlink()
    refused(odd, r"a\nb\x1b[31m/vocabulary.txt is missing")
