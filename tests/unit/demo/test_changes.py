import gradio.utils
import pytest
from gradio_client.utils import apply_diff
from hypothesis import given
from hypothesis import strategies as st

from demo.changes import changes, mend_gradio

LEAF = st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=3)
JSON = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xy"), inner, max_size=3))


def captions(*texts):
    return {"captions": [{"words": [{"text": word, "mask": [[1, 2]]} for word in text.split()]} for text in texts]}


def words(answer):
    return [" ".join(word["text"] for word in caption["words"]) for caption in answer["captions"]]


def test_a_shorter_caption_takes_the_place_of_a_longer_one():
    """Lists in lists: what Gradio made of it ended in "a man and a woman sitting at of cake"."""
    old = captions("a man is sitting at a table with a piece of cake")
    new = captions("a man and a woman sitting at a table", "a man at a table")
    assert words(apply_diff(old, changes(old, new))) == words(new)


@given(JSON, JSON)
def test_the_changes_make_the_new_answer_of_the_old_one(old, new):
    wrapped = apply_diff({"answer": old}, changes({"answer": old}, {"answer": new}))
    assert wrapped == {"answer": new}


@pytest.mark.parametrize(
    ("old", "new", "sent"),
    [
        ("a", "ab", [["append", [], "b"]]),
        ([1], [1, 2], [["add", [1], 2]]),
        ([1, 2], [1], [["replace", [], [1]]]),
        ({"x": 1}, {"y": 2}, [["delete", ["x"], None], ["add", ["y"], 2]]),
        ([1, 2], [1, 2], []),
    ],
)
def test_only_what_has_changed_is_sent(old, new, sent):
    assert changes(old, new) == sent


def test_gradio_uses_them(monkeypatch):
    monkeypatch.setattr(gradio.utils, "diff", gradio.utils.diff)
    mend_gradio()
    assert gradio.utils.diff is changes
