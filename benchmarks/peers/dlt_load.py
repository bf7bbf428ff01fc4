"""Peer: dlt's `sql_database` source into Postgres, as its documentation shows it.

Arguments: source URL, target URL, backend (`pyarrow`, `sqlalchemy`), file format of the load (`default`: dlt's choice) and, for incremental
loading (cursor on `timestamp`, merge on `metric_id`), the folder of the pipeline's state. Prints what it cost as JSON.
"""

import re
import sys

import dlt
from dlt.sources.sql_database import sql_table

from benchmarks.peers.cost import Cost


def main(source_url: str, target_url: str, backend: str, file_format: str, state_folder: str | None = None) -> None:
    """Load the table `metrics` once."""
    dlt.config["runtime.dlthub_telemetry"] = False
    cost = Cost()
    table = sql_table(credentials=source_url.replace("postgresql:", "postgresql+psycopg2:"), table="metrics", backend=backend)
    if state_folder:
        table.apply_hints(primary_key="metric_id", write_disposition="merge", incremental=dlt.sources.incremental("timestamp"))
    else:
        table.apply_hints(write_disposition="replace")
    pipeline = dlt.pipeline(
        "peer",
        pipelines_dir=state_folder or "state",
        destination=dlt.destinations.postgres(_with_host(target_url)),
        dataset_name="peer",
        progress=None,
    )
    pipeline.run(table, loader_file_format=None if file_format == "default" else file_format).raise_on_failed_jobs()
    cost.print()


def _with_host(url: str) -> str:
    """The same URL with what dlt insists on: a password, which is not asked for, and a host, which is the folder of the socket."""
    return re.sub(r"@/(\w+)\?host=(.*)", r":none@\2:5432/\1", url)


if __name__ == "__main__":
    main(*sys.argv[1:])
