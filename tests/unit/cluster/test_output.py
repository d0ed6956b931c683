from __future__ import annotations

import numpy as np
import pytest
from pyarrow import dataset

from captioner.caption import Caption, Word
from captioner.cluster.listing import Photo
from captioner.cluster.missing import Missing
from captioner.cluster.output import UNFINISHED, Output, Overtaken, as_table, key_of
from captioner.errors import ConfigError, ImageError

MASK = np.array([[0.1, 0.2, 0.3], [0.1, 0.1, 0.2]], np.float32)
CAPTION = Caption((Word("a", 0.5, MASK, confidence=None), Word("dog", 0.75, MASK, confidence=0.8)), -0.5, b"", (4, 3))


def rows(masks: bool = False):
    return as_table(iter([("a.jpg", CAPTION), ("b.jpg", ImageError("b.jpg: is empty"))]), "photos", "v1", masks)


def test_rows():
    good, bad = rows(masks=True).to_pylist()
    assert (good["path"], good["caption"], good["sentence"]) == ("a.jpg", "a dog", "A dog.")
    assert (good["words"], good["probabilities"], good["score"]) == (["a", "dog"], [0.5, 0.75], -0.5)
    assert (good["width"], good["height"], good["model"], good["model_version"]) == (4, 3, "photos", "v1")
    assert good["error"] is None and good["confidence"] is None
    np.testing.assert_allclose(np.array(good["masks"], float), [MASK, MASK], atol=1e-3)
    assert bad["error"] == "b.jpg: is empty" and bad["caption"] is None and bad["masks"] is None
    assert "masks" not in rows().schema.names


@pytest.fixture(params=["path", "address"])
def output(tmp_path, request):
    return Output(str(tmp_path / "out") if request.param == "path" else f"file://{tmp_path}/out")


def test_what_is_written_is_found_again(output, tmp_path):
    job = output.open({"version": "v1"})
    assert len(output.done()) == 0 and not output.has("captions-1.parquet")
    output.write("captions-1.parquet", rows(), job)
    output.write("captions-1.parquet", rows(), job)  # the same once more is the same
    assert output.has("captions-1.parquet") and output.rows("captions-1.parquet") == (2, 1)
    assert set(output.done().tolist()) == {key_of("a.jpg"), key_of("b.jpg")}
    assert dataset.dataset(tmp_path / "out").count_rows() == 2


def test_another_job_takes_over(output, tmp_path):
    first = output.open({"version": "v1"})
    (tmp_path / "out" / f"{UNFINISHED}1").write_bytes(b"half")
    second = output.open({"version": "v1"})
    assert not (tmp_path / "out" / f"{UNFINISHED}1").exists()
    with pytest.raises(Overtaken, match="another job"):
        output.write("captions-1.parquet", rows(), first)
    assert not output.has("captions-1.parquet")
    output.write("captions-1.parquet", rows(), second)


def test_other_captions_are_refused(output):
    output.open({"version": "v1", "masks": False})
    with pytest.raises(ConfigError, match="captions of another version, masks"):
        output.open({"version": "v2", "masks": True})


def test_damage_is_named(output, tmp_path):
    output.open({})
    (tmp_path / "out" / "captions-1.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ConfigError, match="cannot be read"):
        output.done()
    (tmp_path / "out" / "_captioner.json").write_text("[")
    with pytest.raises(ConfigError, match="is damaged"):
        output.open({})


def test_missing_photos_each_once_in_order():
    photos = [Photo(name) for name in ("c.jpg", "a.jpg", "b.jpg", "a.jpg", "d\udce9.jpg", "é.jpg")]
    done = np.sort(np.array([key_of("b.jpg"), key_of("z.jpg")], np.uint64))
    with Missing(photos, done) as missing:
        assert (missing.total, missing.count) == (5, 4)
        shards = list(missing.shards(3))
        assert shards == list(missing.shards(3))
    assert [shard.photos.count("jpg") for shard in shards] == [3, 1]
    assert '"c.jpg"' in shards[0].photos and shards[0].photos.index("c.jpg") < shards[0].photos.index("a.jpg")
    assert len({shard.name for shard in shards}) == 2
    with Missing([], done) as nothing:
        assert nothing.count == 0 and list(nothing.shards(3)) == []
