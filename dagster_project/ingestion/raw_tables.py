"""Raw tables: their shape, and what happens when the source's shape changes.

Belongs here: creating `raw_<system>.<table>`, following columns and widened types, refusing drift. Does not belong here: rows (`apply`,
`first_load`). A raw table has the declared columns with the source's names and types, then those of `contracts.raw_columns`.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from psycopg2 import DataError, ProgrammingError, errors, sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts import raw_columns
from dagster_project.contracts.raw_columns import BATCH_ID, DELETED_AT, MOVED_FROM, QUARANTINED_AT
from dagster_project.contracts.table import BoundTable, IndexContract
from dagster_project.ingestion.catalog import SourceTable
from dagster_project.ingestion.errors import SchemaDrift
from dagster_project.ingestion.types import is_widened
from dagster_project.postgres import roles
from dagster_project.postgres.cursors import one_row
from dagster_project.postgres.schemas import STAGING

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
_MOVED = f"({MOVED_FROM} IS NOT NULL)"
_IN_QUARANTINE = f"({QUARANTINED_AT} IS NOT NULL)"

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


def existing(cursor: Cursor, schema: str) -> set[str]:
    """Names of the tables in a schema."""
    cursor.execute(
        "select relname from pg_catalog.pg_class where relnamespace = to_regnamespace(%s) and relkind = 'r'", (_quoted(cursor, schema),)
    )
    return {name for (name,) in cursor.fetchall()}


def types(cursor: Cursor, schema: str) -> Mapping[str, dict[str, str]]:
    """By raw table of a schema, the types of its columns as the source has them, without the columns that every raw table has."""
    cursor.execute(_TYPES, (_quoted(cursor, schema), list(raw_columns.TYPES)))
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for table, column, kind in cursor.fetchall():
        found[table][column] = kind
    return found


def check_declared(table: BoundTable, described: SourceTable) -> None:
    """Refuse a table that lacks a declared column.

    Raises:
        SchemaDrift: Names every missing column.
    """
    missing = [f"{table.name}.{column}" for column in table.columns if column not in described.columns]
    if missing:
        raise SchemaDrift(
            f"the source {table.system} has no column {', '.join(missing)}: dropped or renamed; restore it there, or change its contract"
        )


def ensure_schema(cursor: Cursor, schema: str) -> None:
    """Create a schema that the transforming role can look into."""
    cursor.execute("select to_regnamespace(%s)", (_quoted(cursor, schema),))
    if one_row(cursor) == (None,):
        cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        cursor.execute(sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(schema), sql.Identifier(roles.TRANSFORM)))


def create(cursor: Cursor, table: BoundTable, described: SourceTable) -> None:
    """Create an empty raw table where it is loaded, in place of one that was left there; its indexes are made when it is filled."""
    ensure_schema(cursor, table.loading_schema)
    cursor.execute(sql.SQL("drop table if exists {}").format(table.loading))
    columns = {**_wanted(table, described), **raw_columns.TYPES}
    definitions = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(f"{kind} not null" if column in raw_columns.REQUIRED else kind))
        for column, kind in columns.items()
    ]
    cursor.execute(sql.SQL("create table {} ({})").format(table.loading, sql.SQL(", ").join(definitions)))
    cursor.execute(sql.SQL("grant select on {} to {}").format(table.loading, sql.Identifier(roles.TRANSFORM)))
    cursor.execute(sql.SQL("comment on table {} is {}").format(table.loading, sql.Literal(table.declared.description)))


def batches_after(first_batch_id: int) -> str:
    """Condition of the indexes by batch, as PostgreSQL shows it.

    The first batch is left out: it wrote most rows, and whoever wants them reads the whole table. Queries that shall use these indexes
    compare the batch with a number, so that the planner sees that these rows do not matter.
    """
    return f"({BATCH_ID} > {first_batch_id})"


def create_indexes(cursor: Cursor, table: BoundTable, later_batches: str) -> None:
    """Create, where a table is loaded, what a sync and the marts find rows by: the key, of deleted rows the key, the batch, the parents.

    later_batches: Condition of the indexes by batch.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, table.key))
    if table.key:
        try:
            cursor.execute(sql.SQL("alter table {} add primary key ({})").format(table.loading, columns))
        except (errors.UniqueViolation, errors.NotNullViolation) as error:
            raise SchemaDrift(
                f"the source {table.system}: the key of {table.name} does not identify its rows: "
                f"{error.diag.message_detail or error.diag.message_primary}; declare one that does"
            ) from error
        is_deleted = sql.SQL("{} is not null").format(sql.Identifier(DELETED_AT))
        cursor.execute(sql.SQL("create index on {} ({}) where {}").format(table.loading, columns, is_deleted))
    for index in _indexes_for_marts(table, later_batches):
        _create_index(cursor, table.loading, index)


