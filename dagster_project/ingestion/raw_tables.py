"""Raw tables: their shape, and what happens when the source's shape changes.

Belongs here: creating `raw_<system>.<table>`, following columns and widened types, refusing drift. Does not belong here: rows (`apply`,
`first_load`). A raw table has the declared columns with the source's names and types, then `BATCH_COLUMNS`.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from psycopg2 import DataError, ProgrammingError, errors, sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.components.contract import IndexContract, SystemContract
from dagster_project.ingestion.catalog import SourceTable
from dagster_project.ingestion.cursors import one_row
from dagster_project.ingestion.errors import SchemaDrift
from dagster_project.ingestion.types import is_widened

BATCH_COLUMNS = {
    "_batch_id": "bigint not null",
    "_synced_at": "timestamptz not null",
    "_deleted_at": "timestamptz",
    "_moved_from": "jsonb",
}

_READER = "runmart_transform"

# dbt makes the views of this schema anew with every build.
_REBUILT_SCHEMA = "staging"

_TYPES = """
select class.relname, attribute.attname, pg_catalog.format_type(attribute.atttypid, attribute.atttypmod)
from pg_catalog.pg_attribute as attribute
inner join pg_catalog.pg_class as class on class.oid = attribute.attrelid
where class.relnamespace = to_regnamespace(%s) and class.relkind = 'r'
    and attribute.attnum > 0 and not attribute.attisdropped and attribute.attname <> all(%s)
order by class.oid, attribute.attnum
"""

_RAW_KEY = """
select array_agg(attribute.attname::text order by position.ordinality)
from pg_catalog.pg_index as index
cross join lateral unnest(index.indkey) with ordinality as position (attnum, ordinality)
inner join pg_catalog.pg_attribute as attribute on attribute.attrelid = index.indrelid and attribute.attnum = position.attnum
where index.indrelid = %s::regclass and index.indisprimary
"""

# The indexes of a table: columns, and which rows they are on; null for all.
_INDEXES = """
select index.relname, array(
    select attribute.attname::text
    from unnest(pg_index.indkey) with ordinality as position (attnum, ordinality)
    inner join pg_catalog.pg_attribute as attribute on attribute.attrelid = pg_index.indrelid and attribute.attnum = position.attnum
    order by position.ordinality
), pg_catalog.pg_get_expr(pg_index.indpred, pg_index.indrelid)
from pg_catalog.pg_index
inner join pg_catalog.pg_class as index on index.oid = pg_index.indexrelid
where pg_index.indrelid = to_regclass(%s)
"""

# Conditions as PostgreSQL shows them, by which an index that is there is known again.
_MOVED = "(_moved_from IS NOT NULL)"

_Index = tuple[tuple[str, ...], str | None]

# Those that contracts declare, known by their names.
_DECLARED = re.compile(r"_declared_[0-9a-f]{8}$")

_DEPENDENT_VIEWS = """
with recursive dependent as (

    select %s::regclass::oid as oid

    union

    select rule.ev_class
    from dependent
    inner join pg_catalog.pg_depend as depend on depend.refobjid = dependent.oid and depend.classid = 'pg_catalog.pg_rewrite'::regclass
    inner join pg_catalog.pg_rewrite as rule on rule.oid = depend.objid

)

