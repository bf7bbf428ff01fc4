"""`make bench-ingest SIZE=5000000`: what first loads and syncs cost beside the `psql` pipe and named peers.

Belongs here: the command. Does not belong here: what is measured (`first_load`, `incremental`) and how it is shown (`report`). Its last
line is one JSON object with every figure.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import contenders, machine, report
from benchmarks.first_load import measure_first_loads
from benchmarks.incremental import measure_incremental
from benchmarks.results import figures
from benchmarks.servers import server_pair


def main(
    size: Annotated[int, typer.Option(min=10_000, help="Rows of the first load.")] = 5_000_000,
    sizes: Annotated[
        str, typer.Option(help="Rows of the tables that syncs are measured on, by commas; a fifth and twice the size if not given.")
    ] = "",
    output: Annotated[Path, typer.Option(help="Folder for the table, the plot and the figures.")] = Path("docs/benchmarks"),
) -> None:
    """Measure ingestion beside named peers."""
    if not contenders.PEER_PYTHON.exists():
        raise typer.BadParameter(f"the peers are not installed ({contenders.PEER_PYTHON} is missing); `make bench-ingest` does it")
    tables = sorted(int(rows) for rows in sizes.split(",")) if sizes else [size // 5, size * 2]
    tell = Console(stderr=True).print
    with server_pair() as servers:
        known = machine.facts(servers)
        loads = measure_first_loads(servers, size, tell)
        syncs = [measure_incremental(servers, rows, rows == tables[0], tell) for rows in tables]
    found = figures(size, loads, syncs, known)
    report.print_tables(loads, syncs)
    report.write(output, found, loads, syncs)
    print(json.dumps(found))


if __name__ == "__main__":
    typer.run(main)
