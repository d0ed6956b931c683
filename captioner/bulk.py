"""python -m captioner.bulk SOURCE… OUT: photos by the million, captioned on one machine or many by Ray Data.

Photos that the data set OUT holds already are passed over. The rest is cut into shards, each the work of one task and
one file of OUT, so a task that Ray runs again, because its machine died, doubles nothing.
"""

from __future__ import annotations

import dataclasses
import itertools
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from captioner.album.finding import read_list
from captioner.album.session import model_version
from captioner.cluster.engine import ray_of
from captioner.cluster.model_parcel import pack
from captioner.config import DecodingOptions, read_changes
from captioner.errors import CaptionerError, ConfigError
from captioner.quiet import open_stderr, silence_frameworks

SHARD = 256  # photos a file of OUT
WAVE = 1_000  # shards that Ray is told of at once, so that memory does not grow with their number

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be done.

    Attributes:
        sources: folders, patterns, pictures and Parquet tables, by path or address.
        out: folder of the data set, a path or an address.
        model, runtime: what captions, as for `Captioner.from_pretrained`.
        options: fields of `DecodingOptions` but count.
        column: of tables that name or hold pictures; empty finds it.
        masks: whether masks are kept.
        threads: of each worker, which asks Ray for as many CPUs.
        workers: at most; None is as many as there are CPUs for.
        shard: photos a file of the data set.
    """

    sources: Sequence[str]
    out: str
    model: str = "models/photos"
    runtime: str = "auto"
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    column: str = ""
    masks: bool = False
    threads: int = 1
    workers: int | None = None
    shard: int = SHARD


@dataclasses.dataclass
class Counts:
    """Photos that were done before, are done now, and those among the latter that could not be read."""

    before: int = 0
    now: int = 0
    errors: int = 0


def caption_all(request: Request, progress=None, stop: threading.Event | None = None) -> Counts:
    """Caption what the data set lacks, with the Ray that this process is connected to.

    Args:
        request: what is to be done.
        progress: a `captioner.cluster.progress.Progress` to tell.
        stop: ends the job with a KeyboardInterrupt once it is set.

    Raises:
        CaptionerError: a source, the data set or the model cannot be used, another job took the data set over, or
            workers die again and again.
    """
    from captioner.cluster.listing import find_photos
    from captioner.cluster.missing import Missing
    from captioner.cluster.output import Output
    from captioner.cluster.pool import Pool
    from captioner.cluster.progress import Progress
    from captioner.cluster.worker import Job

    progress, output = progress or Progress(None), Output(request.out)
    if DecodingOptions.parse(request.options).count > 1:
        raise ConfigError(f"one caption a photo is written; leave count out. Received: {request.options['count']}")
    (model, parcel), version = pack(request.model), model_version(request.model)
    job = Job(
        out=request.out,
        id=output.open({"version": version, "options": request.options, "masks": request.masks}),
        model=model,
        version=version,
        runtime=request.runtime,
        threads=request.threads,
        options=request.options,
        masks=request.masks,
    )
    with Missing(find_photos(request.sources, request.column), output.done()) as missing:
        counts = Counts(before=missing.total - missing.count)

        def tell(photos: int, errors: int) -> None:
            counts.now, counts.errors = counts.now + photos, counts.errors + errors
            progress.advance(photos, errors)

        progress.start(missing.count, counts.before)
        try:
            pool, shards = Pool(job, parcel, request.workers), missing.shards(request.shard)
            while wave := list(itertools.islice(shards, WAVE)):
                pool.run(wave, tell, stop or threading.Event())
        finally:
            progress.end()
    return counts


@app.command()
def main(
    places: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE… OUT", help="Folders, patterns, photos, Parquet tables; last, where to write."),
    ],
    listed: Annotated[
        str | None, typer.Option("--list", help="A file of photos, one a line; - is stdin.", show_default=False)
    ] = None,
    column: Annotated[str, typer.Option(help="Column of tables: paths or bytes of pictures; empty finds it.")] = "",
    model: Annotated[str, typer.Option(help="Model folder.")] = "models/photos",
    runtime: Annotated[str, typer.Option(help="What runs the model: auto, onnx, keras or saved_model.")] = "auto",
    beam_width: Annotated[int, typer.Option(help="Hypotheses kept open, 1 to 20.")] = 5,
    set: Annotated[
        list[str] | None, typer.Option(help="Another option of decoding: key=value.", show_default=False)
    ] = None,
    masks: Annotated[bool, typer.Option("--masks", help="Keep every word's mask, as float16.")] = False,
    address: Annotated[
        str, typer.Option(help="A cluster of Ray to join, HOST:PORT or auto; empty starts Ray here.")
    ] = "",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Captioners at once, at most; as many as CPUs allow.", show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads, and CPUs, of each.")] = 1,
    shard: Annotated[int, typer.Option(min=1, max=100_000, help="Photos a file of OUT.")] = SHARD,
    debug: Annotated[bool, typer.Option(help="Show the whole story of an error.")] = False,
) -> None:
    """Caption photos into a Parquet data set; the same command again captions what is missing.

    Exit status 0: every photo has a caption; 1: some could not be read, or workers died; 2: wrong usage.
    """
    open_stderr()
    stop = threading.Event()
    if not debug:
        silence_frameworks()
    try:
        *sources, out = places
        sources += read_list(listed) if listed else []
        if not sources:
            raise ConfigError("give photos and, last, the folder to write captions to: SOURCE… OUT")
        options = {"beam_width": beam_width, **read_changes(set or [])}
        request = Request(sources, out, model, runtime, options, column, masks, threads, workers, shard)
        with ray_of(address):
            from captioner.cluster.progress import Progress

            def end(*_: object) -> None:
                stop.set()  # Ray may swallow what is raised here, so that it is looked for again and again
                raise KeyboardInterrupt

            for number in (signal.SIGINT, signal.SIGTERM):  # Ray has put handlers of its own there
                signal.signal(number, end)

            counts = caption_all(request, Progress("captioner.bulk"), stop)
    except KeyboardInterrupt:
        print("captioner.bulk: stopped; the same command goes on", file=sys.stderr)
        raise typer.Exit(130) from None
    except CaptionerError as error:
        if debug:
            raise
        print(f"captioner.bulk: {error}", file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None
    raise typer.Exit(1 if counts.errors else 0)


if __name__ == "__main__":
    app()
