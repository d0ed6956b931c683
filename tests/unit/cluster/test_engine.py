from __future__ import annotations

import pytest

from captioner.cluster.engine import ray_of
from captioner.errors import ConfigError

TOKEN = "for a cluster that asks for a token, set RAY_AUTH_MODE=token"


def refuse(*arguments, **named):
    """What Ray raises where a cluster wants a token, and where there is none."""
    raise ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379\nand more")


@pytest.mark.parametrize(("mode", "hinted"), [(None, True), ("token", False)])
def test_a_cluster_that_cannot_be_joined_is_one_line(monkeypatch, mode, hinted):
    monkeypatch.setattr("ray.init", refuse)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    wanted = "^no cluster of Ray at head:6379: Failed to connect to Ray cluster"
    with pytest.raises(ConfigError, match=wanted) as caught, ray_of("head:6379"):
        pass
    assert (TOKEN in str(caught.value)) == hinted and "\n" not in str(caught.value)
