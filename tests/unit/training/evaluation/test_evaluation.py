"""What is said of captions beside their scores: baselines, METEOR, COCO's formats, reports."""

from __future__ import annotations

import json

import numpy as np
import pytest

from captioner import DatasetError
from training.data.datasets import Example
from training.evaluate import score_predictions
from training.evaluation import baselines, meteor
from training.evaluation.coco_results import image_ids, read_predictions, write_coco
from training.evaluation.metrics import evaluate_captions
from training.evaluation.scores import by_length, compare, judge


def examples(*rows, split="test"):
    return [Example(name, split, texts) for name, texts in rows]


PICTURES = examples(
    ("COCO_val2014_000000000042.jpg", ("A dog runs .", "a brown dog")),
    ("COCO_val2014_000000000007.jpg", ("two cats", "cats sleep on a sofa")),
)
TRAIN = examples(("1.jpg", ("A dog .", "a dog", "a cat")), ("2.jpg", ("A dog!", "the dog runs")), split="train")


class NoSynonyms:
    """A WordNet without entries: METEOR then matches words and stems alone."""

    def synsets(self, word):
        return []


def test_meteor_by_hand():
    # "dogs" matches "dog" by its stem: 3 matches of 4 and 3 words, in one run of 2 ("a dogs") and one of 1.
    precision, recall = 3 / 4, 3 / 3
    mean = precision * recall / (0.9 * precision + 0.1 * recall)
    expected = mean * (1 - 0.5 * (2 / 3) ** 3)
    found = meteor.meteor([["a", "dogs", "quickly", "runs"]], [[["a", "dog", "runs"], ["z"]]], NoSynonyms())
    assert found == pytest.approx(expected)


def test_meteor_without_wordnet_says_so(monkeypatch):
    monkeypatch.setattr(meteor, "find_wordnet", lambda: None)
    scores = judge(["a dog runs", "cats"], PICTURES, TRAIN)
    assert scores["meteor_nltk"] is None
    assert "nltk.downloader wordnet" in scores["meteor_note"]


def test_unseen_captions():
    scores = judge(["the DOG runs", "two cats on a sofa"], PICTURES, TRAIN)
    assert scores["unseen"] == 0.5


def test_people_are_held_against_each_other():
    references = [("a b", "a c", "a b"), ("d", "e")]
    human = baselines.human(references, evaluate_captions)
    turns = [
        evaluate_captions(["a b", "d"], [("a c", "a b"), ("e",)]),
        evaluate_captions(["a c", "e"], [("a b", "a b"), ("d",)]),
        evaluate_captions(["a b", "d"], [("a b", "a c"), ("e",)]),
    ]
    assert human["bleu_1"] == pytest.approx(np.mean([turn["bleu_1"] for turn in turns]))
    assert baselines.human([*references, ("f",)], evaluate_captions) == human
    assert baselines.human([("a",), ("b", "c")], evaluate_captions) is None


def test_the_commonest_caption_counts_words_not_texts():
    assert baselines.commonest_caption(TRAIN) == "a dog"
    assert baselines.commonest_caption([]) is None


def test_without_training_captions_there_is_no_commonest_one():
    assert set(compare(PICTURES, [], None)) == set(compare(PICTURES, TRAIN, None)) - {"most_frequent"}


def test_captions_that_need_no_model_are_scored_alike():
    found = compare(PICTURES, TRAIN, ["a dog runs", "two cats"])
    assert found["most_frequent"]["caption"] == "a dog"
    assert found["most_frequent"]["distinct"] == 1
    assert found["nearest"]["exact"] == 1.0
    assert set(found) == {"human", "most_frequent", "nearest"}
    assert "nearest" not in compare(PICTURES, TRAIN, None)


def test_bleu_by_length_covers_every_caption():
    texts = ["a dog"] * 12 + ["a dog runs fast"] * 15 + ["a dog runs fast on grass"] * 3
    rows = by_length(texts, [[text] for text in texts])
    assert [(row["words"], row["pictures"]) for row in rows] == [(2, 12), (4, 15), (6, 3)]
    assert [row["bleu_4"] for row in rows] == pytest.approx([0, 1, 1])


