"""Photos captioned in their order and written to every target, each once, whatever happens between."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import enum
import errno
import hashlib
import itertools
import json
import os
import pathlib
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from captioner.album import files
from captioner.album.answer import Answer
from captioner.album.ledger import Ledger, Written
from captioner.album.summary import Summary
from captioner.album.targets.base import Target
from captioner.album.wording import Wording, joined
from captioner.caption import Caption
from captioner.errors import CaptionerError, ConfigError, ImageError, one_line
from captioner.pictures.reading import MAX_BYTES
from captioner.requiring import Captioning, Groups, Photo, captions_with

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Existing(enum.StrEnum):
    """What becomes of a caption that somebody else wrote."""

    skip = "skip"
    overwrite = "overwrite"
    append = "append"
    prepend = "prepend"


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        model: the version of the model; captions of another are made anew.
        options: of decoding.
        required: groups of words of which each caption holds one.
        wording: how captions are put.
        existing: what becomes of captions of others.
    """

    model: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    required: Groups = ()
    wording: Wording = dataclasses.field(default_factory=Wording)
    existing: Existing = Existing.skip

    @property
    def asked(self) -> str:
        """Stands for everything that shapes what the network answers."""
        return _short([self.model, self.options, self.required])

    @property
    def written(self) -> str:
        """Stands for everything that shapes what is written."""
        return _short([self.asked, dataclasses.asdict(self.wording), self.existing])


@dataclasses.dataclass
class _Job:
    """A photo on its way: what is known of it before the network is asked."""

    photo: pathlib.Path
    due: list[Target]
    name: Photo = ""  # as it was given
    answer: Answer | CaptionerError | None = None  # None waits for the network
    sha256: bytes | None = None
    state: tuple | None = None


