"""What the source's catalog says of the declared tables.

Belongs here: columns and their types in raw, the fingerprints that tell when a table was changed without its rows being written, and
sizes. Does not belong here: rows. Everything is asked in two statements for all tables, so that a sync without changes stays cheap.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable

# Types that only this server or its extensions know, and those whose values are numbers of its own catalog, arrive as text. A domain
# arrives as what it is made of. Money arrives as a number, because how many decimals it has is a setting of its database.
#
# A value of such a type may look different although no row was written: parts are all types that a column's type is made of, and what
# decides how their values look. Values that are numbers of the catalog look different when what they name is renamed.
_COLUMNS = """
with recursive declared as (

    select name, relation::regclass as relation from unnest(%s, %s) as declared (name, relation)

),

resolved as (

    select
        declared.name as table_name,
        attribute.attname,
        attribute.attnum,
        format_type(attribute.atttypid, attribute.atttypmod) as source_type,
        coalesce(nullif(column_type.typbasetype, 0), column_type.oid) as type_oid,
        case when column_type.typtype = 'd' then column_type.typtypmod else attribute.atttypmod end as type_modifier,
        case when attribute.attgenerated <> '' then pg_get_expr(expression.adbin, expression.adrelid) end as generated_as
    from declared
    inner join pg_catalog.pg_attribute as attribute
        on attribute.attrelid = declared.relation and attribute.attnum > 0 and not attribute.attisdropped
    inner join pg_catalog.pg_type as column_type on column_type.oid = attribute.atttypid
    left join pg_catalog.pg_attrdef as expression on expression.adrelid = attribute.attrelid and expression.adnum = attribute.attnum

),

part as (

    select distinct type_oid as root, type_oid as oid from resolved

    union

    select part.root, inner_part.oid
    from part
    inner join pg_catalog.pg_type as whole on whole.oid = part.oid
    cross join lateral (
        select whole.typbasetype
        union all
        select whole.typelem where whole.typcategory = 'A'
        union all
        select attribute.atttypid from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = whole.typrelid and attribute.attnum > 0 and not attribute.attisdropped
        union all
        select range.rngsubtype from pg_catalog.pg_range as range where whole.oid in (range.rngtypid, range.rngmultitypid)
    ) as inner_part (oid)
    where inner_part.oid <> 0 and (whole.typnamespace <> 'pg_catalog'::regnamespace or whole.typcategory = 'A')

),

looks as (

    select part.root, string_agg(description, ' ' order by part.oid) as of_parts
    from part
    inner join pg_catalog.pg_type as kind on kind.oid = part.oid
    cross join lateral (
        select string_agg(
            concat_ws(' ', attribute.attname, format_type(attribute.atttypid, attribute.atttypmod)), ',' order by attribute.attnum
        )
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = kind.typrelid and attribute.attnum > 0 and not attribute.attisdropped
        union all
        select string_agg(label.enumlabel, ',' order by label.enumsortorder)
        from pg_catalog.pg_enum as label where label.enumtypid = kind.oid
        union all
        select case when kind.typnamespace = 'pg_catalog'::regnamespace then case
            when kind.typname = 'regclass'
                then (select md5(string_agg(concat(c.oid, c.relnamespace, c.relname), ',' order by c.oid)) from pg_catalog.pg_class as c)
            when kind.typname in ('regproc', 'regprocedure')
                then (select md5(string_agg(concat(p.oid, p.pronamespace, p.proname), ',' order by p.oid)) from pg_catalog.pg_proc as p)
            when kind.typname = 'regtype'
                then (select md5(string_agg(concat(t.oid, t.typnamespace, t.typname), ',' order by t.oid)) from pg_catalog.pg_type as t)
            when kind.typname = 'regrole'
                then (select md5(string_agg(concat(r.oid, r.rolname), ',' order by r.oid)) from pg_catalog.pg_roles as r)
            when kind.typname = 'regnamespace'
                then (select md5(string_agg(concat(n.oid, n.nspname), ',' order by n.oid)) from pg_catalog.pg_namespace as n)
        end end
    ) as look (description)
    group by part.root

)

