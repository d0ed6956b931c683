"""python -m demo [--model DIR] [--host 127.0.0.1] [--port 7860]"""

from __future__ import annotations

import os
import pathlib
from typing import Annotated

import typer

from captioner import Captioner, CaptionerError
from captioner.quiet import silence_frameworks

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[pathlib.Path, typer.Option(help="Folder of a trained model.")] = pathlib.Path("models/flickr8k"),
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens the page to the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
) -> None:
    """Open the demo page of a model in the browser at http://HOST:PORT."""
    silence_frameworks()
    try:
        captioner = Captioner.from_pretrained(model)
    except CaptionerError as error:
        typer.echo(f"demo: {error}", err=True)
        raise typer.Exit(2) from None
    # Gradio asks its maker's server for news while it is imported, unless told not to.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from demo.app import build_app, page_options

    page = build_app(captioner)
    try:
        page.launch(server_name=host, server_port=port, quiet=True, prevent_thread_lock=True, **page_options())
    except OSError:
        typer.echo(f"demo: cannot listen on {host}:{port}; choose another --port", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"The demo is ready at http://{host}:{port}")
    page.block_thread()


if __name__ == "__main__":
    app()
