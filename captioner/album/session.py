"""One call of the command line: photos found, the memory opened, targets made, a bar shown, the end told."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence

from captioner.album.finding import Found, find_pages, find_photos
from captioner.album.interruption import heeded
from captioner.album.ledger import FOLDER, Ledger
from captioner.album.run import Album, Request
from captioner.album.summary import Summary
from captioner.album.targets import make_targets, target_names
from captioner.album.targets.base import Target
from captioner.caption import Caption
from captioner.errors import CaptionerError, ConfigError, ImageError, one_line
from captioner.folders.finding import find_model
from captioner.folders.folder import fingerprint
from captioner.requiring import Captioning, Photo


@dataclasses.dataclass(frozen=True)
class Places:
    """Which photos, and where captions go.

    Attributes:
        photos: files, folders and patterns.
        include, exclude: patterns, see `captioner.album.finding`.
        write: names of targets.
        out: the output folder; None is the one folder that is given, else the folder one is in.
        dry_run: write nothing, and show what would be.
        watch: go on as photos arrive, until Ctrl-C.
    """

    photos: Sequence[Photo]
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    write: Sequence[str] = ()
    out: pathlib.Path | None = None
    dry_run: bool = False
    watch: bool = False

    def find(self) -> Found:
        return find_photos(self.photos, self.include, self.exclude)

    @property
    def output(self) -> pathlib.Path:
        """The output folder."""
        if self.out is not None:
            return self.out
        folders = [place for place in self.photos if os.path.isdir(place)]
        return pathlib.Path(folders[0]) if len(self.photos) == len(folders) == 1 else pathlib.Path()


def model_version(model: str) -> str:
    """What tells the captions of one model folder from those of another; see `fingerprint`.

    Raises:
        ModelError: there is no such folder, or its manifest cannot be read.
    """
    folder = find_model(model)
    return fingerprint(folder) if (folder / "manifest.json").is_file() else ""


def caption_photos(
    places: Places,
    request: Request,
    load: Callable[[], Captioning],
    show: Callable[[Photo, Caption], bool] | None,
) -> Summary:
    """Caption photos without writing them anywhere but where `show` does.

    Raises:
        CaptionerError: an option is wrong, or the model cannot be loaded.
    """
    found = places.find()
    summary = Summary(skipped=found.skipped)
    album = Album(request, load, tell=tell, show=show)
    if not found.folders:  # files given by name: Ctrl-C ends the command as it does any other
        with bar(len(found.photos)) as advance:
            album.run(found.photos, summary, advance=advance)
        return summary
    with heeded() as stop, bar(len(found.photos)) as advance:
        album.run(found.photos, summary, stop, advance)
    tell(str(summary))
    return summary


def write_captions(
    places: Places,
    request: Request,
    load: Callable[[], Captioning],
    show: Callable[[Photo, Caption], bool] | None,
) -> Summary:
    """Caption what is new or changed, and write it.

    Raises:
        CaptionerError: an option is wrong, the output folder cannot be used, or the model cannot be loaded.
    """
    target_names(places.write)
    if places.watch and not any(os.path.isdir(place) for place in places.photos):
        raise ConfigError("--watch looks at folders; none was given")
    if places.watch and places.dry_run:
        raise ConfigError("--watch and --dry-run exclude each other; leave one out")
    found = places.find()
    if places.watch:  # an empty folder may fill
        found.photos = [photo for photo in found.photos if not isinstance(photo, ImageError)]
    summary = Summary(skipped=found.skipped)
    with _opened(places) as (ledger, targets):
        propose = print if places.dry_run else None
        album = Album(request, load, ledger, targets, tell, show, propose)
        with heeded() as stop, bar(len(found.photos)) as advance:
            album.run(found.photos, summary, stop, advance)
        if places.watch and not summary.stopped:
            _watch(places, album, summary)
    tell(f"nothing was written; {summary}" if places.dry_run else str(summary))
    return summary


def _watch(places: Places, album: Album, summary: Summary) -> None:
    """Caption what arrives until Ctrl-C, which here is the way to end."""
    from captioner.album.watching import arrivals

    tell(f"{summary}; waiting for photos, Ctrl-C ends")
    with heeded() as stop:
        for found in arrivals(places.photos, places.include, places.exclude, stop):
            before = summary.captioned
            album.run(found.photos, summary, stop)
            if summary.captioned > before:
                tell(f"{summary.captioned - before:,} captioned")
            if summary.stopped:
                break
    summary.interrupted, summary.stopped = False, "" if summary.interrupted else summary.stopped


def fill_site(
    places: Places,
    request: Request,
    load: Callable[[], Captioning],
    keep_empty: bool = False,
    show: Callable[[str], None] | None = None,
) -> Summary:
    """Give the pictures of a site's pages the alternative texts that they lack.

    Args:
        places: folders of sites, and single pages; where to remember; whether to write.
        request: what is asked for.
        load: gives the captioner.
        keep_empty: leave empty texts alone.
        show: is given the differences of each page.

    Raises:
        CaptionerError: an option is wrong, the output folder cannot be used, or the model cannot be loaded.
    """
    from captioner.album.site.filling import Site  # with a parser of Markdown, which nothing else needs

    pages: list[tuple[pathlib.Path, pathlib.Path] | CaptionerError] = []
    summary = Summary()
    for place in places.photos:
        found = find_pages([place], places.include, places.exclude)
        root = found.folders[0] if found.folders else pathlib.Path(place).parent
        pages += [page if isinstance(page, CaptionerError) else (root, pathlib.Path(page)) for page in found.photos]
    if all(isinstance(page, CaptionerError) for page in pages):  # before a journal is begun
        raise ConfigError(str(next(iter(pages), f"{places.photos[0]}: has no pages in HTML or Markdown")))
    with contextlib.closing(Ledger(places.output, places.dry_run)) as ledger, heeded() as stop:
        site = Site(request, load, ledger, keep_empty, tell, print if places.dry_run else None, show)
        site.run(pages, summary, stop)
    done = "nothing was written" if places.dry_run else f"{site.changed:,} of {len(pages):,} pages changed"
    tell(f"{done}; {summary}")
    return summary


def undo(places: Places) -> Summary:
    """Put back what the last run replaced in the output folder.

    Raises:
        ConfigError: there was none.
    """
    if not (places.output / FOLDER).is_dir():
        raise ConfigError(
            f"{places.output} has no journal of captions; give the folder they were written to with --out"
        )
    with contextlib.closing(Ledger(places.output)) as ledger:
        put_back, left = ledger.undo(tell)
    tell(f"{put_back:,} files as they were before the last run; {left:,} left as they are")
    return Summary(failed=left)


@contextlib.contextmanager
def _opened(places: Places) -> Iterator[tuple[Ledger, list[Target]]]:
    with contextlib.closing(Ledger(places.output, places.dry_run)) as ledger:
        targets = make_targets(places.write, places.output, ledger)
        try:
            yield ledger, targets
        except sqlite3.Error as error:
            raise ConfigError(
                f"{places.output / FOLDER} cannot be written: {error}; the same command goes on"
            ) from None
        finally:
            for target in targets:
                target.close()


def tell(line: str) -> None:
    print(f"captioner: {one_line(line)}", file=sys.stderr)


@contextlib.contextmanager
def bar(total: int) -> Iterator[Callable[[], None]]:
    """A bar with photos a second and the time left, on a terminal; captions go to stdout."""
    if total < 2 or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

    class Rate(ProgressColumn):
        def render(self, task):
            return f"{task.speed:.1f} photos/s" if task.speed else ""

    columns = (TextColumn("captions"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    # Captions that are sent into a file must get there; on the same terminal they go above the bar.
    shown = {"transient": True, "redirect_stdout": sys.stdout.isatty()}
    progress = Progress(*columns, console=Console(stderr=True), **shown)
    task = progress.add_task("captions", total=total)

    def advance() -> None:
        progress.start()  # with the first photo: until then a line says what is loaded
        progress.advance(task)

    try:
        yield advance
    finally:
        progress.stop()
