"""Alternative texts for all pictures of a site that have none: found, captioned once each, and written page by page."""

from __future__ import annotations

import dataclasses
import difflib
import pathlib
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence

from captioner.album import files
from captioner.album.answer import Answer
from captioner.album.ledger import Ledger
from captioner.album.run import Request
from captioner.album.site import in_html, in_markdown
from captioner.album.site.addresses import picture_of
from captioner.album.site.spots import Spot, filled
from captioner.album.summary import Summary
from captioner.caption import Caption
from captioner.errors import CaptionerError, ConfigError, ImageError, one_line
from captioner.pictures.reading import MAX_BYTES
from captioner.requiring import Captioning, captions_with

MARKDOWN = (".md", ".markdown")
_OTHER_BYTES = re.compile("[\udc80-\udcff]")  # that were no UTF-8
Show = Callable[[str], None]


@dataclasses.dataclass
class Page:
    """A page on its way.

    Attributes:
        path: of its file.
        text: as it was read; bytes that are no UTF-8 are kept apart and come back as they were.
        spots: the places that lack a text, and the file of the picture each.
    """

    path: pathlib.Path
    text: str
    spots: list[tuple[Spot, pathlib.Path]]

    @property
    def is_markdown(self) -> bool:
        return self.path.suffix.lower() in MARKDOWN


