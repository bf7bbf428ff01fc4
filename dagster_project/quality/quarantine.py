"""Quarantine: raw rows that break a critical rule leave the marts, with the rows that hang on them, until they are mended.

Belongs here: which rows these are, marking them in raw, and quality.quarantine, which says why. Does not belong here: what fails
(`validation`), tables of which too much is wrong (`holding`), and leaving marked rows out (`live_rows` of the dbt project).

A marked row has a new batch, so that marts see it go, or come back, as they see any other change. Nothing is remembered but what can be
found again from the ledger of failing rows and from the foreign keys.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.raw_columns import BATCH_ID, IS_IN_QUARANTINE, IS_LIVE, IS_OUT_OF_QUARANTINE, QUARANTINED_AT
from dagster_project.ingestion import raw_tables, warehouse, watermark
from dagster_project.ingestion.errors import SyncInProgress
from dagster_project.ingestion.lock import LockingConnection
from dagster_project.marts.influence import Hop
from dagster_project.marts.postgres.names import columns, literal, relation, row, stand_in
from dagster_project.postgres.cursors import one_row
from dagster_project.quality import holding
from dagster_project.quality.compiling import document
from dagster_project.quality.suites import Suite

_WAITING = "rows of it have to be set aside, or let back, and a sync has not ended; the next check does it"

_LIVE_ROWS = f"select * from {{raw}} where {IS_LIVE}"

# The driver takes a percent sign in the name of a column for the place of a value, so names of tables and checks stand in the text.
_BREAKING = """
insert into {wanted} ({key}, checks, depth)
select {key_of_live}, array_agg(distinct failing.check_name order by failing.check_name), 0
from quality.failing_rows as failing
cross join lateral jsonb_populate_record(null::{raw}, failing.key) as found
inner join ({live_rows}) as live on {is_found}
where failing.asset_key = {asset} and failing.check_name in ({checks}) and failing.resolved_at is null
group by {key_of_live}
"""

_HANGING = """
insert into {wanted} ({key}, checks, hangs_on, depth)
select distinct on ({key_of_child}) {key_of_child}, '{{}}', jsonb_build_object('table', {parent_table}, 'key', {parent_key}), {depth} + 1
from ({live_rows}) as child
inner join {parents} as parent on {refers}
where parent.depth = {depth} and not exists (select from {wanted} as known where {is_known})
order by {key_of_child}, {parent_key}
"""

_MARK = """
update {raw} as raw set {quarantined_at} = transaction_timestamp(), {batch_id_column} = {batch_id}
from {wanted} as wanted
where {is_wanted} and raw.{is_out}
"""

_LET_BACK = """
update {raw} as raw set {quarantined_at} = null, {batch_id_column} = {batch_id}
where raw.{is_in} and not exists (select from {wanted} as wanted where {is_wanted})
"""

_CLOSE = """
update quality.quarantine as entry set released_at = transaction_timestamp()
where
    entry.system = {system} and entry.table_name = {table} and entry.released_at is null
    and not exists (select from ({wanted}) as wanted where wanted.key = entry.key)
