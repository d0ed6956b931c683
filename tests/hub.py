"""A stand-in for the hub's HTTP, as far as a model's way there and back needs it."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading


class Hub:
    """Repositories in memory; each commit replaces files. Use it as a context manager.

    Attributes:
        files: bytes by repository and name.
        asked: method and path of every request.
    """

    def __init__(self):
        self.files: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        self.breaks_after: int | None = None  # bytes of a long answer after which the connection ends, once

    def __enter__(self):
        hub = self
        handler = type("Handler", (_Handler,), {"hub": hub})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def commit(self, repository: str) -> str:
        digest = hashlib.sha1()
        for name, data in sorted(self.files[repository].items()):
            digest.update(name.encode() + hashlib.sha1(data).digest())
        return digest.hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.hub.asked.append(f"{self.command} {self.path}")
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self._info("/".join(parts[2:4]))
        repository, name = "/".join(parts[:2]), "/".join(parts[4:])
        data = self.hub.files.get(repository, {}).get(name)
        if data is None:
            return self._answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        first = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        headers = {
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Repo-Commit": self.hub.commit(repository),
            "Accept-Ranges": "bytes",
        }
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        self._answer(data[first:], 206 if first else 200, headers)

    def _info(self, repository: str):
        if repository not in self.hub.files:
            return self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        files = [
            {"rfilename": name, "size": len(data), "blobId": ""} for name, data in self.hub.files[repository].items()
        ]
        self._answer({"id": repository, "sha": self.hub.commit(repository), "siblings": files})

    def do_POST(self):
        self.hub.asked.append(f"POST {self.path}")
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self._chunks()
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[-1] == "validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        if parts[-2:] == ["repos", "create"]:
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.hub.files.setdefault(name, {})
            return self._answer({"url": f"{self.hub.address}/{name}", "name": name, "id": name})
        repository = "/".join(parts[2:4])
        if parts[4] == "preupload":
            asked = json.loads(body)["files"]
            files = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in asked]
            return self._answer({"files": files})
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.hub.files[repository][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        commit = self.hub.commit(repository)
        self._answer({"commitUrl": f"{self.hub.address}/{repository}/commit/{commit}", "commitOid": commit})

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, content, status=200, headers=None):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = self.hub.breaks_after
        if limit is not None and len(data) > limit:
            self.hub.breaks_after = None
            self.wfile.write(data[:limit])
            self.close_connection = True
            return
        self.wfile.write(data)
