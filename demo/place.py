"""Where the server listens and where uploads lie; both are taken before anything slow, such as importing Gradio."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator

from captioner import ConfigError


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens, taken before anything slow happens.

    Raises:
        ConfigError: there is no such address, or it is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0]
        server = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot listen on {host}: {getattr(error, 'strerror', None) or error}") from None
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(512)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"cannot listen on {host}:{port}: something else does, perhaps another demo; choose another --port"
            ) from None
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port") from None
    return server


@contextlib.contextmanager
def own_folder() -> Iterator[str]:
    """A folder of this process for uploads, in $GRADIO_TEMP_DIR where that is set; removed with the process.

    Other temporary files go into one beside it: TensorFlow writes some at each start, and is not asked to tidy up.
    """
    above = os.environ.get("GRADIO_TEMP_DIR")
    try:
        if above:
            os.makedirs(above, exist_ok=True)
        whole = tempfile.mkdtemp(prefix="captioner-demo-", dir=above)
        folder, scratch = os.path.join(whole, "uploads"), os.path.join(whole, "scratch")
        for path in (folder, scratch):
            os.mkdir(path, 0o700)
    except OSError as error:
        raise ConfigError(
            f"cannot write to {above or tempfile.gettempdir()}: {error.strerror}; name a folder in $GRADIO_TEMP_DIR"
        ) from None
    os.environ["GRADIO_TEMP_DIR"], before, tempfile.tempdir = folder, tempfile.tempdir, scratch
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        shutil.rmtree(whole, ignore_errors=True)