select class.oid::regclass::text, class.relnamespace::regnamespace::text
from dependent
inner join pg_catalog.pg_class as class on class.oid = dependent.oid
where class.oid <> %s::regclass
"""


def raw_table(contract: SystemContract, table: str) -> sql.Identifier:
    """The qualified name of a raw table."""
    return sql.Identifier(contract.raw_schema, table)


def loading_table(contract: SystemContract, table: str) -> sql.Identifier:
    """The qualified name of a raw table while it is being made."""
    return sql.Identifier(contract.loading_schema, table)


def existing(cursor: Cursor, schema: str) -> set[str]:
    """Names of the tables in a schema."""
    cursor.execute(
        "select relname from pg_catalog.pg_class where relnamespace = to_regnamespace(%s) and relkind = 'r'", (_quoted(cursor, schema),)
    )
    return {name for (name,) in cursor.fetchall()}


def types(cursor: Cursor, contract: SystemContract) -> Mapping[str, dict[str, str]]:
    """By raw table of a system, the types of its columns as the source has them, without the batch columns."""
    cursor.execute(_TYPES, (_quoted(cursor, contract.raw_schema), list(BATCH_COLUMNS)))
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for table, column, kind in cursor.fetchall():
        found[table][column] = kind
    return found


def check_declared(contract: SystemContract, table: str, described: SourceTable) -> None:
    """Refuse a table that lacks a declared column.

    Raises:
        SchemaDrift: Names every missing column.
    """
    missing = [f"{table}.{column}" for column in contract.tables[table].columns if column not in described.columns]
    if missing:
        raise SchemaDrift(
            f"the source {contract.system} has no column {', '.join(missing)}: dropped or renamed; restore it there, or change its contract"
        )


def ensure_schema(cursor: Cursor, schema: str) -> None:
    """Create a schema that the transforming role can look into."""
    cursor.execute("select to_regnamespace(%s)", (_quoted(cursor, schema),))
    if one_row(cursor) == (None,):
        cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        cursor.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), sql.Identifier(_READER)))


def create(cursor: Cursor, contract: SystemContract, table: str, name: sql.Identifier, described: SourceTable) -> None:
    """Create an empty raw table without its indexes, which are made when it is filled."""
    columns = {**_wanted(contract, table, described), **BATCH_COLUMNS}
    definitions = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()]
    cursor.execute(sql.SQL("create table {} ({})").format(name, sql.SQL(", ").join(definitions)))
    cursor.execute(sql.SQL("grant select on {} to {}").format(name, sql.Identifier(_READER)))
    cursor.execute(sql.SQL("comment on table {} is {}").format(name, sql.Literal(contract.tables[table].description)))


def batches_after(first_batch_id: int) -> str:
    """Condition of the indexes by batch, as PostgreSQL shows it.

    The first batch is left out: it wrote most rows, and whoever wants them reads the whole table. Queries that shall use these indexes
    compare the batch with a number, so that the planner sees that these rows do not matter.
    """
    return f"(_batch_id > {first_batch_id})"


def create_indexes(cursor: Cursor, contract: SystemContract, table: str, name: sql.Identifier, later_batches: str) -> None:
    """Create what a sync and the marts find rows by: the key, of deleted rows the key, the batch, and the parents.

    later_batches: Condition of the indexes by batch.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, contract.tables[table].key))
    if contract.tables[table].key:
        try:
            cursor.execute(sql.SQL("alter table {} add primary key ({})").format(name, columns))
        except (errors.UniqueViolation, errors.NotNullViolation) as error:
            raise SchemaDrift(
                f"the source {contract.system}: the key of {table} does not identify its rows: "
                f"{error.diag.message_detail or error.diag.message_primary}; declare one that does"
            ) from error
        cursor.execute(sql.SQL("create index on {} ({}) where _deleted_at is not null").format(name, columns))
    for index in _indexes_for_marts(contract, table, later_batches):
        _create_index(cursor, name, index)


def check(cursor: Cursor, contract: SystemContract, table: str, described: SourceTable) -> None:
    """Refuse what an existing raw table cannot follow, before anything is written.

    Raises:
        SchemaDrift: A type was narrowed or replaced, or a view would lose its column; or the key differs from the raw table's.
    """
    name = raw_table(contract, table)
    wanted, existing = _wanted(contract, table, described), types(cursor, contract)[table]
    changed = _changed(wanted, existing)
    refused = [
        f"{table}.{column} from {existing[column]} to {kind}" for column, kind in changed.items() if not is_widened(existing[column], kind)
    ]
    if refused:
        raise SchemaDrift(
            f"the source {contract.system} changed the type of {', '.join(refused)}, which may not hold the values that raw has; "
            f"if that is meant: {_rebuild(contract, table)}"
        )
    cursor.execute(_RAW_KEY, (name.as_string(cursor),))
    key = tuple(one_row(cursor)[0] or ())
    if key != contract.tables[table].key:
        declared = ", ".join(contract.tables[table].key)
        raise SchemaDrift(f"the contract's key of {table} is ({declared}), raw's is ({', '.join(key)}): {_rebuild(contract, table)}")
    if changed:
        _refuse_lasting_views(cursor, name, f"{table}.{', '.join(changed)}")


