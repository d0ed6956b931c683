"""Model folders read back what was written, and say so when they do not."""

from __future__ import annotations

import json
import shutil
import types

import keras
import numpy as np
import pytest
import safetensors.numpy

from captioner import Captioner, ModelError
from captioner.config import ContextConfig, EncoderConfig
from captioner.folders.finding import find_model
from captioner.folders.folder import FORMAT_VERSION
from captioner.folders.keras_folder import load_model, named_weights, save_model, without_random_numbers
from captioner.folders.weights import open_weights
from captioner.network.context import CONTEXTS
from captioner.network.decoder import DECODERS, build_decoder
from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def test_a_model_reads_back(saved, tiny_captioner, photo):
    again = Captioner.from_pretrained(saved)
    assert again.config == tiny_captioner.config
    assert again.vocabulary.words == tiny_captioner.vocabulary.words
    assert again.metrics == {"dev": {"bleu_4": 0.1}}
    old, new = tiny_captioner.score(photo, "a dog runs"), again.score(photo, "a dog runs")
    assert new.score == pytest.approx(old.score, abs=0.02)  # weights are stored as float16
    np.testing.assert_allclose(new.words[1].mask, old.words[1].mask, atol=0.02)


def test_the_folder_holds_what_the_contract_names(saved):
    names = {"config.json", "model.safetensors", "vocabulary.txt", "metrics.json", "README.md", "manifest.json"}
    assert {path.name for path in saved.iterdir()} == names
    assert [path.name for path in saved.parent.iterdir()] == ["tiny"]
    manifest = json.loads((saved / "manifest.json").read_text())
    assert manifest["format_version"] == FORMAT_VERSION
    assert set(manifest["sha256"]) == {"config.json", "model.safetensors", "vocabulary.txt"}


def test_a_better_model_takes_the_place_of_the_old(saved, tiny_captioner, copy):
    save_model(copy, tiny_captioner.model, tiny_captioner.vocabulary, {"dev": 2}, "# New\n")
    assert json.loads((copy / "metrics.json").read_text()) == {"dev": 2}
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.txt", "manifest.json"])
def test_a_missing_part_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelError, match=name):
        Captioner.from_pretrained(copy)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.txt"])
def test_a_flipped_bit_is_noticed(copy, name):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name} is not the file the manifest names"):
        Captioner.from_pretrained(copy)


def test_another_version_is_refused(copy):
    manifest = json.loads((copy / "manifest.json").read_text()) | {"format_version": 99}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="format version 99; this library reads version"):
        Captioner.from_pretrained(copy)


def test_a_folder_of_the_version_before_is_refused(copy):
    old = {"format_version": 1, "versions": {"captioner": "0.0.9"}}
    manifest = json.loads((copy / "manifest.json").read_text()) | old
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="version 1; .*; captioner 0.0.9 wrote it; convert it with tools/"):
        Captioner.from_pretrained(copy)


def test_a_bare_name_is_a_model_of_this_checkout(root, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert find_model("shapes") == find_model("models/shapes") == root / "models" / "shapes"


def test_no_folder_is_refused():
    with pytest.raises(ModelError, match="no-such-model is no model folder"):
        Captioner.from_pretrained("no-such-model")


def test_weights_that_are_not_finite_are_never_written(tiny_captioner, tmp_path):
    weight = tiny_captioner.model.decoder.output_bias
    kept = np.asarray(weight)
    weight.assign(np.full(kept.shape, np.nan))
    try:
        with pytest.raises(ModelError, match="not finite"):
            save_model(tmp_path / "broken", tiny_captioner.model, tiny_captioner.vocabulary, {}, "")
    finally:
        weight.assign(kept)
    assert not list(tmp_path.iterdir())


def test_weights_have_the_same_names_however_often_a_network_is_built(saved):
    """Keras numbers layers without a name through the process."""
    with open_weights(saved / "model.safetensors") as weights:
        stored = set(weights.shapes)
    networks = [load_model(saved)[0] for _ in range(2)]
    assert all(set(named_weights(network)) == stored for network in networks)


def test_weights_come_back_as_float16(saved, tiny_captioner):
    network, _, _ = load_model(saved)
    wanted = named_weights(tiny_captioner.model)
    for name, variable in named_weights(network).items():
        half = np.asarray(wanted[name]).astype(np.float16)
        np.testing.assert_array_equal(np.asarray(variable), half.astype(np.float32), err_msg=name)


@pytest.mark.parametrize("kind", sorted(CONTEXTS))
@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_every_weight_of_a_decoder_has_a_name_of_its_own(tiny_config, decoder, kind):
    config = tiny_config.model_copy(
        update={
            "decoder": tiny_config.decoder.model_copy(update={"kind": decoder, "embedding_size": 8}),
            "context": ContextConfig(kind=kind, units=8, layers=2),
        }
    )
    encoder = types.SimpleNamespace(cnn=types.SimpleNamespace(layers=[]), variables=[])
    names = []
    for _ in range(2):
        network = types.SimpleNamespace(encoder=encoder, decoder=build_decoder(config, 10, (2, 2), 16))
        weights = named_weights(network)
        assert sum(keras.backend.is_float_dtype(v.dtype) for v in network.decoder.variables) == len(weights)
        names.append(list(weights))
    assert names[0] == names[1]
    assert all(name.startswith("decoder/") for name in names[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "layer"),
    [
        ("EfficientNetB0", "top_activation"),
        ("ConvNeXtTiny", "convnext_tiny_stage_3_block_2_gelu"),
        ("ResNet50V2", "post_relu"),
        ("InceptionV3", "mixed10"),
        ("NASNetMobile", "normal_concat_12"),
    ],
)
def test_encoders_of_other_families(architecture, layer):
    """Whose layers have names, or none, or layers of their own inside."""
    config = EncoderConfig(architecture=architecture, layers=(layer,), image_size=96)
    build = lambda: Encoder(config, name="encoder")
    decoder = types.SimpleNamespace(variables=[])
    first, second = (named_weights(types.SimpleNamespace(encoder=build(), decoder=decoder)) for _ in range(2))
    assert list(first) == list(second) and len(first) > 50


def test_a_network_begins_with_zeros_where_a_file_follows(tiny_config):
    with without_random_numbers():
        encoder = Encoder(tiny_config.encoder, name="encoder")
    kernels = [v for v in encoder.variables if v.path.endswith("kernel")]
    assert kernels and not any(np.asarray(kernel).any() for kernel in kernels)


@pytest.mark.slow
def test_the_photo_model_runs_as_keras_would_build_it(root):
    """All numbers arrive: with an encoder built the usual way and filled by hand."""
    network, vocabulary, _ = load_model(root / "models" / "photos")
    usual = CaptionModel(network.config, len(vocabulary))
    numbers = safetensors.numpy.load_file(root / "models" / "photos" / "model.safetensors")
    for name, variable in named_weights(usual).items():
        variable.assign(numbers.pop(name).astype(np.float32))
    assert not numbers
    for layer in usual.encoder.cnn.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    pixels = np.random.default_rng(0).integers(0, 255, (1, 300, 300, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(network.encoder(pixels)), np.asarray(usual.encoder(pixels)))
