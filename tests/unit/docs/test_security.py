"""SECURITY.md promises the limits that the code has."""

from __future__ import annotations

import re

import pytest

from captioner.pictures import parts, reading, tags
from demo import bounds, limits, server

MILLION = 1_000_000
PROMISED = {
    "more than {:.0f} MB, {:.0f} megapixels ({:.0f} for WebP, AVIF and HEIC": (
        reading.MAX_BYTES / MILLION,
        reading.MAX_PIXELS / MILLION,
        reading.COSTLY["WEBP"] / MILLION,
    ),
    "or {:.0f} seconds of a processor": (reading.MAX_SECONDS,),
    "more than {:,} scans of a JPEG or {:,} chunks of a PNG": (parts.MAX_SCANS, parts.MAX_CHUNKS),
    "more than {:,} segments of JPEG": (tags.MAX_SEGMENTS,),
    "up to {:.0f} megapixels, at most": (reading.FULL_PIXELS / MILLION,),
    "a request ({:.0f} MB for uploads, {:.0f} MB otherwise), requests at once ({:,})": (
        limits.MAX_UPLOAD / MILLION,
        limits.MAX_BODY / MILLION,
        limits.MAX_REQUESTS,
    ),
    "for a header ({:.0f} s), between two pieces of a body ({:.0f} s) and to take an answer ({:.0f} s)": (
        limits.HEADER_SECONDS,
        limits.GAP_SECONDS,
        limits.SEND_SECONDS,
    ),
    "the free disk that uploads leave ({:.0f} MB)": (limits.MIN_FREE / MILLION,),
    "number and age ({:,} files, {:.0f} GB, an hour": (server.KEEP_FILES, server.KEEP_BYTES / MILLION / 1000),
    "with {:.0f} GB in all further uploads are refused": (limits.MAX_STORED / MILLION / 1000,),
    "a text has at most {:,} letters, a word {}": (bounds.MAX_LETTERS, bounds.MAX_WORD),
}


@pytest.fixture(scope="module")
def text(root):
    return re.sub(r"\s+", " ", (root / "SECURITY.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("words", PROMISED, ids=lambda words: re.sub(r"\W+", " ", words)[:40])
def test_a_limit_is_the_one_that_is_promised(text, words):
    assert words.format(*PROMISED[words]) in text


def test_times_that_are_said_in_words(text):
    assert server.KEEP_SECONDS == 3600 and "an hour; what came in the last two minutes" in text
    assert server.IN_USE_SECONDS == 120
    assert server.DRAIN_SECONDS == 60 and "answers those in flight, for at most a minute" in text
    assert len(set(reading.COSTLY.values())) == 1


def test_every_format_that_is_read_is_named_and_no_other(text):
    listed = text.replace(" and, with pillow-heif,", ",")
    named = re.search(r"\*\*Pictures\.\*\* (.*?) are told by their first bytes", listed)[1].split(", ")
    assert sorted(name.upper() for name in named) == sorted([*reading.FORMATS, "HEIC"])