"""

_CLOSE_ALL = """
update quality.quarantine as entry set released_at = transaction_timestamp()
where entry.system = %s and entry.table_name = any(%s) and entry.released_at is null
"""

_OPEN = """
insert into quality.quarantine (system, table_name, key, checks, hangs_on, batch_id, quarantined_at)
select {system}, {table}, key, checks, hangs_on, {batch_id}, transaction_timestamp() from ({wanted}) as wanted
on conflict (system, table_name, key) where released_at is null do update
set checks = excluded.checks, hangs_on = excluded.hangs_on
where (quarantine.checks, quarantine.hangs_on) is distinct from (excluded.checks, excluded.hangs_on)
"""


def bring_up_to_date(url: str, contract: SystemContract, suites: Collection[Suite], run_id: str | None = None) -> None:
    """Set aside the rows that have to be, let the others back, and write down which tables hold back marts.

    Args:
        url: libpq URL of the warehouse; its user must be a member of runmart_ingest.
        contract: Of the system.
        suites: What its raw tables are checked by; the checks have been asked.
        run_id: Identity of the run, kept with the batch.

    Raises:
        psycopg2.OperationalError: The warehouse cannot be reached.
    """
    own = [suite for suite in suites if suite.system == contract.system]
    with warehouse.connect(contract.system, url, Connection) as connection:
        connection.autocommit = False
        with _deciding(connection, contract, own) as decision:
            if not decision.moving:
                decision.write()
                return
        if not _move(url, contract, own, run_id):
            with _deciding(connection, contract, own) as decision:
                decision.wait()


def _move(url: str, contract: SystemContract, suites: Collection[Suite], run_id: str | None) -> bool:
    """Mark rows and let rows back as a sync would; False if one has not ended."""
    with warehouse.connect(contract.system, url, LockingConnection) as locked:
        try:
            locked.lock(contract.system)
        except SyncInProgress:
            return False
        is_moved = False
        try:
            with _deciding(locked, contract, suites) as decision:
                # It may have written rows that are older than a batch of ours.
                if not watermark.has_unfinished_batch(decision.cursor, contract.system):
                    decision.move(run_id)
                    decision.write()
                    is_moved = True
        except SyncInProgress:
            # What was written is committed; only the lock has gone.
            return is_moved
        finally:
            locked.release()
        return is_moved


@contextmanager
def _deciding(connection: Connection, contract: SystemContract, suites: Collection[Suite]) -> Iterator["_Decision"]:
    """What is to be done, in one transaction in which nobody else checks or decides."""
    with connection, connection.cursor() as cursor:
        cursor.execute("lock table locks.checks in exclusive mode")
        yield _Decision(cursor, contract, suites)


class _Decision:
    """Which rows have to be in quarantine, and which tables hold back marts, as checks stand.

    Attributes:
        cursor: Of the transaction.
        moving: Tables with rows that have to be marked or let back.
    """

    def __init__(self, cursor: Cursor, contract: SystemContract, suites: Collection[Suite]) -> None:
        self.cursor = cursor
        self._contract = contract
        existing = raw_tables.existing(cursor, contract.raw_schema)
        self._suites = [suite for suite in suites if suite.table in existing]
        self._tables = [table for table in contract.tables if table in existing and contract.tables[table].key]
        self._held = holding.findings(cursor, contract, self._suites)
        self._breaking = self._find_breaking()
        self._is_any = self._has_breaking_rows() or self._has_marked_rows()
        if self._is_any:
            self._find_wanted()
        self.moving = [table for table in self._tables if self._is_any and self._has_moving_rows(table)]

    def move(self, run_id: str | None) -> None:
        """Mark the rows that have to be, and let the others back."""
        batch_id = watermark.begin_quarantine(self.cursor, self._contract.system, run_id)
        moved = {table: (self._run(_MARK, table, batch_id), self._run(_LET_BACK, table, batch_id)) for table in self.moving}
        watermark.finish_quarantine(self.cursor, self._contract.system, batch_id, moved)

    def write(self) -> None:
        """Bring quality.quarantine and quality.held_tables to what is so."""
        if self._is_any:
            self.cursor.execute("select batch_id from ops.sync_state where system = %s", (self._contract.system,))
            (batch_id,) = self.cursor.fetchone() or (0,)
            for table in self._tables:
                self._write_entries(table, batch_id)
        else:
            self.cursor.execute(_CLOSE_ALL, (self._contract.system, self._tables))
        holding.keep(self.cursor, self._contract.system, {table: found.reason for table, found in self._held.items()})

    def wait(self) -> None:
        """Let tables with rows that cannot be moved now hold back marts."""
        waiting = dict.fromkeys(self.moving, _WAITING)
        holding.keep(self.cursor, self._contract.system, {**waiting, **{table: found.reason for table, found in self._held.items()}})

    def _find_breaking(self) -> dict[str, list[str]]:
        """By table that has some, the rules whose failing rows are set aside."""
        outages = {table for table, found in self._held.items() if found.is_outage}
        found = {suite.table: holding.rules_on_rows(suite) for suite in self._suites if suite.table in {*self._tables} - outages}
        return {table: checks for table, checks in found.items() if checks}

    def _write_entries(self, table: str, batch_id: int) -> None:
        """Bring what quality.quarantine says of a table to the rows that have to be in it."""
        entries = f"select {document(self._key(table), 'found')} as key, checks, hangs_on from {self._wanted(table)} as found"
        named = {"system": literal(self._contract.system), "table": literal(table), "batch_id": batch_id, "wanted": entries}
        for statement in (_CLOSE, _OPEN):
            self.cursor.execute(statement.format(**named))

    def _has_breaking_rows(self) -> bool:
        asked = (
            f"select from quality.failing_rows where asset_key = {literal(self._asset(table))} and check_name in ({_listed(checks)}) "
            "and resolved_at is null"
            for table, checks in self._breaking.items()
        )
        return self._exists(asked)

    def _has_marked_rows(self) -> bool:
        return self._exists(f"select from {self._raw(table)} where {IS_IN_QUARANTINE}" for table in self._tables)

    def _exists(self, queries: Iterable[str]) -> bool:
        conditions = " or ".join(f"exists ({query})" for query in queries)
        self.cursor.execute(f"select {conditions or 'false'}")
        return bool(one_row(self.cursor)[0])

    def _find_wanted(self) -> None:
        """Find the rows that have to be in quarantine: those that break rules, then those that hang on these, and so on."""
        for table in self._tables:
            self.cursor.execute(
                f"create temporary table {self._wanted(table)} on commit drop as select {columns(self._key(table))}, "
                f"null::text[] as checks, null::jsonb as hangs_on, null::integer as depth from {self._raw(table)} with no data"
            )
        found = sum(self._run(_BREAKING, table, parts={"checks": _listed(checks)}) for table, checks in self._breaking.items())
        hops = [Hop(table, key) for table in self._tables for key in self._contract.tables[table].references if key.parent in self._tables]
        depth = 0
        while found:
            found = sum(self._run(_HANGING, hop.child, parts=self._hanging(hop, depth)) for hop in hops)
            depth += 1

    def _hanging(self, hop: Hop, depth: int) -> dict[str, str]:
        """Parts of the statement that finds the rows that refer to rows in quarantine."""
        key, wanted = self._key(hop.parent), self._wanted(hop.parent)
        if not {*hop.key.parent_columns} <= {*key}:
            is_same = f"{row(key, 'raw')} = {row(key, 'wanted')}"
            wanted = f"(select raw.*, wanted.depth from {self._raw(hop.parent)} as raw inner join {wanted} as wanted on {is_same})"
        return {
            "depth": str(depth),
            "parent_table": literal(hop.parent),
            "parent_key": document(key, "parent"),
            "parents": wanted,
            "refers": f"{row(hop.key.columns, 'child')} = {row(hop.key.parent_columns, 'parent')}",
        }

    def _has_moving_rows(self, table: str) -> bool:
        key, raw, wanted = self._key(table), self._raw(table), self._wanted(table)
        is_wanted = f"{row(key, 'raw')} = {row(key, 'wanted')}"
        return self._exists(
            (
                f"select from {wanted} as wanted inner join {raw} as raw on {is_wanted} where raw.{IS_OUT_OF_QUARANTINE}",
                f"select from {raw} as raw where raw.{IS_IN_QUARANTINE} and not exists (select from {wanted} as wanted where {is_wanted})",
            )
        )

    def _run(self, statement: str, table: str, batch_id: int = 0, parts: Mapping[str, str] | None = None) -> int:
        """Run one of the statements above on the rows of a table; gives how many rows it wrote."""
        key = self._key(table)
        self.cursor.execute(
            statement.format(
                raw=self._raw(table),
                wanted=self._wanted(table),
                key=columns(key),
                key_of_live=columns(key, "live"),
                key_of_child=columns(key, "child"),
                live_rows=_LIVE_ROWS.format(raw=self._raw(table)),
                is_found=f"{row(key, 'live')} = {row(key, 'found')}",
                is_known=f"{row(key, 'known')} = {row(key, 'child')}",
                is_wanted=f"{row(key, 'raw')} = {row(key, 'wanted')}",
                is_in=IS_IN_QUARANTINE,
                is_out=IS_OUT_OF_QUARANTINE,
                quarantined_at=QUARANTINED_AT,
                batch_id_column=BATCH_ID,
                batch_id=batch_id,
                asset=literal(self._asset(table)),
                **(parts or {}),
            )
        )
        return self.cursor.rowcount

    def _asset(self, table: str) -> str:
        return f"{self._contract.system}/{table}"

    def _key(self, table: str) -> tuple[str, ...]:
        return self._contract.tables[table].key

    def _raw(self, table: str) -> str:
        return relation(self._contract.raw_schema, table)

    def _wanted(self, table: str) -> str:
        return relation(*stand_in("quarantine", table))


def _listed(checks: Iterable[str]) -> str:
    return ", ".join(map(literal, checks))
