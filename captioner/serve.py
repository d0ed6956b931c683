"""python -m captioner.serve: captions over HTTP, from replicas that Ray Serve keeps alive and batches for."""

from __future__ import annotations

import dataclasses
import logging
import signal
import sys
import threading
from typing import Annotated

import typer

from captioner.album.session import model_version
from captioner.cluster.engine import ray_of
from captioner.cluster.model_parcel import pack
from captioner.errors import CaptionerError, ConfigError, one_line
from captioner.quiet import open_stderr, silence_frameworks

NAME = "captioner"
QUIET = {"log_level": "ERROR", "enable_access_log": False}
DRAIN_SECONDS = 20.0  # for answers in flight when a replica is told to stop
REQUEST_SECONDS = 300.0  # after which a request that has no answer yet is given up

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclasses.dataclass(frozen=True)
class Service:
    """What is to be served.

    Attributes:
        model, runtime: what captions, as for `Captioner.from_pretrained`.
        host, port: where.
        replicas: that are always there.
        most_replicas: that may be there when many ask; None is `replicas`.
        threads: of each replica, which asks Ray for as many CPUs.
        batch: photos that go through the network together, at most.
        queue: photos that wait, besides those that replicas have already, before more are refused.
    """

    model: str = "models/photos"
    runtime: str = "auto"
    host: str = "127.0.0.1"
    port: int = 8000
    replicas: int = 1
    most_replicas: int | None = None
    threads: int = 1
    batch: int = 8
    queue: int = 64


def start(service: Service) -> None:
    """Serve with the Ray that this process is connected to; returns once a replica answers.

    Raises:
        CaptionerError: the model cannot be used, or replicas do not start.
    """
    import ray
    from ray import serve

    from captioner.cluster.front import Front
    from captioner.cluster.replica import Replica

    most = max(service.most_replicas or 0, service.replicas)
    cpus = ray.cluster_resources().get("CPU", 0)
    if cpus < service.replicas * service.threads:
        raise ConfigError(
            f"{service.replicas} replicas of {service.threads} threads need as many CPUs each; the cluster has {cpus:g}"
        )
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    (model, parcel), version = pack(service.model), model_version(service.model)
    serve.start(
        proxy_location="HeadOnly" if service.host == "127.0.0.1" else "EveryNode",
        http_options={"host": service.host, "port": service.port, "request_timeout_s": REQUEST_SECONDS},
        logging_config=QUIET,
    )
    ongoing = 2 * service.batch  # the next batch is there when one is done
    many = {"num_replicas": service.replicas}
    if most > service.replicas:
        limits = {"min_replicas": service.replicas, "max_replicas": most, "target_ongoing_requests": ongoing}
        many = {"autoscaling_config": limits}
    replicas = serve.deployment(
        Replica,
        max_ongoing_requests=ongoing,
        max_queued_requests=service.queue,
        ray_actor_options={"num_cpus": service.threads},
        graceful_shutdown_timeout_s=DRAIN_SECONDS,
        health_check_period_s=5.0,
        **many,
    ).bind(model, version, [ray.put(parcel)], service.runtime, service.threads, service.batch)
    try:
        serve.run(Front.bind(replicas), name=NAME, route_prefix="/", logging_config=QUIET)
    except Exception as error:  # Serve raises what a replica met, in types of its own
        reason = one_line(str(error).strip().splitlines()[-1][:300])
        raise CaptionerError(f"the service did not start: {type(error).__name__}: {reason}") from error


def stop() -> None:
    """Take the service away; what is being answered is answered first."""
    from ray import serve

    serve.delete(NAME)
    serve.shutdown()


@app.command()
def main(
    model: Annotated[str, typer.Option(help="Model folder.")] = "models/photos",
    runtime: Annotated[str, typer.Option(help="What runs the model: auto, onnx, keras or saved_model.")] = "auto",
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to the network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    replicas: Annotated[int, typer.Option(min=1, help="Captioners that are always there.")] = 1,
    most_replicas: Annotated[
        int | None, typer.Option(min=1, help="Captioners when many ask.", show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads, and CPUs, of each.")] = 1,
    batch: Annotated[int, typer.Option(min=1, max=64, help="Photos that go through a network together, at most.")] = 8,
    queue: Annotated[int, typer.Option(min=1, help="Photos that may wait; more are refused with 503.")] = 64,
    address: Annotated[
        str, typer.Option(help="A cluster of Ray to join, HOST:PORT or auto; empty starts Ray here.")
    ] = "",
    debug: Annotated[bool, typer.Option(help="Show the whole story of an error.")] = False,
) -> None:
    """Serve captions at http://HOST:PORT until Ctrl-C or SIGTERM.

    Exit status 0: stopped; 1: it did not start; 2: wrong usage.
    """
    open_stderr()
    if not debug:
        silence_frameworks()
    service = Service(model, runtime, host, port, replicas, most_replicas, threads, batch, queue)
    ended = threading.Event()
    try:
        with ray_of(address):
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: ended.set())
            start(service)
            typer.echo(f"Captions are served at http://{host}:{port}")
            sys.stdout.flush()
            while not ended.wait(0.5):
                pass
            stop()
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except CaptionerError as error:
        if debug:
            raise
        print(f"captioner.serve: {error}", file=sys.stderr)
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None


if __name__ == "__main__":
    app()
