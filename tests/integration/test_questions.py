"""Whatever the server is asked, it gives one answer in its time, of one line where it refuses."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.visitors import API, HTTP, Visitor, client, file_data, run_apart

ENDPOINTS = {
    "caption": ("photo", "beam_width", "model", "strategy", "max_words", "min_words", "temperature", "prefix", "seed"),
    "score": ("photo", "text", "model"),
    "captions": ("photos", "beam_width", "model"),
    "check_mask": ("photo", "text", "index", "model"),
    "draw": ("photo", "text", "kind", "index", "model"),
    "models": (),
}
SECONDS = 60


@pytest.fixture(scope="module")
def photo(running, photo_bytes):
    async def upload():
        async with client(running) as of_httpx:
            return (await Visitor(of_httpx).upload(photo_bytes)).json()[0]

    return file_data(run_apart(upload()))


def answer_of(running, path: str, body) -> tuple[int, str]:
    """Status and the one answer, "complete …" or "error …" where it was a stream."""
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    address = f"{running.address}{API}{path}"
    joined = HTTP.post(address, content=content, headers={"content-type": "application/json"}, timeout=SECONDS)
    if joined.status_code != 200 or "event_id" not in joined.json():
        return joined.status_code, joined.json()["detail"]
    answers, event = [], ""
    with HTTP.stream("GET", f"{address}/{joined.json()['event_id']}", timeout=SECONDS) as stream:
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: ") and event in ("complete", "error"):
                answers.append(f"{event} {line[6:]}")
    (answer,) = answers
    return 200, answer


def check_words(status: int, answer: str) -> None:
    """An answer is a result or says in one line why not."""
    if status == 200 and answer.startswith("complete "):
        return
    words = json.loads(answer.removeprefix("error "))["error"] if status == 200 else answer
    assert isinstance(words, str) and len(words) > 12 and "\n" not in words, (status, answer)
    assert status in (200, 400, 403, 404) and "Traceback" not in words and "went wrong" not in words, (status, answer)


def test_the_photo_alone_is_enough(running, photo):
    for path, body in (("/call/caption", {"data": [photo]}), ("/call/v2/caption", {"photo": photo})):
        assert answer_of(running, path, body)[1].startswith("complete ")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/call/caption", {"data": []}, "/caption: photo is missing"),
        ("/call/v2/caption", {}, "/caption: photo is missing"),
        ("/call/v2/caption", {"photo": "P", "beam_with": 3}, "did you mean 'beam_width'?"),
        ("/call/caption", {"data": ["P"] * 30}, "at most 9 arguments. Received: 30"),
        ("/call/captoin", {"data": ["P"]}, "there is no endpoint /captoin: did you mean /caption?"),
        ("/call/v2/nope", {"photo": "P"}, "there is no endpoint /nope: there are /caption, /score"),
        ("/call/v2/score", {"photo": "P", "text": 3}, "/score: text: Input should be a valid string. Received: 3"),
        ("/call/v2/score", {"photo": "P", "text": ["a"]}, "text: Input should be a valid string"),
        (
            "/call/v2/check_mask",
            {"photo": "P", "text": "a", "index": "first"},
            "index: Input should be a valid integer",
        ),
        ("/call/v2/draw", {"photo": "P", "text": "a", "kind": {}}, "kind: Input should be 'word', 'sheet'"),
        ("/call/v2/captions", {"photos": "P"}, "photos: Input should be a valid list"),
        ("/call/v2/caption", {"photo": "P", "model": ["x"]}, "model: Input should be a valid string"),
        ("/queue/join", {"fn_index": 10**6, "data": [], "session_hash": "a"}, "does not understand"),
        ("/queue/join", {"fn_index": {}, "data": [], "session_hash": "a"}, "does not understand"),
        ("/cancel", {"fn_index": "x"}, "does not understand"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_in_words(running, photo, path, body, words):
    body = json.loads(json.dumps(body).replace('"P"', json.dumps(photo)))
    status, answer = answer_of(running, path, body)
    assert status in (400, 404) and words in answer and "\n" not in answer


@pytest.mark.parametrize(
    ("endpoint", "arguments", "words"),
    [
        ("score", {"text": "a dog " * 10_000}, "the text has 60000 letters; give at most 2000"),
        ("score", {"text": "a dog " * 100}, "words; give at most"),
        ("draw", {"text": "a dog " * 100, "kind": "gif"}, "words; give at most"),
        ("check_mask", {"text": "a dog " * 100, "index": 0}, "words; give at most"),
        ("draw", {"text": "x" * 1000}, "a word of the text has 1000 letters"),
        ("caption", {"max_words": 100}, "max_words is at most"),
    ],
)
def test_nothing_is_longer_than_the_longest_caption(running, photo, endpoint, arguments, words):
    start = time.perf_counter()
    _, answer = answer_of(running, f"/call/v2/{endpoint}", {"photo": photo, **arguments})
    assert words in answer and time.perf_counter() - start < SECONDS / 2


def test_half_of_a_surrogate_pair_is_refused(running, photo):
    for value in ("\ud800", "a \udfff dog"):
        for body in (
            {"photo": photo, "text": value},
            {"photo": {**photo, "orig_name": value}, "text": "a"},
            {value: 1},
        ):
            assert answer_of(running, "/call/v2/score", body)[0] == 400


def test_nobody_waits_for_an_answer_to_nothing(running):
    for path in ("/call/caption/none", "/call/v2/nope/none"):
        answer = HTTP.get(f"{running.address}{API}{path}", timeout=30)
        assert answer.status_code == 404 and answer.json()["detail"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20)
    | st.sampled_from(["PHOTO", "a cat", "shapes", "beam", "sample", "word", "sheet", "\ud800", "\0"])
    | st.sampled_from([1, 3, -1, 10**30]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@st.composite
def questions(draw):
    """An endpoint and arguments: some as they should be, some of any type, some under other names."""
    endpoint = draw(st.sampled_from(sorted(ENDPOINTS)))
    names = [*ENDPOINTS[endpoint], "other"]
    arguments = draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=len(names)))
    return endpoint, {**({"photo": "PHOTO"} if "photo" in names and draw(st.booleans()) else {}), **arguments}


def test_questions_that_nobody_foresaw(running, photo):
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

    @settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=quiet)
    @given(questions(), st.booleans())
    def ask(asked, by_name):
        endpoint, arguments = asked
        version = "v2/" if by_name else ""
        body = arguments if by_name else {"data": [arguments.get(name) for name in ENDPOINTS[endpoint]]}
        text = json.dumps(body).replace('"PHOTO"', json.dumps(photo))
        check_words(*answer_of(running, f"/call/{version}{endpoint}", text))

    ask()


def page_events(running):
    config = HTTP.get(f"{running.address}/config", timeout=30).json()
    return [event for event in config["dependencies"] if event["backend_fn"] and event["queue"] is not False]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], marks=pytest.mark.slow),
        pytest.param(["PHOTO"] + ["x"] * 9, marks=pytest.mark.slow),
        [[1], {"a": 2}, None, 3, "beam", 5, 6],
        pytest.param(["PHOTO", "", ["beam"], {}, "x", []], marks=pytest.mark.slow),
    ],
)
def test_events_of_the_page_with_values_that_it_never_sends(running, photo, values):
    values = [photo if value == "PHOTO" else value for value in values]
    for number, event in enumerate(page_events(running)):
        question = {"fn_index": event["id"], "data": values[: len(event["inputs"])], "session_hash": f"s{number}"}
        question |= {"event_data": {"photo": {"path": 3}, "options": {"no_repeat_ngram": 3}, "text": []}}
        joined = HTTP.post(f"{running.address}{API}/queue/join", json=question, timeout=30)
        if joined.status_code != 200:
            check_words(joined.status_code, joined.json()["detail"])
            continue
        with HTTP.stream("GET", f"{running.address}{API}/queue/data?session_hash=s{number}", timeout=SECONDS) as stream:
            told = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
        (end,) = [message for message in told if message["msg"] == "process_completed"]
        assert end["success"] or end["output"]["error"], (event["api_name"], values, end)


def test_what_strangers_name_is_one_short_line_on_stderr(running):
    """After everything above, none of which is a fault of the server."""
    for name in ("%1b%5b31mRED", "a%00b", "x" * 5000, "%e2%80%ae", "line%0abreak"):
        answer = HTTP.post(f"{running.address}{API}/call/{name}", json={"data": []}, timeout=30)
        assert answer.status_code == 404 and len(answer.text) < 1000
    assert running.errors.read_text() == ""
