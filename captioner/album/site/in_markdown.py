"""Pictures of a page in Markdown that have no alternative text, as `![](dog.jpg)` and as `<img>`.

A parser of Markdown says what is a picture and what is code, but not where in the page it stands. So every place that
looks like one is marked, the marked page is parsed, and the marks that come out as pictures are places of pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from captioner.album.site import in_html
from captioner.album.site.spots import Spot

_LOOKS_LIKE_ONE = re.compile(r"!\[(?P<markdown>[ \t]*)\]|<img(?=[\s/>])", re.IGNORECASE)
# What generators of sites read for themselves, at the beginning of a page.
_FRONT_MATTER = re.compile(r"(?ms)\ufeff?(---|\+\+\+)[ \t]*\r?\n.*?^(?:\1|\.\.\.)[ \t]*(?:\r?\n|\Z)")
_PARSER = MarkdownIt("commonmark").enable("table")


def find_spots(page: str) -> tuple[list[Spot], str]:
    """The pictures of a page that lack a text, in order; their addresses start from the page itself."""
    begin, mark = _begin(page), "captionermark"
    while mark in page:
        mark += "x"
    places = list(_LOOKS_LIKE_ONE.finditer(page, begin))
    if not places:
        return [], ""
    marked, end = [], begin
    for number, place in enumerate(places):
        is_tag = place["markdown"] is None
        at = place.end() - (not is_tag)
        marked += [page[end:at], f"{' ' * is_tag}{mark}{number}z"]
        end = at
    pictures, tags = _marked("".join([*marked, page[end:]]), mark)
    found = (_spot(page, place, f"{mark}{number}z", pictures, tags) for number, place in enumerate(places))
    return [spot for spot in found if spot], ""


def reads_as_before(page: str, new: str) -> bool:
    """Whether a page differs from an older one in the texts of its pictures and in nothing else."""
    return list(_shape(page)) == list(_shape(new))


def _begin(page: str) -> int:
    front = _FRONT_MATTER.match(page)
    return front.end() if front else 0


def _spot(page: str, place: re.Match, name: str, pictures: dict, tags: dict) -> Spot | None:
    if place["markdown"] is not None:
        return Spot(pictures[name], *place.span("markdown"), kind="markdown") if name in pictures else None
    found = in_html.attributes(page, place.start())
    if found is None or {key: attribute.value for key, attribute in found.items()} != tags.get(name):
        return None
    return in_html.spot_of(page, place.start(), found)


def _tokens(page: str) -> Iterator[Token]:
    for block in _PARSER.parse(page[_begin(page) :]):
        yield from [block, *(block.children or [])]


def _marked(page: str, mark: str) -> tuple[dict[str, str], dict[str, dict]]:
    """By their marks, the addresses of pictures in Markdown and the attributes of tags in HTML."""
    pictures, tags = {}, {}
    for block in _PARSER.parse(page):
        for token in [block, *(block.children or [])]:
            if token.type == "image" and mark in token.content:
                pictures[token.content.strip()] = str(token.attrs["src"])
            elif token.type in ("html_block", "html_inline") and mark in token.content:
                for values in in_html.tags_of(token.content):
                    name = next((key for key in values if key.startswith(mark)), "")
                    tags[name] = {key: value for key, value in values.items() if key != name}
    return pictures, tags


def _shape(page: str) -> Iterator[tuple]:
    for token in _tokens(page):
        if token.type == "image":
            yield token.type, token.attrs["src"], token.attrs.get("title")
        else:
            yield token.type, token.tag, "" if token.type in ("inline", "html_block", "html_inline") else token.content
