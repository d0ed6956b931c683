"""Products and shapes that every part of the decoder uses."""

from __future__ import annotations

from keras import ops


def product(x, kernel):
    """x @ kernel for a matrix `kernel`, as one product of two matrices, which backends do quickest."""
    return _in_shape_of(x, ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel))


def constant_product(x, kernel):
    """`product` with a matrix that is an array and never changes.

    As a convolution, since its constant filter is laid out for the processor once; a product would do it at every
    step, which for a few rows and ten thousand columns takes as long as the product itself.
    """
    return _in_shape_of(x, ops.conv(ops.reshape(x, (1, -1, 1, x.shape[-1])), ops.cast(kernel[None, None], x.dtype)))


def _in_shape_of(x, flat):
    """Rows of a product in the shape of x, whose last axis they replace."""
    lead = x.shape[1:-1] if None not in x.shape[1:-1] else ops.shape(x)[1:-1]
    return ops.reshape(flat, (-1, *lead, flat.shape[-1]))


def split_last(x, parts: int):
    """(batch, ..., parts * size) -> (batch, ..., parts, size)"""
    return ops.reshape(x, (-1, *ops.shape(x)[1:-1], parts, x.shape[-1] // parts))


def join_last(x):
    """(batch, ..., parts, size) -> (batch, ..., parts * size)"""
    return ops.reshape(x, (-1, *ops.shape(x)[1:-2], x.shape[-2] * x.shape[-1]))


def to_heads(x, heads: int):
    """(batch, places, heads * size) -> (batch, heads, places, size); one head stays as it is."""
    return x if heads == 1 else ops.swapaxes(split_last(x, heads), 1, 2)


def from_heads(x):
    """(batch, heads, places, size) -> (batch, places, heads * size)"""
    return join_last(ops.swapaxes(x, 1, 2))
