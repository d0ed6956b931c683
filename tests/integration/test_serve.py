"""The service on a real cluster: everybody gets their own captions, and a full queue or a dead replica loses nobody."""

from __future__ import annotations

import concurrent.futures
import socket
import threading
import time

import httpx
import numpy as np
import pytest

from captioner import Captioner, ConfigError
from captioner.pictures.reading import open_image
from captioner.serve import Service, start, stop
from demo.backend import RemoteCaptioner
from demo.evidence import leaning
from tests.clusters import connect, make_photos, started_cluster

pytestmark = pytest.mark.slow
MODEL, PEOPLE = "models/shapes", 20


@pytest.fixture(scope="module")
def photos(tmp_path_factory, root):
    return sorted(make_photos(tmp_path_factory.mktemp("photos"), PEOPLE).iterdir())


@pytest.fixture(scope="module")
def expected(photos, root):
    captioner = Captioner.from_pretrained(root / MODEL, threads=1)
    return [answer.to_dict() for answer in captioner.captions(photos, beam_width=3)]


@pytest.fixture(scope="module")
def cluster():
    with started_cluster(cpus=2) as cluster:
        connect(cluster)
        yield cluster


@pytest.fixture
def served(cluster, request):
    """Address of a service with two replicas; `request.param` has other settings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start(Service(MODEL, port=port, **{"replicas": 2, **getattr(request, "param", {})}))
    yield f"http://127.0.0.1:{port}"
    stop()


def ask(address: str, photo, **parameters) -> httpx.Response:
    return httpx.post(f"{address}/v1/caption", content=photo.read_bytes(), params=parameters, timeout=120)


def metric(address: str, name: str) -> float:
    """The value of a metric without labels."""
    lines = httpx.get(f"{address}/metrics", timeout=60).text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def at_once(address: str, photos, **parameters) -> list[httpx.Response]:
    ready = threading.Barrier(len(photos))

    def one(photo):
        ready.wait()
        return ask(address, photo, **parameters)

    with concurrent.futures.ThreadPoolExecutor(len(photos)) as people:
        return list(people.map(one, photos))


def test_everybody_gets_their_own_captions(served, photos, expected):
    answers = at_once(served, photos, beam_width=3)
    assert [answer.status_code for answer in answers] == [200] * PEOPLE
    assert [answer.json()["text"] for answer in answers] == [wanted["text"] for wanted in expected]
    assert len({wanted["text"] for wanted in expected}) > 5
    first = answers[0].json()
    assert first.keys() == expected[0].keys()
    np.testing.assert_allclose(first["words"][0]["mask"], expected[0]["words"][0]["mask"], atol=1e-5)

    form = [("photos", (photo.name, photo.read_bytes())) for photo in photos[:3]]
    form.insert(1, ("photos", ("bad.jpg", b"no picture")))
    several = httpx.post(f"{served}/v1/captions", files=form, params={"beam_width": 3, "masks": False}, timeout=120)
    assert [row.get("text") for row in several.json()] == [
        expected[0]["text"],
        None,
        *(e["text"] for e in expected[1:3]),
    ]
    assert "not a picture" in several.json()[1]["error"] and several.json()[0]["words"][0]["mask"] is None

    given = httpx.post(f"{served}/v1/score", content=photos[0].read_bytes(), params={"text": expected[0]["text"]})
    assert given.json()["score"] == pytest.approx(expected[0]["score"], abs=1e-4)
    count = ask(served, photos[0], count=3).json()
    assert len(count) == 3 and count[0]["score"] >= count[1]["score"]

    for content, parameters, status, words in (
        (b"", {}, 422, "no photo"),
        (b"GIF", {}, 422, "the photo"),
        (photos[0].read_bytes(), {"beam_width": 99}, 422, "beam_width"),
        (photos[0].read_bytes(), {"options": "[]"}, 422, "JSON object"),
        (photos[0].read_bytes(), {"options": '{"beam": 1}'}, 422, "beam"),
        (b"\xff\xd8\xff" + bytes(21 << 20), {}, 413, "21 MB"),
    ):
        refused = httpx.post(f"{served}/v1/caption", content=content, params=parameters, timeout=60)
        assert refused.status_code == status, refused.text
        assert words in refused.json()["detail"]

    assert httpx.get(f"{served}/health/live").json() == {"status": "live"}
    assert httpx.get(f"{served}/health/ready").json() == {"status": "ready"}
    assert httpx.get(f"{served}/v1/model").json()["name"] == "shapes"
    paths = httpx.get(f"{served}/openapi.json").json()["paths"]
    assert {"/v1/caption", "/v1/captions", "/v1/score", "/v1/model"} <= paths.keys()
    metrics = httpx.get(f"{served}/metrics").text
    assert 'captioner_requests_total{route="caption",status="200"} 21.0' in metrics
    assert 'captioner_photos_total{result="unreadable"} 2.0' in metrics


def test_the_page_asks_a_service(served, photos, expected):
    captioner = RemoteCaptioner(served)
    assert (captioner.name, captioner.config.decoder.max_words) == ("shapes", 12)
    caption = captioner.caption(photos[0], beam_width=3)
    assert (caption.text, list(caption.size)) == (expected[0]["text"], expected[0]["size"])
    assert caption.heatmap(0).shape == caption.size[::-1]
    assert [len(growing.words) for growing in captioner.stream(photos[0])][:2] == [1, 2]
    assert captioner.score(open_image(photos[0]), caption.text).score == pytest.approx(caption.score, abs=1e-4)
    best, *_ = captioner.caption(photos[0].read_bytes(), count=3, beam_width=3)
    assert best.text == caption.text
    assert len(leaning(captioner, caption)) == len(caption.words)
    with pytest.raises(ConfigError, match="beam_width"):
        captioner.caption(photos[0], beam_width=99)
    with pytest.raises(ConfigError, match=r"python -m captioner\.serve"):
        RemoteCaptioner("http://127.0.0.1:9")


@pytest.mark.parametrize("served", [{"replicas": 1, "batch": 1, "queue": 2}], indirect=True)
def test_a_full_queue_refuses_and_says_when_to_ask_again(served, photos, expected):
    answers = at_once(served, photos, beam_width=3)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    for answer, wanted in zip(answers, expected, strict=True):
        if answer.status_code == 200:
            assert answer.json()["text"] == wanted["text"]
        else:
            assert int(answer.headers["retry-after"]) > 0 and "busy" in answer.json()["detail"]
    assert ask(served, photos[0], beam_width=3).json()["text"] == expected[0]["text"]


@pytest.mark.parametrize("served", [{"batch": 2, "queue": 200}], indirect=True)
def test_a_replica_that_dies_loses_no_accepted_request(served, photos, expected):
    import ray

    def replicas() -> list[str]:
        actors = (actor["name"] for actor in ray.util.list_named_actors(all_namespaces=True))
        return sorted(name for name in actors if "#Replica#" in name)

    def kill(name: str) -> None:
        while metric(served, "captioner_waiting_photos") < PEOPLE:
            time.sleep(0.05)
        ray.kill(ray.get_actor(name, namespace="serve"))

    for _ in range(5):  # Serve by itself asks another replica what the dead one had not begun
        while len(replicas()) < 2:  # the one before comes back
            time.sleep(0.5)
        killer = threading.Thread(target=kill, args=(replicas()[0],))
        killer.start()
        answers = at_once(served, photos * 5, beam_width=3)
        killer.join()
        assert [answer.status_code for answer in answers] == [200] * 5 * PEOPLE
        assert [answer.json()["text"] for answer in answers] == [wanted["text"] for wanted in expected] * 5
        if metric(served, "captioner_asked_again_total") > 0:
            break
    assert metric(served, "captioner_asked_again_total") > 0
