"""Draws the results of the ingestion benchmark.

Arguments: file with the figures, file of the plot.
"""

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_OURS, _PIPES, _PEERS = "#0b6e4f", "#8d99ae", "#d1d5db"
_LINES = {"horizon": "#1d4ed8", "cdc": "#0b6e4f", "dlt incremental": "#c2410c"}
_NAMES = {"horizon": "horizon mode", "cdc": "change data capture", "dlt incremental": "dlt incremental (misses updates, deletes)"}


def main(figures_file: str, plot_file: str) -> None:
    """Draw both panels."""
    figures = json.loads(Path(figures_file).read_text(encoding="utf-8"))
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titleweight": "bold"})
    canvas, (left, right) = plt.subplots(1, 2, figsize=(14, 5.6), layout="constrained")
    # More ways were measured at the smaller size.
    for measured in figures["first_loads"][:1]:
        _draw_first_loads(left, measured)
    _draw_syncs(right, figures["incremental"])
    canvas.savefig(plot_file, dpi=130)


def _draw_first_loads(axes: Axes, measured: dict[str, Any]) -> None:
    loads = sorted(measured["loads"], key=lambda load: -load["timing"]["seconds"])
    names = [load["name"] for load in loads]
    seconds = [load["timing"]["seconds"] for load in loads]
    bars = axes.barh(names, seconds, color=[_color(name) for name in names])
    labels = [f"{_duration(load['timing']['seconds'])}{'' if load['measured_rows'] == measured['rows'] else ' (scaled)'}" for load in loads]
    axes.bar_label(bars, labels, padding=4)
    axes.set_xscale("log")
    axes.set_xlim(min(seconds) / 2, max(seconds) * 5)
    axes.set_xlabel("seconds, logarithmic")
    axes.set_title(f"First load of {measured['rows']:,} rows", loc="left")


def _color(name: str) -> str:
    if name == "Runmart":
        return _OURS
    return _PIPES if name.startswith("psql") else _PEERS


def _draw_syncs(axes: Axes, tables: list[dict[str, Any]]) -> None:
    for table, style in zip(tables, ("o--", "o-", "s-."), strict=False):
        rows = _short(table["rows"])
        for way, color in _LINES.items():
            steps = [step for step in table["steps"] if step["way"] == way]
            if steps:
                positions = [max(step["changes"], 10) for step in steps]
                axes.plot(positions, [step["timing"]["seconds"] for step in steps], style, color=color, label=f"{_NAMES[way]}, {rows} rows")
        for step in (step for step in table["steps"] if step["way"] == "full reload"):
            seconds = step["timing"]["seconds"]
            axes.axhline(seconds, color=_PIPES, linestyle=style[1:], linewidth=1)
            words = f"full reload by psql pipe,\n{rows} rows: {_duration(seconds)}"
            axes.text(1.01, seconds, words, transform=axes.get_yaxis_transform(), color="#4b5563", fontsize=8.5, va="center")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([10, 100, 100_000, 1_000_000], ["none", "100", "100,000", "1,000,000"])
    axes.minorticks_off()
    axes.set_xlabel("changed rows (60% inserted, 30% updated, 10% deleted)")
    axes.set_ylabel("seconds, logarithmic")
    axes.set_title("Sync after changes", loc="left")
    axes.grid(visible=True, axis="y", alpha=0.25)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(-0.12, -0.14), ncols=2, columnspacing=1.2)


def _short(rows: int) -> str:
    return f"{rows / 1e6:g} million" if rows >= 1_000_000 else f"{rows:,}"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
