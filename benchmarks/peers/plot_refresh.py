"""Draws the results of the refresh benchmark.

Arguments: file with the figures, file of the plot.
"""

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_COLORS = {"views": "#c2410c", "recent": "#0b6e4f", "scattered": "#1d4ed8"}
# The smaller history is hollow. Of scattered changes there is one point, which no line joins to anything.
_FILLS = ("white", None)


def main(figures_file: str, plot_file: str) -> None:
    """One panel: database time by number of changed metrics, at both sizes of history."""
    figures = json.loads(Path(figures_file).read_text(encoding="utf-8"))
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titleweight": "bold"})
    canvas, axes = plt.subplots(figsize=(10, 6), layout="constrained")
    for history, fill in zip(figures["refreshes"], _FILLS, strict=True):
        _draw(axes, history, fill)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("changed metrics (60% inserted, 30% updated, 10% deleted)")
    axes.set_ylabel("seconds in which the database was busy, logarithmic")
    axes.set_title("Refresh after changes", loc="left")
    axes.grid(visible=True, axis="y", alpha=0.25)
    axes.legend(frameon=False, fontsize=9, handlelength=3.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    canvas.savefig(plot_file, dpi=130)


def _draw(axes: Axes, history: dict[str, Any], fill: str | None) -> None:
    metrics = f"{history['metrics'] / 1e6:g} million"
    for spread in ("recent", "scattered"):
        steps = [(share * history["metrics"], measured) for share, where, measured in history["steps"] if where == spread]
        line = "none" if len(steps) == 1 else "--" if fill else "-"
        for name, color, position in (("views", _COLORS["views"], 0), ("summary marts", _COLORS[spread], 1)):
            seconds = [measured[position]["db_seconds"] for _, measured in steps]
            marker = "o" if spread == "recent" else "D"
            axes.plot(
                [number for number, _ in steps],
                seconds,
                color=color,
                marker=marker,
                markerfacecolor=fill or color,
                linestyle=line,
                label=f"{name}, {metrics}, {spread} changes",
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