def check(cursor: Cursor, table: BoundTable, described: SourceTable) -> None:
    """Refuse what an existing raw table cannot follow, before anything is written.

    Raises:
        SchemaDrift: A type was narrowed or replaced, or a view would lose its column; or the key differs from the raw table's.
    """
    wanted, existing = _wanted(table, described), types(cursor, table.raw_schema)[table.name]
    changed = _changed(wanted, existing)
    refused = [
        f"{table.name}.{column} from {existing[column]} to {kind}"
        for column, kind in changed.items()
        if not is_widened(existing[column], kind)
    ]
    if refused:
        raise SchemaDrift(
            f"the source {table.system} changed the type of {', '.join(refused)}, which may not hold the values that raw has; "
            f"if that is meant: {_rebuild(table)}"
        )
    cursor.execute(_RAW_KEY, (table.raw.as_string(cursor),))
    key = tuple(one_row(cursor)[0] or ())
    if key != table.key:
        declared = ", ".join(table.key)
        raise SchemaDrift(f"the contract's key of {table.name} is ({declared}), raw's is ({', '.join(key)}): {_rebuild(table)}")
    if changed:
        _refuse_lasting_views(cursor, table.raw, f"{table.name}.{', '.join(changed)}")


def follow(cursor: Cursor, table: BoundTable, described: SourceTable) -> None:
    """Bring an existing raw table, which `check` let pass, to the contract and to the source's types.

    Raises:
        SchemaDrift: A column that has to go is in use.
    """
    wanted, existing = _wanted(table, described), types(cursor, table.raw_schema)[table.name]
    if _changed(wanted, existing):
        _rebuild_beside(cursor, table, described, [column for column in existing if column in wanted])
        return
    for column in wanted.keys() - existing.keys():
        cursor.execute(sql.SQL("alter table {} add column {} {}").format(table.raw, sql.Identifier(column), sql.SQL(wanted[column])))
    for column in existing.keys() - wanted.keys():
        _drop_column(cursor, table, column)
    # A table that was made before raw tables had it.
    moved_from = sql.SQL("{} {}").format(sql.Identifier(MOVED_FROM), sql.SQL(raw_columns.TYPES[MOVED_FROM]))
    cursor.execute(sql.SQL("alter table {} add column if not exists {}").format(table.raw, moved_from))


def follow_indexes(cursor: Cursor, table: BoundTable) -> None:
    """Make the indexes that a raw table lacks, and drop those that the contract no longer declares; a new table has them.

    A table lacks some if it was made by an earlier version, or before the contract declared them.

    Raises:
        SchemaDrift: An index that the contract declares cannot be made.
    """
    found = _indexes(cursor, table)
    for index in _indexes_for_marts(table, _later_batches(found.values())):
        if index not in found.values():
            _create_index(cursor, table.raw, index)
    declared = {_name_of(table, index): index for index in table.declared.indexes}
    made = {name for name in found if _DECLARED.search(name)}
    for name in sorted(made - declared.keys()):
        cursor.execute(sql.SQL("drop index {}").format(sql.Identifier(table.raw_schema, name)))
    for name in sorted(declared.keys() - made):
        _create_declared(cursor, table, name, declared[name])


def adopt(cursor: Cursor, table: BoundTable) -> None:
    """Move a finished table from the loading schema to where raw tables are."""
    ensure_schema(cursor, table.raw_schema)
    cursor.execute(sql.SQL("alter table {} set schema {}").format(table.loading, sql.Identifier(table.raw_schema)))


def _indexes(cursor: Cursor, table: BoundTable) -> dict[str, _Index]:
    """The indexes of a raw table by name."""
    cursor.execute(_INDEXES, (table.raw.as_string(cursor),))
    return {name: (tuple(columns), condition) for name, columns, condition in cursor.fetchall()}


