"""Where alternative texts go, in HTML and in Markdown: the text is read back, and every other byte stays."""

from __future__ import annotations

import html.parser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from captioner.album.site import in_html, in_markdown
from captioner.album.site.spots import filled

HARD = 'A "dog" & <cat\'s> [x] | `y` *z* \\ é 犬 ]( ![]'


class _Images(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            values = dict(reversed(attrs))
            self.found.append((values.get("src"), values.get("alt")))


def in_page(text: str, page: str, reader=in_html) -> str:
    spots, _ = reader.find_spots(page)
    return filled(page, [(spot, text) for spot in spots])


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ('<img src="a.jpg">', '<img alt="Dogs." src="a.jpg">'),
        ("<img src=a.jpg>", '<img alt="Dogs." src=a.jpg>'),
        ("<IMG\n  SRC='a.jpg'\n/>", "<IMG alt=\"Dogs.\"\n  SRC='a.jpg'\n/>"),
        ("<img/src=a.jpg>", '<img alt="Dogs."/src=a.jpg>'),
        ('<img src="a.jpg" alt="">', '<img src="a.jpg" alt="Dogs.">'),
        ("<img src=a.jpg ALT=''>", "<img src=a.jpg ALT='Dogs.'>"),
        ('<img alt = "  " src=a.jpg>', '<img alt = "Dogs." src=a.jpg>'),
        ("<img alt src=a.jpg>", '<img alt="Dogs." src=a.jpg>'),
        ("<img src=a.jpg alt=>", '<img src=a.jpg alt="Dogs.">'),
        ('<img data-src=a.jpg src="data:,">', '<img alt="Dogs." data-src=a.jpg src="data:,">'),
    ],
)
def test_a_tag_gets_its_text(tag, wanted):
    assert in_page("Dogs.", f"<p>\r\n{tag} é</p>") == f"<p>\r\n{wanted} é</p>"


@pytest.mark.parametrize(
    "page",
    [
        '<img src="a.jpg" alt="a dog">',
        '<img src="a.jpg" alt="" role="presentation">',
        '<img src="a.jpg" aria-hidden=true>',
        '<img alt="">',
        "<!-- <img src=a.jpg> -->",
        "<script>x = '<img src=a.jpg>'</script>",
        "<title><img src=a.jpg></title><textarea><img src=a.jpg></textarea>",
        '<p title="<img src=a.jpg>">',
        '<img src="a.jpg"',
        "<imgs src=a.jpg><image src=a.jpg>",
        "&lt;img src=a.jpg&gt;",
    ],
)
def test_what_is_no_picture_or_needs_none_stays(page):
    assert in_html.find_spots(page)[0] == []


def test_any_text_is_read_back_from_html():
    page = "<img src=a.jpg><img src=b.jpg alt=''>"
    assert _Images(in_page(HARD, page)).found == [("a.jpg", HARD), ("b.jpg", HARD)]
    in_page(HARD, page).encode("ascii")  # and so it is in whatever encoding the page has


def test_markdown_of_every_kind():
    page = """---
cover: ![](no.jpg)
---
![](a.jpg) ![ ](<b c.jpg> "t") \\\\![](d.jpg) [![](e.jpg)](x) ![][r] ![kept](k.jpg) `![](no.jpg)` \\![](no.jpg)

    ![](no.jpg)

```
<img src=no.jpg> ![](no.jpg)
```
> ![](f.jpg) <img src="g.jpg">

<div><img src=h.jpg alt=""><!-- <img src=no.jpg> --></div>

| a |
| - |
| ![](i.jpg) <img src=j.jpg> |

[r]: r.jpg
"""
    spots, _ = in_markdown.find_spots(page)
    assert " ".join(spot.source for spot in spots) == "a.jpg b%20c.jpg d.jpg e.jpg r.jpg f.jpg g.jpg h.jpg i.jpg j.jpg"
    new = in_page(HARD, page, in_markdown)
    assert in_markdown.reads_as_before(page, new)
    read = _Images(MarkdownIt("commonmark").enable("table").render(new.split("---\n", 2)[2])).found
    assert [alt for source, alt in read if source != "k.jpg"] == [HARD] * 10


def test_a_page_that_reads_otherwise_is_noticed():
    assert not in_markdown.reads_as_before("a ![](a.jpg)", "b ![x](a.jpg)")
    assert not in_markdown.reads_as_before("![](a.jpg)", "![x](b.jpg)")


PARTS = """<img src=a.jpg>~<img src="b.jpg" alt="">~<img alt='' src=c.jpg/>~![](d.jpg)~![ ](e.jpg 't')~```
~<!--~-->~<script>~</script>~<textarea>~`~\n\n~> ~- ~    ~\\~[~]~|~\r\n~<img alt~"~'~>~/~=~---\n~<div>~</div>~\x0c~é
~\udcff~| a |\n| - |\n"""
PIECES = st.lists(st.one_of(st.sampled_from(PARTS.split("~")), st.text(max_size=4)), max_size=14).map("".join)


@settings(max_examples=300, deadline=None)
@given(PIECES, st.text("ab \"'<>&|[]\\`*é", max_size=8))
def test_whatever_a_page_is_only_texts_are_put_into_it(page, text):
    for reader in (in_html, in_markdown):
        spots, _ = reader.find_spots(page)
        rest, end = [], 0
        for spot in spots:
            assert end <= spot.start <= spot.end and page[spot.start : spot.end].strip(" \t\r\n\x0c='\"") == ""
            rest.append(page[end : spot.start])
            end = spot.end
        new = filled(page, [(spot, text) for spot in spots])
        assert (
            new == "".join(before + spot.written(text) for before, spot in zip(rest, spots, strict=True)) + page[end:]
        )
        assert len(reader.find_spots(filled(page, [(spot, "dogs") for spot in spots]))[0]) == 0
