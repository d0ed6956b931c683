"""Photos that arrive while one waits."""

from __future__ import annotations

import os
import pathlib
import threading
import time
from collections.abc import Iterator, Sequence

from captioner.album.finding import Found, find_photos
from captioner.errors import CaptionerError, ConfigError

QUIET = 1.0  # seconds that a file has to stay as it is: before, it may be half copied
PATIENCE_MS = 5000  # between two looks at files that had not come to rest


def arrivals(
    places: Sequence[pathlib.Path], include: Sequence[str], exclude: Sequence[str], stop: threading.Event
) -> Iterator[Found]:
    """What the folders hold, whenever it has changed, until `stop` is set; photos that fail come once for each change.

    Args:
        places: folders, and files, which are not looked at again.
        include, exclude: as in `find_photos`.

    Raises:
        ConfigError: the package watchfiles is not installed.
    """
    try:
        import watchfiles
    except ModuleNotFoundError:
        raise ConfigError("--watch needs the package watchfiles: pip install 'captioner[watch]'") from None
    folders = [place for place in places if os.path.isdir(place)]
    seen: dict[pathlib.Path, tuple[int, int]] = {}
    for changes in watchfiles.watch(
        *folders, stop_event=stop, yield_on_timeout=True, rust_timeout=PATIENCE_MS, raise_interrupt=False
    ):
        if not changes and not seen.pop(pathlib.Path(), None):
            continue
        found = find_photos(folders, include, exclude)
        found.photos = [photo for photo in found.photos if _is_news(photo, seen)]
        if found.photos:
            yield found


def _is_news(photo: pathlib.Path | CaptionerError, seen: dict[pathlib.Path, tuple[int, int]]) -> bool:
    """Whether a photo came, or changed, and has come to rest; notes in `seen` under no name where one has not."""
    if isinstance(photo, CaptionerError):
        return False
    try:
        status = photo.stat()
    except OSError:
        return False
    if time.time() - status.st_mtime < QUIET and status.st_mtime <= time.time():
        seen[pathlib.Path()] = (0, 0)
        return False
    state = (status.st_size, status.st_mtime_ns)
    is_news = seen.get(photo) != state
    seen[photo] = state
    return is_news
