"""One loop over memory where a graph would make one for each operation.

That pays where a network in memory writes many captions; training and exported graphs stay as they are: gradients gain
nothing by it, and others may lack the compiler. Who traces a graph says which compiler there is.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator

_COMPILER: contextvars.ContextVar[Callable | None] = contextvars.ContextVar("compiler", default=None)


@contextlib.contextmanager
def fusing(compiler: Callable[[Callable], Callable]) -> Iterator[None]:
    """What is traced inside is made with `compiler(function)` for each `fused(function)`."""
    token = _COMPILER.set(compiler)
    try:
        yield
    finally:
        _COMPILER.reset(token)


def fused(function: Callable) -> Callable:
    """`function` of tensors to a tensor, as one loop inside `fusing` and as it is elsewhere."""
    compiler = _COMPILER.get()
    return compiler(function) if compiler else function
