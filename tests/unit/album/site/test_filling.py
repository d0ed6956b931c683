"""A site whose pictures get their texts: which ones, written how, and put back."""

from __future__ import annotations

import contextlib
import os

import pytest
from typer.testing import CliRunner

from captioner.album.finding import find_pages
from captioner.album.ledger import Ledger
from captioner.album.run import Request
from captioner.album.site.addresses import picture_of
from captioner.album.site.filling import Site
from captioner.album.summary import Summary
from captioner.album.wording import Wording
from captioner.alt import app
from captioner.errors import ConfigError, ImageError
from captioner.requiring import parse_groups
from tests.unit.album.conftest import encoded, snapshot

PAGE = b"""<!doctype html>\r
<img src="/pictures/red.jpg"><img src='pictures/b%20c.jpg?v=2#x' alt=''/> caf\xe9
<img src="https://else.where/a.jpg"><img src="none.jpg"><img src="logo.svg"><img src="../../etc/passwd">
<img src="pictures/red.jpg" alt="mine">
"""
POST = b"# Post\n\n![](../pictures/red.jpg)\n`![](../pictures/red.jpg)`\n"


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    (folder / "pictures").mkdir(parents=True)
    (folder / "posts").mkdir()
    (folder / "pictures/red.jpg").write_bytes(encoded())
    (folder / "pictures/b c.jpg").write_bytes(encoded((30, 200, 30)))
    (folder / "logo.svg").write_text("<svg/>")
    (folder / "index.html").write_bytes(PAGE)
    (folder / "posts/one.md").write_bytes(POST)
    return folder


@pytest.fixture
def fill(painted):
    def run(folder, dry_run=False, keep_empty=False, show=None, **request):
        lines, summary = [], Summary()
        pages = [page if isinstance(page, ImageError) else (folder, page) for page in find_pages([folder]).photos]
        with contextlib.closing(Ledger(folder, dry_run)) as ledger:
            propose = lines.append if dry_run else None
            request = Request(**{"model": "1", **request})
            Site(request, lambda: painted, ledger, keep_empty, lines.append, propose, show).run(pages, summary)
        return summary, lines

    return run


def test_texts_are_written_and_put_back(site, fill, undo, painted):
    before = snapshot(site)
    summary, lines = fill(site)
    assert (summary.captioned, summary.failed, lines) == (3, 0, [])
    assert summary.skipped == {"elsewhere": 1, "not found": 2, "drawings": 1}
    red = PAGE.replace(b'<img src="/', b'<img alt="A red thing." src="/').replace(b"alt=''", b"alt='A green thing.'")
    assert (site / "index.html").read_bytes() == red
    wanted = POST.replace(b"![](../pictures/red.jpg)\n`", b"![A red thing.](../pictures/red.jpg)\n`")
    assert (site / "posts/one.md").read_bytes() == wanted
    assert sorted(painted.asked) == ["b c.jpg", "red.jpg"]  # each picture once
    assert fill(site)[0].captioned == 0 and len(painted.asked) == 2
    assert undo(site)[:2] == (2, 0) and snapshot(site) == before
    assert fill(site)[0].captioned == 3 and len(painted.asked) == 2  # they are remembered


def test_a_dry_run_shows_all_and_leaves_no_trace(site, fill):
    before, shown = snapshot(site), []
    summary, lines = fill(site, dry_run=True, show=shown.append)
    assert summary.captioned == 3 and f"{site}/index.html:2\t/pictures/red.jpg\tA red thing." in lines
    assert snapshot(site) == before and not (site / ".captioner").exists()
    (markdown,) = [text for text in shown if "one.md" in text]
    lines = [" ", "-![](../pictures/red.jpg)", "+![A red thing.](../pictures/red.jpg)", " `![](../pictures/red.jpg)`"]
    assert markdown.splitlines()[4:] == lines


def test_decoration_can_stay(site, fill):
    summary, _ = fill(site, keep_empty=True)
    assert (
        summary.captioned == 2
        and summary.skipped["decoration"] == 1
        and b"alt=''" in (site / "index.html").read_bytes()
    )


def test_the_wording_and_words_are_the_users(site, fill):
    fill(site, wording=Wording(prefix='"<', suffix="|é"), required=parse_groups(["dog"]))
    assert b'<img alt="&quot;&lt;a red thing dog&#124;&#233;." src' in (site / "index.html").read_bytes()
    assert '![\\"'.replace("\\", "") + "\\<a red thing dog\\|é.](" in (site / "posts/one.md").read_text("utf-8")


def test_unsure_captions_are_held_back(site, fill, painted):
    before, painted.confidence = snapshot(site), 0.2
    summary, _ = fill(site, wording=Wording(min_confidence=0.5))
    assert (summary.captioned, summary.held_back) == (0, 3) and snapshot(site) == before


def test_what_cannot_be_read_or_written_is_a_line_and_the_rest_is_done(site, fill):
    (site / "pictures/b c.jpg").write_bytes(b"no picture")
    (site / "wide.html").write_bytes("<img src=pictures/red.jpg>".encode("utf-16"))
    (site / "posts/latin.md").write_bytes(b"caf\xe9 ![](../pictures/red.jpg)")
    (site / "fixed.html").write_text("<img src=pictures/red.jpg>")
    os.chmod(site / "fixed.html", 0o444)
    summary, lines = fill(site, wording=Wording(suffix="é"))
    assert (summary.captioned, summary.failed) == (2, 4)
    for words in ("b c.jpg", "is UTF-16", "latin.md: is no UTF-8", "fixed.html: cannot be written: it is read-only"):
        assert [line for line in lines if words in line and "\n" not in line], words


def test_addresses_mean_files_in_the_site_alone(site, tmp_path):
    (tmp_path / "out.jpg").write_bytes(encoded())
    (site / "link.jpg").symlink_to(tmp_path / "out.jpg")
    page = site / "posts" / "one.md"
    assert picture_of(site, page, "", "/pictures/b%20c.jpg") == site / "pictures/b c.jpg"
    assert picture_of(site, page, "../pictures/", "red.jpg") == site / "pictures/red.jpg"
    assert picture_of(site, page, "https://else.where/", "red.jpg") == "elsewhere"
    for address in ("link.jpg", "//host/a.jpg", "data:image/png;base64,AA", "/link.jpg"):
        assert picture_of(site, page, "", address) in ("elsewhere", "not found"), address
    for address in ("../../../out.jpg", "%00.jpg", "http://[", "", "#x", "a" * 5000):
        assert picture_of(site, page, "", address) == "not found", address


def test_the_command(site, root):
    model = root / "models/shapes"

    def call(*arguments):
        return CliRunner().invoke(app, [str(site), *map(str, arguments), "--debug"])

    before = snapshot(site)
    done = call("--model", model, "--dry-run", "--diff")
    assert done.exit_code == 0 and "+++ b/" in done.stdout and "nothing was written; 3 captioned" in done.stderr
    assert snapshot(site) == before
    done = call("--model", model)
    assert done.exit_code == 0 and "2 of 2 pages changed; 3 captioned" in done.stderr and done.stdout == ""
    assert call("--undo").exit_code == 0 and snapshot(site) == before
    done = CliRunner().invoke(app, [str(site / "logo.svg"), "--model", str(model), "--out", str(site), "--debug"])
    assert isinstance(done.exception, ConfigError) and "logo.svg: is no page; give a folder" in str(done.exception)
