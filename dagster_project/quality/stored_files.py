"""Whether the files that raw rows name are in the storage as the rows say.

Belongs here: which rows are new or changed, reading their files, and quality.stored_files, which says what was found. Does not belong here:
reading one file (`storage`), and when this is done (`defs.storage`). Of a file nothing is kept but what is wrong with it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.raw_columns import BATCH_ID, IS_LIVE, IS_OUT_OF_QUARANTINE
from dagster_project.contracts.table import BoundTable, StoredFiles
from dagster_project.ingestion import raw_tables
from dagster_project.marts.postgres.names import literal, quoted, relation
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.roles import TRANSFORM
from dagster_project.quality import ledger
from dagster_project.quality.compiling import CREATE_FOUND, FOUND, document
from dagster_project.quality.results import Verdict, write_verdict
from dagster_project.quality.storage import Problem, RecordedFile, Storage
from dagster_project.quality.suites import Severity
from dagster_project.quality.validation import SAMPLE_ROWS
from dagster_project.warehouse import Warehouse

CHECK = "files_are_as_recorded"

# Most of the time is spent in waiting for the storage.
_FILES_AT_ONCE = 8

_NAMING = "select * from {raw} where {is_live} and {is_out_of_quarantine} and {path} is not null"

# A file that was not as its row says may be by now, though its row is the same.
_WANTED = """
select cast({key} as text), raw.{batch_id}, cast(raw.{path} as text), cast(raw.{digest} as text), raw.{size}
from ({naming}) as raw
left join quality.stored_files as known on known.system = {system} and known.table_name = {table} and known.key = {key}
where %s or known.key is null or known.batch_id <> raw.{batch_id} or known.problem is not null
"""

_KEEP = """
insert into quality.stored_files as known (system, table_name, key, batch_id, problem, found_at)
select {system}, {table}, cast(key as jsonb), batch_id, problem, transaction_timestamp()
from (values %s) as found (key, batch_id, problem)
on conflict (system, table_name, key) do update
set
    batch_id = excluded.batch_id,
    problem = excluded.problem,
    found_at = case when known.problem is distinct from excluded.problem then excluded.found_at else known.found_at end
where
    (known.batch_id, known.problem) is distinct from (excluded.batch_id, excluded.problem)
    and known.batch_id <= excluded.batch_id
returning true
"""

_FORGET = """
delete from quality.stored_files as known
where
    known.system = {system} and known.table_name = {table}
    and not exists (select from ({naming}) as raw where {key} = known.key)
