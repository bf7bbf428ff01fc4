"""Who takes part in the benchmarks: Runmart, the `psql` pipe and peers, each as one timed load from a source URL into a target URL.

Belongs here: how each is started and timed. Does not belong here: what a peer does (`peers/`, in an environment of their own) and in which
order they take turns (`first_load`, `incremental`).
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import metrics_table, psql
from benchmarks.servers import ServerPair, execute
from benchmarks.stopwatch import Timing, measure
from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.raw_columns import BATCH_ID, DELETED_AT, MOVED_FROM, QUARANTINED_AT, SYNCED_AT
from dagster_project.ingestion.sync import sync

OURS = "Runmart"
BARE_PIPE = "psql pipe into a table without indexes"
PIPE = "psql pipe, then the indexes of a raw table"
DLT_FASTEST = "dlt, pyarrow, Parquet through ADBC"
DLT_PYARROW = "dlt, pyarrow"
DLT_DEFAULT = "dlt, sqlalchemy"
PANDAS = "pandas to_sql"
PANDAS_MULTI = "pandas to_sql, multi"

ROOT = Path(__file__).resolve().parent.parent
PEER_PYTHON = ROOT / ".venv-peers" / "bin" / "python"


_PIPED = "public.piped"

_COLUMNS = """
    metric_id bigint not null, run_id bigint, model_id bigint, metric_name varchar(100), metric_value double precision,
    metric_step integer, dataset_type varchar(50), evaluation_context varchar(100), timestamp timestamp, metadata jsonb
"""

# What every raw table has besides.
_BATCH_COLUMNS = f"""
    {BATCH_ID} bigint not null default 1, {SYNCED_AT} timestamptz not null default now(), {DELETED_AT} timestamptz, {MOVED_FROM} jsonb,
    {QUARANTINED_AT} timestamptz
"""

Load = Callable[[str, str], Timing]


@dataclass(frozen=True)
class Contender:
    """One way of copying the source table.

    Attributes:
        name: What it is called in results.
        load: Copies from a source URL into a target URL and tells what it cost.
        target: Kind of the database that it copies into.
    """

    name: str
    load: Load = field(repr=False)
    target: str = "empty"


def ours(servers: ServerPair, contract: SystemContract) -> Contender:
    """A sync by a contract."""

    def load(source_url: str, target_url: str) -> Timing:
        return measure(servers, partial(sync, contract, source_url, target_url))

    return Contender(OURS, load, target="warehouse")


def bare_pipe(servers: ServerPair) -> Contender:
    """`psql COPY TO STDOUT | psql COPY FROM STDIN`, in text, into the source's columns and nothing else."""

    def load(source_url: str, target_url: str) -> Timing:
        execute(target_url, f"drop table if exists {_PIPED}; create table {_PIPED} ({_COLUMNS})")
        return measure(servers, partial(_pipe, source_url, target_url))

    return Contender(BARE_PIPE, load)


def pipe(servers: ServerPair, contract: SystemContract) -> Contender:
    """The same into the columns of a raw table; then the key and the indexes that a raw table of a contract has, and its statistics."""
    table = contract.tables[metrics_table.TABLE]
    finish = (
        f"alter table {_PIPED} add primary key ({', '.join(table.key)})",
        f"create index on {_PIPED} ({', '.join(table.key)}) where {DELETED_AT} is not null",
        f"create index on {_PIPED} ({', '.join(table.key)}) where {QUARANTINED_AT} is not null",
        f"create index on {_PIPED} ({BATCH_ID}) where {MOVED_FROM} is not null",
        *(f"create index on {_PIPED} ({', '.join(each.columns)})" for each in table.references),
        *(f"create index on {_PIPED} ({BATCH_ID}, {', '.join(each.columns)}) where {BATCH_ID} > 1" for each in table.references),
        *(f"create index on {_PIPED} ({', '.join(index.columns)}) where {index.where or 'true'}" for index in table.indexes),
        f"analyze {_PIPED}",
    )

    def load(source_url: str, target_url: str) -> Timing:
        def work() -> None:
            _pipe(source_url, target_url)
            psql.run(target_url, *finish)

        execute(target_url, f"drop table if exists {_PIPED}; create table {_PIPED} ({_COLUMNS}, {_BATCH_COLUMNS})")
        return measure(servers, work)

    return Contender(PIPE, load)


def peer(servers: ServerPair, name: str, script: str, *options: str) -> Contender:
    """A script of `peers/`; the start of its interpreter and its imports are not counted.

    Its load raises RuntimeError with the script's last words if it fails.
    """

    def load(source_url: str, target_url: str) -> Timing:
        printed: list[str] = []

        def work() -> None:
            printed.append(_run_peer(script, source_url, target_url, *options))

        servers_cpu = measure(servers, work).server_cpu_seconds
        cost = json.loads(printed[0].splitlines()[-1])
        return Timing(cost["seconds"], cost["cpu_seconds"], servers_cpu)

    return Contender(name, load)


def _pipe(source_url: str, target_url: str) -> None:
    columns = ", ".join(metrics_table.columns())
    psql.pipe(source_url, f"select {columns} from {metrics_table.TABLE}", target_url, f"{_PIPED} ({columns})")


def _run_peer(script: str, *arguments: str) -> str:
    with tempfile.TemporaryDirectory(prefix="runmart_bench_peer_") as folder:
        command = [str(PEER_PYTHON), "-m", f"benchmarks.peers.{script}", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{script} failed: {' '.join(ended.stderr.split())[-500:]}")
    return ended.stdout
