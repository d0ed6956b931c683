"""Settings are strict, and an error says what to do."""

from __future__ import annotations

import pytest

from captioner import ConfigError, DecodingOptions, ModelConfig
from captioner.config import DecoderConfig, decoding_options
from training.config import load_config

ENCODER = {"architecture": "MobileNetV2", "layers": ["block_5_add"]}


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ConfigError, match=r"^encoder\.image_sise is not a known key: did you mean 'image_size'\?$"):
        ModelConfig.parse({"encoder": {**ENCODER, "image_sise": 224}})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "encoder is missing"),
        ({"encoder": {**ENCODER, "image_size": 8}}, "encoder.image_size: .*32. Received: 8"),
        (
            {"encoder": {**ENCODER, "resize": "stretch"}},
            "encoder.resize: .*'squash', 'crop' or 'pad'. Received: 'stretch'",
        ),
    ],
)
def test_a_wrong_value_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig.parse(values)


def test_a_config_survives_json():
    config = ModelConfig.parse({"encoder": ENCODER, "decoder": {"gate": "vector"}})
    assert ModelConfig.parse(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"beam_width": 0}, "beam_width: .* Received: 0"),
        ({"beam_width": 21}, "beam_width: .* Received: 21"),
        ({"beam_width": 3, "count": 4}, "count 4 is more than the 3 hypotheses"),
        ({"strategy": "greedy", "count": 2}, "count 2 is more than the 1 hypotheses"),
        ({"min_words": 9, "max_words": 3}, "min_words 9 is more than max_words 3"),
        ({"beam_with": 3}, "did you mean 'beam_width'"),
        ({"strategy": "magic"}, "strategy: "),
    ],
)
def test_a_wrong_decoding_option_is_named(values, message):
    with pytest.raises(ConfigError, match=message) as error:
        DecodingOptions.parse(values)
    assert "\n" not in str(error.value)


def test_every_config_that_ships_is_valid(root):
    paths = sorted((root / "training" / "configs").glob("*.toml"))
    assert paths
    for path in paths:
        load_config(path)


def test_settings_change_from_the_command_line(root):
    path = root / "training" / "configs" / "shapes.toml"
    config = load_config(path, ["stages.0.epochs=2", "model.decoder.gate=vector", "seed=7"])
    assert (config.stages[0].epochs, config.model.decoder.gate, config.seed) == (2, "vector", 7)
    for change, message in [
        ("stages.9.epochs=2", "there is no '9' to change"),
        ("seed", "section.key=value"),
        ("stages.0.epoch=2", "did you mean 'epochs'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            load_config(path, [change])


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    (tmp_path / "bad.toml").write_text("seed = = 3")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_config(tmp_path / "bad.toml")
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        load_config(tmp_path / "none.toml")


def test_the_reference_names_every_training_setting_with_its_default(root):
    path = root / "training" / "configs" / "reference.toml"
    config, text = load_config(path), path.read_text()
    for described in (config, config.stages[0]):
        for name, field in type(described).model_fields.items():
            assert f"{name} = " in text or name in ("model", "stages"), f"reference.toml does not name {name}"
            if name not in ("model", "stages", "epochs"):
                assert getattr(described, name) == field.default, f"reference.toml gives {name} another default"


@pytest.mark.parametrize("name", ["flickr8k", "flickr8k_self_critical", "photos", "finetune", "shapes", "reference"])
def test_configurations_that_ship_can_be_read(root, name):
    assert load_config(root / "training" / "configs" / f"{name}.toml").stages


def test_a_model_keeps_to_its_own_rules_of_repetition_unless_told_otherwise():
    decoder = DecoderConfig(no_repeat_ngram=2, no_repeat_within=5)
    assert decoding_options(decoder, {}) == DecodingOptions(no_repeat_ngram=2, no_repeat_within=5)
    told = decoding_options(decoder, {"no_repeat_within": 0, "beam_width": 3})
    assert (told.no_repeat_ngram, told.no_repeat_within, told.beam_width) == (2, 0, 3)
    with pytest.raises(ConfigError, match="did you mean 'beam_width'"):
        decoding_options(decoder, {"beam_widht": 3})