def test_coco_s_formats_go_out_and_come_back(tmp_path):
    texts = ["a dog", "two cats"]
    write_coco(tmp_path, PICTURES, texts)
    results = json.loads((tmp_path / "coco_results.json").read_text())
    assert results == [{"image_id": 42, "caption": "a dog"}, {"image_id": 7, "caption": "two cats"}]
    assert read_predictions(tmp_path / "coco_results.json", PICTURES[::-1]) == texts[::-1]
    references = json.loads((tmp_path / "coco_references.json").read_text())
    assert [note["image_id"] for note in references["annotations"]] == [42, 42, 7, 7]
    assert references["images"][1] == {"id": 7, "file_name": "COCO_val2014_000000000007.jpg"}


def test_the_official_scorer_reads_what_we_write(tmp_path):
    """pycocoevalcap's own evaluation, with our tokens: BLEU, ROUGE-L and CIDEr-D are ours."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocotools.coco import COCO

    from captioner.vocabulary import split_words

    rng = np.random.default_rng(3)
    word = lambda: rng.choice(["a", "dog", "cat", "runs", "on", "grass", "red", "ball", "two"])
    text = lambda: " ".join(word() for _ in range(rng.integers(3, 12)))
    pictures = examples(*((f"{i}.jpg", tuple(text() for _ in range(5))) for i in range(60)))
    predictions = [text() for _ in pictures]
    write_coco(tmp_path, pictures, predictions)
    coco = COCO(str(tmp_path / "coco_references.json"))
    results = coco.loadRes(str(tmp_path / "coco_results.json"))
    tokens = lambda source: {
        i: [" ".join(split_words(note["caption"])) for note in source.imgToAnns[i]] for i in coco.getImgIds()
    }
    references, captions = tokens(coco), tokens(results)
    ours = evaluate_captions(predictions, [example.captions for example in pictures])
    theirs = Bleu(4).compute_score(references, captions, verbose=0)[0]
    assert [ours[f"bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx(theirs, abs=1e-4)
    assert ours["rouge_l"] == pytest.approx(Rouge().compute_score(references, captions)[0], abs=1e-4)
    assert ours["cider_d"] == pytest.approx(Cider().compute_score(references, captions)[0], abs=1e-4)


def test_names_without_numbers_are_numbered():
    assert image_ids(examples(("a.jpg", ("a",)), ("b.jpg", ("b",)))) == [1, 2]
    assert image_ids(examples(("x1.jpg", ("a",)), ("y1.jpg", ("b",)))) == [1, 2]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a": 1}, "expected a list of objects with image_id"),
        ([{"image_id": 42}], "expected a list of objects with image_id"),
        ([{"image_id": 42, "caption": "a"}], r"no caption for image_id 7 \(1 missing, 0 unknown\)"),
        ([{"image_id": i, "caption": "a"} for i in (42, 7, 9)], "image_id 9 is not in it"),
        ([{"image_id": 42, "caption": "a"}] * 2, "image_id 42 has two captions"),
    ],
)
def test_results_of_other_pictures_are_refused(tmp_path, rows, message):
    (tmp_path / "r.json").write_text(json.dumps(rows))
    with pytest.raises(DatasetError, match=message):
        read_predictions(tmp_path / "r.json", PICTURES)


def test_a_file_of_captions_is_scored_and_reported(tmp_path):
    rows = [{"image": e.image.name, "split": e.split, "captions": list(e.captions)} for e in [*PICTURES, *TRAIN]]
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "r.json").write_text(
        json.dumps([{"image_id": 42, "caption": "a dog"}, {"image_id": 7, "caption": "<b>"}])
    )
    metrics = score_predictions(tmp_path / "r.json", tmp_path, "test", tmp_path / "out")
    assert metrics["bleu_1"] > 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "most frequent training caption" in page
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["pictures"] == 2
