"""Raw tables: their shape, and what happens when the source's shape changes.

Belongs here: creating `raw_<system>.<table>`, following declared columns, refusing drift. Does not belong here: rows (`apply`). A raw table
has the declared columns with the source's names and types, then `_batch_id`, `_synced_at` and `_deleted_at`.
"""

from collections.abc import Mapping

from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.components.contract import SystemContract
from dagster_project.ingestion.cursors import one_row
from dagster_project.ingestion.errors import SchemaDrift
from dagster_project.ingestion.source import SourceSnapshot

BATCH_COLUMNS = {"_batch_id": "bigint not null", "_synced_at": "timestamptz not null", "_deleted_at": "timestamptz"}

_READER = "runmart_transform"

_RAW_COLUMNS = """
select attname, pg_catalog.format_type(atttypid, atttypmod)
from pg_catalog.pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
order by attnum
"""

_RAW_KEY = """
select array_agg(attribute.attname::text order by position.ordinality)
from pg_catalog.pg_index as index
cross join lateral unnest(index.indkey) with ordinality as position (attnum, ordinality)
inner join pg_catalog.pg_attribute as attribute on attribute.attrelid = index.indrelid and attribute.attnum = position.attnum
where index.indrelid = %s::regclass and index.indisprimary
"""


def raw_table(contract: SystemContract, table: str) -> sql.Identifier:
    """The qualified name of a raw table."""
    return sql.Identifier(contract.raw_schema, table)


def check_declared(contract: SystemContract, source: SourceSnapshot) -> None:
    """Refuse a source that lacks a declared column, before anything is written.

    Raises:
        SchemaDrift: Names every missing column.
    """
    missing = [
        f"{table}.{column}"
        for table, declared in contract.tables.items()
        for column in declared.columns
        if column not in source.columns[table]
    ]
    if missing:
        raise SchemaDrift(
            f"the source {contract.system} has no column {', '.join(missing)}: dropped or renamed; restore it there, or change its contract"
        )


def prepare(cursor: Cursor, contract: SystemContract, source: SourceSnapshot) -> None:
    """Bring the raw schema to the contract: create what is missing, refuse what cannot be followed.

    Raises:
        SchemaDrift: A column changed its type, or the key differs from the raw table's.
    """
    cursor.execute("select to_regnamespace(%s)", (contract.raw_schema,))
    if one_row(cursor) == (None,):
        cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(contract.raw_schema)))
        cursor.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(contract.raw_schema), sql.Identifier(_READER)))
    for table, declared in contract.tables.items():
        wanted = {column: source.columns[table][column] for column in declared.columns}
        existing = _raw_columns(cursor, contract, table)
        if existing:
            _follow(cursor, contract, table, wanted, existing)
        else:
            _create(cursor, contract, table, wanted)


def _create(cursor: Cursor, contract: SystemContract, table: str, wanted: Mapping[str, str]) -> None:
    name = raw_table(contract, table)
    definitions = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in {**wanted, **BATCH_COLUMNS}.items()]
    key = sql.SQL(", ").join(map(sql.Identifier, contract.tables[table].key))
    cursor.execute(sql.SQL("create table {} ({}, primary key ({}))").format(name, sql.SQL(", ").join(definitions), key))
    cursor.execute(sql.SQL("create index on {} (_batch_id)").format(name))
    cursor.execute(sql.SQL("grant select on {} to {}").format(name, sql.Identifier(_READER)))
    cursor.execute(sql.SQL("comment on table {} is %s").format(name), (contract.tables[table].description,))


def _follow(cursor: Cursor, contract: SystemContract, table: str, wanted: Mapping[str, str], existing: Mapping[str, str]) -> None:
    name = raw_table(contract, table)
    changed = [
        f"{table}.{column} from {existing[column]} to {kind}" for column, kind in wanted.items() if existing.get(column, kind) != kind
    ]
    if changed:
        raise SchemaDrift(
            f"the source {contract.system} changed the type of {', '.join(changed)}; raw keeps the old type: {_rebuild(contract, table)}"
        )
    cursor.execute(_RAW_KEY, (name.as_string(cursor),))
    key = tuple(one_row(cursor)[0] or ())
    if key != contract.tables[table].key:
        declared = ", ".join(contract.tables[table].key)
        raise SchemaDrift(f"the contract's key of {table} is ({declared}), raw's is ({', '.join(key)}): {_rebuild(contract, table)}")
    for column in wanted.keys() - existing.keys():
        cursor.execute(sql.SQL("alter table {} add column {} {}").format(name, sql.Identifier(column), sql.SQL(wanted[column])))
    for column in existing.keys() - wanted.keys():
        _drop_column(cursor, contract, table, column)


def _drop_column(cursor: Cursor, contract: SystemContract, table: str, column: str) -> None:
    try:
        cursor.execute(sql.SQL("alter table {} drop column {}").format(raw_table(contract, table), sql.Identifier(column)))
    except errors.DependentObjectsStillExist as error:
        users = error.diag.message_detail or ""
        raise SchemaDrift(
            f"{table}.{column} is no longer declared but still used in the warehouse ({users.splitlines()[0]}): take it out there first"
        ) from error


def _raw_columns(cursor: Cursor, contract: SystemContract, table: str) -> dict[str, str]:
    cursor.execute(_RAW_COLUMNS, (raw_table(contract, table).as_string(cursor),))
    return {column: kind for column, kind in cursor.fetchall() if column not in BATCH_COLUMNS}


def _rebuild(contract: SystemContract, table: str) -> str:
    return f"drop {contract.raw_schema}.{table} (cascade takes its staging view along) and sync again, then run `runmart refresh`"
