"""Which cells a cell may look at in self-attention: boolean (locations, locations), row i for cell i.

On a grid of 100 cells the products are computed whole and what is out of reach is left out of the softmax, so a
pattern saves no time here; it shows what larger inputs do to save it. `pairs` tells how much they would.
"""

from __future__ import annotations

import numpy as np

from captioner.errors import ConfigError


def _offsets(grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    return np.abs(rows[:, None] - rows), np.abs(columns[:, None] - columns)


def full(grid, reach):
    """Every cell."""
    return np.ones((grid[0] * grid[1],) * 2, bool)


def window(grid, reach):
    """Cells at most `reach` rows and columns away (Parmar et al. 2018, "Image transformer")."""
    rows, columns = _offsets(grid)
    return (rows <= reach) & (columns <= reach)


def dilated(grid, reach):
    """As many cells as a window, every second one, so that they lie up to 2 * `reach` away (Beltagy et al. 2020,
    "Longformer", section 3.1)."""
    rows, columns = _offsets(grid)
    return (rows <= 2 * reach) & (columns <= 2 * reach) & (rows % 2 == 0) & (columns % 2 == 0)


def random(grid, reach):
    """The cell itself and (2 * `reach` + 1) ** 2 - 1 others drawn once and for all, as many as a window has (Zaheer
    et al. 2020, "Big bird")."""
    size = grid[0] * grid[1]
    rng = np.random.default_rng(0)
    chosen = rng.permuted(np.tile(np.arange(size), (size, 1)), axis=1)[:, : (2 * reach + 1) ** 2 - 1]
    allowed = np.eye(size, dtype=bool)
    np.put_along_axis(allowed, chosen, True, axis=1)
    return allowed


def global_cells(grid, reach):
    """Some `reach` by `reach` cells, evenly spread, see all and are seen by all; the others see these, themselves and
    their neighbours (Beltagy et al. 2020, section 3.1)."""
    places = [np.unique(((np.arange(reach) + 0.5) * side / reach).astype(int)) for side in grid]
    chosen = (places[0][:, None] * grid[1] + places[1]).ravel()
    allowed = window(grid, 1)
    allowed[chosen] = True
    allowed[:, chosen] = True
    return allowed


PATTERNS = {"full": full, "window": window, "dilated": dilated, "random": random, "global": global_cells}


def pattern(name: str, grid: tuple[int, int], reach: int) -> np.ndarray:
    """The pattern of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PATTERNS:
        raise ConfigError(f"context.pattern is one of {', '.join(PATTERNS)}. Received: {name!r}")
    return PATTERNS[name](grid, reach)


def pairs(allowed: np.ndarray) -> float:
    """Share of all pairs of cells that are compared."""
    return float(allowed.mean())