"""

_FAILING = f"""
insert into {FOUND} (check_name, key, observed)
select {literal(CHECK)}, known.key, (select to_json(shown) from (select {{shown}}, known.problem) as shown)
from ({{naming}}) as raw
inner join quality.stored_files as known on known.system = {{system}} and known.table_name = {{table}} and known.key = {{key}}
where known.problem is not null
"""

_COUNTS = """
select problem, count(*) from quality.stored_files where system = %s and table_name = %s group by problem order by problem
"""


@dataclass(frozen=True)
class Found:
    """How the files stand that rows of a table name.

    Attributes:
        read: How many were looked at now.
        files: How many there are.
        problems: By what is wrong with them, how many there are.
        sample: The first rows whose files are not as they say: key, path and problem.
    """

    read: int
    files: int
    problems: dict[str, int]
    sample: Sequence[dict[str, Any]]

    @property
    def failing(self) -> int:
        """How many are not as their rows say."""
        return sum(self.problems.values())


def tables_with_files(contract: SystemContract) -> list[BoundTable]:
    """The tables of a system whose rows name files."""
    return [table for table in contract.bound_tables() if table.declared.storage]


def check_files(warehouse: Warehouse, table: BoundTable, storage: Storage, run_id: str, *, everything: bool = False) -> Found:
    """Look at the files of rows that are new or have changed, and at those that were not as their rows say; keep what was found.

    Args:
        warehouse: The warehouse, of a tenant if files are of tenants.
        table: A table whose rows name files.
        storage: Where these are.
        run_id: Identity of the run, kept with the result.
        everything: Whether to look at all files.

    Raises:
        StorageError: The storage cannot be read; then nothing is kept.
        psycopg2.OperationalError: The warehouse cannot be reached.
    """
    declared = table.declared.storage
    if declared is None:
        raise LookupError(f"rows of {table.raw_name} name no files")
    naming = _Naming(table, declared)
    # No transaction is open while files are read, which may take long.
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        wanted = naming.wanted(cursor, everything=everything)
    problems = _problems(storage, [file for _, _, file in wanted], declared.prefix_of(warehouse.tenant))
    found = [(key, batch_id, problem) for (key, batch_id, _), problem in zip(wanted, problems, strict=True)]
    with warehouse.connection(TRANSFORM) as connection, connection.cursor() as cursor:
        cursor.execute("lock table locks.checks in exclusive mode")
        return naming.keep(cursor, found, run_id)


def _problems(storage: Storage, files: Sequence[RecordedFile], prefix: str) -> list[Problem | None]:
    """What is wrong with each file."""
    if not files:
        return []
    storage.reach()
    with ThreadPoolExecutor(_FILES_AT_ONCE) as readers:
        asked = [readers.submit(storage.problem, file, prefix) for file in files]
        try:
            return [one.result() for one in asked]
        except BaseException:
            # What keeps one from being read keeps the others too.
            readers.shutdown(cancel_futures=True)
            raise


class _Naming:
    """The rows of a table that marts read and that name a file, and what is known of these."""

    def __init__(self, table: BoundTable, declared: StoredFiles) -> None:
        self._table = table
        self._asset = (table.system, table.name)
        shown = dict.fromkeys((*table.key, declared.path))
        parts = {
            "raw": relation(table.raw_schema, table.name),
            "is_live": IS_LIVE,
            "is_out_of_quarantine": IS_OUT_OF_QUARANTINE,
            "path": quoted(declared.path),
            "digest": quoted(declared.digest),
            "size": quoted(declared.size),
            "batch_id": quoted(BATCH_ID),
            "system": literal(table.system),
            "table": literal(table.name),
            "key": document(table.key, "raw"),
            "shown": ", ".join(f"raw.{quoted(column)}" for column in shown),
        }
        # The driver takes a percent sign in the name of a column for the place of a value.
        parts = {name: part.replace("%", "%%") for name, part in parts.items()}
        self._parts = {**parts, "naming": _NAMING.format(**parts)}

    def wanted(self, cursor: Cursor, *, everything: bool) -> list[tuple[str, int, RecordedFile]]:
        """The rows whose files have to be looked at: key, batch, and what they say."""
        if not self._is_there(cursor):
            return []
        cursor.execute(self._statement(_WANTED), (everything,))
        return [(key, batch_id, RecordedFile(*said)) for key, batch_id, *said in cursor.fetchall()]

    def keep(self, cursor: Cursor, found: Sequence[tuple[str, int, Problem | None]], run_id: str) -> Found:
        """Bring what is known of files to what was found, and tell how they stand."""
        is_news = self._keep_entries(cursor, found) if self._is_there(cursor) else False
        if found or is_news:
            self._keep_failing(cursor)
        counts = self._counts(cursor)
        sample = ledger.failing_rows(cursor, "/".join(self._asset), CHECK, SAMPLE_ROWS)
        problems = {problem: rows for problem, rows in counts.items() if problem}
        told = Found(len(found), sum(counts.values()), problems, [row.observed for row in sample])
        if is_news:
            write_verdict(cursor, self._verdict(told), run_id)
        return told

    def _keep_entries(self, cursor: Cursor, found: Sequence[tuple[str, int, Problem | None]]) -> bool:
        """Bring quality.stored_files to what was found; whether it is another one now."""
        changed = execute_values(cursor, self._statement(_KEEP), found, page_size=1000, fetch=True)
        cursor.execute(self._statement(_FORGET), ())
        return bool(changed) or cursor.rowcount > 0

    def _keep_failing(self, cursor: Cursor) -> None:
        cursor.execute(CREATE_FOUND)
        cursor.execute(self._statement(_FAILING), ())
        cursor.execute("select max(batch_id) from ops.sync_state where system = %s", (self._table.system,))
        (batch_id,) = one_row(cursor)
        ledger.keep(cursor, "/".join(self._asset), {CHECK: None}, self._table.key, batch_id)

    def _verdict(self, told: Found) -> Verdict:
        return Verdict(self._asset, CHECK, not told.failing, told.files, told.failing, told.sample, Severity.WARNING)

    def _counts(self, cursor: Cursor) -> dict[str | None, int]:
        cursor.execute(_COUNTS, (self._table.system, self._table.name))
        return dict(cursor.fetchall())

    def _is_there(self, cursor: Cursor) -> bool:
        return self._table.name in raw_tables.existing(cursor, self._table.raw_schema)

    def _statement(self, statement: str) -> str:
        return statement.format(**self._parts)
