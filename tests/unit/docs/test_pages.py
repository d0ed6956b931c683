"""What every page of docs/ has to keep."""

from __future__ import annotations

import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_pictures_are_there_and_each_has_a_text_of_its_own(page):
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", page.read_text(encoding="utf-8"))
    for text, path in pictures:
        assert (page.parent / path).is_file(), path
        assert len(text.split()) > 2, f"{path}: say in its text what can be seen"
    texts = [text for text, _ in pictures]
    assert len(set(texts)) == len(texts), "two pictures have the same text"


def test_pages_that_others_link_to_keep_their_names():
    for name in ("attention", "demo", "inference", "training", "experiments"):
        assert DOCS / f"{name}.md" in PAGES
