"""python -m demo [--model DIR] [--host 127.0.0.1] [--port 7860] [--allow-host NAME …] [--debug]"""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from typing import Annotated

import typer

from captioner import Captioner, CaptionerError
from captioner.errors import one_line
from captioner.progress import working
from captioner.quiet import silence_frameworks
from demo.place import bind, own_folder

MAX_LINE = 500  # letters
LOG = logging.getLogger("demo")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[
        str, typer.Option(help="Folder of a trained model, its name, or hf://USER/NAME.")
    ] = "models/photos",
    runtime: Annotated[
        str, typer.Option(help="What runs the model: auto, onnx (starts at once), keras or saved_model.")
    ] = "auto",
    backend: Annotated[
        str, typer.Option(help="A service of captioner.serve that captions instead of a model here.", metavar="URL")
    ] = "",
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens the page to the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name that the page is reached by, such as that of a proxy.")
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show the whole story of every error and warning.")] = False,
) -> None:
    """Open the demo page of a model in the browser at http://HOST:PORT.

    Ctrl-C or SIGTERM stops it once the answers in flight are given; a second one stops it at once.
    Exit status 0: stopped; 1: it cannot listen or write; 2: the model cannot be read.
    """
    _speak_alone(debug)
    # Gradio asks its maker's server for news while it is imported, unless told not to.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server takes over: leave no folder behind
    try:
        with bind(host, port) as listening, own_folder() as folder:
            _serve(listening, folder, (model, runtime, backend), f"http://{host}:{port}", [host, *(allow_host or ())])
    except CaptionerError as error:
        if debug:
            raise
        LOG.error("%s", error)
        raise typer.Exit(1) from None


def _speak_alone(debug: bool) -> None:
    """Leave stderr to our own lines: Gradio, asyncio and others print the story of every error there."""
    if debug:
        logging.basicConfig(format="%(name)s: %(message)s", level=logging.INFO)
        LOG.setLevel(logging.DEBUG)
        return
    silence_frameworks()
    ours = logging.StreamHandler(sys.stderr)
    ours.setFormatter(_OneLine("demo: %(message)s"))
    LOG.addHandler(ours)
    LOG.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    sys.excepthook = lambda kind, error, _: LOG.error("stopped by %s: %s", kind.__name__, one_line(str(error)))
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115


class _OneLine(logging.Formatter):
    """Whatever a message holds of strangers' words, it is one line of text on the terminal, of bounded length."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        return one_line(line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}…")


def _serve(listening, folder: str, model: tuple[str, str, str], address: str, hosts: list[str]) -> None:
    terminal = next((handler.stream for handler in LOG.handlers), None)  # stderr itself is silent by now
    try:
        with working(f"Loading {model[0]}", terminal):
            captioner = _captioner(*model)
    except CaptionerError as error:
        LOG.error("%s", error)
        raise typer.Exit(2) from None
    with working("Building the page", terminal):
        from demo.app import build_app, page_options
        from demo.server import make_server

    ready = lambda: typer.echo(f"The demo is ready at {address}")
    server = make_server(build_app(captioner), page_options(), folder, ready, hosts)
    server.run(sockets=[listening])


def _captioner(model: str, runtime: str, backend: str) -> Captioner:
    if not backend:
        from demo.models import title

        captioner = Captioner.from_pretrained(model, runtime)
        captioner.name = title(model, captioner.name)
        return captioner
    from demo.backend import RemoteCaptioner

    return RemoteCaptioner(backend)


def _run() -> None:
    """The command, and an end at once: TensorFlow aborts where Python ends beside a thread that compiles a graph."""
    try:
        app()
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(end.code if isinstance(end.code, int) else bool(end.code))


if __name__ == "__main__":
    _run()
