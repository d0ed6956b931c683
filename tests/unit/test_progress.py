"""What is shown while one waits: on a terminal alone, and never on stdout."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty")


def on_a_terminal(root, code: str) -> tuple[str, str]:
    """What a program writes to stdout, and to a stderr that is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=theirs, timeout=120)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # the end of a terminal's output
        pass
    os.close(ours)
    assert done.returncode == 0, shown
    return done.stdout.decode(), shown.decode()


def waiting(seconds: float) -> str:
    return (
        "import sys, time\nfrom captioner.progress import working\n"
        f"with working('Loading it'):\n    time.sleep({seconds}); print('a caption')\n"
        "print('rich' in sys.modules)"
    )


def test_long_work_is_told_on_the_terminal_alone(root):
    stdout, shown = on_a_terminal(root, waiting(1.5))
    assert stdout.splitlines() == ["a caption", "True"] and "Loading it" in shown


def test_short_work_loads_nothing(root):
    stdout, shown = on_a_terminal(root, waiting(0))
    assert stdout.splitlines() == ["a caption", "False"] and shown == ""


def test_a_file_gets_nothing(root):
    done = subprocess.run([sys.executable, "-c", waiting(1)], cwd=root, capture_output=True, text=True, timeout=60)
    assert (done.stdout.splitlines(), done.stderr) == (["a caption", "False"], "")


def test_captions_sent_into_a_file_get_there_while_a_bar_is_shown(root):
    code = (
        "from captioner.album.session import bar\n"
        "with bar(2) as advance:\n    for name in ('one', 'two'):\n        print(name, flush=True); advance()"
    )
    stdout, shown = on_a_terminal(root, code)
    assert stdout.splitlines() == ["one", "two"] and "captions" in shown