def follow(cursor: Cursor, contract: SystemContract, table: str, described: SourceTable) -> None:
    """Bring an existing raw table, which `check` let pass, to the contract and to the source's types.

    Raises:
        SchemaDrift: A column that has to go is in use.
    """
    name = raw_table(contract, table)
    wanted, existing = _wanted(contract, table, described), types(cursor, contract)[table]
    if _changed(wanted, existing):
        _rebuild_beside(cursor, contract, table, described, [column for column in existing if column in wanted])
        return
    for column in wanted.keys() - existing.keys():
        cursor.execute(sql.SQL("alter table {} add column {} {}").format(name, sql.Identifier(column), sql.SQL(wanted[column])))
    for column in existing.keys() - wanted.keys():
        _drop_column(cursor, contract, table, column)
    # A table that was made before raw tables had it.
    cursor.execute(sql.SQL("alter table {} add column if not exists _moved_from {}").format(name, sql.SQL(BATCH_COLUMNS["_moved_from"])))


def follow_indexes(cursor: Cursor, contract: SystemContract, table: str) -> None:
    """Make the indexes that a raw table lacks, and drop those that the contract no longer declares; a new table has them.

    A table lacks some if it was made by an earlier version, or before the contract declared them.

    Raises:
        SchemaDrift: An index that the contract declares cannot be made.
    """
    found = _indexes(cursor, contract, table)
    for index in _indexes_for_marts(contract, table, _later_batches(found.values())):
        if index not in found.values():
            _create_index(cursor, raw_table(contract, table), index)
    declared = {_name_of(table, index): index for index in contract.tables[table].indexes}
    made = {name for name in found if _DECLARED.search(name)}
    for name in sorted(made - declared.keys()):
        cursor.execute(sql.SQL("drop index {}").format(sql.Identifier(contract.raw_schema, name)))
    for name in sorted(declared.keys() - made):
        _create_declared(cursor, contract, table, name, declared[name])


def adopt(cursor: Cursor, contract: SystemContract, table: str) -> None:
    """Move a finished table from the loading schema to where raw tables are."""
    ensure_schema(cursor, contract.raw_schema)
    cursor.execute(sql.SQL("alter table {} set schema {}").format(loading_table(contract, table), sql.Identifier(contract.raw_schema)))


def _indexes(cursor: Cursor, contract: SystemContract, table: str) -> dict[str, _Index]:
    """The indexes of a raw table by name."""
    cursor.execute(_INDEXES, (raw_table(contract, table).as_string(cursor),))
    return {name: (tuple(columns), condition) for name, columns, condition in cursor.fetchall()}


def _later_batches(indexes: Iterable[_Index]) -> str:
    """The condition of a table's indexes by batch; all batches if somebody has dropped them."""
    conditions = (condition for columns, condition in indexes if columns[0] == "_batch_id")
    return next((condition for condition in conditions if condition and condition != _MOVED), batches_after(0))


def _indexes_for_marts(contract: SystemContract, table: str, later_batches: str) -> list[_Index]:
    """By what marts find the rows of a parent, the rows of a batch, their parents, and those of them that have left one."""
    parents, key = [reference.columns for reference in contract.tables[table].references], contract.tables[table].key
    if not parents:
        return [(("_batch_id",), later_batches)]
    return [
        # The key finds rows by its first columns.
        *((columns, None) for columns in parents if key[: len(columns)] != columns),
        *((("_batch_id", *columns), later_batches) for columns in parents),
        (("_batch_id",), _MOVED),
    ]


