"""Under which names the server answers, and whose pages may ask it.

A page of another site can send requests to a server on its visitor's machine. Where it has made a name of its own lead
there (DNS rebinding), the browser even lets it read the answers; the Host of such a request is that name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from demo.refusals import FOREIGN, WRONG_HOST


class Hosts:
    """Names that the server goes by: numbers, which no page can have made lead here, this machine's, and those allowed.

    Args:
        allowed: further names.
    """

    def __init__(self, allowed: Iterable[str] = ()):
        self._allowed = {name.lower().strip("[]").rstrip(".") for name in allowed}
        self._own = {"localhost", socket.gethostname().lower()}

    def check(self, method: str, headers: dict[bytes, bytes]) -> None:
        """Refuse a request to another name, and one that a page of another site sends.

        Args:
            method: of HTTP.
            headers: of the request; a program sends neither Origin nor Sec-Fetch-Site.

        Raises:
            Refused: it is such a request.
        """
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if host and not self._is_own(_name(f"//{host}")):
            raise WRONG_HOST
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if origin:
            if origin.partition("://")[2] != host and _name(origin) not in self._allowed:
                raise FOREIGN
        elif method == "POST" and headers.get(b"sec-fetch-site") == b"cross-site":
            raise FOREIGN

    def _is_own(self, name: str) -> bool:
        name = name.rstrip(".")
        if name in self._own | self._allowed or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
        return True


def _name(address: str) -> str:
    """The host of an address; empty where there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
