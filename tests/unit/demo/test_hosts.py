"""Names that the demo's server answers to, and pages that may ask it."""

from __future__ import annotations

import socket

import pytest

from demo.hosts import Hosts
from demo.refusals import FOREIGN, WRONG_HOST, Refused


def headers(**values: str) -> dict[bytes, bytes]:
    return {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in values.items()}


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:7860", "LOCALHOST:1", "a.localhost", "127.0.0.1:7860", "192.168.1.7", "[::1]:7860",
     "[fe80::1]", socket.gethostname(), "photos.example", "photos.example:443", "PHOTOS.example.", ""],
)  # fmt: skip
def test_names_that_are_ours(host):
    Hosts(["photos.example", "0.0.0.0"]).check("POST", headers(host=host))
    Hosts(["photos.example"]).check("GET", {})


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example", "photos.example.evil",
     "notlocalhost", "[::1", "a@b", "x y", "\xff", "127.0.0.1@evil.example"],
)  # fmt: skip
def test_names_that_others_made_lead_here(host):
    with pytest.raises(Refused) as refused:
        Hosts(["photos.example"]).check("GET", headers(host=host))
    assert refused.value is WRONG_HOST


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:3000", "http://127.0.0.1", "file://", "x", "http://[::1"],
)
def test_pages_of_others_may_not_ask(method, origin):
    with pytest.raises(Refused) as refused:
        Hosts(["photos.example"]).check(method, headers(host="127.0.0.1:7860", origin=origin))
    assert refused.value is FOREIGN


def test_a_form_of_another_site_tells_where_it_comes_from():
    foreign = headers(host="localhost:7860", sec_fetch_site="cross-site")
    with pytest.raises(Refused):
        Hosts().check("POST", foreign)
    Hosts().check("GET", foreign)  # a link


def test_our_own_page_and_one_behind_a_proxy_may_ask():
    hosts = Hosts(["photos.example"])
    hosts.check("POST", headers(host="127.0.0.1:7860", origin="http://127.0.0.1:7860", sec_fetch_site="same-origin"))
    hosts.check("POST", headers(host="127.0.0.1:7860", origin="https://photos.example"))
