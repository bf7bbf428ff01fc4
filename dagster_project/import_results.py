"""How an import looks in the terminal.

Belongs here: what a file is taken for, before it is written, the question which columns are models, and what was written. Does not belong
here: the command (`cli`) and the work (`demo.backtest_import`).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Column

from dagster_project.terminal import new_table, out
from dagster_project.words import counted

if TYPE_CHECKING:
    from dagster_project.demo.backtest_import import Backtest, ImportSummary


def show_backtest(backtest: "Backtest") -> None:
    """What each column of a file is taken for, and what of its rows is not imported."""
    out.print(f"{backtest.file.path.name}: {counted(backtest.rows, 'row')}", markup=False, soft_wrap=True)
    table = new_table("column", "taken for", justify="left")
    table.columns[0] = Column("column", overflow="fold")
    for column, meaning in _meanings(backtest):
        table.add_row(column.replace("[", r"\["), meaning.replace("[", r"\["))
    out.print(table)
    for line in (*backtest.notes, _scale_line(backtest), *backtest.left_out.lines()):
        out.print(line, markup=False, soft_wrap=True)


def ask_for_models(certain: Sequence[str], doubtful: Sequence[str]) -> str:
    """Ask which columns are models."""
    kind = "is this column a forecast" if len(doubtful) == 1 else "are these columns forecasts"
    out.print(f"{kind}, or something else: {', '.join(doubtful)}", markup=False, soft_wrap=True)
    return str(typer.prompt("the models to import, separated by commas", default=",".join(certain) or None))


def show_import(summary: "ImportSummary") -> None:
    """What was written."""
    if summary.is_new:
        models = ", ".join(summary.models)
        out.print(f"tracked as run {summary.run_id}: {summary.predictions:,} forecasts of {models}", markup=False, soft_wrap=True)
    else:
        out.print(f"nothing to do: the experiment has this file already, as run {summary.run_id}")
    out.print("next: runmart sync && runmart refresh")


def backtest_as_dict(backtest: "Backtest") -> dict[str, Any]:
    """What a file was taken for, as `--json` prints it."""
    return {
        "columns": {
            model: {
                "point": columns.point,
                "bounds": [{"level": level, "lower": lower, "upper": upper} for level, (lower, upper) in columns.bounds.items()],
            }
            for model, columns in backtest.columns.models.items()
        },
        "columns_left": dict(backtest.columns.left),
        "notes": list(backtest.notes),
        "left_out": backtest.left_out.lines(),
        "scales": {
            "known": backtest.scales.known,
            "wanted": len(backtest.scales.frame),
            "season_lengths": backtest.scales.season_lengths,
            "first_missing": backtest.scales.missing,
        },
    }


def _meanings(backtest: "Backtest") -> Iterator[tuple[str, str]]:
    yield "unique_id", "series"
    yield "ds", "time of the forecast"
    yield "cutoff", "last time that the model saw"
    if backtest.has_actual:
        yield "y", "actual value"
    for model, columns in backtest.columns.models.items():
        yield columns.point, "model" if columns.point == model else f"model {model}"
        for level, bounds in columns.bounds.items():
            yield "\n".join(bounds), f"bounds of {model} at {100 * level:g}%"
    for column, reason in backtest.columns.left.items():
        yield column or "(no name)", f"left: {reason}"


def _scale_line(backtest: "Backtest") -> str:
    scales, wanted = backtest.scales, len(backtest.scales.frame)
    origin = backtest.history.path.name if backtest.history else "y before the cutoff"
    found = f"scaled by {origin}, season length {' and '.join(map(str, scales.season_lengths))}, for {scales.known:,} of {wanted:,} cutoffs"
    if scales.missing is None:
        return f"mase and rmsse: {found}"
    hint = "" if backtest.history else "; --history FILE gives the scale"
    return f"mase and rmsse: {f'{found}; for others' if scales.known else 'empty'}, {scales.missing}{hint}"
