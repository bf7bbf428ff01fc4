"""`make bench-ingest SIZE=5000000`: what first loads and syncs cost beside the `psql` pipe and named peers.

Belongs here: the command. Does not belong here: what is measured (`first_load`, `many_tables`, `incremental`) and how it is shown
(`report`). Its last line is one JSON object with every figure.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import contenders, machine, report, results
from benchmarks.first_load import measure_first_loads
from benchmarks.incremental import measure_incremental
from benchmarks.many_tables import measure_many_tables
from benchmarks.results import Results
from benchmarks.servers import server_pair

# The slowest are measured at an eightieth of it.
_SMALLEST = 10_000


def main(
    size: Annotated[int, typer.Option(min=0, help="Rows of the first load; 0 leaves it out.")] = 5_000_000,
    sizes: Annotated[
        str,
        typer.Option(help="Rows of the tables that syncs are measured on, by commas; a fifth and twice the size if not given, 0 for none."),
    ] = "",
    many: Annotated[
        int, typer.Option(min=0, help="Rows of thirty tables together, loaded over several connections; 0 leaves it out.")
    ] = 3_000_000,
    add: Annotated[bool, typer.Option("--add", help="Keep the figures that the folder has of other sizes.")] = False,
    output: Annotated[Path, typer.Option(help="Folder for the table, the plot and the figures.")] = Path("docs/benchmarks"),
) -> None:
    """Measure ingestion beside named peers."""
    if not contenders.PEER_PYTHON.exists():
        raise typer.BadParameter(f"the peers are not installed ({contenders.PEER_PYTHON} is missing); `make bench-ingest` does it")
    if 0 < size < _SMALLEST:
        raise typer.BadParameter(f"{size} rows are too few to measure; give at least {_SMALLEST}, or 0 for none", param_hint="--size")
    figures = output / report.FIGURES
    if add and not figures.exists():
        raise typer.BadParameter(f"there is no {figures} to add to; measure without it first", param_hint="--add")
    tables = sorted(int(rows) for rows in sizes.split(",")) if sizes else [size // 5, size * 2]
    tell = Console(stderr=True).print
    with server_pair() as servers:
        known = machine.facts(servers.source.version)
        nothing = Results(known, (), None, ())
        # Refuses figures of another machine before anything is measured.
        earlier = nothing.with_others_of(results.read(figures)) if add else nothing
        first_loads = (measure_first_loads(servers, size, tell),) if size else ()
        many_tables = measure_many_tables(servers, many, tell) if many else None
        # It loads the smallest table only, and none where nothing but a size of table is added.
        with_dlt = min(tables) if size else None
        incremental = tuple(measure_incremental(servers, rows, rows == with_dlt, tell) for rows in tables if rows)
    measured = Results(known, first_loads, many_tables, incremental)
    report.print_tables(measured)
    kept = measured.with_others_of(earlier)
    report.write(output, kept, size or next((loads.rows for loads in kept.first_loads), 0))
    print(json.dumps(measured.figures(size)))


if __name__ == "__main__":
    typer.run(main)
