"""exiftool (Phil Harvey), which knows every kind of metadata: one process of it, asked again and again.

It works on copies in a folder of its own under names of ours, so that neither the name of a photo nor a kill in the
middle can do harm.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from captioner.errors import ConfigError, ImageError

HOW_TO_GET = (
    "install it (Debian: apt install libimage-exiftool-perl; macOS: brew install exiftool) or leave {target} out"
)
READY = b"{ready}"
# It waits for more even where nobody is left to ask, so whoever passes questions on tells it when there are no more.
UNTIL_THE_LAST = '{ cat; printf "%s\\n" -stay_open False; } | "$@"'


def is_installed() -> bool:
    return shutil.which("exiftool") is not None


class ExifTool:
    """A running exiftool; `close` ends it.

    Args:
        target: what needs it, for the error.

    Raises:
        ConfigError: it is not installed.
    """

    def __init__(self, target: str):
        program = shutil.which("exiftool")
        if program is None:
            raise ConfigError(f"{target} needs exiftool, which is not there; {HOW_TO_GET.format(target=target)}")
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="captioner-"))
        command = [program, "-config", "", "-stay_open", "True", "-@", "-"]
        self._process = subprocess.Popen(
            ["sh", "-c", UNTIL_THE_LAST, "sh", *command] if shutil.which("sh") else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to heed, with the photo in hand finished
        )

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.write(b"-stay_open\nFalse\n")
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            stream.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def read(self, data: bytes, suffix: str, tags: Sequence[str]) -> dict[str, str]:
        """Texts of a file by tag, such as "XMP-dc:Description"; tags that it lacks are left out.

        Raises:
            ImageError: it cannot be read.
        """
        file = self._folder / f"photo{suffix}"
        file.write_bytes(data)
        answer, errors = self._ask("-j", "-G1", "-charset", "exif=UTF8", *(f"-{tag}" for tag in tags), str(file))
        try:
            found = json.loads(answer)[0]
        except (ValueError, IndexError):
            raise ImageError(f"its metadata cannot be read: {_first_line(errors)}") from None
        return {tag: str(value) for tag, value in found.items() if tag != "SourceFile"}

    def write(self, data: bytes, suffix: str, values: dict[str, str]) -> bytes:
        """The same file with other texts; all else in it is kept.

        Raises:
            ImageError: exiftool refuses, for instance since the metadata that are there are damaged.
        """
        file, texts = self._folder / f"photo{suffix}", self._folder / "texts.json"
        file.write_bytes(data)
        texts.write_text(json.dumps([{"SourceFile": "*", **values}]), encoding="utf-8")
        answer, errors = self._ask("-overwrite_original", "-charset", "exif=UTF8", f"-j={texts}", str(file))
        new = file.read_bytes()
        if b"1 image files updated" not in answer + errors or not new:
            raise ImageError(f"its metadata cannot be written: {_first_line(errors)}")
        return new

    def _ask(self, *arguments: str) -> tuple[bytes, bytes]:
        lines = [*arguments, "-echo4", READY.decode(), "-execute"]
        try:
            self._process.stdin.write("\n".join([*lines, ""]).encode())
            self._process.stdin.flush()
            return _until_ready(self._process.stdout), _until_ready(self._process.stderr)
        except OSError:
            raise ImageError("exiftool ended before its time; run the same command again") from None


def _until_ready(stream) -> bytes:
    lines = []
    while (line := stream.readline()).rstrip() != READY:
        if not line:
            raise OSError
        lines.append(line)
    return b"".join(lines)


def _first_line(errors: bytes) -> str:
    line = errors.decode("utf-8", "replace").strip().split("\n")[0]
    return line.split(" - /")[0].removeprefix("Error: ") or "no reason was given"
