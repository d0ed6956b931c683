"""Ray, started on this machine or joined: quiet, small, and asking nobody outside."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

from captioner.errors import ConfigError, one_line

STORE_BYTES = 200_000_000  # of Ray's object store on one machine: a model, and names of photos
# Ray's own message does not tell a cluster that wants a token from one that is not there.
TOKEN = "; for a cluster that asks for a token, set RAY_AUTH_MODE=token"
STARTS = 3  # tries to start Ray here: it gives its own helpers 15 seconds, too few on a busy machine the first time
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray tells its makers of its use, unless told not to
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # leaves GPUs' variables alone, and does not warn


@contextlib.contextmanager
def ray_of(address: str, cpus: int | None = None) -> Iterator[None]:
    """Ray, connected, for as long as the block lasts.

    Args:
        address: of a cluster to join, HOST:PORT or "auto"; empty takes $RAY_ADDRESS, and else starts Ray on this
            machine.
        cpus: processors that Ray started here gives away; None is all.

    Raises:
        ConfigError: Ray is not installed, or the cluster does not answer.
    """
    try:
        import ray
    except ImportError:
        raise ConfigError("this needs Ray: pip install 'captioner[ray]'") from None
    address = address or os.environ.get("RAY_ADDRESS", "")
    own = {} if address else {"num_cpus": cpus, "object_store_memory": STORE_BYTES}
    mine = not ray.is_initialized()
    for left in reversed(range(STARTS if mine else 0)):
        try:
            ray.init(
                address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                **own,
            )
            break
        except Exception as error:  # Ray raises what it likes, bare exceptions too
            ray.shutdown()
            if not left or address:
                reason = one_line(str(error).strip().split("\n")[0])
                hint = "" if "RAY_AUTH_MODE" in os.environ or not address else TOKEN
                raise ConfigError(
                    f"no cluster of Ray at {address or 'this machine'}: {reason}; see ray status{hint}"
                ) from None
    try:
        yield
    finally:
        if mine:
            ray.shutdown()
