"""What a live database's catalog says: relations, columns, keys and references of some schemas.

Belongs here: reading the catalog, with the rights of any role and without touching a table. Does not belong here: what is made of it
(`drafting`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.errors import RunmartError
from dagster_project.ingestion.errors import SourceNotSupported
from dagster_project.ingestion.source import hiding_rows
from dagster_project.postgres import versions
from dagster_project.postgres.cursors import one_row
from dagster_project.suggestions import no_such

_LIMITS = "set local lock_timeout = '10s'; set local statement_timeout = '60s'; set local idle_in_transaction_session_timeout = '5min'"

# Partitions belong to their root. Tables of pg_temp schemas are never in a schema that a person names.
_RELATIONS = """
select
    class.oid, namespace.nspname, class.relname, class.relkind, obj_description(class.oid, 'pg_class'),
    has_schema_privilege(namespace.oid, 'usage') and has_table_privilege(class.oid, 'select'),
    (
        select extension.extname
        from pg_catalog.pg_depend as dependency
        inner join pg_catalog.pg_extension as extension on extension.oid = dependency.refobjid
        where dependency.classid = 'pg_class'::regclass and dependency.objid = class.oid and dependency.deptype = 'e'
            and dependency.refclassid = 'pg_extension'::regclass
    ),
    class.relkind = 'r' and exists (select from pg_catalog.pg_inherits where inhparent = class.oid)
from pg_catalog.pg_class as class
inner join pg_catalog.pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = any(%s) and class.relkind in ('r', 'p', 'v', 'm', 'f') and not class.relispartition
order by array_position(%s, namespace.nspname::text), class.relname
"""

# A domain is what it is made of, however many lie in between.
_COLUMNS = """
with recursive base as (

    select oid as declared, oid, typbasetype from pg_catalog.pg_type

    union all

    select base.declared, type.oid, type.typbasetype
    from base
    inner join pg_catalog.pg_type as type on type.oid = base.typbasetype

)

select
    attribute.attrelid, attribute.attname, format_type(base.oid, null), attribute.attnotnull,
    col_description(attribute.attrelid, attribute.attnum)
from pg_catalog.pg_attribute as attribute
inner join base on base.declared = attribute.atttypid and base.typbasetype = 0
where attribute.attrelid = any(%s::oid[]) and attribute.attnum > 0 and not attribute.attisdropped
order by attribute.attrelid, attribute.attnum
"""

# Uniqueness that holds for every row: of whole columns, without a condition, and (but for the primary key) not checked at commit only.
_UNIQUES = """
select index.indrelid, index.indisprimary, array_agg(attribute.attname::text order by position.ordinality)
from pg_catalog.pg_index as index
cross join lateral unnest(index.indkey) with ordinality as position (attnum, ordinality)
inner join pg_catalog.pg_attribute as attribute on attribute.attrelid = index.indrelid and attribute.attnum = position.attnum
where index.indrelid = any(%s::oid[]) and index.indisunique and index.indisvalid and index.indpred is null and index.indexprs is null
    and (index.indimmediate or index.indisprimary) and position.ordinality <= index.indnkeyatts
group by index.indrelid, index.indexrelid, index.indisprimary
order by index.indisprimary desc, count(*), min(attribute.attnum), index.indexrelid
"""

# Those that a partition inherits, or that stand for a partition of the other side, have a parent.
_REFERENCES = """
select
    c.conrelid, namespace.nspname, target.relname, c.convalidated,
    array_agg(child.attname::text order by position.ordinality), array_agg(parent.attname::text order by position.ordinality)
from pg_catalog.pg_constraint as c
inner join pg_catalog.pg_class as target on target.oid = c.confrelid
inner join pg_catalog.pg_namespace as namespace on namespace.oid = target.relnamespace
cross join lateral unnest(c.conkey, c.confkey) with ordinality as position (child, parent, ordinality)
inner join pg_catalog.pg_attribute as child on child.attrelid = c.conrelid and child.attnum = position.child
inner join pg_catalog.pg_attribute as parent on parent.attrelid = c.confrelid and parent.attnum = position.parent
where c.contype = 'f' and c.conparentid = 0 and c.conrelid = any(%s::oid[])
group by c.oid, namespace.nspname, target.relname
order by c.conrelid, c.conname
"""


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: Its name.
        type_name: Its type, without length or precision; that of a domain's base.
        is_required: Whether it is declared NOT NULL.
        comment: What its owner says of it, if anything.
    """

    name: str
    type_name: str
    is_required: bool
    comment: str | None