def _create_index(cursor: Cursor, name: sql.Identifier, index: _Index) -> None:
    columns, condition = index
    where = sql.SQL(f" where {condition}" if condition else "")
    cursor.execute(sql.SQL("create index on {} ({}){}").format(name, sql.SQL(", ").join(map(sql.Identifier, columns)), where))


def _create_declared(cursor: Cursor, contract: SystemContract, table: str, name: str, index: IndexContract) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, index.columns))
    where = sql.SQL(f" where {index.where}" if index.where else "")
    statement = sql.SQL("create index {} on {} ({}){}").format(sql.Identifier(name), raw_table(contract, table), columns, where)
    try:
        cursor.execute(statement)
    except (ProgrammingError, DataError) as error:
        raise SchemaDrift(
            f"the contract of {contract.system} declares an index of {table} that cannot be made: {error.diag.message_primary}; "
            f"correct its columns or its condition: {', '.join(index.columns)}{where.string}"
        ) from error


def _name_of(table: str, index: IndexContract) -> str:
    """A name that tells declared indexes from others, and one from another."""
    return f"{table[:40]}_declared_{hashlib.sha256(index.model_dump_json().encode()).hexdigest()[:8]}"


def _wanted(contract: SystemContract, table: str, described: SourceTable) -> dict[str, str]:
    return {column: described.columns[column].raw_type for column in contract.tables[table].columns}


def _changed(wanted: Mapping[str, str], existing: Mapping[str, str]) -> dict[str, str]:
    return {column: kind for column, kind in wanted.items() if existing.get(column, kind) != kind}


def _refuse_lasting_views(cursor: Cursor, name: sql.Identifier, what: str) -> None:
    text = name.as_string(cursor)
    cursor.execute(_DEPENDENT_VIEWS, (text, text))
    lasting = [view for view, schema in cursor.fetchall() if schema != _REBUILT_SCHEMA]
    if lasting:
        raise SchemaDrift(
            f"the source has a wider type for {what}, and the view {', '.join(lasting)} shows the old one: "
            "drop the view, sync, and create it again"
        )


def _rebuild_beside(cursor: Cursor, contract: SystemContract, table: str, described: SourceTable, kept: list[str]) -> None:
    """Copy a raw table into one with the wider types and swap the two; dbt makes the staging view anew."""
    beside = loading_table(contract, table)
    ensure_schema(cursor, contract.loading_schema)
    cursor.execute(sql.SQL("drop table if exists {}").format(beside))
    create(cursor, contract, table, beside, described)
    columns = sql.SQL(", ").join(map(sql.Identifier, [*kept, *BATCH_COLUMNS]))
    cursor.execute(sql.SQL("insert into {0} ({1}) select {1} from {2}").format(beside, columns, raw_table(contract, table)))
    create_indexes(cursor, contract, table, beside, _later_batches(_indexes(cursor, contract, table).values()))
    cursor.execute(sql.SQL("drop table {} cascade").format(raw_table(contract, table)))
    adopt(cursor, contract, table)


def _drop_column(cursor: Cursor, contract: SystemContract, table: str, column: str) -> None:
    try:
        cursor.execute(sql.SQL("alter table {} drop column {}").format(raw_table(contract, table), sql.Identifier(column)))
    except errors.DependentObjectsStillExist as error:
        users = error.diag.message_detail or ""
        raise SchemaDrift(
            f"{table}.{column} is no longer declared but still used in the warehouse ({users.splitlines()[0]}): take it out there first"
        ) from error


def _rebuild(contract: SystemContract, table: str) -> str:
    return f"drop {contract.raw_schema}.{table} (cascade takes its staging view along) and sync again, then run `runmart refresh`"


def _quoted(cursor: Cursor, name: str) -> str:
    return sql.Identifier(name).as_string(cursor)
