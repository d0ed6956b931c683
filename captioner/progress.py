"""A line on the terminal that says what takes so long; nothing where stderr is a file or a pipe."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from captioner.errors import one_line

DELAY = 0.4  # seconds; what is done before needs no line, and the packages that draw it are not loaded


@contextlib.contextmanager
def working(text: str, terminal=None) -> Iterator[None]:
    """Show a text with a moving sign on stderr while the work goes on; stdout is never touched.

    Args:
        text: what is done.
        terminal: where it is shown instead of stderr.
    """
    terminal = terminal or sys.stderr
    if terminal is None or not terminal.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_show, args=(one_line(text), done, terminal), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _show(text: str, done: threading.Event, terminal) -> None:
    if done.wait(DELAY):
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots", Text(f"{text} …"))
    shown = {"transient": True, "redirect_stdout": False, "redirect_stderr": False}
    with Live(spinner, console=Console(file=terminal), **shown):
        done.wait()
