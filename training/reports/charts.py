"""Charts as SVG that stands inside a page: matplotlib, in one quiet style."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence

import matplotlib
import matplotlib.figure
import matplotlib.ticker
import numpy as np

INK, GREY, FAINT = "#1f2933", "#7b8794", "#e4e7eb"
COLOURS = ("#2563a8", "#d1622b", "#3a8f5c", "#8a4fa3", "#b8860b", "#5b6770")
STYLE = {
    "font.family": "sans-serif",
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text: small, selectable, in the page's own font
    "svg.hashsalt": "captioner",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": FAINT,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.bottom": False,
    "ytick.left": False,
    "text.color": INK,
}


def histogram(values: Sequence[float], label: str, unit: str = "pictures", bins: Sequence[float] | None = None) -> str:
    """How often values occur; whole numbers get a bar each unless there are too many of them.

    Args:
        values: what is counted.
        label: of the axis they lie on.
        unit: what a count counts.
        bins: edges of the bars, or None.
    """
    array = np.asarray(values)
    few = False
    if bins is None and array.size and np.issubdtype(array.dtype, np.integer) and np.ptp(array) <= 60:
        few = np.ptp(array) < 3
        spare = 3 * few  # one bar over the whole width would tell nothing
        bins = np.arange(array.min() - spare, array.max() + 2 + spare) - 0.5

    def draw(axes):
        counts, edges = np.histogram(array, bins=40 if bins is None else bins)
        axes.bar(edges[:-1], counts, np.diff(edges) * 0.92, align="edge", color=COLOURS[0], linewidth=0)
        axes.set_xlabel(label)
        axes.set_ylabel(unit)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, nbins=7))
        if few:
            axes.set_xticks(np.unique(array))
        axes.yaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.0f}"))

    return _svg(draw)


def bars(names: Sequence[str], values: Sequence[float], label: str, form: str = "{:,.0f}") -> str:
    """One bar a name, the number at its end."""

    def draw(axes):
        places = np.arange(len(names))[::-1]
        axes.barh(places, values, 0.62, color=COLOURS[0], linewidth=0)
        axes.set_yticks(places, names)
        axes.tick_params(axis="y", labelcolor=INK)
        axes.grid(False)
        axes.set_xticks([])
        axes.set_xlabel(label)
        for place, value in zip(places, values, strict=True):
            axes.text(value, place, " " + form.format(value), va="center", color=GREY)
        axes.margins(x=0.14)

    return _svg(draw, height=max(1.6, 0.2 * len(names) + 0.3))


def lines(
    series: dict[str, tuple[Sequence[float], Sequence[float]]],
    x_label: str,
    y_label: str,
    marks: bool = True,
    percent: bool = False,
    logarithmic: bool = False,
) -> str:
    """Curves, each named where it ends.

    Args:
        series: name -> (x, y).
        x_label, y_label: of the axes.
        marks: show the points.
        percent: y is a share, shown in per cent.
        logarithmic: of both axes.
    """

    def draw(axes):
        for colour, (name, (x, y)) in zip(COLOURS * 9, series.items(), strict=False):
            axes.plot(x, y, color=colour, linewidth=1.8, marker="o" if marks else None, markersize=4, label=name)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if logarithmic:
            axes.set_xscale("log")
            axes.set_yscale("log")
        if percent:
            axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0, decimals=0))
            axes.set_ylim(0, max(axes.get_ylim()[1], 0.01))
        elif not logarithmic:
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, nbins=8))
        if len(series) > 1:
            axes.legend(frameon=False, labelcolor=INK)

    return _svg(draw)


def _svg(draw: Callable, height: float = 2.5) -> str:
    """One pair of axes as an <svg> element that scales with the page."""
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(4.0, height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        target = io.StringIO()
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 width="100%"', svg, count=1)
    return re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
