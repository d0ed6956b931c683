"""Settings of a run as people write them: by stage or for all stages, of any type, and never more than one line."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captioner import ConfigError
from training.config import Stage, TrainingConfig, load_config

NAMES = ["stages", "model", "encoder", "attention", "decoder", "options", "0", "1", "-1", "99999999999999999999", ""]
NAMES += [*TrainingConfig.model_fields, *Stage.model_fields]
KEYS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5).map(".".join)
EDGES = st.sampled_from(
    ["1e400", "-1e400", "NaN", "Infinity", "9" * 5000, "[" * 100_000, '"\\ud800"', "a\0b", "", "{}"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def two_stages(root, tmp_path_factory):
    """shapes.toml with its stage twice."""
    text = (root / "training" / "configs" / "shapes.toml").read_text()
    path = tmp_path_factory.mktemp("config") / "two.toml"
    path.write_text(text + "\n[[stages]]\n" + text.partition("[[stages]]\n")[2])
    return path


def test_a_setting_of_all_stages_and_of_one(two_stages):
    config = load_config(two_stages, ["stages.steps=3", "stages.1.steps=4", "stages.0.learning_rate=0.5"])
    assert [stage.steps for stage in config.stages] == [3, 4]
    assert [stage.learning_rate for stage in config.stages] == [0.5, 0.002]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stages.2.steps=3", r"there is no '2' to change; stages run from 0 to 1"),
        ("stages.-1.steps=3", r"stages\.0\.-1 is not a known key"),
        ("stages.stepz=3", r"stages\.0\.stepz is not a known key: did you mean 'steps'"),
        ("min_count.x=3", r"there is no section 'min_count'; settings are named section\.key"),
        ("stages.learning_rate=1e400", r"stages\.0\.learning_rate: Input should be a finite number"),
        ("stages.learning_rate=NaN", r"stages\.0\.learning_rate: Input should be a finite number"),
        ("stages.0=1e400", r"stages\.0: "),  # a whole stage
        ("seed=-1", "seed: .* greater than or equal to 0"),
        ("start_from=a\0b", "start_from: "),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(two_stages, change, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_config(two_stages, [change])
    assert "\n" not in str(error.value)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(KEYS, JSON.map(json.dumps) | EDGES), min_size=1, max_size=3))
def test_no_setting_ends_in_another_error(two_stages, changes):
    try:
        config = load_config(two_stages, [f"{key}={text}" for key, text in changes])
    except ConfigError as error:
        assert "\n" not in str(error)
    else:
        json.dumps(config.model_dump(mode="json"), allow_nan=False)


def test_the_recipe_for_few_photos_goes_on_from_the_model_that_ships(root):
    config = load_config(root / "training" / "configs" / "finetune.toml")
    shipped = json.loads((root / config.start_from / "config.json").read_text())
    measured = {"confidence": shipped["confidence"]}  # it builds nothing, and a new model has none yet
    assert config.model.model_dump(mode="json") | measured == shipped