@dataclass(frozen=True)
class Reference:
    """A foreign key.

    Attributes:
        columns: Referring columns.
        parent_schema: Schema of the table referred to.
        parent: That table.
        parent_columns: Its columns, in the order of `columns`.
        is_validated: Whether all rows are known to keep it.
    """

    columns: tuple[str, ...]
    parent_schema: str
    parent: str
    parent_columns: tuple[str, ...]
    is_validated: bool


@dataclass(frozen=True)
class Relation:
    """A table, view or the like.

    Attributes:
        schema: Its schema.
        name: Its name.
        kind: `relkind` of pg_class: r, p, v, m or f.
        comment: What its owner says of it, if anything.
        is_readable: Whether the role may select from it.
        extension: Extension that it belongs to, if any.
        has_heirs: Whether other tables inherit from it, so that their rows are its rows too.
        hides_rows: Whether its row level security may hide rows from the role.
        columns: In the order of the table.
        uniques: Column lists that identify a row if none of their values is null; the primary key first, then the shortest.
        references: Foreign keys.
    """

    schema: str
    name: str
    kind: str
    comment: str | None
    is_readable: bool
    extension: str | None
    has_heirs: bool
    hides_rows: bool
    columns: tuple[Column, ...]
    uniques: tuple[tuple[str, ...], ...]
    references: tuple[Reference, ...]


@dataclass(frozen=True)
class Catalog:
    """What of a database a contract can be drafted from.

    Attributes:
        database: Name of the database.
        comment: What its owner says of it, if anything.
        relations: Relations of the schemas asked for, in their order, then by name.
    """

    database: str
    comment: str | None
    relations: tuple[Relation, ...]


@contextmanager
def reading(url: str) -> Iterator[Cursor]:
    """A read-only transaction in one snapshot, with limits, on a database that may be in use.

    Raises:
        SourceNotSupported: The server is too old.
    """
    connection = psycopg2.connect(url, connect_timeout=10, application_name="runmart source scaffold")
    try:
        if refusal := versions.refusal(connection.server_version):
            raise SourceNotSupported(f"the server {refusal}")
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute(_LIMITS)
            yield cursor
    finally:
        connection.close()


def read_catalog(cursor: Cursor, schemas: Sequence[str]) -> Catalog:
    """The catalog's view of some schemas.

    Raises:
        RunmartError: A schema does not exist.
    """
    _refuse_unknown(cursor, schemas)
    cursor.execute(_RELATIONS, (list(schemas), list(schemas)))
    relations = cursor.fetchall()
    oids = [oid for oid, *_ in relations]
    columns: dict[int, list[Column]] = {oid: [] for oid in oids}
    uniques: dict[int, list[tuple[str, ...]]] = {oid: [] for oid in oids}
    references: dict[int, list[Reference]] = {oid: [] for oid in oids}
    cursor.execute(_COLUMNS, (oids,))
    for oid, *column in cursor.fetchall():
        columns[oid].append(Column(*column))
    cursor.execute(_UNIQUES, (oids,))
    for oid, _, names in cursor.fetchall():
        uniques[oid].append(tuple(names))
    cursor.execute(_REFERENCES, (oids,))
    for oid, schema, table, is_validated, children, parents in cursor.fetchall():
        references[oid].append(Reference(tuple(children), schema, table, tuple(parents), is_validated))
    cursor.execute("select datname, shobj_description(oid, 'pg_database') from pg_catalog.pg_database where datname = current_database()")
    database, comment = one_row(cursor)
    names = {oid: sql.Identifier(schema, name).as_string(cursor) for oid, schema, name, *_ in relations}
    # What the role may not read cannot be looked up by its name either.
    hiding = hiding_rows(cursor, [names[oid] for oid, _, _, _, _, is_readable, *_ in relations if is_readable])
    found = (
        Relation(
            *(schema, name, kind, about, is_readable, extension, has_heirs, names[oid] in hiding),
            *(tuple(columns[oid]), tuple(uniques[oid]), tuple(references[oid])),
        )
        for oid, schema, name, kind, about, is_readable, extension, has_heirs in relations
    )
    return Catalog(database, comment, tuple(found))


def _refuse_unknown(cursor: Cursor, schemas: Sequence[str]) -> None:
    cursor.execute(
        "select nspname from pg_catalog.pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' order by nspname"
    )
    known = [name for (name,) in cursor.fetchall()]
    for schema in schemas:
        if schema not in known:
            raise RunmartError(no_such("schema", schema, known, " to read in this database"))
