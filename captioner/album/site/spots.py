"""What lacks an alternative text, and where in the text of a page it goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Spot:
    """A picture of a page without an alternative text.

    Attributes:
        source: address of the picture, as the page gives it.
        start, end: characters of the page that the text takes the place of.
        before, after: what stands around the text.
        kind: how the text is written: "html" in double quotes, "html'" in single ones, or "markdown".
        is_empty: whether there is an empty text, which says that the picture is decoration, instead of none.
    """

    source: str
    start: int
    end: int
    before: str = ""
    after: str = ""
    kind: str = "html"
    is_empty: bool = False

    def written(self, text: str) -> str:
        """What stands there instead."""
        return self.before + ESCAPES[self.kind](text) + self.after


def filled(page: str, texts: Iterable[tuple[Spot, str]]) -> str:
    """The page with these texts, and every other character as it was."""
    parts, end = [], 0
    for spot, text in sorted(texts, key=lambda pair: pair[0].start):
        parts += [page[end : spot.start], spot.written(text)]
        end = spot.end
    return "".join([*parts, page[end:]])


def _in_html(text: str, quote: str = '"') -> str:
    """In quotes; beyond ASCII as numbers, right in any encoding; and so are bars, which end a cell of Markdown."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;")
    text = text.replace(quote, {'"': "&quot;", "'": "&#39;"}[quote])
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _in_markdown(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>&~|!$^:@" else letter for letter in text)


ESCAPES = {"html": _in_html, "html'": lambda text: _in_html(text, "'"), "markdown": _in_markdown}