select
    resolved.table_name,
    resolved.attname,
    case
        when element.oid = 'pg_catalog.money'::regtype then 'numeric'
        when element.typnamespace <> 'pg_catalog'::regnamespace or element.typname like 'reg%%' or element.typtype in ('c', 'p') then 'text'
        else format_type(element.oid, resolved.type_modifier)
    end || case when base.oid = element.oid then '' else '[]' end as raw_type,
    resolved.source_type,
    concat_ws(' ', resolved.attnum, resolved.source_type, resolved.generated_as, looks.of_parts) as definition
from resolved
inner join looks on looks.root = resolved.type_oid
inner join pg_catalog.pg_type as base on base.oid = resolved.type_oid
inner join pg_catalog.pg_type as element
    on element.oid = case when base.typcategory = 'A' and base.typelem <> 0 then base.typelem else base.oid end
order by resolved.table_name, resolved.attnum
"""

# A partition that was detached, changed and attached again has a new entry in pg_inherits; a rewritten or truncated one a new file.
_STORAGE = """
with recursive tree as (

    select name, relation::regclass::oid as oid, '' as attached
    from unnest(%s, %s) as declared (name, relation)

    union all

    select tree.name, child.inhrelid, child.xmin::text
    from tree
    inner join pg_catalog.pg_inherits as child on child.inhparent = tree.oid and not child.inhdetachpending

)

select
    tree.name,
    json_object_agg(class.oid, concat_ws('.', pg_relation_filenode(class.oid), tree.attached)) as leaves,
    bool_and(class.relkind in ('r', 'p')) as has_transactions,
    bool_and(class.relkind in ('r', 'p') and class.relpersistence = 'p') as is_logged,
    sum(greatest(class.reltuples, 0))::bigint as estimated_rows,
    sum(case when class.relkind in ('r', 'm') then pg_table_size(class.oid) else 0 end)::bigint as bytes
from tree
inner join pg_catalog.pg_class as class on class.oid = tree.oid
group by tree.name
"""


@dataclass(frozen=True)
class SourceColumn:
    """One column of a source table.

    Attributes:
        raw_type: The type that raw gives it.
        source_type: Its type in the source.
        definition: Text that changes whenever the column may show other values although no row was written.
    """

    raw_type: str
    source_type: str
    definition: str


@dataclass(frozen=True)
class SourceTable:
    """One source table, its partitions included.

    Attributes:
        columns: ALL its columns by name, in the source's order.
        shape: Digest of the declared keys and the declared columns' definitions.
        leaves: Fingerprint by identifier of everything that may hold its rows.
        has_transactions: Whether its rows say which transaction wrote them; those of views and foreign tables do not.
        is_logged: Whether nothing but a transaction changes its rows; a crash empties unlogged tables.
        estimated_rows: Rows as the source's statistics have them.
        bytes: Size on the source's disk.
    """

    columns: Mapping[str, SourceColumn]
    shape: str
    leaves: Mapping[str, str]
    has_transactions: bool
    is_logged: bool
    estimated_rows: int
    bytes: int

    def new_leaves(self, before: Mapping[str, str]) -> list[int]:
        """Identifiers of the parts that were not there, or not like this, before."""
        return [int(leaf) for leaf, fingerprint in self.leaves.items() if before.get(leaf) != fingerprint]


def source_of(table: BoundTable) -> str:
    """What errors call a table of a source: names as a person knows them."""
    return f"the source {table.system}, table {table.name}"


def describe(cursor: Cursor, contract: SystemContract) -> dict[str, SourceTable]:
    """Every declared table as the source's catalog has it, with the types that raw gives its columns if the warehouse holds them."""
    if not contract.tables:
        return {}
    tables = contract.bound_tables()
    names = [table.name for table in tables]
    relations = [table.source.as_string(cursor) for table in tables]
    cursor.execute(_COLUMNS, (names, relations))
    columns: dict[str, dict[str, SourceColumn]] = {name: {} for name in names}
    for name, column, *description in cursor.fetchall():
        columns[name][column] = SourceColumn(*description)
    cursor.execute(_STORAGE, (names, relations))
    storage = {name: rest for name, *rest in cursor.fetchall()}
    return {table.name: SourceTable(columns[table.name], _shape(table, columns[table.name]), *storage[table.name]) for table in tables}


def _shape(table: BoundTable, columns: Mapping[str, SourceColumn]) -> str:
    declared = [(name, columns[name].definition if name in columns else None) for name in table.columns]
    keys = (table.key, sorted(table.declared.referring_columns))
    return hashlib.sha256(json.dumps([*keys, declared]).encode()).hexdigest()
