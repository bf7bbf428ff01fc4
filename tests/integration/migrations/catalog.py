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


def catalog_of(*schemas: str, but: str = "false") -> str:
    """A query of all that a model can say and `alembic check` compares only in part: defaults, checks, keys, indexes, comments.

    Args:
        schemas: Those of the tables.
        but: Which constraints `c` are left out, in SQL, besides those that NOT NULL makes.
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
    from tables t join pg_constraint c on c.conrelid = t.oid and c.contype <> 'n' and not ({but})
    union all
    select 'index', i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
    from tables t join pg_index i on i.indrelid = t.oid
    union all
    select 'table', t.relname, obj_description(t.oid, 'pg_class') || coalesce(pg_get_partkeydef(t.oid), '') from tables t
    order by 1, 2
    """


# Tables with the first column of each foreign key that no index begins with.
FOREIGN_KEYS_WITHOUT_INDEX = """
select c.conrelid::regclass::text, a.attname
from pg_constraint c
join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
where c.contype = 'f' and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])
"""


def without_comment(schema: str) -> str:
    """A query of the tables, columns and functions of a schema that no comment explains, by name."""
    tables = f"""
    select oid, relname from pg_class
    where relkind in ('r', 'p') and not relispartition and relnamespace = '{schema}'::regnamespace and relname <> 'alembic_version'
    """
    return f"""
    with tables as ({tables})
    select relname::text from tables where obj_description(oid, 'pg_class') is null
    union all select relname || '.' || attname from tables join pg_attribute on attrelid = oid
        where attnum > 0 and not attisdropped and col_description(oid, attnum) is null
    union all select proname::text from pg_proc where pronamespace = '{schema}'::regnamespace and obj_description(oid, 'pg_proc') is null
    order by 1
    """
