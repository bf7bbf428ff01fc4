"""Which tables of a source can be streamed, and which are.

Belongs here: what a table must be like to be streamed by the columns of its key alone, and the publication's contents. Does not belong
here: the slot and its messages (`slot`). A published table outside of these rules would not only be read wrongly: the server refuses every
UPDATE of a table whose replica identity is not among the published columns.
"""

import json
from collections.abc import Sequence

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from dagster_project.contracts.contract import SystemContract
from dagster_project.contracts.table import BoundTable

OLDEST_VERSION = 150000

_DECLARED = """
declared as (

    select declared.name, to_regclass(declared.relation) as relation, declared.key
    from jsonb_to_recordset(%(tables)s) as declared (name text, relation text, key text[])

)
"""

# A table's tree is the table itself and everything that is read with it. Its own problem goes before those of what is below it.
_STREAMABLE = f"""
with recursive {_DECLARED},

tree as (

    select name, key, relation as root, relation::oid from declared where relation is not null
    union
    select tree.name, tree.key, tree.root, child.inhrelid
    from tree inner join pg_catalog.pg_inherits as child on child.inhparent = tree.relation

),

member as (

    select tree.*, class.relkind, class.relpersistence, class.relreplident, class.relispartition, primary_key.condeferrable,
        (
            select array_agg(attribute.attname::text order by attribute.attname::text) from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = tree.relation and attribute.attnum = any (primary_key.conkey)
        ) as primary_key,
        (
            select min(attribute.attname::text) from pg_catalog.pg_attribute as attribute
            where attribute.attrelid = tree.relation and attribute.attnum = any (primary_key.conkey) and attribute.attgenerated <> ''
        ) as generated,
        (select array_agg(part order by part) from unnest(tree.key) as part) as declared_key
    from tree
    inner join pg_catalog.pg_class as class on class.oid = tree.relation
    left join pg_catalog.pg_constraint as primary_key on primary_key.conrelid = tree.relation and primary_key.contype = 'p'

),

problem as (

    select name, relation, root, case
        when relkind not in ('r', 'p') then 'is not an ordinary table'
        when relation <> root and not relispartition then 'inherits from it without being a partition'
        when relpersistence <> 'p' then 'is not written to the log: unlogged or temporary'
        when relreplident <> 'd' then 'has another replica identity than the default'
        when primary_key is null then 'has no primary key'
        when condeferrable then 'has a primary key that is checked late (deferrable)'
        when primary_key <> declared_key
            then format(
                'has the primary key (%%s), the contract''s is (%%s)', array_to_string(primary_key, ', '), array_to_string(key, ', ')
            )
        when generated is not null then format('has the generated column %%s in its key', generated)
    end as reason
    from member

)

select
    declared.name,
    case
        when declared.relation is null then 'there is no such table'
        when cardinality(declared.key) = 0 then 'it has no key'
        else coalesce(
            (
                select format('it is part of %%s, which is declared too', tree.name) from tree
                where tree.relation = declared.relation and tree.root <> declared.relation
                limit 1
            ),
            (
                select concat_ws(
                    ' ', case when problem.relation = problem.root then 'it' else problem.relation::regclass::text end, problem.reason
                )
                from problem
                where problem.name = declared.name and problem.reason is not null
                order by problem.relation <> problem.root, problem.relation
                limit 1
            )
        )
    end as reason
from declared
"""

# Values are left out that only a person could have set by hand on our publication: all of them would hide changes from us.
_PUBLISHED = f"""
with {_DECLARED}

select declared.name, concat_ws(':', publication.oid, publication.xmin, member.oid, member.xmin) as fingerprint
from declared
inner join pg_catalog.pg_publication_rel as member on member.prrelid = declared.relation and member.prqual is null
inner join pg_catalog.pg_publication as publication
    on publication.oid = member.prpubid and publication.pubname = %(publication)s and publication.pubviaroot
        and not publication.puballtables
        and publication.pubinsert and publication.pubupdate and publication.pubdelete and publication.pubtruncate
where
    (
        select array_agg(attribute.attname::text order by attribute.attname::text) from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = declared.relation and attribute.attnum = any (member.prattrs::int2[])
    ) = (select array_agg(part order by part) from unnest(declared.key) as part)
    -- Below a published ancestor a table's changes arrive under the ancestor's name.
    and not exists (
        select from pg_partition_ancestors(declared.relation) as ancestor
        inner join pg_catalog.pg_publication_rel as above on above.prrelid = ancestor.relid and above.prpubid = publication.oid
        where ancestor.relid <> declared.relation
    )
"""

_MEMBERS = """
select member.prrelid from pg_catalog.pg_publication_rel as member
inner join pg_catalog.pg_publication as publication on publication.oid = member.prpubid
where publication.pubname = %s
"""

_OIDS = f"with {_DECLARED} select relation::oid, name from declared where relation is not null"


def streamable(cursor: Cursor, contract: SystemContract) -> dict[str, str | None]:
    """For each declared table, why it cannot be streamed by its key alone; None if it can."""
    cursor.execute(_STREAMABLE, {"tables": _tables(cursor, contract)})
    reasons = dict(cursor.fetchall())
    return {table: reasons[table] for table in contract.tables}


def published(cursor: Cursor, contract: SystemContract, publication: str) -> dict[str, str]:
    """A fingerprint of every declared table that is published as it must be; it changes whenever that was changed or made anew."""
    if cursor.connection.server_version < OLDEST_VERSION:
        return {}
    cursor.execute(_PUBLISHED, {"tables": _tables(cursor, contract), "publication": publication})
    return dict(cursor.fetchall())


def is_exact(cursor: Cursor, contract: SystemContract, publication: str, tables: list[str]) -> bool:
    """Whether the publication has these tables as they must be, and no other."""
    cursor.execute(_MEMBERS, (publication,))
    return cursor.rowcount == len(tables) and set(published(cursor, contract, publication)) == set(tables)


def members(cursor: Cursor, contract: SystemContract, publication: str) -> set[str]:
    """The declared tables that the publication has in whatever way."""
    names = declared_oids(cursor, contract)
    cursor.execute(_MEMBERS, (publication,))
    return {names[relation] for (relation,) in cursor.fetchall() if relation in names}


def declared_oids(cursor: Cursor, contract: SystemContract) -> dict[int, str]:
    """The declared tables by the identifiers that the stream calls them by, which survive a renaming."""
    cursor.execute(_OIDS, {"tables": _tables(cursor, contract)})
    return dict(cursor.fetchall())


def creation(publication: str, tables: Sequence[BoundTable]) -> sql.Composable:
    """The statement that publishes the keys of these tables."""
    keys = [sql.SQL("{} ({})").format(table.source, sql.SQL(", ").join(map(sql.Identifier, table.key))) for table in tables]
    return sql.SQL("create publication {} for table {} with (publish_via_partition_root = true)").format(
        sql.Identifier(publication), sql.SQL(", ").join(keys)
    )


def _tables(cursor: Cursor, contract: SystemContract) -> str:
    return json.dumps(
        [{"name": table.name, "relation": table.source.as_string(cursor), "key": list(table.key)} for table in contract.bound_tables()]
    )
