"""Load Keras without the lines that TensorFlow prints on stderr whatever its environment variables say."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

from captioner.errors import ConfigError

HOW = "pip install 'captioner[tensorflow]'"


@contextlib.contextmanager
def no_framework_noise() -> Iterator[None]:
    """Send file descriptor 2 nowhere for a while; what Python code of ours raises is not touched."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):  # no stderr to silence
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def open_stderr() -> None:
    """Where stderr came closed, send it nowhere, so that no file gets its number and what is said there is lost."""
    if sys.stderr is None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        if nowhere != 2:
            os.dup2(nowhere, 2)
            os.close(nowhere)
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")


def silence_frameworks() -> None:
    """For the rest of the process, keep off stderr what is not written by Python: C++ code logs there on its own."""
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


@contextlib.contextmanager
def _needed(what: str, names: set[str]) -> Iterator[None]:
    """Say in a line how to get packages that the light install leaves out."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in names:
            raise
        raise ConfigError(f"this needs {what}, which the light install leaves out: {HOW}") from None


def load_keras() -> None:
    """Import Keras and its backend silently and start the backend's device, which talks as well.

    JAX's starts with its first use: whoever trains on several hosts has to join the others before.

    Raises:
        ConfigError: they are not installed.
    """
    if sys.modules.get("keras"):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of every model that is compiled
    with _needed("Keras with TensorFlow", {"keras", "tensorflow", "jax"}), no_framework_noise():
        import keras

        if keras.backend.backend() != "jax":
            keras.ops.zeros(())


def load_tensorflow():
    """Import TensorFlow silently, without Keras, and return it.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with _needed("TensorFlow", {"tensorflow"}), no_framework_noise():
        import tensorflow

        tensorflow.zeros(())
    return tensorflow
