"""What the catalog of a migrated database says of its tables.

Belongs here: the queries that tests of all systems ask. Does not belong here: what a design or a model says, which they are compared with.
"""

# Columns of a table as a design writes them, in their order.
COLUMNS = """
select a.attname || ' ' || replace(replace(replace(replace(format_type(a.atttypid, a.atttypmod),
    'character varying', 'varchar'), 'timestamp with time zone', 'timestamptz'), 'timestamp without time zone', 'timestamp'), '"', '')
    || case when a.attnotnull then '!' else '' end
from pg_attribute a
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""


# Schemas of a database's own.
_OWN = "select oid from pg_namespace where nspname !~ '^(pg_|information_schema)'"

# What no model says: triggers, functions and partitions.
MACHINERY = f"""
with own as ({_OWN})
select 'trigger', t.tgrelid::regclass::text, pg_get_triggerdef(t.oid)
from pg_trigger t join pg_class c on c.oid = t.tgrelid where not t.tgisinternal and c.relnamespace in (select oid from own)
union all
select 'function', p.oid::regprocedure::text, md5(pg_get_functiondef(p.oid)) from pg_proc p where p.pronamespace in (select oid from own)
union all
select 'partition', c.oid::regclass::text, pg_get_expr(c.relpartbound, c.oid)
from pg_class c where c.relispartition and c.relkind = 'r' and c.relnamespace in (select oid from own)
order by 1, 2, 3
"""

# Whatever there is in a database, but for Alembic's own table.
LEFT = f"""
with own as ({_OWN})
select relname::text from pg_class where relnamespace in (select oid from own) and relname !~ '^alembic_version'
union all select proname from pg_proc where pronamespace in (select oid from own)
union all select nspname from pg_namespace where oid in (select oid from own) and nspname <> 'public'
"""

# By which the rows that refer to a row are found. An index of some rows only serves if these are all that refer to any.
FOREIGN_KEYS_WITHOUT_INDEX = f"""
select c.conrelid::regclass::text, c.conname::text from pg_constraint c
where c.contype = 'f' and c.conparentid = 0 and c.connamespace in ({_OWN})
    and not exists (
        select from pg_index i
        left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid = c.conrelid and i.indisvalid
            and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname))
            and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] <@ c.conkey
            and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] @> c.conkey
    )
"""


def catalog_of(*schemas: str) -> str:
    """A query of all that a model can say and `alembic check` compares only in part: defaults, checks, keys, indexes, comments.

    Args:
        schemas: Those of the tables.
    """
    names = ", ".join(f"'{schema}'" for schema in schemas)
    return f"""
    with tables as (
        select oid, relname from pg_class
        where relkind in ('r', 'p') and not relispartition and relname <> 'alembic_version'
            and relnamespace in (select oid from pg_namespace where nspname in ({names}))
    )
    select 'column', t.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_get_expr(d.adbin, d.adrelid), col_description(t.oid, a.attnum))
    from tables t
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    union all
    select 'constraint', t.relname || '.' || c.conname, pg_get_constraintdef(c.oid)
    from tables t join pg_constraint c on c.conrelid = t.oid and c.contype not in ('n', 't') and c.conparentid = 0
    union all
    select 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    from tables t join pg_index i on i.indrelid = t.oid
    union all
    select 'table', t.relname, obj_description(t.oid, 'pg_class') || coalesce(pg_get_partkeydef(t.oid), '') from tables t
    order by 1, 2
    """