def _later_batches(indexes: Iterable[_Index]) -> str:
    """The condition of a table's indexes by batch; all batches if somebody has dropped them."""
    conditions = (condition for columns, condition in indexes if columns[0] == BATCH_ID)
    return next((condition for condition in conditions if condition and condition != _MOVED), batches_after(0))


def _indexes_for_marts(table: BoundTable, later_batches: str) -> list[_Index]:
    """By what marts find the rows of a parent, of a batch, their parents, those of them that have left one, and those in quarantine."""
    parents, key = [reference.columns for reference in table.declared.references], table.key
    in_quarantine = [(key, _IN_QUARANTINE)] if key else []
    if not parents:
        return [((BATCH_ID,), later_batches), *in_quarantine]
    return [
        *in_quarantine,
        # The key finds rows by its first columns.
        *((columns, None) for columns in parents if key[: len(columns)] != columns),
        *(((BATCH_ID, *columns), later_batches) for columns in parents),
        ((BATCH_ID,), _MOVED),
    ]


def _create_index(cursor: Cursor, name: sql.Identifier, index: _Index) -> None:
    columns, condition = index
    where = sql.SQL(f" where {condition}" if condition else "")
    cursor.execute(sql.SQL("create index on {} ({}){}").format(name, sql.SQL(", ").join(map(sql.Identifier, columns)), where))


def _create_declared(cursor: Cursor, table: BoundTable, name: str, index: IndexContract) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, index.columns))
    where = sql.SQL(f" where {index.where}" if index.where else "")
    statement = sql.SQL("create index {} on {} ({}){}").format(sql.Identifier(name), table.raw, columns, where)
    try:
        cursor.execute(statement)
    except (ProgrammingError, DataError) as error:
        raise SchemaDrift(
            f"the contract of {table.system} declares an index of {table.name} that cannot be made: {error.diag.message_primary}; "
            f"correct its columns or its condition: {', '.join(index.columns)}{where.string}"
        ) from error


def _name_of(table: BoundTable, index: IndexContract) -> str:
    """A name that tells declared indexes from others, and one from another."""
    return f"{table.name[:40]}_declared_{hashlib.sha256(index.model_dump_json().encode()).hexdigest()[:8]}"


def _wanted(table: BoundTable, described: SourceTable) -> dict[str, str]:
    return {column: described.columns[column].raw_type for column in table.columns}


def _changed(wanted: Mapping[str, str], existing: Mapping[str, str]) -> dict[str, str]:
    return {column: kind for column, kind in wanted.items() if existing.get(column, kind) != kind}


def _refuse_lasting_views(cursor: Cursor, name: sql.Identifier, what: str) -> None:
    text = name.as_string(cursor)
    cursor.execute(_DEPENDENT_VIEWS, (text, text))
    lasting = [view for view, schema in cursor.fetchall() if schema != STAGING]
    if lasting:
        raise SchemaDrift(
            f"the source has a wider type for {what}, and the view {', '.join(lasting)} shows the old one: "
            "drop the view, sync, and create it again"
        )


def _rebuild_beside(cursor: Cursor, table: BoundTable, described: SourceTable, kept: list[str]) -> None:
    """Copy a raw table into one with the wider types and swap the two; dbt makes the staging view anew."""
    create(cursor, table, described)
    columns = sql.SQL(", ").join(map(sql.Identifier, [*kept, *raw_columns.TYPES]))
    cursor.execute(sql.SQL("insert into {0} ({1}) select {1} from {2}").format(table.loading, columns, table.raw))
    create_indexes(cursor, table, _later_batches(_indexes(cursor, table).values()))
    cursor.execute(sql.SQL("drop table {} cascade").format(table.raw))
    adopt(cursor, table)


def _drop_column(cursor: Cursor, table: BoundTable, column: str) -> None:
    try:
        cursor.execute(sql.SQL("alter table {} drop column {}").format(table.raw, sql.Identifier(column)))
    except errors.DependentObjectsStillExist as error:
        user = (error.diag.message_detail or "").splitlines()[0]
        raise SchemaDrift(
            f"{table.name}.{column} is no longer declared but still used in the warehouse ({user}): take it out there first"
        ) from error


def _rebuild(table: BoundTable) -> str:
    return f"drop {table.raw_name} (cascade takes its staging view along) and sync again, then run `runmart refresh`"


def _quoted(cursor: Cursor, name: str) -> str:
    return sql.Identifier(name).as_string(cursor)
