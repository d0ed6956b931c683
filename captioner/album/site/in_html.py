"""Pictures of a page in HTML that have no alternative text.

`html.parser` finds the tags, past comments and scripts. Of a tag it gives the whole text and the attributes, without
their places; `attributes` finds those, and a tag of which it reads another thing than the parser is left alone.
"""

from __future__ import annotations

import html
import html.parser
import re
from typing import NamedTuple

from captioner.album.site.spots import Spot

_TAG = re.compile(r"<img(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""[\s/]*(?P<name>[^\s/>=]+)(?P<rest>\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>"'][^\s>]*|(?=>)))?""")
_END = re.compile(r"[\s/]*>")
# Whatever stands in these is text, and no picture.
_TEXT_ONLY = frozenset({"textarea", "title", "script", "style", "xmp", "iframe", "noembed", "noframes", "plaintext"})


class Attribute(NamedTuple):
    """An attribute of a tag: its value as it is meant, and its place in the text, with the name and without."""

    value: str | None
    start: int
    value_start: int
    end: int
    raw: str


def attributes(page: str, start: int) -> dict[str, Attribute] | None:
    """Attributes of the tag `<img` at a place of a page, the first of each name; None where it has no end."""
    at, found = start + len("<img"), {}
    while match := _ATTRIBUTE.match(page, at):
        raw = (match["rest"] or "").lstrip().removeprefix("=").strip()
        value = html.unescape(raw[1:-1] if raw[:1] in ('"', "'") else raw) if match["rest"] is not None else None
        at = match.end()
        found.setdefault(match["name"].lower(), Attribute(value, match.start("name"), match.end("name"), at, raw))
    return found if _END.match(page, at) else None


def spot_of(page: str, start: int, found: dict[str, Attribute]) -> Spot | None:
    """Where the text of the tag `<img` at a place goes; None where it has one, or is not for readers."""
    value = {name: attribute.value or "" for name, attribute in found.items()}
    alt, source = found.get("alt"), _source(value)
    hidden = value.get("role", "").lower() in ("presentation", "none") or value.get("aria-hidden", "").lower() == "true"
    if hidden or not source or (alt and (alt.value or "").strip()):
        return None
    if alt is None:
        place = start + len("<img")
        return Spot(source, place, place, ' alt="', '"')
    if alt.raw[:1] in ('"', "'"):
        kind = "html" if alt.raw[0] == '"' else "html'"
        return Spot(source, alt.end - len(alt.raw) + 1, alt.end - 1, kind=kind, is_empty=True)
    return Spot(source, alt.value_start, alt.end, '="', '"', is_empty=True)


def _source(value: dict[str, str]) -> str:
    """The address of the picture; where it is loaded late, `src` holds nothing, or a placeholder within the page."""
    source = value.get("src", "").strip()
    return value.get("data-src", "").strip() if not source or source.startswith("data:") else source


class _Pictures(html.parser.HTMLParser):
    def __init__(self, page: str):
        super().__init__(convert_charrefs=False)
        self.page, self.spots, self.tags, self.base, self._text_of = page, [], [], "", ""
        self._lines = [0]
        for match in re.finditer("\n", page):
            self._lines.append(match.end())
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        if self._text_of:
            return
        if tag in _TEXT_ONLY:
            self._text_of = tag
        elif tag == "base" and not self.base:
            self.base = dict(attrs).get("href") or ""
        elif tag == "img":
            line, column = self.getpos()
            self._see(self._lines[line - 1] + column, attrs)

    def handle_startendtag(self, tag, attrs):
        if tag in ("img", "base"):
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        if tag == self._text_of:
            self._text_of = ""

    def _see(self, start: int, attrs) -> None:
        found = attributes(self.page, start)
        first = dict(reversed(attrs))
        self.tags.append(first)
        same = found is not None and {name: each.value for name, each in found.items()} == first
        if same and _TAG.match(self.page, start) and (spot := spot_of(self.page, start, found)):
            self.spots.append(spot)


def find_spots(page: str) -> tuple[list[Spot], str]:
    """The pictures of a page that lack a text, in order, and the address that the page's addresses start from."""
    pictures = _Pictures(page)
    return pictures.spots, pictures.base


def tags_of(page: str) -> list[dict[str, str | None]]:
    """Attributes of all tags `<img` of a page that are no comment."""
    return _Pictures(page).tags
