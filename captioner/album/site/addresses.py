"""Which file beside a page the address of a picture means."""

from __future__ import annotations

import os
import pathlib
import urllib.parse

_HERE = "site.invalid"  # stands for wherever the site will be; no host has this name (RFC 2606)


def picture_of(root: pathlib.Path, page: pathlib.Path, base: str, source: str) -> pathlib.Path | str:
    """The file of a picture, or in a word why there is none to caption.

    Args:
        root: folder of the site, where addresses that begin with "/" begin.
        page: in that folder.
        base: what the page says its addresses start from; mostly empty.
        source: address of the picture.
    """
    try:
        place = f"http://{_HERE}/{urllib.parse.quote(os.fsencode(page.relative_to(root).as_posix()))}"
        address = urllib.parse.urlsplit(urllib.parse.urljoin(urllib.parse.urljoin(place, base), source))
        path = root / os.fsdecode(urllib.parse.unquote_to_bytes(address.path)).lstrip("/")
        if (address.scheme, address.netloc) != ("http", _HERE):
            return "elsewhere"
        if path == page or not path.is_file():
            return "not found"
        if not path.resolve().is_relative_to(root.resolve()):
            return "elsewhere"
    except (ValueError, OSError):
        return "not found"
    return "drawings" if path.suffix.lower() in (".svg", ".svgz") else path