class Album:
    """Captions for photos, remembered and written.

    Args:
        request: what is asked for.
        load: gives the captioner; called when the first photo needs it.
        ledger: memory of the output folder; None remembers nothing, where nothing is written.
        targets: where captions are written.
        tell: is given a line for every photo without a caption.
        show: is given every photo and its fresh caption, and says whether it could be shown.
        propose: is given a line for every change instead of making it; None makes them.
    """

    def __init__(
        self,
        request: Request,
        load: Callable[[], Captioning],
        ledger: Ledger | None = None,
        targets: Sequence[Target] = (),
        tell: Callable[[str], None] = lambda line: None,
        show: Callable[[Photo, Caption], bool] | None = None,
        propose: Callable[[str], None] | None = None,
    ):
        self.request, self.load, self.ledger, self.targets = request, load, ledger, list(targets)
        # What changes the photo itself goes first, so that the rest is remembered with the photo as it is then.
        self.targets.sort(key=lambda target: not target.changes_photo)
        self.tell, self.show, self.propose = tell, show, propose
        self._claimed: dict[pathlib.Path, pathlib.Path] = {}
        self._captioner: Captioning | None = None

    def run(
        self,
        photos: Sequence[Photo | CaptionerError],
        summary: Summary,
        stop: threading.Event | None = None,
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        """Caption and write photos.

        Args:
            photos: paths, and errors in the place of what could not be found.
            summary: what the run comes to, counted on.
            stop: once it is set, the run ends after the photo in hand.
            advance: called after each photo.
        """
        stop = stop or threading.Event()
        answers = self._answers([self._checked(photo) for photo in photos], stop)
        try:
            for job, answer in answers:
                self._finish(job, answer, summary)
                advance()
                if stop.is_set():
                    summary.interrupted = True
                    summary.stopped = summary.stopped or "stopped; the same command goes on"
                if summary.stopped:
                    break
        finally:
            answers.close()
            self._flush(summary)

    def _flush(self, summary: Summary) -> None:
        if self.propose:
            return
        for target in self.targets:
            try:
                target.flush()
            except (OSError, sqlite3.Error) as error:
                summary.failed += 1
                self.tell(f"{target.path(pathlib.Path())}: cannot be written: {_reason(error)}")
        if self.ledger:
            self.ledger.commit()

    def _checked(self, name: Photo | CaptionerError) -> Photo | CaptionerError:
        """A photo whose captions can be written; else the error that says why not, before any work is done."""
        if isinstance(name, CaptionerError):
            return name
        photo = pathlib.Path(name)
        for target in self.targets:
            path = target.path(photo)
            if not target.is_shared:
                owner = self._claimed.setdefault(path, photo)
                if owner != photo:
                    return ImageError(f"{photo}: {path} is that of {owner} already; give one of them another name")
            if self.request.existing is Existing.skip and os.path.lexists(path) and not target.changes_photo:
                continue
            if reason := files.reason_not_to_write(path):
                return ImageError(f"{photo}: {path} cannot be written: {reason}")
        return name

    def _answers(self, photos, stop) -> Iterator[tuple[_Job, Caption | Answer | CaptionerError | None]]:
        """Every photo with its caption, in order; those that are known already do not pass through the network."""
        jobs: collections.deque[_Job] = collections.deque()
        asked = self._asked(photos, jobs, stop)
        first = next(asked, None)
        if first is not None:
            self._captioner = self._captioner or self.load()
            photos = itertools.chain([first], asked)
            for answer in captions_with(self._captioner, photos, self.request.required, self.request.options):
                while not _waits(jobs[0]):
                    job = jobs.popleft()
                    yield job, job.answer
                yield jobs.popleft(), answer
        while jobs and not _waits(jobs[0]):
            job = jobs.popleft()
            yield job, job.answer

    def _asked(self, photos, jobs, stop) -> Iterator[Photo]:
        for photo in photos:
            if stop.is_set():
                return
            job = self._plan(photo)
            jobs.append(job)
            if _waits(job):
                yield job.name

    def _plan(self, name: Photo | CaptionerError) -> _Job:
        if isinstance(name, CaptionerError):
            return _Job(pathlib.Path(), [], answer=name)
        photo = pathlib.Path(name)
        if self.ledger is None:
            return _Job(photo, [], name)
        try:
            status = photo.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                return _Job(photo, self.targets, name)  # the reader of pictures refuses it, and says why
            sha256 = self.ledger.content(photo)
            due = [target for target in self.targets if self._is_due(photo, target, sha256)]
        except OSError:
            return _Job(photo, self.targets, name)
        except CaptionerError as error:
            return _Job(photo, [], name, error)
        job = _Job(photo, due, name, None, sha256, _state(status))
        job.answer = self.ledger.answer(sha256, self.request.asked) if due else None
        return job

    def _is_due(self, photo: pathlib.Path, target: Target, sha256: bytes) -> bool:
        """Whether a target needs the caption of a photo; notes where that of somebody else stays."""
        known = self.ledger.written(photo, target.name)
        if known and known[:2] == (self.request.written, sha256) and target.holds(photo):
            return False
        base = self._base(photo, target)
        if base is None or self.request.existing is not Existing.skip:
            return True
        self.ledger.remember_written(photo, target.name, Written(self.request.written, sha256, None, None))
        return False

    def _base(self, photo: pathlib.Path, target: Target) -> str | None:
        """The words of others that stand there: what this album wrote itself does not count."""
        existing, known = target.read(photo), self.ledger.written(photo, target.name)
        return known.base if known and known.text is not None and existing == known.text else existing

    def _finish(self, job: _Job, answer: Caption | Answer | CaptionerError | None, summary: Summary) -> None:
        kept = None
        with self._counted(job, summary):
            kept = self._kept(job, answer, summary)
        if kept is None:
            return
        # What is wrong with the place where captions are shown is no fault of this photo, and ends the run.
        shown = not isinstance(answer, Caption) or not self.show or self.show(job.name, answer)
        with self._counted(job, summary):
            self._write(job, kept)
            summary.captioned += 1
            summary.unsure += kept.sure is False
            summary.failed += not shown

    def _kept(self, job: _Job, answer: Caption | Answer | CaptionerError | None, summary: Summary) -> Answer | None:
        """The answer that is to be written; None where nothing is, which is counted here."""
        if isinstance(answer, CaptionerError):
            raise answer
        if self.ledger is not None and answer is None:  # nothing is due
            self._count_done(job, summary)
            return None
        if job.state is not None and _state(job.photo.stat()) != job.state:
            raise ImageError(f"{job.photo}: was changed while it was captioned; run the same command again")
        kept = answer if isinstance(answer, Answer) else Answer.of(answer)
        if job.sha256 is not None:
            self.ledger.remember_answer(job.sha256, self.request.asked, kept)
        if self.request.wording.holds_back(kept.confidence):
            summary.held_back += 1
            return None
        return kept

    @contextlib.contextmanager
    def _counted(self, job: _Job, summary: Summary) -> Iterator[None]:
        """What goes wrong with one photo is told in a line and counted, and the rest goes on."""
        try:
            yield
        except (ConfigError, BrokenPipeError):  # whoever read along has seen enough of all photos
            raise
        except (CaptionerError, OSError, sqlite3.Error) as error:
            summary.failed += 1
            line = (
                str(error) if isinstance(error, CaptionerError) else f"{job.photo}: cannot be written: {_reason(error)}"
            )
            self.tell(one_line(line))
            if getattr(error, "errno", None) in FULL or "disk is full" in str(error):
                summary.stopped = "stopped, since the disk is full; the same command goes on"

    def _count_done(self, job: _Job, summary: Summary) -> None:
        known = [self.ledger.written(job.photo, target.name) for target in self.targets]
        if all(written and written.text is None for written in known):
            summary.kept += 1
        else:
            summary.unchanged += 1

    def _write(self, job: _Job, answer: Answer) -> None:
        if self.ledger is None:
            return
        done = [(target, *self._write_to(target, job.photo, answer)) for target in job.due]
        if self.propose or job.sha256 is None:
            return
        sha256 = self.ledger.content(job.photo)
        if sha256 != job.sha256:  # by writing into it
            self.ledger.remember_answer(sha256, self.request.asked, answer)
            self._follow(job, sha256)
        for target, text, base in done:
            self.ledger.remember_written(job.photo, target.name, Written(self.request.written, sha256, text, base))
        self.ledger.commit()

    def _follow(self, job: _Job, sha256: bytes) -> None:
        """What was written before for this photo holds for it as it is now."""
        for target in self.targets:
            known = self.ledger.written(job.photo, target.name)
            if known and known.sha256 == job.sha256:
                self.ledger.remember_written(job.photo, target.name, known._replace(sha256=sha256))

    def _write_to(self, target: Target, photo: pathlib.Path, answer: Answer) -> tuple[str | None, str | None]:
        """The text that a target holds now, and the words of others in it."""
        wording, existing = self.request.wording, self.request.existing
        own = wording.alt_text(answer.text) if target.is_sentence else wording.caption(answer.text)
        base = self._base(photo, target) if target.keeps_others else None
        if base and existing is Existing.skip:  # it came while the network was at work
            return None, None
        if existing is Existing.append:
            text = joined(base or "", own)
        elif existing is Existing.prepend:
            text = joined(own, base or "")
        else:
            text, base = own, None
        before = target.read(photo)
        if before == text:
            return text, base
        if self.propose:
            was = f" instead of: {before}" if before else ""
            self.propose(f"{one_line(str(target.path(photo)))}\t{one_line(text + was)}")
        else:
            target.write(photo, text, answer)
        return text, base


def _waits(job: _Job) -> bool:
    """Whether a photo needs the network."""
    return job.answer is None and (bool(job.due) or job.state is None)


def _state(status: os.stat_result) -> tuple:
    return (status.st_size, status.st_mtime_ns, status.st_ino)


def _short(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
