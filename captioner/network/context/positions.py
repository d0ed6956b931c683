"""Where a cell is, as numbers that attention can compare."""

from __future__ import annotations

import numpy as np


def wave_rates(size: int) -> np.ndarray:
    """`size` // 2 angles a step, from 1 down towards 1 / 10,000: float32. Vaswani et al. 2017, section 3.5."""
    return (10000.0 ** (-np.arange(size // 2) / max(size // 2, 1))).astype("float32")


def encode_positions(positions: np.ndarray, size: int) -> np.ndarray:
    """Sines, then cosines, of positions: float32 (..., size)."""
    angles = np.asarray(positions, "float32")[..., None] * wave_rates(size)
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    return np.pad(waves, [(0, 0)] * (waves.ndim - 1) + [(0, size % 2)])


def encode_grid(grid: tuple[int, int], size: int) -> np.ndarray:
    """Two-dimensional encoding: half of the numbers tell the row, the others the column: (locations, size)."""
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    return np.concatenate([encode_positions(rows, size // 2), encode_positions(columns, size - size // 2)], axis=-1)