class Site:
    """Alternative texts for the pages of a site.

    Args:
        request: what is asked for.
        load: gives the captioner; called when the first picture needs it.
        ledger: memory of the output folder.
        keep_empty: leave pictures alone whose text is there and empty, which says that they are decoration.
        tell: is given a line for everything that went wrong.
        propose: is given a line for every text, and the pages stay as they are; None writes them.
        show: is given the differences of each page; None keeps them.
    """

    def __init__(
        self,
        request: Request,
        load: Callable[[], Captioning],
        ledger: Ledger,
        keep_empty: bool = False,
        tell: Show = lambda line: None,
        propose: Show | None = None,
        show: Show | None = None,
    ):
        self.request, self.load, self.ledger, self.keep_empty = request, load, ledger, keep_empty
        self.tell, self.propose, self.show = tell, propose, show
        self.changed = 0  # pages

    def run(
        self,
        pages: Sequence[tuple[pathlib.Path, pathlib.Path] | CaptionerError],
        summary: Summary,
        stop: threading.Event | None = None,
    ) -> None:
        """Fill in what is missing.

        Args:
            pages: (folder of the site, page) each, and errors in the place of what is no page.
            summary: what the run comes to, in pictures, counted on.
            stop: once it is set, no further picture is captioned, and what is known is written.
        """
        read = [page for each in pages if (page := self._counted(summary, self._read, each, summary)) and page.spots]
        pictures = list(dict.fromkeys(picture for page in read for _, picture in page.spots))
        answers = self._answers(pictures, stop or threading.Event(), summary)
        for page in read:
            self._counted(summary, self._write, page, answers, summary)

    def _counted(self, summary: Summary, act: Callable, *arguments):
        """What goes wrong with one page is told in a line and counted, and the rest goes on."""
        try:
            return act(*arguments)
        except ConfigError:
            raise
        except CaptionerError as error:
            line = str(error)
        except (OSError, sqlite3.Error) as error:
            path = next((page.path for page in arguments if isinstance(page, Page)), "")
            line = f"{path or error.filename}: {getattr(error, 'strerror', None) or error}"
        summary.failed += 1
        self.tell(one_line(line))
        return None

    def _read(self, place: tuple[pathlib.Path, pathlib.Path] | CaptionerError, summary: Summary) -> Page | None:
        if isinstance(place, CaptionerError):
            raise place
        root, path = place
        page = Page(path, _decoded(path), [])
        spots, base = (in_markdown if page.is_markdown else in_html).find_spots(page.text)
        for spot in spots:
            picture = picture_of(root, path, base, spot.source)
            if spot.is_empty and self.keep_empty:
                summary.skipped["decoration"] += 1
            elif isinstance(picture, str):
                summary.skipped[picture] += 1
            else:
                page.spots.append((spot, picture))
        if page.spots and not self.propose and (reason := files.reason_not_to_write(path)):
            raise ImageError(f"{path}: cannot be written: {reason}")
        return page

    def _answers(self, pictures, stop, summary) -> dict[pathlib.Path, Answer | CaptionerError]:
        """The caption of each picture; those of an earlier run do not pass through the network."""
        answers: dict[pathlib.Path, Answer | CaptionerError] = {}
        due: dict[pathlib.Path, bytes | None] = {}
        for picture in pictures:
            sha256 = self._content(picture)
            known = sha256 and self.ledger.answer(sha256, self.request.asked)
            if known:
                answers[picture] = known
            else:
                due[picture] = sha256
        if not due:
            return answers
        asked: list[pathlib.Path] = []

        def until_stopped() -> Iterator[pathlib.Path]:
            for picture in due:
                if stop.is_set():
                    summary.interrupted, summary.stopped = True, "stopped; the same command goes on"
                    return
                asked.append(picture)
                yield picture

        found = captions_with(self.load(), until_stopped(), self.request.required, self.request.options)
        for number, answer in enumerate(found):
            picture = asked[number]
            answers[picture] = Answer.of(answer) if isinstance(answer, Caption) else answer
            if isinstance(answer, Caption) and due[picture]:
                self.ledger.remember_answer(due[picture], self.request.asked, answers[picture])
                self.ledger.commit()
        return answers

    def _content(self, picture: pathlib.Path) -> bytes | None:
        try:
            return self.ledger.content(picture) if picture.stat().st_size <= MAX_BYTES else None
        except OSError:
            return None  # the reader of pictures says why

    def _write(self, page: Page, answers: dict, summary: Summary) -> None:
        texts, unsure = [], 0
        for spot, picture in page.spots:
            answer = answers.get(picture)
            if isinstance(answer, CaptionerError):
                summary.failed += 1
                self.tell(one_line(f"{page.path}: {answer}"))
            elif answer and self.request.wording.holds_back(answer.confidence):
                summary.held_back += 1
            elif answer:
                texts.append((spot, self.request.wording.alt_text(answer.text)))
                unsure += answer.sure is False
        if not texts:
            return
        self._replace(page, texts)
        summary.captioned += len(texts)
        summary.unsure += unsure
        self.changed += 1

    def _replace(self, page: Page, texts: list[tuple[Spot, str]]) -> None:
        new = filled(page.text, texts)
        if page.is_markdown and not in_markdown.reads_as_before(page.text, new):
            raise ImageError(f"{page.path}: stays as it is, since it would read otherwise with these texts")
        if page.is_markdown and not all(text.isascii() for _, text in texts) and _OTHER_BYTES.search(page.text):
            raise ImageError(f"{page.path}: is no UTF-8, which these texts need; convert it first")
        if _decoded(page.path) != page.text:
            raise ImageError(f"{page.path}: was changed meanwhile; run the same command again")
        if self.show:
            self.show(differences(page, new))
        if self.propose:
            for spot, text in texts:
                line = page.text.count("\n", 0, spot.start) + 1
                self.propose("\t".join(one_line(part) for part in (f"{page.path}:{line}", spot.source, text)))
        else:
            self.ledger.replace(page.path, new.encode("utf-8", "surrogateescape"))


def differences(page: Page, new: str) -> str:
    """Both versions of a page line by line, as `patch` reads them."""
    before, after = (re.findall(r"[^\n]*\n|[^\n]+\Z", text) for text in (page.text, new))
    name = str(page.path).lstrip("/")
    lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _decoded(path: pathlib.Path) -> str:
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:1000]:
        raise ImageError(f"{path}: is UTF-16 or no text; convert it to UTF-8")
    return data.decode("utf-8", "surrogateescape")
