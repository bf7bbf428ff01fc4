"""The source side of a sync: one read-only snapshot of all its tables.

Belongs here: connecting with limits that protect the source, locking against rewrites, and describing its columns. Does not belong here:
anything of the warehouse.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion.cursors import one_row
from dagster_project.ingestion.errors import AccessDenied, SourceNotSupported

_OLDEST_VERSION = 140000

# Milliseconds. The lock is ACCESS SHARE, which only DDL refuses; waiting long for it would queue the source's writers behind us.
_LIMITS = {"lock_timeout": 10_000, "statement_timeout": 3_600_000, "idle_in_transaction_session_timeout": 600_000}

# Values must not depend on how the source's role or database is configured.
_FORMATS = {"timezone": "UTC", "datestyle": "ISO, YMD", "extra_float_digits": "1", "bytea_output": "hex"}

_COLUMNS = """
select
    attribute.attname,
    case
        when element.typtype = 'e' then 'text' || case when column_type.typelem <> 0 then '[]' else '' end
        when column_type.oid = 'pg_catalog.json'::regtype then 'jsonb'
        when column_type.typtype = 'd' then pg_catalog.format_type(base.oid, column_type.typtypmod)
        else pg_catalog.format_type(attribute.atttypid, attribute.atttypmod)
    end as raw_type
from pg_catalog.pg_attribute as attribute
inner join pg_catalog.pg_type as column_type on column_type.oid = attribute.atttypid
left join pg_catalog.pg_type as base on base.oid = column_type.typbasetype
inner join pg_catalog.pg_type as element
    on element.oid = case when column_type.typcategory = 'A' then column_type.typelem else column_type.oid end
where attribute.attrelid = %s::regclass and attribute.attnum > 0 and not attribute.attisdropped
order by attribute.attnum
"""

# Tables whose row level security applies to us, unless a policy shows us every row and none takes some away again.
_HIDING = """
select hidden.relation
from unnest(%s) as hidden (relation)
where row_security_active(hidden.relation) and not (
    exists (
        select from pg_catalog.pg_policy as policy
        where policy.polrelid = hidden.relation::regclass and policy.polpermissive and policy.polcmd in ('r', '*')
            and pg_get_expr(policy.polqual, policy.polrelid) = 'true'
            and exists (select from unnest(policy.polroles) as role where role = 0 or pg_has_role(role, 'usage'))
    )
    and not exists (
        select from pg_catalog.pg_policy as policy
        where policy.polrelid = hidden.relation::regclass and not policy.polpermissive and policy.polcmd in ('r', '*')
    )
)
"""

_POSITION = """
select
    pg_current_snapshot()::text,
    pg_snapshot_xmin(pg_current_snapshot())::text,
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end::text,
    (select system_identifier::text from pg_control_system()),
    (select timeline_id from pg_control_checkpoint())
"""


@dataclass(frozen=True)
class Position:
    """Where in the source's history a snapshot stands.

    Attributes:
        snapshot: Text form of `pg_current_snapshot()`.
        horizon: Its xmin: every older transaction is visible or rolled back.
        lsn: Position in the write-ahead log.
        system_identifier: Identity of the server's data.
        timeline: Its timeline; changes when a standby is promoted.
    """

    snapshot: str
    horizon: str
    lsn: str
    system_identifier: str
    timeline: int


@dataclass(frozen=True)
class SourceSnapshot:
    """All declared tables of one system as they were at one moment.

    Attributes:
        connection: Holds the snapshot open: repeatable read, read only.
        position: Where the snapshot stands.
        columns: For each declared table, the type that raw gives to each of ALL its columns, in the source's order.
    """

    connection: Connection
    position: Position
    columns: Mapping[str, Mapping[str, str]]


@contextmanager
def open_snapshot(contract: SystemContract, url: str) -> Iterator[SourceSnapshot]:
    """Open one snapshot over every table of the contract and close it at the end.

    Raises:
        SourceNotSupported: The server is older than PostgreSQL 14.
        AccessDenied: Row level security may hide rows of a table from this role.
        psycopg2.Error: Anything else; `errors.from_driver` says what it means.
    """
    connection = psycopg2.connect(url, connect_timeout=10, application_name=f"runmart sync {contract.system}")
    try:
        if connection.server_version < _OLDEST_VERSION:
            version = f"{connection.server_version // 10000}.{connection.server_version % 10000}"
            raise SourceNotSupported(f"the source {contract.system} runs PostgreSQL {version}; 14 is the oldest that can be read")
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            for name, value in {**_LIMITS, **_FORMATS}.items():
                cursor.execute(sql.SQL("set local {} = %s").format(sql.Identifier(name)), (str(value),))
            # Before the first SELECT: a snapshot older than a rewrite or TRUNCATE would see an empty table.
            for table in contract.tables:
                cursor.execute(sql.SQL("lock table {} in access share mode").format(source_table(contract, table)))
            _refuse_hidden_rows(cursor, contract)
            cursor.execute(_POSITION)
            position = Position(*one_row(cursor))
            columns = {table: _columns(cursor, contract, table) for table in contract.tables}
        yield SourceSnapshot(connection, position, columns)
    finally:
        connection.close()


def source_table(contract: SystemContract, table: str) -> sql.Identifier:
    """The qualified name of a declared table in its source."""
    return sql.Identifier(contract.source_schema(table), table)


def _refuse_hidden_rows(cursor: psycopg2.extensions.cursor, contract: SystemContract) -> None:
    """A reader that silently sees fewer rows would mark the others as deleted."""
    cursor.execute(_HIDING, ([source_table(contract, table).as_string(cursor) for table in contract.tables],))
    hiding = ", ".join(relation for (relation,) in cursor.fetchall())
    if hiding:
        raise AccessDenied(
            f"the source {contract.system}: row level security may hide rows of {hiding} from this role; "
            "give it a policy `for select using (true)` or the BYPASSRLS attribute"
        )


def _columns(cursor: psycopg2.extensions.cursor, contract: SystemContract, table: str) -> dict[str, str]:
    cursor.execute(_COLUMNS, (source_table(contract, table).as_string(cursor),))
    return dict(cursor.fetchall())
