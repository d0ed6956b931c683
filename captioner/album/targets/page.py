"""captions.html: one page with everything in it, thumbnails, captions, and masks when one points at a word."""

from __future__ import annotations

import base64
import html
import io
import json
import os
import pathlib
import urllib.parse
from importlib import resources

from captioner.album import files
from captioner.album.answer import Answer
from captioner.album.targets.base import Target
from captioner.errors import ConfigError, one_line
from captioner.pictures.reading import open_image

MARK = '<meta name="generator" content="captioner album">'
SIDE = 320  # pixels of a thumbnail


class Page(Target):
    """All photos that were captioned into this folder, in the order of their paths."""

    name = "html"
    is_shared = True
    keeps_others = False  # the page is this album's alone

    def __init__(self, folder, ledger):
        super().__init__(folder, ledger)
        data = files.read_or_none(self._file)
        # A run that was killed may have remembered entries that the page lacks.
        self._changed = data is not None and self._state().encode() not in data[:4096]
        if data is not None and MARK.encode() not in data[:4096]:
            raise ConfigError(f"{self._file} is there and is another page; move it or choose another folder with --out")

    def _state(self) -> str:
        return f'<meta name="entries" content="{self.ledger.newest_entry()}">'

    @property
    def _file(self) -> pathlib.Path:
        return self.folder / "captions.html"

    def path(self, photo: pathlib.Path) -> pathlib.Path:
        return self._file

    def read(self, photo: pathlib.Path) -> str | None:
        if not self._file.exists():
            return None
        return (self.ledger.entry(photo) or {}).get("text")

    def holds(self, photo: pathlib.Path) -> bool:
        return self.read(photo) is not None

    def write(self, photo: pathlib.Path, text: str, answer: Answer) -> None:
        entry = {
            "text": text,
            "sure": answer.sure,
            "confidence": answer.confidence,
            "grid": answer.grid,
            "resize": answer.resize,
            "masks": answer.masks,
            "size": answer.size,
            "thumbnail": _thumbnail(photo),
        }
        self.ledger.remember_entry(photo, entry)
        self._changed = True

    def flush(self) -> None:
        if self._changed:
            self.ledger.replace(self._file, self._page().encode("utf-8", "replace"))
            self._changed = False

    def _page(self) -> str:
        frame = resources.files("captioner.album.targets").joinpath("page.html").read_text(encoding="utf-8")
        figures, masks = [], []
        for photo, entry in self.ledger.entries():
            figures.append(self._figure(photo, entry, len(masks)))
            masks.append({"grid": entry["grid"], "resize": entry["resize"], "masks": [m for _, m in entry["masks"]]})
        script = json.dumps(masks).replace("<", "\\u003c")
        return (
            frame.replace("<!--mark-->", f"{MARK}\n{self._state()}")
            .replace("<!--count-->", f"{len(figures):,}")
            .replace("/*masks*/[]", script)
            .replace("<!--figures-->", "\n".join(figures))
        )

    def _figure(self, photo: pathlib.Path, entry: dict, index: int) -> str:
        inside = os.path.relpath(photo, self.folder)
        address = urllib.parse.quote(os.fsencode(inside).replace(os.fsencode(os.sep), b"/"), safe="/")
        address = address if address.startswith(("../", "/")) else f"./{address}"
        sure = {True: "sure", False: "unsure", None: "unknown"}[entry["sure"]]
        chance = "" if entry["confidence"] is None else f"{100 * entry['confidence']:.0f} % confident"
        chance += ", not sure" if sure == "unsure" else ""
        words = " ".join(
            f'<button type="button" data-word="{place}">{html.escape(word)}</button>'
            for place, (word, _) in enumerate(entry["masks"])
        )
        width, height = entry["size"]
        text, name = html.escape(entry["text"]), html.escape(one_line(inside))
        return (
            f'<figure class="{sure}" data-index="{index}"><a href="{address}">'
            f'<img loading="lazy" width="{width}" height="{height}" alt="{text}" '
            f'src="data:image/jpeg;base64,{entry["thumbnail"]}"><canvas hidden></canvas></a>'
            f'<figcaption><p class="text">{text}</p><p class="words" aria-label="where the network looked">{words}</p>'
            f'<p class="name">{name} <span>{chance}</span></p></figcaption></figure>'
        )


def _thumbnail(photo: pathlib.Path) -> str:
    picture = open_image(photo)
    picture.thumbnail((SIDE, SIDE))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=80)
    return base64.b64encode(data.getvalue()).decode("ascii")
